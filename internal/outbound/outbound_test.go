package outbound

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestHub(t *testing.T) {
	var h Hub[Call]
	h.Tell(Call{What: "nobody"})
	assert.False(t, h.Active())

	var a, b []string
	stopA := h.Listen(func(c Call) { a = append(a, c.What) })
	stopB := h.Listen(func(c Call) { b = append(b, c.What) })
	assert.True(t, h.Active())
	h.Tell(Call{What: "1"})
	stopA()
	h.Tell(Call{What: "2"})
	stopB()
	stopB()
	h.Tell(Call{What: "3"})
	assert.Equal(t, []string{"1"}, a)
	assert.Equal(t, []string{"1", "2"}, b)
	assert.False(t, h.Active())
}
