package main

import (
	"context"
	"path"
	"slices"
	"strings"
)

// deepTestFile is the one file of tests in each incident's folder that has no harness in it.
const deepTestFile = "deep_test.go"

// withoutHarness leaves out the tests that import the harness.
func withoutHarness(files map[string]string) map[string]string {
	out := make(map[string]string)
	for name, text := range files {
		if !strings.HasSuffix(name, "_test.go") || path.Base(name) == deepTestFile {
			out[name] = text
		}
	}
	return out
}

// hooked makes the overlay, and gives the go command, its arguments and its environment for the demo's module.
func (d demo) hooked(ctx context.Context, dir string, env []string) (goCmd string, args, environ []string, err error) {
	env = append(env, reportEnv+"=", baselineEnv+"="+off)
	c := console{out: d.out, err: d.err, dir: dir, environ: env}
	s, rest, err := c.setUpDeep(ctx, []string{"-json", "-tags=deep", "-vet=off", "-ldflags=-w", "-timeout=2m", "./..."})
	if err != nil {
		return "", nil, nil, err
	}
	return s.goCmd, s.goArgs(rest), slices.Concat(env, new(deepOptions).environ(), s.environ), nil
}

// rowsLine is the statement that leaves rows open.
const rowsLine = "c.DB.QueryContext("

// deepIncidents are the same five, with what deep mode says of them.
var deepIncidents = []incident{
	{
		folder: "leasedconn",
		title:  "A client leaks a connection for each 403",
		parts: []excerptOf{
			{"The test calls the client. It imports the standard library alone.", deepTestFile, "func TestForbidden(t", 7},
		},
		report: "TestForbidden",
		beside: []beside{
			{"TestForbiddenFixed", "the client with  defer resp.Body.Close()"},
			{"TestForbiddenWithoutPage", "the client that leaks against a 403 with  Content-Length: 0"},
		},
		say: "Without a page in the reply there is nothing to leak, with or without deep mode: what the mock answers is still yours to choose.",
		tests: []scenario{
			{test: "TestForbidden", code: forgets, against: page, want: place{"LK001", "client.go", leakLine}},
			{test: "TestForbiddenFixed", code: "closes the body", against: page},
			{test: "TestForbiddenWithoutPage", code: forgets, against: "a 403 without a body", unseen: true},
		},
	},
	{
		folder: "deadbroker",
		title:  "A start-up still dials a broker that was turned off",
		parts: []excerptOf{
			{"The start-up that fails leaves its publisher, and the connection once there is one.", "start.go", publish, 10},
		},
		report: "TestGone",
		beside: []beside{
			{"TestHangsUp", "a broker that takes the connection and ends it: that is left open, too"},
			{"TestHangsUpFixed", "the start-up that gives up, closes, and begins its publisher last"},
		},
		say: "That it dials the broker at all is no leak, and with a broker that hangs the test does so too: leakgate demo shows " +
			"AllowRemotes and FailFast, which find these.",
		tests: []scenario{
			{test: "TestGone", code: dials, against: "nobody listens", want: place{"LK102", "start.go", publish}},
			{test: "TestHangsUp", code: dials, against: "it hangs up", want: place{"LK301", "start.go", broker}, too: place{"LK102", "start.go", publish}},
			{test: "TestHangsUpFixed", code: "gives up, and closes", against: "it hangs up"},
		},
	},
	{
		folder: "exhaustion",
		title:  "A database server runs out of connections",
		parts: []excerptOf{
			{"One row is enough to know, and the rows stay open.", "catalog.go", rowsLine, 5},
		},
		report: "TestInStock",
		beside: []beside{{"TestInStockFixed", "the catalog with  defer rows.Close()"}},
		say: "The other two causes, too many instances and no pooling, are no leaks: nothing is held when the test ends. leakgate demo " +
			"shows Capacity and MinReuse, which find them.",
		tests: []scenario{
			{test: "TestInStock", code: "forgets rows.Close", against: "1 query", want: place{"LK203", "catalog.go", rowsLine}},
			{test: "TestInStockFixed", code: "closes the rows", against: "1 query"},
		},
	},
	{
		folder: "nightlysync",
		title:  "A worker opens a database session for each item",
		parts: []excerptOf{
			{"The worker opens a pool for each item, by sql.Open.", "sync.go", "w.Open(w.Driver, w.DSN)", 6},
		},
		report: "TestSync",
		beside: []beside{
			{"TestSyncFixed", "the worker with one pool for the run"},
			{"TestSyncDeferred", "defer db.Close() in the loop, which closes all at the end"},
		},
		say: "Sessions that are closed at the end of the night are no leak, and too many all the same: leakgate demo shows MaxConns, which finds them.",
		tests: []scenario{
			{test: "TestSync", code: perItem, against: "3 items", want: place{"LK201", "sync.go", "w.Open(w.Driver, w.DSN)"}},
			{test: "TestSyncDeferred", code: "closes them at the end", against: "3 items", unseen: true},
			{test: "TestSyncFixed", code: "one pool", against: "3 items"},
		},
	},
	{
		folder: "heldacross",
		title:  "A checkout holds its database connection over somebody else's call",
		parts: []excerptOf{
			{"The checkout charges the order inside its transaction.", "checkout.go", "c.DB.BeginTx(ctx, nil)", 11},
		},
		report: "TestPayAlone",
		say: "Deep mode does not see this one: the connection is back when the test ends, so that nothing has leaked. leakgate demo shows " +
			"NoCallWhileHeld and MaxHold, which find it.",
		tests: []scenario{
			{test: "TestPayAlone", code: inTx, against: "1 client", unseen: true},
		},
	},
}
