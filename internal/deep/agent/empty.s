// Lets findObject have no body: see once.go.
