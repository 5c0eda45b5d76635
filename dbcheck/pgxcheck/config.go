package pgxcheck

import (
	"context"
	"errors"
	"runtime"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/multitracer"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/leakgate/leakgate/internal/lease"
)

// Config gives a copy of cfg whose pool is tracked:
//
//	pool, err := pgxpool.NewWithConfig(ctx, pgxcheck.Config(cfg))
//
// Make one for each pool. A tracer that cfg has goes on to be called, before this package's (pgx's multitracer calls both).
// A config that is tracked already is only copied, and nil stays nil.
func Config(cfg *pgxpool.Config) *pgxpool.Config {
	if cfg == nil {
		return nil
	}
	out := cfg.Copy()
	if out.ConnConfig != nil {
		out.ConnConfig.Tracer = traced(out.ConnConfig.Tracer, 1)
	}
	return out
}

// ConnConfig gives a copy of cfg whose connections are tracked when they are opened without a pool:
//
//	conn, err := pgx.ConnectConfig(ctx, pgxcheck.ConnConfig(cfg))
//
// One that is never closed is reported then, and so are rows of it. A connection of pgx.Connect, which takes no config,
// cannot be tracked. The config of a pool may be made of it too. A tracer that cfg has goes on to be called. nil stays nil.
func ConnConfig(cfg *pgx.ConnConfig) *pgx.ConnConfig {
	if cfg == nil {
		return nil
	}
	out := cfg.Copy()
	out.Tracer = traced(out.Tracer, 1)
	return out
}

// New is pgxpool.New with the pool tracked. Errors are those of pgxpool.New, which hides the password of a connection
// string.
func New(ctx context.Context, connString string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(connString)
	if err != nil {
		return nil, err
	}
	return open(ctx, cfg, 1)
}

// NewWithConfig is pgxpool.NewWithConfig(ctx, Config(cfg)). A nil config, or one that pgxpool.ParseConfig has not made, is
// an error.
func NewWithConfig(ctx context.Context, cfg *pgxpool.Config) (*pgxpool.Pool, error) {
	if cfg == nil || cfg.ConnConfig == nil {
		return nil, errNoConfig
	}
	return open(ctx, cfg, 1)
}

var errNoConfig = errors.New("pgxcheck.NewWithConfig: the config is empty: make it with pgxpool.ParseConfig(connString)")

func open(ctx context.Context, cfg *pgxpool.Config, skip int) (pool *pgxpool.Pool, err error) {
	defer func() {
		if p := recover(); p != nil { // pgx panics when ParseConfig has not made it
			pool, err = nil, errNoConfig
		}
	}()
	cfg = cfg.Copy()
	cfg.ConnConfig.Tracer = traced(cfg.ConnConfig.Tracer, skip+1)
	pool, err = pgxpool.NewWithConfig(ctx, cfg)
	if err == nil {
		poolOf(pool)
	}
	return pool, err
}

// traced gives a tracer that calls the one that is there, and tracks.
func traced(there pgx.QueryTracer, skip int) pgx.QueryTracer {
	if find(there) != nil {
		return there
	}
	var pcs [lease.MaxDepth]uintptr
	n := runtime.Callers(skip+2, pcs[:])
	t := newTracer(pcs[:n:n])
	if isNil(there) {
		return t
	}
	return multitracer.New(there, t)
}

// find gives the tracer of this package that a config has, itself or within pgx's multitracer; nil when it has none.
func find(there pgx.QueryTracer) *tracer {
	switch t := there.(type) {
	case *tracer:
		return t
	case *multitracer.Tracer:
		if t == nil {
			return nil
		}
		for _, q := range t.QueryTracers {
			if own := find(q); own != nil {
				return own
			}
		}
	}
	return nil
}

// poolOf gives what is tracked of a pool; nil for one that is not tracked.
func poolOf(p *pgxpool.Pool) *pool {
	cfg := p.Config()
	if cfg == nil || cfg.ConnConfig == nil {
		return nil
	}
	if t := find(cfg.ConnConfig.Tracer); t != nil {
		return t.pool(p)
	}
	return nil
}
