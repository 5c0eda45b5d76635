package mockserver_test

import (
	"fmt"

	"github.com/leakgate/leakgate/mockserver"
)

// Every page by its name, as the list and the sweep show it.
func ExamplePage() {
	fmt.Println(mockserver.Page("alb", 403))
	fmt.Println(mockserver.Page("HAProxy-1.0", 503))
	fmt.Println(mockserver.Page("envoy", 503))
	// Output:
	// ALB(403)
	// Page("haproxy-1.0", 503)
	// Page("envoy-uf", 503)
}

// The pages that cannot show a leak: the real servers send no body with these errors.
func ExamplePages() {
	for _, p := range mockserver.Pages() {
		if p.HidesLeak && p.Code == 502 {
			fmt.Println(p.Scenario, p.Expr, p.Confidence)
		}
	}
	// Output:
	// alb-502-empty mockserver.Page("alb-empty", 502) partly confirmed
	// caddy-502-empty mockserver.Caddy(502) confirmed
	// nethttp-502-reverseproxy-empty mockserver.Page("nethttp-reverseproxy", 502) confirmed
}
