// Package browser opens the HTML page in a real Chromium, as a reader does: with a keyboard, with a screen reader's tree, in
// light and in dark. It has tests alone.
package browser
