package label

import "testing"

func TestX(t *testing.T) {
	if Owner() != 0 {
		t.Fatal("owner")
	}
	r := Mark(7, "a b")
	ch := make(chan ID)
	go func() { go func() { ch <- Owner() }() }()
	if got := <-ch; got != 7 {
		t.Fatal(got)
	}
	r()
	if Owner() != 0 {
		t.Fatal("owner")
	}
}
func BenchmarkOwner(b *testing.B) {
	defer Mark(3, "x")()
	for b.Loop() {
		if Owner() != 3 {
			b.Fatal()
		}
	}
}
