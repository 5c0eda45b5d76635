// Package page makes the HTML page of a verdict: one file that loads nothing, for a browser, a screen reader or paper.
//
// Without JavaScript everything is there but the filter, sorting, and the tests below the first rows of their table. Styles
// and scripts are the page's own and named by their hashes in its Content-Security-Policy, so that nothing in the data can run
// even if it were not escaped.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/url"
	"strings"
	"sync"

	"github.com/leakgate/leakgate/internal/verdict"
)

// Options is what a page needs beside the verdict.
type Options struct {
	// Title names what was tested, "shop". "" takes the modules of the findings, or what the packages have in common.
	Title string
	// Version is leakgate's own, for the foot of the page; "" leaves it out.
	Version string
	// SourceURL is where a browser finds the repository's files at the commit that was tested,
	// "https://github.com/acme/shop/blob/0123abc": the lines of findings link to it. "" for no links. A link is followed only
	// when a reader does so.
	SourceURL string
}

var (
	//go:embed page.tmpl
	pageTemplate string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
	//go:embed theme.js
	themeJS string
)

// assets are what is the same on every page.
type assets struct {
	Style  template.CSS
	Script template.JS
	Theme  template.JS
	Policy string
}

// parsed gives the template and what goes with it. It is done once, and not when the program starts: most of its commands
// make no page.
var parsed = sync.OnceValues(func() (*template.Template, assets) {
	a := assets{Style: template.CSS(pageCSS), Script: template.JS(pageJS), Theme: template.JS(themeJS)}
	a.Policy = strings.Join([]string{
		"default-src 'none'",
		"script-src " + hashOf(themeJS) + " " + hashOf(pageJS),
		"style-src " + hashOf(pageCSS),
		"img-src data:", // the icon, which a browser would ask the server for
		"base-uri 'none'",
		"form-action 'none'",
	}, "; ")
	return template.Must(template.New("page").Funcs(template.FuncMap{"pct": percentOf}).Parse(pageTemplate)), a
})

// hashOf is how a policy names an inline script or style.
func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// Write writes the page. The same verdict gives the same bytes. An error is w's, or names an option that is wrong.
func Write(w io.Writer, v *verdict.Verdict, o Options) error {
	if err := checkSource(o.SourceURL); err != nil {
		return err
	}
	t, a := parsed()
	view := newView(v, o)
	view.assets = a
	if err := view.renderFindings(t, v, o); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, view); err != nil {
		return fmt.Errorf("page: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func checkSource(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("page: the address of the source is %q: want one like https://github.com/acme/shop/blob/0123abc", s)
	}
	return nil
}
