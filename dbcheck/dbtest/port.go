package dbtest

import (
	"math/rand/v2"
	"net"
	"strconv"
)

// portTries is how many ports in turn may be taken between the look and the server's own start.
const portTries = 20

// freePort is a port that was free a moment ago. It is below those that systems give to outgoing connections, so that
// nobody gets it by chance while a server is down between Stop and Restart.
func freePort() int {
	for range 100 {
		p := 15000 + rand.IntN(17000)
		ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err == nil {
			ln.Close()
			return p
		}
	}
	return 0
}

// pickPort is freePort; a test of a port that is taken puts another in its place.
var pickPort = freePort
