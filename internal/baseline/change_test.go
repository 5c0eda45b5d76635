package baseline

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func proven(*Entry) string { return "" }

// except judges all entries but one.
func except(fingerprint, why string) Judge {
	return func(e *Entry) string {
		if e.Fingerprint == fingerprint {
			return why
		}
		return ""
	}
}

func found(fingerprint string, count int) Found {
	return Found{Key: Key{shop, fingerprint}, Code: "LK001", Count: count}
}

func words(changes []Change) (out []string) {
	for _, c := range changes {
		out = append(out, c.String())
	}
	return out
}

func file(entries ...Entry) *File {
	f := &File{Path: Name, Entries: entries}
	f.tidy()
	return f
}

func TestAccept(t *testing.T) {
	f := parse(t, lines(
		"# mine", "", "leak: gone", "package: "+shop, "code: LK001", "count: 1", "reason: old", "added: 2026-01-01", "",
		"# see issue 7", "leak: less", "package: "+shop, "code: LK001", "count: 5", "owner: @a", "reason: slow", "added: 2026-01-01", "",
		"leak: more", "package: "+shop, "code: LK001", "count: 1", "reason: old", "expires: 2027-01-01", "added: 2026-01-01", "",
		"leak: same", "package: "+shop, "code: LK001", "count: 2", "reason: old", "added: 2026-01-01", "",
		"leak: skipped", "package: "+shop, "code: LK001", "count: 2", "reason: old", "added: 2026-01-01", "",
		"leak: other code", "package: "+shop, "code: LK009", "count: 2", "reason: old", "added: 2026-01-01",
	))
	changes, err := f.Accept(
		[]Found{found("more", 3), found("less", 2), found("less ", 4), found("same", 2), found("new\n|", 1), found("other code", 2), found("none", 0)},
		AcceptOptions{Reason: "was there\nbefore ", Owner: "@b", Expires: "2027-06-01", Today: "2026-11-21", Judge: except("skipped", "its test was skipped")})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"removed  ×1  LK001 example.com/shop: gone",
		"lowered  5 → 4  LK001 example.com/shop: less",
		"raised   1 → 3  LK001 example.com/shop: more",
		"added    ×1  LK001 example.com/shop: new |",
		"recoded  ×2  LK001 example.com/shop: other code (its code was LK009)",
		"kept     ×2  LK001 example.com/shop: same",
		"unjudged ×2  LK001 example.com/shop: skipped (its test was skipped)",
	}, words(changes))
	assert.Equal(t, "1 added, 1 raised, 1 lowered, 1 removed, 1 recoded, 1 kept, 1 unjudged", Summary(changes))
	assert.Equal(t, lines(
		"# mine", "",
		"# see issue 7", "leak: less", "package: "+shop, "code: LK001", "count: 4", "id: 4bf545af33058a01", "owner: @a", "reason: slow", "added: 2026-01-01", "",
		"leak: more", "package: "+shop, "code: LK001", "count: 3", "id: dbbecb9067849a44", "reason: old", "expires: 2027-01-01", "added: 2026-01-01", "",
		"leak: new |", "package: "+shop, "code: LK001", "count: 1", "id: fdcba6eca6a06ab7", "reason: was there before", "owner: @b", "expires: 2027-06-01", "added: 2026-11-21", "",
		"leak: other code", "package: "+shop, "code: LK001", "count: 2", "id: e0a4b46e3301e15c", "reason: old", "added: 2026-01-01", "",
		"leak: same", "package: "+shop, "code: LK001", "count: 2", "id: 7c5755127014a310", "reason: old", "added: 2026-01-01", "",
		"leak: skipped", "package: "+shop, "code: LK001", "count: 2", "id: bb4572fd58ab1c49", "reason: old", "added: 2026-01-01",
	), string(f.Format()))

	again, err := f.Accept([]Found{found("more", 3), found("less", 4), found("same", 2), found("new |", 1), found("other code", 2), found("skipped", 2)},
		AcceptOptions{Today: "2026-11-22", Judge: proven})
	require.NoError(t, err, "nothing is new, so that no reason is needed")
	for _, c := range again {
		assert.False(t, c.Changed(), c.String())
	}
}

