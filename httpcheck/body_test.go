package httpcheck_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/httpcheck"
)

func TestBodyLikePlain(t *testing.T) {
	srv := newServer(t)
	for name, scenario := range map[string]func(t *testing.T, w *way, see *transcript){
		"EOF": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/page"))
			b, err := io.ReadAll(resp.Body)
			see.add("%s %v %s %v %d", b, err, resp.Status, resp.Header.Get("Server"), resp.ContentLength)
			n, err := resp.Body.Read(make([]byte, 1))
			see.add("again: %d %v", n, err)
			see.add("close: %v", resp.Body.Close())
		},
		"close twice, then read": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/page"))
			see.add("%v", resp.Body.Close())
			see.add("%v", resp.Body.Close())
			n, err := resp.Body.Read(make([]byte, 1))
			see.add("%d %v", n, err)
		},
		"close while another goroutine reads": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/stall"))
			_, err := io.ReadFull(resp.Body, make([]byte, 7))
			require.NoError(t, err)
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := resp.Body.Read(make([]byte, 1))
				assert.Error(t, err)
			})
			see.add("%v", resp.Body.Close())
			wg.Wait()
			_, err = resp.Body.Read(make([]byte, 1))
			see.add("%v", err)
		},
		"no body": func(t *testing.T, w *way, see *transcript) {
			for _, path := range []string{"/empty", "/204", "/304"} {
				resp := must(t, w.rt, get(t, t.Context(), srv.URL+path))
				see.add("%s NoBody=%v", path, resp.Body == http.NoBody)
			}
			req := get(t, t.Context(), srv.URL+"/page")
			req.Method = http.MethodHead
			resp := must(t, w.rt, req)
			see.add("HEAD NoBody=%v %d", resp.Body == http.NoBody, resp.ContentLength)
			if w.in != nil {
				assert.Equal(t, 0, w.in.Stats().PeakLeased, "responses without a body are no lease")
				assert.Equal(t, 4, w.in.Stats().Requests)
			}
		},
		"gzip": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/gzip"))
			b, err := io.ReadAll(resp.Body)
			see.add("%s %v uncompressed=%v %q %d", b, err, resp.Uncompressed, resp.Header.Get("Content-Encoding"), resp.ContentLength)
			see.add("%v", resp.Body.Close())
		},
		"not gzip": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/notgzip"))
			b, err := io.ReadAll(resp.Body)
			see.add("%s %v", b, err)
			see.add("%v", resp.Body.Close())
		},
		"trailers": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/trailer"))
			see.add("before %v", resp.Trailer)
			_, err := io.Copy(io.Discard, resp.Body)
			see.add("after %v %v", resp.Trailer, err)
			resp.Body.Close()
		},
		"cut off": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/cut"))
			b, err := io.ReadAll(resp.Body)
			see.add("%s %v", b, err)
			see.add("%v", resp.Body.Close())
		},
		"101": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/upgrade"))
			rw, ok := resp.Body.(io.ReadWriteCloser)
			_, closeWrite := resp.Body.(interface{ CloseWrite() error })
			_, seek := resp.Body.(io.Seeker)
			_, writeTo := resp.Body.(io.WriterTo)
			see.add("%d writer=%v closeWrite=%v seek=%v writeTo=%v", resp.StatusCode, ok, closeWrite, seek, writeTo)
			_, err := io.WriteString(rw, "ping\n")
			require.NoError(t, err)
			line, err := bufio.NewReader(rw).ReadString('\n')
			see.add("%q %v", line, err)
			if c, ok := resp.Body.(interface{ CloseWrite() error }); ok {
				see.add("CloseWrite %v", c.CloseWrite())
				_, err = io.WriteString(rw, "more")
				see.add("write after it fails: %v", err != nil)
				rest, err := io.ReadAll(rw)
				see.add("%q %v", rest, err)
			}
			see.add("close %v", rw.Close())
		},
		"gzip, decoded": func(t *testing.T, w *way, see *transcript) {
			resp := must(t, w.rt, get(t, t.Context(), srv.URL+"/gzip"))
			_, isWriterTo := resp.Body.(io.WriterTo)
			see.add("WriterTo=%v", isWriterTo)
			var v any
			see.add("%v %v", json.NewDecoder(resp.Body).Decode(&v), v)
			resp.Body.Close()
		},
	} {
		t.Run(name, func(t *testing.T) { twins(t, nil, scenario) })
	}
}

// parts are the optional methods a body may have.
type (
	plainBody struct {
		io.Reader
		closes *int
	}
	writes      struct{ b *bytes.Buffer }
	closeWrites struct{ n *int }
	writesTo    struct{ r *strings.Reader }
	seeks       struct{ r *strings.Reader }
)

func (b plainBody) Close() error                          { *b.closes++; return nil }
func (b writes) Write(p []byte) (int, error)              { return b.b.Write(p) }
func (b closeWrites) CloseWrite() error                   { *b.n++; return nil }
func (b writesTo) WriteTo(w io.Writer) (int64, error)     { return b.r.WriteTo(w) }
func (b seeks) Seek(off int64, whence int) (int64, error) { return b.r.Seek(off, whence) }
func optional(b any) (write, closeWrite, writeTo, seek bool) {
	_, write = b.(io.Writer)
	_, closeWrite = b.(interface{ CloseWrite() error })
	_, writeTo = b.(io.WriterTo)
	_, seek = b.(io.Seeker)
	return
}

