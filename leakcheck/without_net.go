//go:build leakgate_deep

package leakcheck

import "github.com/leakgate/leakgate/internal/report"

// The agent of deep mode is a part of every test binary, and must not bring package net, or net/http, into those that have
// neither. So it is built without what needs them: AllowRemotes, FailFast, Handler, Publish and Remote. What the rest
// refers to is here, and does nothing.

type remotes struct{}

func (r *remotes) add(*remotes) *remotes { return r }

type remotePolicies struct{}

var policies remotePolicies

func (remotePolicies) hasLoose() bool { return false }

func (w *watch) watchRemotes() {}

func (w *watch) excuseRemotes() {}

func (w *watch) endRemotes() []report.Leak { return nil }

func (w *watch) takeLoose() []report.Leak { return nil }
