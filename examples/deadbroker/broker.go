package deadbroker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// protocol is what a client of AMQP 0-9-1 sends first. A broker that does not speak it answers with the one it speaks, and
// hangs up.
const protocol = "AMQP\x00\x00\x09\x01"

const (
	methodFrame = 1
	frameEnd    = 0xCE
	maxFrame    = 128 << 10
)

// handshake is the beginning of an AMQP connection: our header, and the broker's first frame.
func handshake(conn net.Conn) error {
	if _, err := io.WriteString(conn, protocol); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	head := make([]byte, 7) // type, channel, size
	if _, err := io.ReadFull(conn, head); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	size := binary.BigEndian.Uint32(head[3:])
	switch {
	case string(head[:4]) == protocol[:4]:
		return fmt.Errorf("broker: it speaks another version: %q", head)
	case head[0] != methodFrame || size > maxFrame:
		return fmt.Errorf("broker: this is no broker: %q", head)
	}
	rest := make([]byte, size+1)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	if rest[size] != frameEnd {
		return errors.New("broker: a frame without an end")
	}
	return nil
}

// frame writes a method frame.
func frame(method string) string {
	head := binary.BigEndian.AppendUint32([]byte{methodFrame, 0, 0}, uint32(len(method)))
	return string(head) + method + string([]byte{frameEnd})
}
