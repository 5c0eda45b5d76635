//go:build leakgate_deep

package leakcheck

import (
	"github.com/leakgate/leakgate/internal/outbound"
	"github.com/leakgate/leakgate/internal/socket"
)

// The agent of deep mode is a part of every test binary, and must not bring package net, or net/http, into those that have
// neither. So it is built without what needs them: FailFast, Handler, Publish and Remote. What the rest refers to is here.

// hostSockets takes the place of what looks at the sockets: there each dial is told, and each address at which this process listens.
var hostSockets socketLog

type socketLog struct{}

// seenSocket is a socket that was seen by itself. There is none.
type seenSocket struct {
	socket.Socket
	answered, once, gone bool
}

func (socketLog) use(bool) (at uint64, err error) { return 0, nil }

func (socketLog) leave() {}

func (socketLog) since(uint64) []seenSocket { return nil }

func (socketLog) listens(t outbound.Target) bool { return outbound.Own.Has(t) }

const maxSockets = 1 << 13 // addresses that one check keeps
