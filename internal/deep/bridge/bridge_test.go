package bridge

import (
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// filled is an agent of which every function is there.
func filled() Far {
	ids := func() *atomic.Uint64 { return nil }
	return Far{
		LabelIDs: ids, LeaseIDs: ids,
		Mark:  func(uint64, string) func() { return nil },
		Owner: func() uint64 { return 7 },
		Name:  func(uint64) string { return "" }, Parent: func(uint64) uint64 { return 0 },
		Leases:     func(uint64, func(uint64, uint64, string, uintptr, []uintptr, func() uint32, func() []byte)) {},
		Pools:      func(func(uint64, uintptr, []uintptr)) {},
		Descriptor: func(int) ([]uintptr, uint64, uint64, bool) { return nil, 0, 0, false },
		Process:    func(int) ([]uintptr, uint64, bool) { return nil, 0, false },
		Changes:    func() uint64 { return 0 },
		ClaimTest:  func(any) bool { return true }, ClaimMain: func(func([]byte) string) {},
		Report: func(string, uint64) bool { return true }, Reported: func(string, uint64) bool { return true },
		Suspects: func(string, uint64) ([]string, bool) { return nil, false }, Leaked: func(any) {},
		RecordLeak: func([]byte) {}, RecordIgnored: func([]byte) {}, RecordEnd: func(bool, int, []string) {},
	}
}

// TestTake: an agent that lacks a function, or has another one of that name, is none.
func TestTake(t *testing.T) {
	offer := filled().Offer()
	f := Take(offer)
	require.NotNil(t, f)
	assert.Equal(t, uint64(7), f.Owner())
	for i, v := 0, reflect.ValueOf(*f); i < v.NumField(); i++ {
		assert.False(t, v.Field(i).IsNil(), "%s has no entry", v.Type().Field(i).Name)
	}
	assert.Len(t, offer, reflect.TypeFor[Far]().NumField(), "each function has a name of its own")

	for name := range offer {
		older := filled().Offer()
		delete(older, name)
		assert.Nil(t, Take(older), "without %q", name)
		other := filled().Offer()
		other[name] = func(struct{}) {}
		assert.Nil(t, Take(other), "another %q", name)
	}
	newer := filled().Offer()
	newer["what this version does not know"] = 1
	assert.NotNil(t, Take(newer))
	assert.Nil(t, Take(nil))
}

// TestSame: the types of the functions are the same in both copies, because none of them is of this module.
func TestSame(t *testing.T) {
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Func:
			for i := range typ.NumIn() {
				check(typ.In(i))
			}
			for i := range typ.NumOut() {
				check(typ.Out(i))
			}
		case reflect.Slice, reflect.Pointer:
			check(typ.Elem())
		default:
			assert.Contains(t, []string{"", "sync/atomic"}, typ.PkgPath(), "%v", typ)
		}
	}
	for f, i := reflect.TypeFor[Far](), 0; i < f.NumField(); i++ {
		check(f.Field(i).Type)
	}
}
