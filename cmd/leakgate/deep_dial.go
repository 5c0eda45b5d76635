package main

import (
	"flag"
	"strings"

	"github.com/leakgate/leakgate/internal/deep/mode"
	"github.com/leakgate/leakgate/internal/outbound"
)

// dialOptions are the flags that say what tests may dial.
type dialOptions struct {
	deny  bool
	allow several
}

// dialFlags adds the flags.
func dialFlags(fs *flag.FlagSet, o *dialOptions) {
	fs.BoolVar(&o.deny, "deny-dial", false, "fail what dials anything but loopback, unix sockets and the tests' own listeners; a dial that fails counts too")
	fs.Var(&o.allow, "allow-dial", "as -deny-dial, but allow these `HOSTS` and the tests' own listeners alone, separated by commas: "+
		"db.internal:5432, 10.0.0.0/8, *.example.com, loopback, unix, own, ...")
}

// ownWord is how the flag calls the tests' own listeners. They are always allowed, so that it stands for nothing more.
const ownWord = "own"

// dialForms lists what is valid, for messages.
const dialForms = `a host (db.internal, 10.1.2.3, *.example.com), a host with a port (db.internal:5432, [::1]:80), a range (10.0.0.0/8, ` +
	`10.0.0.0/8:5432), a URL, unix:/path, or one of the words loopback, unix and own (the tests' own listeners alone)`

// environ gives the agent's variable. It is empty when anything may be dialled.
func (o dialOptions) environ() (string, error) {
	words := []string{outbound.Loopback, outbound.Unix}
	if len(o.allow) > 0 {
		words = nil
		for _, list := range o.allow {
			words = append(words, strings.Split(list, ",")...)
		}
	} else if !o.deny {
		return mode.Dials + "=", nil
	}
	patterns := []string{outbound.OwnListeners}
	for _, word := range words {
		word = strings.TrimSpace(word)
		if word == ownWord || word == outbound.OwnListeners {
			continue
		}
		p, err := outbound.ParsePattern(word)
		if err != nil {
			return "", usagef("-allow-dial %q: %v: expected is %s; several are separated by commas", p.String(), err, dialForms)
		}
		patterns = append(patterns, p.String())
	}
	return mode.Dials + "=" + strings.Join(patterns, "\n"), nil
}
