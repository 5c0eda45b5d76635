package dbtest

import "time"

// controlMax bounds each of the methods below.
const controlMax = 30 * time.Second

// power is what can be done to a server of one's own.
type power interface {
	kill() error
	stop() error
	pause() error
	unpause() error
	restart() error
}

// Kill ends the server as a crash does: SIGKILL to all its processes, or docker kill. When it returns they are gone,
// the connections to it are reset, and the address refuses new ones. For a server of the test's own, see [Own].
func (s *Server) Kill() {
	s.t.Helper()
	s.control("Kill", power.kill)
}

// Stop shuts the server down in the orderly way, without waiting for its clients: they are told (Postgres: SQLSTATE
// 57P01). When it returns, the server is gone. For a server of the test's own.
func (s *Server) Stop() {
	s.t.Helper()
	s.control("Stop", power.stop)
}

// Pause holds all of the server's processes (SIGSTOP, or docker pause): connections stay, new ones are still
// taken by the kernel, and nothing is ever answered, as on a network that has gone silent. For a server of the
// test's own; without [Server.Unpause] it is ended at the test's end all the same.
func (s *Server) Pause() {
	s.t.Helper()
	s.control("Pause", power.pause)
}

// Unpause lets a paused server go on where it was.
func (s *Server) Unpause() {
	s.t.Helper()
	s.control("Unpause", power.unpause)
}

// Restart starts the server again, after [Server.Kill] or [Server.Stop]; one that runs is stopped first. It has the
// same address, data, users and passwords. When it returns, the server takes connections. For a server of the test's
// own.
func (s *Server) Restart() {
	s.t.Helper()
	s.control("Restart", power.restart)
}

// mine refuses what would hurt other tests.
func (s *Server) mine(method string) bool {
	s.t.Helper()
	if s.own {
		return true
	}
	others := "the tests of this package share"
	if s.How == given {
		others = "was there before the tests"
	}
	s.t.Fatalf("dbtest: %s on a server that %s: ask for one of your own with dbtest.%s(t, dbtest.Own())", method, others, namesOf[s.host.engine].title)
	return false
}

func (s *Server) control(method string, do func(power) error) {
	s.t.Helper()
	if !s.mine(method) {
		return
	}
	if err := do(s.host.power()); err != nil {
		s.t.Fatalf("dbtest: %s: %v", method, s.host.hide(err))
	}
}

func (h *host) power() power {
	if h.how == docker {
		return dockerPower{h}
	}
	return localPower{h}
}
