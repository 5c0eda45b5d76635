package label

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestWithin: a watch is within those of its test and of tests above that it began inside of, and within no other.
func TestWithin(t *testing.T) {
	if !Supported {
		t.Skip("this Go version does not let a goroutine read its own labels")
	}
	outer, inner, sub, other, inOther := NewID(), NewID(), NewID(), NewID(), NewID()
	ends := []func(){Mark(outer, "TestA"), Mark(inner, "TestA")}
	siblings := make(chan ID)
	for range 2 {
		go func() {
			id := NewID()
			defer Mark(id, "TestA/sibling")()
			siblings <- id
		}()
	}
	a, b := <-siblings, <-siblings
	ends = append(ends, Mark(sub, "TestA/sub"), Mark(other, "TestAB"), Mark(inOther, "TestA"))
	for i := range ends {
		ends[len(ends)-1-i]()
	}
	after := NewID()
	Mark(after, "TestA")()

	for _, id := range []ID{outer, inner, a, b, sub} {
		assert.True(t, Within(id, outer))
		assert.True(t, Within(id, id))
	}
	assert.Equal(t, inner, Parent(sub))
	assert.True(t, Within(sub, inner))
	assert.True(t, Within(a, inner))
	assert.False(t, Within(outer, inner))
	assert.False(t, Within(a, b))
	assert.False(t, Within(b, a))
	assert.False(t, Within(a, sub))
	assert.False(t, Within(other, outer), "another test's")
	assert.False(t, Within(inOther, outer), "the one between is another test's")
	assert.False(t, Within(after, outer), "begun after its end")
	assert.False(t, Within(0, outer))
	assert.False(t, Within(outer, 0))
	assert.False(t, Within(0, 0))
	assert.Zero(t, testing.AllocsPerRun(100, func() { Within(sub, outer) }))
}

// TestMarkedAgain: a watch that marks another goroutine too stays within the one that it began inside of.
func TestMarkedAgain(t *testing.T) {
	if !Supported {
		t.Skip("this Go version does not let a goroutine read its own labels")
	}
	outer, inner := NewID(), NewID()
	defer Mark(outer, "TestA")()
	defer Mark(inner, "TestA/sub")()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Mark(inner, "TestA/sub")()
	}()
	<-done
	assert.Equal(t, outer, Parent(inner))
	assert.Equal(t, "TestA/sub", NameOf(inner))
}