// TestOptionalMethods: a tracked body has io.Writer, CloseWrite, io.WriterTo and io.Seeker exactly when the one below has
// them, in all 16 combinations, and each reaches the body below.
func TestOptionalMethods(t *testing.T) {
	r := strings.NewReader("text")
	var out bytes.Buffer
	var closes, closeWriteCalls int
	b := plainBody{r, &closes}
	W, C, T, S := writes{&out}, closeWrites{&closeWriteCalls}, writesTo{r}, seeks{r}
	bodies := []io.ReadCloser{
		b,
		struct {
			plainBody
			writes
		}{b, W},
		struct {
			plainBody
			closeWrites
		}{b, C},
		struct {
			plainBody
			writes
			closeWrites
		}{b, W, C},
		struct {
			plainBody
			writesTo
		}{b, T},
		struct {
			plainBody
			writes
			writesTo
		}{b, W, T},
		struct {
			plainBody
			closeWrites
			writesTo
		}{b, C, T},
		struct {
			plainBody
			writes
			closeWrites
			writesTo
		}{b, W, C, T},
		struct {
			plainBody
			seeks
		}{b, S},
		struct {
			plainBody
			writes
			seeks
		}{b, W, S},
		struct {
			plainBody
			closeWrites
			seeks
		}{b, C, S},
		struct {
			plainBody
			writes
			closeWrites
			seeks
		}{b, W, C, S},
		struct {
			plainBody
			writesTo
			seeks
		}{b, T, S},
		struct {
			plainBody
			writes
			writesTo
			seeks
		}{b, W, T, S},
		struct {
			plainBody
			closeWrites
			writesTo
			seeks
		}{b, C, T, S},
		struct {
			plainBody
			writes
			closeWrites
			writesTo
			seeks
		}{b, W, C, T, S},
	}
	for i, below := range bodies {
		r.Reset("text")
		out.Reset()
		closes, closeWriteCalls = 0, 0
		in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: below, ContentLength: 4}, nil
		}))
		resp := must(t, in, get(t, t.Context(), "http://example.com/"))
		w, c, to, s := optional(resp.Body)
		assert.Equal(t, []bool{i&1 != 0, i&2 != 0, i&4 != 0, i&8 != 0}, []bool{w, c, to, s}, "case %04b", i)
		if w {
			_, err := resp.Body.(io.Writer).Write([]byte("written"))
			assert.NoError(t, err)
			assert.Equal(t, "written", out.String())
		}
		if c {
			assert.NoError(t, resp.Body.(interface{ CloseWrite() error }).CloseWrite())
			assert.Equal(t, 1, closeWriteCalls)
		}
		if s {
			n, err := resp.Body.(io.Seeker).Seek(2, io.SeekStart)
			assert.NoError(t, err)
			assert.EqualValues(t, 2, n)
		}
		var got strings.Builder
		_, err := io.Copy(&got, resp.Body)
		assert.NoError(t, err)
		assert.True(t, strings.HasSuffix("text", got.String()) && got.Len() >= 2, got.String())
		assert.Equal(t, 0, in.Stats().Leased, "case %04b: io.Copy reads to EOF, also by WriteTo", i)
		resp.Body.Close()
		assert.Equal(t, 1, closes)
		assert.Zero(t, in.Stats().ClosedEarly)
	}
}

// TestWriteToError: an error of WriteTo may be the writer's, and then the body is not at its end.
func TestWriteToError(t *testing.T) {
	in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: textBody("text"), ContentLength: 4}, nil
	}))
	resp := must(t, in, get(t, t.Context(), "http://example.com/"))
	pr, pw := io.Pipe()
	pr.CloseWithError(errors.New("full"))
	_, err := io.Copy(pw, resp.Body)
	require.EqualError(t, err, "full")
	assert.Equal(t, 1, in.Stats().Leased)
	resp.Body.Close()
	assert.Equal(t, httpcheck.Stats{Requests: 1, PeakLeased: 1, ClosedEarly: 1}, in.Stats())
}

// TestBodyIsNotKept: the table does not refer to the body, so that what nobody refers to is collected, as it is without
// tracking.
func TestBodyIsNotKept(t *testing.T) {
	collected := make(chan struct{})
	in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) {
		b := &plainBody{strings.NewReader("text"), new(int)}
		runtime.AddCleanup(b, func(c chan struct{}) { close(c) }, collected)
		return &http.Response{StatusCode: 200, Body: b, ContentLength: 4}, nil
	}))
	func() { must(t, in, get(t, context.Background(), "http://example.com/")) }()
	for range 1000 {
		runtime.GC()
		select {
		case <-collected:
			assert.Len(t, in.Leases(), 1, "it leaked all the same")
			return
		default:
			runtime.Gosched()
		}
	}
	t.Fatal("the body is still referred to")
}

// deep counts the frames that call its Close.
type deep struct {
	io.Reader
	frames []int
}

func (d *deep) Close() error {
	d.frames = append(d.frames, runtime.Callers(0, make([]uintptr, 500)))
	return nil
}

// TestSameResponseAgain: a mock may give one response for all requests; its body must not be wrapped deeper each time.
func TestSameResponseAgain(t *testing.T) {
	body := &deep{Reader: strings.NewReader("text")}
	canned := &http.Response{StatusCode: 200, Body: body, ContentLength: 4}
	in := httpcheck.Wrap(roundTripper(func(*http.Request) (*http.Response, error) { return canned, nil }))
	for range 50 {
		resp := must(t, in, get(t, t.Context(), "http://example.com/"))
		assert.Same(t, canned, resp)
		resp.Body.Close()
	}
	require.Len(t, body.frames, 50)
	assert.Equal(t, body.frames[0], body.frames[49])
	assert.Equal(t, 0, in.Stats().Leased)
	assert.Equal(t, 50, in.Stats().Requests)
}
