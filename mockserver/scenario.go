package mockserver

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
)

// started is the state of a scenario that nothing has set, as in WireMock.
const started = "Started"

// InState takes requests that come while the scenario is in this state. A scenario is a name that stubs share; it begins
// in the state "Started", and Stub.Sets and Server.SetState change it:
//
//	srv.On("GET", "/cart", mockserver.InState("cart", "Started")).Reply(mockserver.JSON(200, none))
//	srv.On("POST", "/cart").Sets("cart", "filled").Reply(mockserver.Status(201))
//	srv.On("GET", "/cart", mockserver.InState("cart", "filled")).Reply(mockserver.JSON(200, one))
//
// The state is tested, and set, in the step that chooses the stub: of two requests at once, one comes first.
func InState(scenario, state string) Matcher {
	m := Matcher{
		part:     "state of " + scenario,
		want:     quote(state),
		scenario: scenario,
		state:    state,
		show: func(in *incoming) (got, why string) {
			return quote(stateOf(in.states, scenario)), "the scenario is in another state"
		},
	}.as("InState", scenario, state)
	if scenario == "" {
		m.err = errors.New("the scenario has no name")
	}
	return m
}

// Sets makes each request that this stub answers put the scenario into the state. It may be called for several scenarios.
// It returns the stub.
func (st *Stub) Sets(scenario, state string) *Stub {
	st.srv.t.Helper()
	if scenario == "" {
		st.srv.errorf("mockserver: Sets(%q, %q) of %s (%s): the scenario has no name", scenario, state, st.title(), st.site)
		return st
	}
	st.srv.mu.Lock()
	defer st.srv.mu.Unlock()
	// A new map each time: a request that is being answered may read the old one.
	sets := maps.Clone(st.sets)
	if sets == nil {
		sets = map[string]string{}
	}
	sets[scenario] = state
	st.sets = sets
	return st
}

// State gives the state that a scenario is in: "Started" until a stub or SetState has set another.
func (s *Server) State(scenario string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return stateOf(s.states, scenario)
}

// SetState puts a scenario into a state. Requests that come from now on are matched in it. A scenario without a name fails
// the test.
func (s *Server) SetState(scenario, state string) {
	s.t.Helper()
	if scenario == "" {
		s.errorf("mockserver: SetState(%q, %q): the scenario has no name", scenario, state)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.enter(scenario, state)
}

// enter wants s.mu.
func (s *Server) enter(scenario, state string) {
	if s.states == nil {
		s.states = map[string]string{}
	}
	s.states[scenario] = state
}

func stateOf(states map[string]string, scenario string) string {
	if state, ok := states[scenario]; ok {
		return state
	}
	return started
}

// inState says whether the scenarios are in the states that a stub wants. It wants s.mu.
func (st *Stub) inState(states map[string]string) bool {
	for i := range st.matchers {
		if m := &st.matchers[i]; m.scenario != "" && stateOf(states, m.scenario) != m.state {
			return false
		}
	}
	return true
}

// otherState says in which state a scenario ended that a stub waited for, "" when there is none. It wants s.mu.
func (st *Stub) otherState(states map[string]string) string {
	for i := range st.matchers {
		if m := &st.matchers[i]; m.scenario != "" && stateOf(states, m.scenario) != m.state {
			return fmt.Sprintf("the scenario %s ended in the state %s", strconv.Quote(m.scenario), quote(stateOf(states, m.scenario)))
		}
	}
	return ""
}
