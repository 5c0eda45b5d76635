package dbtest

import "slices"

// postgresQuick gives up what only a crash of the machine needs; a killed server loses nothing by it.
var postgresQuick = map[string]string{
	"fsync":              "off",
	"full_page_writes":   "off",
	"shared_buffers":     "16MB",
	"max_wal_size":       "64MB",
	"log_min_messages":   "warning",
	"autovacuum_naptime": "1h",
}

// mariadbQuick gives up what only a crash of the machine needs.
var mariadbQuick = map[string]string{
	"innodb-flush-log-at-trx-commit": "2", // written at each commit, so a killed server loses nothing; synced now and then
	"innodb-buffer-pool-size":        "32M",
	"innodb-log-file-size":           "8M",
	"innodb-doublewrite":             "0",
	"skip-name-resolve":              "1",
	"skip-log-bin":                   "1",
	"aria-pagecache-buffer-size":     "1M",
	"key-buffer-size":                "1M",
}

// settings merges, later ones over earlier ones, in a fixed order.
func settings(s spec, more ...map[string]string) []string {
	all := map[string]string{}
	for _, m := range append(more, s.Settings) {
		for k, v := range m {
			all[k] = v
		}
	}
	var out []string
	for k, v := range all {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return out
}
