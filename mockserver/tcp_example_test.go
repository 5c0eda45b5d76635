package mockserver_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/leakgate/leakgate/mockserver"
)

// A broker that takes the connection and never answers: the client must have a timeout of its own.
func ExampleBlackHole() {
	t := exampleT{}
	broker := mockserver.BlackHole(t)
	defer broker.Close() // a *testing.T closes it by itself

	conn, err := net.Dial("tcp", broker.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(50 * time.Millisecond))
	_, err = bufio.NewReader(conn).ReadString('\n')
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded), broker.Dials())
	// Output: true 1
}

// A peer that hangs up on the first dial, and answers on the next.
func ExampleTCP_Then() {
	t := exampleT{}
	cache := mockserver.HangUp(t).Then(
		mockserver.Loop(mockserver.Expect("PING\r\n"), mockserver.Send("+PONG\r\n")),
	)
	defer cache.Close()

	for range 2 {
		conn, err := net.Dial("tcp", cache.Addr())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Fprint(conn, "PING\r\n")
		answer, err := bufio.NewReader(conn).ReadString('\n')
		fmt.Printf("%q %v\n", answer, err)
		conn.Close()
	}
	// Output:
	// "" EOF
	// "+PONG\r\n" <nil>
}

// A client that says something else than the script expects fails the test, with both sides of what differs.
func ExampleScript() {
	t := exampleT{}
	broker := mockserver.Script(t,
		mockserver.Expect("AMQP\x00\x00\x09\x01"),
		mockserver.Send("AMQP\x00\x00\x09\x01"),
		mockserver.Stall(),
	)
	defer broker.Close()

	conn, err := net.Dial("tcp", broker.Addr())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	fmt.Fprint(conn, "AMQP\x00\x00\x09\x01")
	answer := make([]byte, 8)
	_, err = io.ReadFull(conn, answer)
	fmt.Printf("%q %v\n", answer, err)
	// Output: "AMQP\x00\x00\t\x01" <nil>
}

// What a handler's 403 looks like behind a load balancer.
func ExampleRealistic() {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
	})
	for _, h := range []http.Handler{handler, mockserver.Realistic(handler)} {
		srv := httptest.NewServer(h)
		resp, err := http.Get(srv.URL)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s, %d bytes, %q\n", resp.Status, resp.ContentLength, resp.Header.Get("Server"))
		resp.Body.Close()
		srv.Close()
	}
	// Output:
	// 403 Forbidden, 0 bytes, ""
	// 403 Forbidden, 118 bytes, "awselb/2.0"
}

// Ask the server which responses a client has not closed.
func ExampleServer_Held() {
	t := exampleT{}
	srv := mockserver.New(t)
	defer srv.Close()
	srv.On("GET", "/session").Reply(mockserver.ALB(403))

	client := srv.Client()
	resp, err := client.Get(srv.URL + "/session") // the code under test forgets resp.Body.Close()
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, leak := range srv.Held(client) {
		fmt.Println(leak.Code, leak.Kind, leak.State)
	}
	resp.Body.Close()
	fmt.Println(len(srv.Held(client)))
	// Output:
	// LK021 http-response open on both sides; the body is framed by ContentLength
	// 0
}
