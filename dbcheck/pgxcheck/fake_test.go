package pgxcheck_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// server is a small stand-in for Postgres on loopback: every SELECT has three rows of one text column, BEGIN and COMMIT
// change the state of the transaction, a statement that contains "fail" is refused, and one that contains "hang" is
// answered when the server is closed. One that contains "wait" says so to waiting, and is answered after a word of answer.
type server struct {
	l    net.Listener
	stop chan struct{}
	wg   sync.WaitGroup

	waiting, answer chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]bool
	pids  uint32
}

func newServer(t testing.TB) *server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{l: l, stop: make(chan struct{}), waiting: make(chan struct{}), answer: make(chan struct{}), conns: make(map[net.Conn]bool), pids: 4710}
	s.wg.Add(1)
	go s.accept()
	t.Cleanup(s.close)
	return s
}

func (s *server) dsn() string {
	return fmt.Sprintf("postgres://app:secretpw@%s/db?sslmode=disable&pool_max_conns=4", s.l.Addr())
}

func (s *server) close() {
	s.l.Close()
	close(s.stop)
	s.mu.Lock()
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *server) accept() {
	defer s.wg.Done()
	for {
		c, err := s.l.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.pids++
		pid := s.pids
		s.mu.Unlock()
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			defer func() {
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
				c.Close()
			}()
			(&session{server: s, b: pgproto3.NewBackend(c, c), tx: 'I', prepared: make(map[string]string)}).serve(pid)
		}()
	}
}

type session struct {
	server   *server
	b        *pgproto3.Backend
	tx       byte
	prepared map[string]string
	query    string // bound
	failed   bool   // until the next Sync
}

func (s *session) serve(pid uint32) {
	if _, err := s.b.ReceiveStartupMessage(); err != nil {
		return
	}
	s.b.Send(&pgproto3.AuthenticationOk{})
	s.b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	s.b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	var key pgproto3.BackendKeyData // whose secret is a number in some versions of pgx, and bytes in others
	if key.Decode(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, pid), pid)) != nil {
		return
	}
	s.b.Send(&key)
	s.ready()
	for s.b.Flush() == nil {
		m, err := s.b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Terminate:
			return
		case *pgproto3.Sync:
			s.failed = false
			s.ready()
		case *pgproto3.Query:
			for _, q := range strings.Split(strings.TrimSuffix(m.String, ";"), ";") {
				if !s.run(q, true) {
					break
				}
			}
			s.failed = false
			s.ready()
		default:
			if !s.failed {
				s.extended(m)
			}
		}
	}
}

func (s *session) extended(m pgproto3.FrontendMessage) {
	switch m := m.(type) {
	case *pgproto3.Parse:
		if s.refuses(m.Query) {
			return
		}
		s.prepared[m.Name] = m.Query
		s.b.Send(&pgproto3.ParseComplete{})
	case *pgproto3.Describe:
		q := s.query
		if m.ObjectType == 'S' {
			q = s.prepared[m.Name]
			s.b.Send(&pgproto3.ParameterDescription{})
		}
		s.describe(q)
	case *pgproto3.Bind:
		s.query = s.prepared[m.PreparedStatement]
		s.b.Send(&pgproto3.BindComplete{})
	case *pgproto3.Execute:
		s.run(s.query, false)
	case *pgproto3.Close:
		s.b.Send(&pgproto3.CloseComplete{})
	}
}

func returnsRows(q string) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(q)), "select")
}

func (s *session) describe(q string) {
	if !returnsRows(q) {
		s.b.Send(&pgproto3.NoData{})
		return
	}
	s.b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("name"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
}

// refuses sends an error for a statement that is to fail.
func (s *session) refuses(q string) bool {
	if !strings.Contains(q, "fail") {
		return false
	}
	s.failed = true
	if s.tx == 'T' {
		s.tx = 'E'
	}
	s.b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: "42601", Message: "it was to fail"})
	return true
}

// run executes a statement, and says whether the next may follow.
func (s *session) run(q string, simple bool) bool {
	if s.refuses(q) {
		return false
	}
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(q)), " ")
	switch word {
	case "begin":
		s.tx = 'T'
	case "commit", "rollback":
		s.tx = 'I'
	case "copy":
		s.b.Send(&pgproto3.CopyInResponse{OverallFormat: 1, ColumnFormatCodes: []uint16{1}})
		if s.b.Flush() != nil {
			return false
		}
		for {
			m, err := s.b.Receive()
			if err != nil {
				return false
			}
			if _, ok := m.(*pgproto3.CopyDone); ok {
				break
			}
			if _, ok := m.(*pgproto3.CopyFail); ok {
				break
			}
		}
	case "select":
		if simple {
			s.describe(q)
		}
		if strings.Contains(q, "hang") {
			if s.b.Flush() != nil {
				return false
			}
			<-s.server.stop
		}
		if strings.Contains(q, "wait") {
			select {
			case s.server.waiting <- struct{}{}:
				<-s.server.answer
			case <-s.server.stop:
			}
		}
		for _, v := range []string{"a", "b", "c"} {
			s.b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte(v)}})
		}
		s.b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 3")})
		return true
	}
	s.b.Send(&pgproto3.CommandComplete{CommandTag: []byte(strings.ToUpper(word))})
	return true
}

func (s *session) ready() { s.b.Send(&pgproto3.ReadyForQuery{TxStatus: s.tx}) }

var background = context.Background()
