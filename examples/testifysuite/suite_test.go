package testifysuite

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/suite"

	"github.com/leakgate/leakgate/examples/internal/record"
	"github.com/leakgate/leakgate/leakcheck"
)

type PollerSuite struct {
	suite.Suite
	shared  *Poller // SetupSuite's: there before each test
	perTest *Poller // SetupTest's: given back by TearDownTest
}

func (s *PollerSuite) SetupSuite()    { s.shared = Start(time.Hour, func() {}) }
func (s *PollerSuite) TearDownSuite() { s.shared.Stop() }

func (s *PollerSuite) SetupTest() {
	s.T().Cleanup(leakcheck.Verify(s.T()))
	s.perTest = Start(time.Hour, func() {})
}

func (s *PollerSuite) TearDownTest() { s.perTest.Stop() }

func (s *PollerSuite) TestStops() {
	p := Start(time.Hour, func() {})
	defer p.Stop()
}

func (s *PollerSuite) TestStopsInSubtest() {
	s.Run("sub", func() { Start(time.Hour, func() {}).Stop() })
}

// This one forgets Stop when TestLeakIsFound asks for it.
func (s *PollerSuite) TestForgetsStop() {
	p := Start(time.Hour, func() {})
	if !record.Leaky() {
		p.Stop()
	}
}

func TestPoller(t *testing.T) { suite.Run(t, new(PollerSuite)) }

func TestLeakIsFound(t *testing.T) {
	out, code := record.Child(t, "^TestPoller$")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "--- FAIL: TestPoller/TestForgetsStop")
	assert.Contains(t, out, "leakcheck: 1 leak: ")
	assert.Contains(t, out, "testifysuite.Start")
	assert.Contains(t, out, "go p.run(every, poll)")
	assert.Contains(t, out, "--- PASS: TestPoller/TestStops ")
	assert.Contains(t, out, "--- PASS: TestPoller/TestStopsInSubtest ")
}
