package mockserver

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// sentBody is the body of a request that a Responder gets, read as a transport and a server would read it. Whoever writes
// to the other end of a pipe would wait for ever otherwise.
type sentBody struct {
	body    io.ReadCloser // nil for none
	idle    *time.Timer   // closes a body of which nothing comes
	release func() bool   // ends the watch over the context
	read    int64
	end     error // of the body, where Read came to it

	once sync.Once
	mu   sync.Mutex
	why  error // why it was closed before its end
}

// bodyOfRequest takes the body of a request over. It is closed when the request's context ends, as by a transport.
func bodyOfRequest(req *http.Request) *sentBody {
	if req == nil || req.Body == nil || req.Body == http.NoBody {
		return &sentBody{}
	}
	b := &sentBody{body: req.Body}
	ctx := req.Context()
	b.idle = time.AfterFunc(bodyWait, func() { b.abandon(errBodyStopped(bodyWait)) })
	b.idle.Stop()
	b.release = context.AfterFunc(ctx, func() { b.abandon(ctx.Err()) })
	return b
}

// abandon closes the body, which ends a Read of it.
func (b *sentBody) abandon(why error) {
	b.mu.Lock()
	b.why = why
	b.mu.Unlock()
	b.closeOnce()
}

func (b *sentBody) closeOnce() { b.once.Do(func() { b.body.Close() }) }

// Read waits no longer than bodyWait for a part of the body.
func (b *sentBody) Read(p []byte) (int, error) {
	if b.body == nil {
		return 0, io.EOF
	}
	if b.end != nil {
		return 0, b.end
	}
	b.idle.Reset(bodyWait)
	n, err := b.body.Read(p)
	b.idle.Stop()
	b.read += int64(n)
	if err != nil && err != io.EOF {
		b.mu.Lock()
		if b.why != nil {
			err = b.why
		}
		b.mu.Unlock()
	}
	b.end = err
	return n, err
}

// drain reads what is left of the body, up to what a server reads. Its error is that of the body.
func (b *sentBody) drain() error {
	buf := make([]byte, min(bodyBuffer, b.size()))
	for b.body != nil && b.read <= maxBody {
		if _, err := b.Read(buf); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

// size is of the buffer that drain needs.
func (b *sentBody) size() int {
	if b.body == nil || b.end != nil {
		return 0
	}
	return bodyBuffer
}

// Close closes the body, once.
func (b *sentBody) Close() error {
	if b.body != nil {
		b.idle.Stop()
		b.release()
		b.closeOnce()
	}
	return nil
}
