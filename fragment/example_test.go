package fragment_test

import (
	"fmt"
	"log"
	"os"

	"github.com/leakgate/leakgate/fragment"
)

// A program that counts what leaked, by code, in the folder that LEAKGATE_REPORT named.
func ExampleReadDir() {
	dir := exampleReport()
	defer os.RemoveAll(dir)

	fragments, errs := fragment.ReadDir(dir)
	for _, err := range errs {
		log.Print(err) // and the other fragments are there still
	}
	for _, f := range fragments {
		for _, leak := range f.Leaks {
			fmt.Printf("%s %s ×%d at %s:%d\n", f.Package, leak.Code, leak.Count, leak.Site.File, leak.Site.Line)
		}
		if f.End == nil {
			fmt.Printf("%s: its process did not end by itself, or has no leakcheck.Main\n", f.Package)
		}
	}
	// Output:
	// example.com/shop/store LK001 ×2 at store/client.go:41
	// example.com/shop/store: its process did not end by itself, or has no leakcheck.Main
}

// exampleReport writes what the tests of a package write.
func exampleReport() string {
	dir, err := os.MkdirTemp("", "leaks")
	if err != nil {
		log.Fatal(err)
	}
	w, err := fragment.Create(dir, fragment.Header{Package: "example.com/shop/store"})
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close()
	if err := w.Leak(fragment.Leak{Code: "LK001", Count: 2, Site: fragment.Frame{File: "store/client.go", Line: 41}}); err != nil {
		log.Fatal(err)
	}
	return dir
}
