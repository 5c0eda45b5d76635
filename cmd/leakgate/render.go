package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/leakgate/leakgate/internal/format"
	htmlpage "github.com/leakgate/leakgate/internal/page"
	"github.com/leakgate/leakgate/internal/verdict"
)

// htmlForm is the one format that is not internal/format's.
const htmlForm = "html"

// formAbout says what a format is for, in one line.
func formAbout(name string) string {
	for _, f := range format.Formats() {
		if f.Name == name {
			return f.Text
		}
	}
	return "one page that loads nothing, to open and to keep as an artifact"
}

// renderer makes texts of a verdict.
type renderer struct {
	console
	root string // of the repository; "" when it is not known
	all  bool   // the text shows every finding
}

func (r renderer) options() format.Options {
	o := format.Options{Colour: r.colour, All: r.all, Version: ownVersion(), Blob: r.sourceURL()}
	if r.root != "" {
		o.Repo = os.DirFS(r.root)
	}
	return o
}

// text gives what goes to one output.
func (r renderer) text(out output, v *verdict.Verdict) ([]byte, error) {
	var b bytes.Buffer
	if out.format == htmlForm {
		err := htmlpage.Write(&b, v, htmlpage.Options{Version: ownVersion(), SourceURL: r.sourceURL()})
		return b.Bytes(), err
	}
	o := r.options()
	o.Colour = o.Colour && out.file == ""
	err := format.Write(&b, out.format, v, o)
	return b.Bytes(), err
}

// summaryEnv names the file of the job summary of GitHub Actions.
const summaryEnv = "GITHUB_STEP_SUMMARY"

// summarise appends the job summary where there is one.
func (r renderer) summarise(v *verdict.Verdict) error {
	name := r.env(summaryEnv)
	if name == "" {
		return nil
	}
	var b bytes.Buffer
	err := format.Summary(&b, v, r.options())
	if err == nil {
		err = appendFile(name, b.Bytes())
	}
	if err != nil {
		return problem{
			what: fmt.Sprintf("the job summary could not be written: %v", err),
			todo: "look at $" + summaryEnv + ": the runner sets it to a file that can be written",
		}
	}
	return nil
}

// sourceURL is where a browser finds the repository's files at this commit, as the CI system tells; "" elsewhere.
func (c console) sourceURL() string {
	if server, repo, sha := c.env("GITHUB_SERVER_URL"), c.env("GITHUB_REPOSITORY"), c.env("GITHUB_SHA"); server != "" && repo != "" && sha != "" {
		return strings.TrimRight(server, "/") + "/" + repo + "/blob/" + sha + "/"
	}
	if project, sha := c.env("CI_PROJECT_URL"), c.env("CI_COMMIT_SHA"); project != "" && sha != "" {
		return strings.TrimRight(project, "/") + "/-/blob/" + sha + "/"
	}
	return ""
}

// ownVersion is the version of this program; "" when it was built without one.
func ownVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != modulePath || info.Main.Version == "(devel)" {
		return ""
	}
	return info.Main.Version
}