// TestAcceptLapsed: to accept anew must not make a date that has come go away by itself.
func TestAcceptLapsed(t *testing.T) {
	make := func() *File {
		e := entry(shop, "a", 1)
		e.Expires = "2026-11-21"
		return file(e)
	}
	f := make()
	changes, err := f.Accept([]Found{found("a", 2)}, AcceptOptions{Today: "2026-11-21", Judge: proven})
	require.NoError(t, err)
	assert.Equal(t, []string{"raised   1 → 2  LK001 example.com/shop: a (the baseline accepted it until 2026-11-21 (old): it fails again, and needs a new date to be hidden)"}, words(changes))
	assert.Equal(t, "2026-11-21", f.Entries[0].Expires)

	f = make()
	changes, err = f.Accept([]Found{found("a", 2)}, AcceptOptions{Today: "2026-11-21", Expires: "2027-01-01", Judge: proven})
	require.NoError(t, err)
	assert.Equal(t, []string{"renewed  1 → 2  LK001 example.com/shop: a (the baseline accepted it until 2026-11-21 (old): now until 2027-01-01)"}, words(changes))
	assert.Equal(t, "2027-01-01", f.Entries[0].Expires)
	assert.Equal(t, "old", f.Entries[0].Reason)

	f = make()
	_, err = f.Accept(nil, AcceptOptions{Today: "2026-11-21", Expires: "2027-01-01"})
	require.NoError(t, err)
	assert.Equal(t, "2026-11-21", f.Entries[0].Expires, "it was not found")
}

// TestAcceptRefuses: the file is as it was.
func TestAcceptRefuses(t *testing.T) {
	for _, c := range []struct {
		opts AcceptOptions
		want string
	}{
		{AcceptOptions{Today: "2026-11-21"}, "say why what is new in the baseline may stay for now (1 to be added)"},
		{AcceptOptions{Today: "2026-11-21", Reason: " \n"}, "say why what is new in the baseline may stay for now (1 to be added)"},
		{AcceptOptions{Today: "now", Reason: "r"}, `today is "now", expected a day like 2027-03-01`},
		{AcceptOptions{Today: "2026-11-21", Reason: "r", Expires: "June"}, `"June" is no day, expected one like 2027-03-01`},
		{AcceptOptions{Today: "2026-11-21", Reason: "r", Expires: "2026-11-21"}, "what expires on 2026-11-21 hides nothing: expected a day after 2026-11-21"},
	} {
		c.opts.Judge = proven
		f := file(entry(shop, "a", 2), entry(shop, "b", 2))
		before := string(f.Format())
		changes, err := f.Accept([]Found{found("a", 9), found("new", 1)}, c.opts)
		assert.EqualError(t, err, c.want)
		assert.Nil(t, changes)
		assert.Equal(t, before, string(f.Format()))
	}
	_, err := file().Accept([]Found{found("a", 1)}, AcceptOptions{Today: "2026-11-21"})
	assert.ErrorIs(t, err, ErrNoReason)
}

func TestPrune(t *testing.T) {
	f := file(entry(shop, "gone", 1), entry(shop, "less", 5), entry(shop, "more", 1), entry(shop, "same", 1), entry(shop, "unrun", 3), entry(shop, "unrun, some", 3))
	runs := []Found{found("less", 4), found("more", 2), found("same", 1), found("new", 1), found("unrun, some", 1)}
	judge := func(e *Entry) string {
		if e.Fingerprint == "unrun" || e.Fingerprint == "unrun, some" {
			return "its test failed by itself"
		}
		return ""
	}
	changes := f.Prune(runs, judge)
	assert.Equal(t, []string{
		"removed  ×1  LK001 example.com/shop: gone",
		"lowered  5 → 4  LK001 example.com/shop: less",
		"kept     ×1  LK001 example.com/shop: more (2 were found, and prune raises nothing)",
		"kept     ×1  LK001 example.com/shop: same",
		"unjudged ×3  LK001 example.com/shop: unrun (its test failed by itself)",
		"unjudged ×3  LK001 example.com/shop: unrun, some (its test failed by itself)",
	}, words(changes))
	var left []int
	for _, e := range f.Entries {
		left = append(left, e.Count)
	}
	assert.Equal(t, []int{4, 1, 1, 3, 3}, left)

	before := string(f.Format())
	changes = f.Prune(nil, nil)
	assert.Equal(t, "5 unjudged", Summary(changes))
	assert.Equal(t, "nothing says what ran", changes[0].Why)
	assert.Equal(t, before, string(f.Format()), "without a judge nothing is proven")
	assert.Equal(t, "nothing to do", Summary(file().Prune(runs, judge)))
	assert.Equal(t, "5 removed", Summary(f.Prune(nil, proven)))
	assert.Empty(t, f.Entries)
}
