package socket

// StateUnknown is what States counts a socket under when the system does not tell its state.
const StateUnknown = "unknown"

func stateOrUnknown(s string) string {
	if s == "" {
		return StateUnknown
	}
	return s
}
