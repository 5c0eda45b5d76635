package main

// incident is one folder of the demo's module.
type incident struct {
	folder string
	title  string
	parts  []excerptOf
	below  func(demo) // what is shown below the parts
	report string     // the test whose output is shown
	beside []beside
	say    string
	tests  []scenario
}

// excerptOf is a part of a file that is shown.
type excerptOf struct {
	text      string
	file      string
	statement string // its first line
	lines     int
}

// beside is a test that is told in one line.
type beside struct{ test, text string }

// scenario is one of the tests, and what has to come of it.
type scenario struct {
	test    string
	code    string // what the code under test does
	against string // and what is done with it
	linux   bool   // it skips itself elsewhere
	want    place  // what the harness must report; nothing when it is the zero place
	too     place  // and what else it must report beside that, with a line of its own
	unseen  bool   // it has a fault, which leaves nothing when the test ends
	prints  string // what a test that passes must print; such a test is told beside, not in the table
}

// place is one entry of a report, or several that name the same line: "LK001, LK005".
type place struct{ code, file, statement string }

const (
	forgets = "forgets Close"
	page    = "a 403 with a page"

	perItem = "a pool for each item"
	budget  = "3 items, MaxConns(1)"

	dials    = "dials it at start-up"
	broker   = `dial(context.Background(), "tcp", broker)`
	publish  = "go s.publish()"
	failFast = "FailFast, BlackHole"

	inTx   = "calls in a transaction"
	noCall = "NoCallWhileHeld"
)

// leakLine is the statement that leaks the connection of HTTP.
const leakLine = "http.DefaultClient.Do(req)"

