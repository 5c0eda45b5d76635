// Package lib is a module of somebody else.
package lib

import "net/http"

// Fetcher is small enough to be inlined, and so is the function that it returns.
func Fetcher(url string) func() {
	return func() { http.Get(url) }
}

// Twice calls a function of the user's.
func Twice(f func(string), url string) {
	f(url)
	f(url)
}

// Start starts a goroutine that nobody ends.
func Start(stop chan int) {
	go func() { <-stop }()
}
