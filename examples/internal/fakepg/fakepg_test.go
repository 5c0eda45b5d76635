package fakepg

import (
	"database/sql"
	"database/sql/driver"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/dbcheck"
)

// What is said at the limit is what PostgreSQL of that version says, word for word.
func TestLimit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config Config
		slots  int
		says   string
	}{
		{"15, reserved", Config{Version: 15, MaxConnections: 4, Reserved: 2}, 2,
			"FATAL: remaining connection slots are reserved for non-replication superuser connections (SQLSTATE 53300)"},
		{"16, reserved", Config{Version: 16, MaxConnections: 4, Reserved: 1}, 3,
			"FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute (SQLSTATE 53300)"},
		{"the newest, none reserved", Config{MaxConnections: 2}, 2, "FATAL: sorry, too many clients already (SQLSTATE 53300)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := New(t, tc.config)
			db, err := sql.Open(Driver, s.DSN)
			require.NoError(t, err)
			defer db.Close()
			for range tc.slots {
				c, err := db.Conn(t.Context())
				require.NoError(t, err)
				defer c.Close()
			}
			_, err = db.Conn(t.Context())
			assert.EqualError(t, err, tc.says)
			var state interface{ SQLState() string }
			require.ErrorAs(t, err, &state)
			assert.Equal(t, "53300", state.SQLState())
			assert.Equal(t, tc.slots, s.Sessions())
		})
	}
}

// A session that is closed gives its slot back, once.
func TestSlotIsGivenBack(t *testing.T) {
	s := New(t, Config{MaxConnections: 1})
	for range 3 {
		c, err := s.Connector().Connect(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1, s.Sessions())
		require.NoError(t, c.Close())
		require.NoError(t, c.Close())
		assert.Equal(t, 0, s.Sessions())
	}
	assert.Equal(t, 1, s.Peak())
}

// The two questions that dbcheck asks a server.
func TestItsLimits(t *testing.T) {
	s := New(t, Config{MaxConnections: 100, Reserved: 15})
	s.Answer([]string{"id"}, []driver.Value{int64(1)})
	db := sql.OpenDB(s.Connector())
	defer db.Close()
	db.SetMaxOpenConns(20)
	c, err := dbcheck.CapacityOf(t.Context(), db, 4)
	require.NoError(t, err)
	assert.Equal(t, dbcheck.Capacity{Instances: 4, PoolMax: 20, ServerMax: 100, Reserved: 15}, c)
	room, err := dbcheck.Headroom(t.Context(), db)
	require.NoError(t, err)
	assert.Equal(t, 1, room.Used, "the one that asks")
}

func TestAnswersAndStatements(t *testing.T) {
	s := New(t, Config{})
	s.Answer([]string{"id"}, []driver.Value{int64(1)}, []driver.Value{int64(2)})
	db := sql.OpenDB(s.Connector())
	defer db.Close()
	rows, err := db.Query("SELECT id FROM items")
	require.NoError(t, err)
	var got []int
	for rows.Next() {
		var id int
		require.NoError(t, rows.Scan(&id))
		got = append(got, id)
	}
	require.NoError(t, rows.Err())
	assert.Equal(t, []int{1, 2}, got)

	tx, err := db.Begin()
	require.NoError(t, err)
	stmt, err := tx.Prepare("DELETE FROM items WHERE id = $1")
	require.NoError(t, err)
	_, err = stmt.Exec(1)
	require.NoError(t, err)
	require.NoError(t, tx.Rollback())
	assert.Equal(t, []string{"BEGIN", "DELETE FROM items WHERE id = $1", "ROLLBACK"}, s.Executed())

	_, err = sql.Open(Driver, "fakepg://nowhere")
	assert.EqualError(t, err, `fakepg: there is no server "fakepg://nowhere": take the DSN of one that fakepg.New has made`)
}
