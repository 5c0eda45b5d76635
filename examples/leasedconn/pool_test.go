package leasedconn

import "net/http"

// The service gives its process a pool of twenty connections to one host, as its main does, before the first request.
func init() { http.DefaultTransport.(*http.Transport).MaxConnsPerHost = 20 }
