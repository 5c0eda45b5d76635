package readback

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/internal/format"
	"github.com/leakgate/leakgate/internal/verdict"
)

// schemaModule has the schema of SARIF 2.1.0 (OASIS, errata 01) word for word in a constant that it does not export.
const schemaModule = "github.com/owenrumney/go-sarif/v3"

// schema compiles the schema, with its formats (URIs, times) checked too.
var schema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", schemaModule).Output()
	if err != nil {
		return nil, fmt.Errorf("where is %s: %w", schemaModule, err)
	}
	path := filepath.Join(strings.TrimSpace(string(dir)), "pkg", "report", "v210", "sarif", "schema.go")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	text := ""
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && v.Names[0].Name == "schema" {
			text, err = strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		}
		return err == nil
	})
	if err != nil || text == "" {
		return nil, fmt.Errorf("%s has no constant schema: %w", path, err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	const name = "sarif-schema-2.1.0.json"
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, doc); err != nil {
		return nil, err
	}
	return c.Compile(name)
})

// validate reads a document by the public schema.
func validate(t *testing.T, out string) error {
	t.Helper()
	s, err := schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(out))
	if err != nil {
		return err
	}
	return s.Validate(doc)
}

// TestSARIFSchema: what we write is SARIF 2.1.0 by its public schema.
func TestSARIFSchema(t *testing.T) {
	for name, v := range runs() {
		assert.NoError(t, validate(t, write(t, format.SARIF, v)), name)
	}
	out := write(t, format.SARIF, runs()["sample"])
	for fault, change := range map[string][2]string{
		"a level that is none":      {`"level":"error","message"`, `"level":"fatal","message"`},
		"a result without message":  {`"message":{"text"`, `"message":{"texts"`},
		"a line that is none":       {`"startLine":42`, `"startLine":0`},
		"a URI that is none":        {`"uri":"store/client.go"`, `"uri":"store/%zz client.go"`},
		"a state that is none":      {`"baselineState":"new"`, `"baselineState":"newer"`},
		"a status that is none":     {`"status":"accepted"`, `"status":"ok"`},
		"a time that is none":       {`"startTimeUtc": "20`, `"startTimeUtc": "on 20`},
		"a member that is not ours": {`"ruleIndex":0`, `"ruleNumber":0`},
		"no tool":                   {`"tool": {`, `"tools": {`},
		"another version":           {`"version": "2.1.0"`, `"version": "2.2"`},
	} {
		assert.Error(t, validate(t, planted(t, out, change[0], change[1])), fault)
	}
}

// TestSARIFReader: a reader that is not ours finds in it what the verdict has.
func TestSARIFReader(t *testing.T) {
	for name, v := range runs() {
		log, err := sarif.FromString(write(t, format.SARIF, v))
		require.NoError(t, err, name)
		require.Len(t, log.Runs, 1)
		run := log.Runs[0]
		require.Len(t, run.Results, len(v.Findings))
		assert.Equal(t, "unit/", *run.AutomationDetails.ID)
		for i, f := range v.Findings {
			r := run.Results[i]
			assert.Equal(t, *r.RuleID, *run.Tool.Driver.Rules[r.RuleIndex].ID)
			assert.Equal(t, f.ID, r.PartialFingerprints["leakgate/v1"])
			assert.NotContains(t, r.PartialFingerprints, "primaryLocationLineHash", "that one is the uploader's")
			assert.Equal(t, map[bool]string{true: "error", false: "note"}[f.Fails()], r.Level)
			require.Equal(t, f.Standing == verdict.Known, len(r.Suppressions) == 1)
			if f.Standing == verdict.Known && f.Entry != nil {
				assert.Equal(t, f.Entry.Reason, *r.Suppressions[0].Justification)
			}
			at := r.Locations[0].PhysicalLocation
			if f.Path != "" && !strings.ContainsAny(f.Path, " %:&,") {
				assert.Equal(t, f.Path, *at.ArtifactLocation.URI)
				assert.Equal(t, f.Line, *at.Region.StartLine)
			}
		}
	}
}

