//go:build !unix

package main

import "os/exec"

// ownGroup does nothing here: an interrupt at the console reaches all processes of it.
func ownGroup(*exec.Cmd) {}

// killGroup does nothing here: exec kills the command itself.
func killGroup(*exec.Cmd) {}
