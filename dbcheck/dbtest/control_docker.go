package dbtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// dockerPower asks a helper for each order: so no connection to the engine stays in the test's process.
type dockerPower struct{ *host }

func (d dockerPower) kill() error    { return d.order("kill") }
func (d dockerPower) stop() error    { return d.order("stop") }
func (d dockerPower) pause() error   { return d.order("pause") }
func (d dockerPower) unpause() error { return d.order("unpause") }

func (d dockerPower) order(what string) error {
	if err := writeJSON(d.dir, orderFile, order{What: what, Container: d.kept.Container}); err != nil {
		return err
	}
	cmd, err := again("do", d.dir)
	if err != nil {
		return err
	}
	const said = "order.log"
	if err := runBounded(cmd, filepath.Join(d.dir, said), controlMax+10*time.Second); err != nil {
		b, _ := os.ReadFile(filepath.Join(d.dir, said))
		return fmt.Errorf("docker %s: %w: %s", what, err, strings.TrimSpace(string(b)))
	}
	return nil
}

// restart starts the same container again.
func (d dockerPower) restart() error {
	if err := d.stop(); err != nil {
		return err
	}
	if err := d.order("start"); err != nil {
		return err
	}
	for end := time.Now().Add(startMax); ; time.Sleep(20 * time.Millisecond) {
		_, err := d.ask()
		if err == nil {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server takes no connection %v after its start: %w", startMax, err)
		}
	}
}

// runBounded runs a helper with all that it says in a file: a pipe would need goroutines and keep others waiting.
func runBounded(cmd *exec.Cmd, log string, max time.Duration) error {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd.Stdout, cmd.Stderr = f, f
	if err := cmd.Start(); err != nil {
		return err
	}
	late := time.AfterFunc(max, func() { _ = cmd.Process.Kill() })
	err = cmd.Wait()
	if !late.Stop() {
		return fmt.Errorf("it was not done within %v", max)
	}
	return err
}