// githubFields are the members that GitHub marks as required in "SARIF support for code scanning", with the members that hold
// them: "You must supply an explicit value for any property marked as required. The empty string is not supported for
// required properties." (github/docs,
// content/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning.md)
var githubFields = []string{
	"$schema",
	"version",
	"runs[]",
	"runs[].tool.driver",
	"runs[].results",
	"runs[].tool.driver.name",
	"runs[].tool.driver.rules[]",
	"runs[].tool.driver.rules[].id",
	"runs[].tool.driver.rules[].shortDescription.text",
	"runs[].tool.driver.rules[].fullDescription.text",
	"runs[].tool.driver.rules[].help.text",
	"runs[].results[].message.text",
	"runs[].results[].locations[]",
	"runs[].results[].partialFingerprints",
	"runs[].results[].locations[].physicalLocation",
	"runs[].results[].locations[].physicalLocation.artifactLocation.uri",
	"runs[].results[].locations[].physicalLocation.region.startLine",
	"runs[].results[].locations[].physicalLocation.region.startColumn",
	"runs[].results[].locations[].physicalLocation.region.endLine",
	"runs[].results[].locations[].physicalLocation.region.endColumn",
	"runs[].results[].relatedLocations[].physicalLocation.artifactLocation.uri",
}

// lacking follows a path of members and says where it does not lead to a value, "" when it does everywhere.
func lacking(doc any, path, at string) string {
	name, rest, _ := strings.Cut(path, ".")
	member, list := strings.CutSuffix(name, "[]")
	object, ok := doc.(map[string]any)
	if !ok {
		return at + " is no object"
	}
	value, ok := object[member]
	at += "." + member
	if !ok || value == nil || value == "" {
		return at + " is lacking"
	}
	if !list {
		if rest == "" {
			return ""
		}
		return lacking(value, rest, at)
	}
	all, ok := value.([]any)
	if !ok {
		return at + " is no list"
	}
	if len(all) == 0 && rest == "" {
		return at + " is empty"
	}
	for i, v := range all {
		if rest == "" {
			continue
		}
		if said := lacking(v, rest, fmt.Sprintf("%s[%d]", at, i)); said != "" {
			return said
		}
	}
	return ""
}

// TestSARIFForGitHub has each member that GitHub requires, and sees it when one is gone.
func TestSARIFForGitHub(t *testing.T) {
	for name, v := range runs() {
		out := write(t, format.SARIF, v)
		for _, path := range githubFields {
			if strings.Contains(path, "relatedLocations") { // these need not be there
				out = strings.ReplaceAll(out, `"ruleId"`, `"relatedLocations": [], "ruleId"`)
			}
			var doc any
			require.NoError(t, json.Unmarshal([]byte(out), &doc))
			assert.Empty(t, lacking(doc, path, ""), name)
		}
		// "Limited to 1024 characters."
		var doc struct {
			Runs []struct {
				Tool struct {
					Driver struct {
						Rules []struct {
							ID, Name                          string
							ShortDescription, FullDescription struct{ Text string }
						}
					}
				}
			}
		}
		require.NoError(t, json.Unmarshal([]byte(out), &doc))
		for _, r := range doc.Runs[0].Tool.Driver.Rules {
			assert.LessOrEqual(t, len([]rune(r.ShortDescription.Text)), 1024, r.ID)
			assert.LessOrEqual(t, len([]rune(r.FullDescription.Text)), 1024, r.ID)
			assert.LessOrEqual(t, len([]rune(r.Name)), 255, r.ID)
		}
	}
	out := write(t, format.SARIF, runs()["sample"])
	for _, path := range githubFields {
		names := strings.Split(path, ".")
		last := `"` + strings.TrimSuffix(names[len(names)-1], "[]") + `"`
		if strings.Contains(path, "relatedLocations") {
			continue
		}
		var doc any
		require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(out, last+":", `"gone":`)), &doc))
		assert.NotEmpty(t, lacking(doc, path, ""), "without %s", path)
	}
}
