package verdict

import (
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Title is the finding in one line: what it is, and how many when there are more than one. It has no line breaks, no control
// characters and none that change the direction of text, whatever the leak's texts have; escaping for a format is the
// format's.
func (f *Finding) Title() string {
	text := oneLine(f.Leak.Summary)
	if text == "" {
		text = oneLine(f.Leak.Kind)
	}
	if text == "" {
		text = "a leak"
	}
	if f.Count > 1 {
		text += fmt.Sprintf(" (×%d)", f.Count)
	}
	return text
}

// Ruling says in a sentence without a full stop why the finding has its standing.
func (f *Finding) Ruling() string {
	switch f.Standing {
	case New:
		return "the baseline does not have it"
	case Over:
		if f.Count <= f.Allowed { // by the word of a process that counted the runs of its test together
			return fmt.Sprintf("more than the %d that the baseline allows", f.Allowed)
		}
		return fmt.Sprintf("the baseline allows %d, found %d: which of them is new cannot be told", f.Allowed, f.Count)
	case Expired:
		return f.expired()
	case Known:
		if f.Entry == nil || f.Entry.Reason == "" {
			return "the baseline has it"
		}
		return "the baseline has it: " + oneLine(f.Entry.Reason)
	}
	if f.Excused {
		return "found after a test had failed, so that it is told and not judged"
	}
	if f.Leak.Code == "LK604" {
		return "a warning, which does not fail"
	}
	return "nothing is held now, so that it is told and does not fail"
}

func (f *Finding) expired() string {
	if f.Entry != nil {
		if why, lapsed := f.Entry.Lapse(endOfTime); lapsed {
			return oneLine(why)
		}
	}
	if f.Leak.Expired != "" {
		return "the baseline accepted it until " + oneLine(f.Leak.Expired)
	}
	return "the baseline does not accept it any more"
}

// endOfTime is after the day of every entry: that of this one has come, whatever the time is.
var endOfTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// oneLine makes blanks of what ends a line or changes how the text around it is shown.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
	}), " ")
}
