package adapters

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Methods of AMQP 0-9-1, class and method in one number (https://www.rabbitmq.com/amqp-0-9-1-reference).
const (
	connectionStart   = 10<<16 | 10
	connectionStartOk = 10<<16 | 11
	connectionTune    = 10<<16 | 30
	connectionTuneOk  = 10<<16 | 31
	connectionOpen    = 10<<16 | 40
	connectionOpenOk  = 10<<16 | 41
	connectionClose   = 10<<16 | 50
	connectionCloseOk = 10<<16 | 51
	channelOpen       = 20<<16 | 10
	channelOpenOk     = 20<<16 | 11
	channelClose      = 20<<16 | 40
	channelCloseOk    = 20<<16 | 41
	queueDeclare      = 50<<16 | 10
	queueDeclareOk    = 50<<16 | 11
)

// startBroker starts a broker that knows one queue, jobs, in which three messages wait. It gives its URL. Connections that
// clients leave open end with the test.
func startBroker(t *testing.T) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan bool)
	go func() {
		defer close(served)
		var conns []net.Conn
		for {
			conn, err := l.Accept()
			if err != nil {
				for _, c := range conns {
					c.Close()
				}
				return
			}
			conns = append(conns, conn)
			go serveAMQP(t, conn)
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-served
	})
	return "amqp://guest:guest@" + l.Addr().String() + "/"
}

// serveAMQP serves one connection until its end.
func serveAMQP(t *testing.T, conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	head := make([]byte, 8)
	if _, err := io.ReadFull(in, head); err != nil || !assert.Equal(t, "AMQP\x00\x00\x09\x01", string(head)) {
		return
	}
	send := func(channel uint16, method uint32, args []byte) {
		frame := []byte{1}
		frame = binary.BigEndian.AppendUint16(frame, channel)
		frame = binary.BigEndian.AppendUint32(frame, uint32(4+len(args)))
		frame = binary.BigEndian.AppendUint32(frame, method)
		frame = append(append(frame, args...), 0xCE)
		_, _ = conn.Write(frame) // a client that is gone ends the reading too
	}
	long := func(s string) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...) }
	short := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	send(0, connectionStart, append(append([]byte{0, 9, 0, 0, 0, 0}, long("PLAIN")...), long("en_US")...))
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(in, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		if head[0] != 1 { // a heartbeat
			continue
		}
		channel, method, args := binary.BigEndian.Uint16(head[1:]), binary.BigEndian.Uint32(body), body[4:]
		switch method {
		case connectionStartOk:
			send(0, connectionTune, []byte{0, 16, 0, 2, 0, 0, 0, 0}) // 16 channels, frames of 128 KiB, no heartbeat
		case connectionTuneOk, channelCloseOk:
		case connectionOpen:
			send(0, connectionOpenOk, short(""))
		case channelOpen:
			send(channel, channelOpenOk, long(""))
		case queueDeclare:
			if name := string(args[3 : 3+args[2]]); name != "jobs" {
				gone := append([]byte{404 >> 8, 404 & 0xFF}, short("NOT_FOUND - no queue '"+name+"' in vhost '/'")...)
				send(channel, channelClose, binary.BigEndian.AppendUint32(gone, queueDeclare))
				continue
			}
			send(channel, queueDeclareOk, append(short("jobs"), 0, 0, 0, 3, 0, 0, 0, 0))
		case channelClose:
			send(channel, channelCloseOk, nil)
		case connectionClose:
			send(0, connectionCloseOk, nil)
			return
		default:
			t.Errorf("the broker does not know method %d.%d", method>>16, method&0xFFFF)
			return
		}
	}
}
