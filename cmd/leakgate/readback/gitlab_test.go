package readback

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/format"
)

// readCodeQuality reads a report by what GitLab says of it. Documentation (gitlabhq, doc/ci/testing/code_quality.md, "Implement a
// custom tool"): "The Code Quality report artifact JSON file must contain an array of objects with the following properties":
// description, check_name, fingerprint ("unique"), severity ("info, minor, major, critical, or blocker"), location.path ("the
// relative path"), location.lines.begin. "The GitLab parser does not allow a byte order mark". Its parser
// (lib/gitlab/ci/parsers/codequality/code_climate.rb) ends at the first entry that the schema does not take
// (app/validators/json_schemas/codeclimate.json), and its report keeps one entry for each fingerprint.
func readCodeQuality(doc string) (issues int, err error) {
	if strings.HasPrefix(doc, "\ufeff") {
		return 0, errors.New("a byte order mark")
	}
	var all []map[string]any
	if err := json.Unmarshal([]byte(doc), &all); err != nil {
		return 0, err
	}
	if all == nil {
		return 0, errors.New("null is no array")
	}
	seen := map[string]bool{}
	for i, issue := range all {
		for _, name := range []string{"description", "check_name", "fingerprint", "severity"} {
			if s, ok := issue[name].(string); !ok || s == "" {
				return i, fmt.Errorf("issue %d: %s", i, name)
			}
		}
		if fp := issue["fingerprint"].(string); seen[fp] {
			return i, fmt.Errorf("issue %d: fingerprint %s is there twice", i, fp)
		} else {
			seen[fp] = true
		}
		if !slices.Contains([]string{"info", "minor", "major", "critical", "blocker"}, issue["severity"].(string)) {
			return i, fmt.Errorf("issue %d: severity", i)
		}
		location, _ := issue["location"].(map[string]any)
		file, _ := location["path"].(string)
		if file == "" || path.IsAbs(file) || path.Clean(file) != file || strings.HasPrefix(file+"/", "../") {
			return i, fmt.Errorf("issue %d: location.path %q", i, file)
		}
		lines, _ := location["lines"].(map[string]any)
		if n, ok := lines["begin"].(float64); !ok || n < 1 || n != float64(int(n)) {
			return i, fmt.Errorf("issue %d: location.lines.begin", i)
		}
	}
	return len(all), nil
}

// TestGitLab has each member that GitLab requires, and sees it when one is wrong.
func TestGitLab(t *testing.T) {
	for name, v := range runs() {
		n, err := readCodeQuality(write(t, format.GitLab, v))
		require.NoError(t, err, name)
		assert.Equal(t, len(v.Findings), n, name)
	}
	v := runs()["sample"]
	out := write(t, format.GitLab, v)
	for fault, change := range map[string][2]string{
		"description":  {`"description"`, `"describe"`},
		"check_name":   {`"check_name": "LK001"`, `"check_name": ""`},
		"fingerprint":  {`"fingerprint"`, `"print"`},
		"twice":        {v.Findings[3].ID, v.Findings[2].ID},
		"severity":     {`"severity": "critical"`, `"severity": "error"`},
		"path":         {`"path": "store/client.go"`, `"path": "./store/client.go"`},
		"no path":      {`"path"`, `"file"`},
		"out of it":    {`"path": "store/client.go"`, `"path": "/store/client.go"`},
		"line":         {`"begin": 42`, `"begin": 0`},
		"line as text": {`"begin": 42`, `"begin": "42"`},
		"mark":         {"[", "\ufeff["},
		"no array":     {"[\n", "{\n"},
	} {
		_, err := readCodeQuality(planted(t, out, change[0], change[1]))
		assert.Error(t, err, fault)
	}
}
