// Package store is a package under test, of a module of its own: leakcheck's tests copy it out of this one, and read the
// reports that its tests write.
package store

import (
	"net/http"
	"sync"
)

// Watch starts a goroutine that never ends.
func Watch() {
	begun := make(chan struct{})
	go wait(begun) // LINE watch
	<-begun
}

func wait(begun chan struct{}) {
	close(begun)
	select {}
}

// Get leaves the body open.
func Get(c *http.Client, url string) error {
	resp, err := c.Get(url) // LINE get
	_ = resp
	return err
}

// GetAtOnce sends n requests and closes their bodies when all are there.
func GetAtOnce(c *http.Client, url string, n int) {
	var wg, all sync.WaitGroup
	all.Add(n)
	for range n {
		wg.Go(func() {
			resp, err := c.Get(url)
			all.Done()
			all.Wait()
			if err == nil {
				resp.Body.Close()
			}
		})
	}
	wg.Wait()
}
