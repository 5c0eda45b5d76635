package adapters

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// RedisRename needs one connection for both commands, and keeps it.
func RedisRename(ctx context.Context, rdb *redis.Client, name string) error {
	conn := rdb.Conn()
	if err := conn.ClientSetName(ctx, "renamer").Err(); err != nil {
		return err
	}
	return conn.Set(ctx, "name", name, 0).Err()
}

// RedisRenameFixed gives it back.
func RedisRenameFixed(ctx context.Context, rdb *redis.Client, name string) error {
	conn := rdb.Conn()
	defer conn.Close()
	if err := conn.ClientSetName(ctx, "renamer").Err(); err != nil {
		return err
	}
	return conn.Set(ctx, "name", name, 0).Err()
}
