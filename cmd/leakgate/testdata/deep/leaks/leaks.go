// Package leaks acquires things and gives nothing back.
package leaks

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"os"
	"os/exec"
)

func openFile() (*os.File, error) { return os.Open("leaks.go") }

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

func dial(addr string) (net.Conn, error) { return net.Dial("tcp", addr) }

func status(url string) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

func query(db *sql.DB) (*sql.Rows, error) { return db.Query("SELECT 1") }

func lease(db *sql.DB) (*sql.Conn, error) { return db.Conn(context.Background()) }

func prepare(db *sql.DB) (*sql.Stmt, error) { return db.Prepare("SELECT name FROM users WHERE id = ?") }

func begin(db *sql.DB) (*sql.Tx, error) { return db.Begin() }

func start(cmd *exec.Cmd) error { return cmd.Start() }

func wait(done chan bool) {
	go func() { <-done }()
}
