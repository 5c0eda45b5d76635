package fragment

import "fmt"

// FileError says which file or folder an error is about. Err is a *CutError, *VersionError, *ForeignError, *LimitError or
// *RecordError, several of them joined, or what the operating system said.
type FileError struct {
	File string // as it was opened
	Err  error
}

// Error gives the file and what is wrong with it.
func (e *FileError) Error() string { return e.File + ": " + e.Err.Error() }

// Unwrap gives Err.
func (e *FileError) Unwrap() error { return e.Err }

// CutError says that a fragment ends before its document does, or goes on with something else. What is before was read.
type CutError struct {
	Offset  int64  // the byte, from 0, up to which the document is right
	Records int    // records before it
	What    string // what was found: "the file ends there", "the byte 0x00 stands there"
}

// Error says where the document breaks off and what was read.
func (e *CutError) Error() string {
	return fmt.Sprintf("the report breaks off at byte %d: %s; %s read. Its process was killed while it wrote, or the file "+
		"was copied before it was done or changed since", e.Offset, e.What, were(e.Records))
}

func were(n int) string {
	switch n {
	case 0:
		return "no record was"
	case 1:
		return "the record before it was"
	}
	return fmt.Sprintf("the %d records before it were", n)
}

// VersionError says that a fragment is of a version that this package does not know.
type VersionError struct {
	Version string // as it stands in the file
}

// Error says which versions are read, and what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("it is a report of version %s, and this leakgate reads version %d: use the leakgate command of the "+
		"version that the tests were built with, or a later one", e.Version, Version)
}

// ForeignError says that a file is something else than a fragment.
type ForeignError struct {
	Why string // "it is empty", "it has no member \"leakgate\""
}

// Error says why it is none.
func (e *ForeignError) Error() string { return "it is no report of Leakgate: " + e.Why }

// LimitError says that something is larger than this package writes or reads.
type LimitError struct {
	What   string // "a record", "a report", "all reports together"
	Limit  int64  // in bytes
	Offset int64  // where it was met in a file that is read, in bytes from 0
}

// Error says what is too large.
func (e *LimitError) Error() string {
	at := ""
	if e.Offset > 0 {
		at = fmt.Sprintf(" (at byte %d)", e.Offset)
	}
	return fmt.Sprintf("%s may have %s at most%s; what is beyond is left out", e.What, size(e.Limit), at)
}

func size(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// RecordError says that a record, or a member of the header, is not of the form that this version has. It is left out, and
// the others are read.
type RecordError struct {
	Record int    // its number from 1; 0 for the header
	Offset int64  // where it begins, in bytes from 0
	Member string // the member's path, "leak.count"; "" when the whole record is meant
	Want   string // what was expected: "a whole number"
	Got    string // what is there: "a string"
}

// Error names the record, the member and what was expected.
func (e *RecordError) Error() string {
	switch {
	case e.Record == 0 && e.Got == missing:
		return fmt.Sprintf("the header has no %q: it must have %s", e.Member, e.Want)
	case e.Record == 0:
		return fmt.Sprintf("the header's %q (at byte %d) is left out: it must be %s, and is %s", e.Member, e.Offset, e.Want, e.Got)
	case e.Member == "":
		return fmt.Sprintf("record %d (at byte %d) is left out: it must be %s, and is %s", e.Record, e.Offset, e.Want, e.Got)
	}
	return fmt.Sprintf("record %d (at byte %d) is left out: its %q must be %s, and is %s", e.Record, e.Offset, e.Member, e.Want, e.Got)
}
