package main

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
)

// relay runs the go command, and hands it the signals that it does not get by itself. Ctrl-C at a terminal goes to all
// processes there; that the go command then hears of it twice means nothing to it. It ends when the tests have, as without
// leakgate, so that no output is lost.
func relay(ctx context.Context, cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, passedOn...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		done := ctx.Done()
		for {
			select {
			case <-ended:
				return
			case <-done:
				_ = cmd.Process.Signal(os.Interrupt)
				done = nil // once
			case s := <-signals:
				_ = cmd.Process.Signal(s)
			}
		}
	}()
	return cmd.Wait()
}