var incidents = []incident{
	{
		folder: "leasedconn",
		title:  "A client leaks a connection for each 403",
		parts: []excerptOf{
			{"The client needs the status code alone, and forgets the body.", "client.go", leakLine, 10},
			{"The mock answers what a load balancer answers: a 403 with a page.", "incident_test.go", "mockserver.New(t)", 2},
		},
		below:  demo.page,
		report: "TestForbiddenPage",
		beside: []beside{
			{"TestForbiddenPageFixed", "the client with  defer resp.Body.Close()  against the page"},
			{"TestForbiddenEmpty", "the client that leaks against a 403 with  Content-Length: 0"},
			{"TestLoadOfEmptyReplies", "the load test that never found it, which had a million of those"},
			{"TestLoadWithPages", "the same load, with the page in one reply of a hundred"},
			{"TestCloseWaits", "sockets in CLOSE_WAIT: the sixth fails it, while it runs"},
			{"TestThreeQuarters", "the 75 % line: 16 sessions, and a pool of 20 connections"},
		},
		say: "A mock without a body hides the bug: with Content-Length: 0 net/http puts the connection back into its pool before " +
			"the client sees the response, so that there is nothing left to leak.",
		tests: []scenario{
			{test: "TestForbiddenPage", code: forgets, against: page, want: place{"LK001", "client.go", leakLine}},
			{test: "TestForbiddenPageFixed", code: "closes the body", against: page},
			{test: "TestForbiddenEmpty", code: forgets, against: "a 403 without a body"},
			{test: "TestCloseWaits", code: forgets, against: "AtMost(CloseWait, 5)", want: place{"LK602", "client.go", leakLine}, linux: true},
			{test: "TestThreeQuarters", code: forgets, against: "HighWater(0.75)", want: place{"LK001, LK005", "client.go", leakLine}},
			{test: "TestLoadOfEmptyReplies", prints: "empty replies, and nothing is held"},
			{test: "TestLoadWithPages", code: forgets, against: "1 page in 100", want: place{"LK001", "client.go", leakLine}},
		},
	},
	{
		folder: "deadbroker",
		title:  "A start-up still dials a broker that was turned off",
		parts: []excerptOf{
			{"It starts its publisher first, and nothing limits the dial or the handshake.", "start.go", publish, 10},
			{"The test names what may be dialled. Nobody has named the broker.", "incident_test.go", "mockserver.Refuse(t)", 4},
		},
		report: "TestStartUpDialsOnlyWhatIsNamed",
		beside: []beside{
			{"TestBrokerIsGone", "FailFast: the start-up has to return an error, and leave nothing"},
			{"TestBrokerHangs", "FailFast: a broker that takes the connection and never answers"},
			{"TestStartFixed", "the start-up that gives up, closes, and begins its publisher last"},
			{"TestWithoutBroker", "the start-up that does not dial it any more"},
		},
		say: "The first of these finds the dial while the broker is still there. The others say what a restart would meet.",
		tests: []scenario{
			{test: "TestStartUpDialsOnlyWhatIsNamed", code: dials, against: "AllowRemotes", want: place{"LK605", "start.go", broker}, too: place{"LK102", "start.go", publish}},
			{test: "TestBrokerIsGone", code: dials, against: "FailFast, Refuse", want: place{"LK102", "start.go", publish}},
			{test: "TestBrokerHangs", code: dials, against: failFast, want: place{"LK606", "broker.go", "io.ReadFull(conn, head)"}, too: place{"LK102", "start.go", publish}},
			{test: "TestStartFixed", code: "gives up, and closes", against: failFast},
			{test: "TestWithoutBroker", code: "does not dial it", against: "AllowRemotes"},
		},
	},
	{
		folder: "exhaustion",
		title:  "A database server runs out of connections",
		parts: []excerptOf{
			{"Is it a leak? One row is enough to know, and the rows stay open.", "catalog.go", "c.DB.QueryContext(", 5},
			{"Too many instances, or no pooling? There are twelve of these.", "catalog.go", "open(server)", 3},
		},
		report: "TestLeak",
		beside: []beside{
			{"TestLeakOverTime", "the same with Sample: the sixth connection that is out fails it"},
			{"TestInstances", "Capacity: twelve instances and their pools, and the server's limit"},
			{"TestPooling", "MinReuse: a pool that keeps no connection"},
			{"TestExhaustionFixed", "all four tools, the rows closed, six connections each, and kept"},
			{"TestSale", "the day itself: twelve instances, and a server with 97 slots"},
		},
		say: "One error, and three causes. Repeat tells what has no end from a pool that fills; Capacity multiplies before anybody is refused.",
		tests: []scenario{
			{test: "TestLeak", code: "forgets rows.Close", against: "Repeat, 10 runs", want: place{"LK601", "catalog.go", "c.DB.QueryContext("}},
			{test: "TestLeakOverTime", code: "forgets rows.Close", against: "Sample, AtMost(5)", want: place{"LK602", "catalog.go", "c.DB.QueryContext("}},
			{test: "TestInstances", code: "20 for each of 12", against: "Capacity", want: place{"LK217", "incident_test.go", "fleet.Verify(t)"}},
			{test: "TestPooling", code: "keeps no connection", against: "MinReuse(0.9)", want: place{"LK213", "catalog.go", "open(server)"}},
			{test: "TestExhaustionFixed", prints: "with pools of 6 need 90 connections; the server has 100 less 3 reserved = 97: 7 are left"},
			{test: "TestSale", prints: "instance 5 of 12, customer 18 of 20: FATAL: remaining connection slots are reserved"},
		},
	},
	{
		folder: "nightlysync",
		title:  "A worker opens a database session for each item",
		parts: []excerptOf{
			{"The worker opens a pool for each item. In the test Open is dbcheck.Open.", "sync.go", "w.Open(w.Driver, w.DSN)", 6},
		},
		report: "TestNightlySync",
		beside: []beside{
			{"TestNightlySyncRepeat", "three runs of one item each: one pool more after each"},
			{"TestNightlySyncFixed", "the worker with one pool for the run"},
			{"TestNightlySyncDeferred", "defer db.Close() in the loop, which closes all at the end"},
			{"TestNightlySyncInProduction", "the night itself: 100 items, and a server with 85 slots"},
		},
		say: "Three items show it. The server would take 85. There is none here: a driver in the process says what PostgreSQL says.",
		tests: []scenario{
			{test: "TestNightlySync", code: perItem, against: "3 items", want: place{"LK201", "sync.go", "w.Open(w.Driver, w.DSN)"}},
			{test: "TestNightlySyncRepeat", code: perItem, against: "Repeat, 3 runs", want: place{"LK601", "sync.go", "w.Open(w.Driver, w.DSN)"}},
			{test: "TestNightlySyncDeferred", code: "closes them at the end", against: budget, want: place{"LK212", "deferred.go", "db.ExecContext("}},
			{test: "TestNightlySyncFixed", code: "one pool", against: budget},
			{test: "TestNightlySyncInProduction", prints: "item 86: FATAL: remaining connection slots are reserved"},
		},
	},
	{
		folder: "heldacross",
		title:  "A checkout holds its database connection over somebody else's call",
		parts: []excerptOf{
			{"The checkout charges the order inside its transaction.", "checkout.go", "c.DB.BeginTx(ctx, nil)", 11},
		},
		report: "TestPay",
		beside: []beside{
			{"TestPayFixed", "the checkout that calls between two short turns at the database"},
			{"TestPaySlowly", "the first one, judged by time alone; the service takes 100 ms"},
			{"TestPayCrowd", "Concurrently: 100 customers, and a service that takes 60 ms"},
			{"TestPayCrowdFixed", "the same crowd, the same pool, and the other checkout"},
			{"TestBiggerPool", "what a bigger pool would do, and would not"},
			{"TestPayInProduction", "the day itself: 100 customers, and a service that hangs"},
		},
		say: "One client shows it, and a service that answers at once.",
		tests: []scenario{
			{test: "TestPay", code: inTx, against: noCall, want: place{"LK215", "checkout.go", leakLine}},
			{test: "TestPaySlowly", code: inTx, against: "MaxHold(50ms)", want: place{"LK211", "checkout.go", "c.DB.BeginTx(ctx, nil)"}},
			{test: "TestPayFixed", code: "calls between two turns", against: noCall},
			{test: "TestPayCrowd", code: inTx, against: "100 clients", want: place{"LK603", "checkout.go", "c.DB.BeginTx(ctx, nil)"}},
			{test: "TestPayCrowdFixed", code: "calls between two turns", against: "100 clients"},
			{test: "TestBiggerPool", prints: "transactions at once, nobody waited"},
			{test: "TestPayInProduction", prints: "10 of 10 connections are out, 90 customers wait for one"},
		},
	},
}

// namesOf lists the tests. No two of them have the same name.
func namesOf(list []incident) (out []string) {
	for _, in := range list {
		for _, s := range in.tests {
			out = append(out, s.test)
		}
	}
	return out
}
