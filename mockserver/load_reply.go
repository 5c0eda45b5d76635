package mockserver

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/leakgate/leakgate/internal/jsontree"
)

const (
	whyProxy    = "the server answers itself and passes no request on; write the reply as body or bodyFileName"
	whyTemplate = "nothing is filled into a reply; write the text as it is to come, or the stub in Go with Template"
)

var responseFields = schema{
	name: "a response",
	read: []string{
		"status", "statusMessage", "body", "jsonBody", "base64Body", "bodyFileName", "headers", "fixedDelayMilliseconds", "delayDistribution",
		"chunkedDribbleDelay", "fault", "transformers", "transformerParameters",
	},
	ignored: []string{"fromConfiguredStub"},
	refused: map[string]string{
		"proxyBaseUrl":                  whyProxy,
		"proxyUrlPrefixToRemove":        whyProxy,
		"additionalProxyRequestHeaders": whyProxy,
		"removeProxyRequestHeaders":     whyProxy,
	},
}

// maxDelay is the longest delay in milliseconds: a day.
const maxDelay = 24 * 60 * 60 * 1000

// response reads the reply of a stub.
//
// It is sent chunked, as WireMock does, unless the mapping has a Content-Length. An error without a body is an empty
// chunked body then, so that a client which does not close it is seen.
func (m *mappingReader) response(v *jsontree.Value, at string) Reply {
	r := Reply{name: "Body(200)", code: 200, fields: usual("", ""), framing: Chunked}
	fields := map[string]*jsontree.Value{}
	if v != nil {
		if fields = m.object(v, at, &responseFields); fields == nil {
			return r
		}
	}
	before := len(m.problems)
	if f := fields["status"]; f != nil {
		if n, ok := m.integer(f, under(at, "status"), 0, 999); ok && n != 0 { // 0 is as if it were not there
			r.code = int(n)
			r.name = fmt.Sprintf("Body(%d)", n)
			if n < 200 {
				m.bad(under(at, "status"), "%d is not the status of a reply; write one from 200 to 999", n)
			}
		}
	}
	r.reason = http.StatusText(r.code)
	if f := fields["statusMessage"]; f != nil {
		if text, ok := m.str(f, under(at, "statusMessage")); ok && text != "" {
			if strings.ContainsAny(text, "\r\n\x00") {
				m.bad(under(at, "statusMessage"), "has a line break or a zero byte")
			}
			r.reason = text
		}
	}
	r.body = m.body(fields, at)
	if f := fields["headers"]; f != nil {
		r = m.headers(r, f, under(at, "headers"))
	}
	m.transformers(fields, at, r)
	if d := m.delay(fields, at); d != nil {
		r = r.DelayBy(d)
	}
	if f := fields["chunkedDribbleDelay"]; f != nil {
		r = m.dribble(r, f, under(at, "chunkedDribbleDelay"))
	}
	if f := fields["fault"]; f != nil {
		r = m.fault(r, f, under(at, "fault"))
	}
	if len(m.problems) == before {
		if err := r.problem(); err != nil {
			m.bad(at, "%v", err)
		}
	}
	return r
}

// bodyFieldNames are the ways to give a body, of which a response has one.
var bodyFieldNames = []string{"body", "jsonBody", "base64Body", "bodyFileName"}

func (m *mappingReader) body(fields map[string]*jsontree.Value, at string) []byte {
	var given []string
	for _, name := range bodyFieldNames {
		if f := fields[name]; f != nil && !(name == "body" && f.Kind == jsontree.String && f.Text == "") {
			given = append(given, name)
		}
	}
	if len(given) > 1 {
		m.bad(at, "has %s; leave one", strings.Join(given, " and "))
		return nil
	}
	if len(given) == 0 {
		return nil
	}
	f, where := fields[given[0]], under(at, given[0])
	switch given[0] {
	case "jsonBody":
		return f.Append(nil)
	case "base64Body":
		text, ok := m.str(f, where)
		if !ok {
			return nil
		}
		b, err := base64.StdEncoding.DecodeString(strings.Map(func(r rune) rune {
			if r == '\n' || r == '\r' {
				return -1
			}
			return r
		}, text))
		if err != nil {
			m.bad(where, "is not base64: %v", err)
		}
		return b
	case "bodyFileName":
		name, ok := m.str(f, where)
		if !ok {
			return nil
		}
		b, err := m.bodies.read(name)
		if err != nil {
			m.bad(where, "%v", err)
		}
		return b
	}
	if f.Kind == jsontree.Object || f.Kind == jsontree.Array {
		m.bad(where, "is %s, and not a text; write jsonBody for JSON", f.Kind)
		return nil
	}
	text, _ := m.str(f, where)
	return []byte(text)
}

func (m *mappingReader) headers(r Reply, v *jsontree.Value, at string) Reply {
	before := len(m.problems)
	length := -1
	for _, f := range m.entries(v, at) {
		where := under(at, f.Name)
		all := []*jsontree.Value{f.Value}
		if f.Value.Kind == jsontree.Array {
			all = f.Value.Items
		}
		for _, one := range all {
			value, ok := m.str(one, where)
			if !ok {
				continue
			}
			switch {
			case strings.EqualFold(f.Name, "Content-Length"):
				n, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil || n < 0 {
					m.bad(where, "%s is not a length", quote(value))
					continue
				}
				length = n
			case strings.EqualFold(f.Name, "Transfer-Encoding"):
				if !strings.EqualFold(strings.TrimSpace(value), "chunked") {
					m.bad(where, "not supported: %s; there is chunked, which is sent anyway", quote(value))
				}
			default:
				if why := badHeader(f.Name, value); why != "" {
					m.bad(where, "%s", why)
					continue
				}
				if next := r.Header(f.Name, value); next.err != nil {
					m.bad(where, "not supported: %s", strings.TrimPrefix(next.err.Error(), next.String()+": "))
				} else {
					r = next
				}
			}
		}
	}
	if length < 0 || len(m.problems) > before {
		return r
	}
	r.framing = ContentLength
	if length != len(r.body) && r.code != 204 && r.code != 304 {
		return r.Length(length)
	}
	return r
}

// transformers takes response-template where there is nothing to fill in.
func (m *mappingReader) transformers(fields map[string]*jsontree.Value, at string, r Reply) {
	f := fields["transformers"]
	asked := false
	if f != nil {
		for i, one := range m.list(f, under(at, "transformers")) {
			name, ok := m.str(one, item(under(at, "transformers"), i))
			switch {
			case !ok:
			case name != "response-template":
				m.bad(item(under(at, "transformers"), i), "not supported: there are no extensions, and no %s", quote(name))
			default:
				asked = true
			}
		}
	}
	if asked {
		filled := bytes.Contains(r.body, []byte("{{"))
		for _, f := range r.fields {
			filled = filled || strings.Contains(f.value, "{{")
		}
		if name := fields["bodyFileName"]; name != nil {
			filled = filled || strings.Contains(name.Text, "{{")
		}
		if filled {
			m.bad(under(at, "transformers"), "not supported: response-template: %s", whyTemplate)
		}
	}
	if p := fields["transformerParameters"]; p != nil && !asked && !hasNothing(p) {
		m.bad(under(at, "transformerParameters"), "not supported: there are no extensions that they could be for")
	}
}

var distributionFields = map[string]schema{
	"fixed":     {name: "a fixed delay", read: []string{"type", "milliseconds"}},
	"uniform":   {name: "a uniform delay", read: []string{"type", "lower", "upper"}},
	"lognormal": {name: "a lognormal delay", read: []string{"type", "median", "sigma", "maxValue"}},
}

// delay reads both delays, which add up.
func (m *mappingReader) delay(fields map[string]*jsontree.Value, at string) Distribution {
	var d loadedDelay
	if f := fields["fixedDelayMilliseconds"]; f != nil {
		n, _ := m.integer(f, under(at, "fixedDelayMilliseconds"), 0, maxDelay)
		d.fixed = time.Duration(n) * time.Millisecond
	}
	if f := fields["delayDistribution"]; f != nil {
		m.distribution(f, under(at, "delayDistribution"), &d)
	}
	switch {
	case d.random == nil && d.fixed == 0:
		return nil
	case d.random == nil:
		return fixed(d.fixed)
	case d.fixed == 0 && d.max == 0:
		return d.random
	}
	return d
}

func (m *mappingReader) distribution(v *jsontree.Value, at string, d *loadedDelay) {
	if v.Kind != jsontree.Object {
		m.bad(at, `is %s, and not an object; write {"type": "uniform", "lower": 10, "upper": 20}`, v.Kind)
		return
	}
	kind := ""
	if f := v.Get("type"); f != nil {
		kind = f.Text
	}
	s, ok := distributionFields[kind]
	if !ok {
		m.bad(under(at, "type"), `%s is not a distribution; there are "fixed", "uniform" and "lognormal"`, quote(kind))
		return
	}
	fields := m.object(v, at, &s)
	number := func(name string, low, high int64) time.Duration {
		if fields[name] == nil {
			m.bad(under(at, name), "is missing")
			return 0
		}
		if kind == "lognormal" {
			f, ok := m.decimal(fields[name], under(at, name), float64(low), float64(high))
			if !ok {
				return 0
			}
			return time.Duration(f * float64(time.Millisecond))
		}
		n, _ := m.integer(fields[name], under(at, name), low, high)
		return time.Duration(n) * time.Millisecond
	}
	switch kind {
	case "fixed":
		d.fixed += number("milliseconds", 0, maxDelay)
	case "uniform":
		lower, upper := number("lower", 0, maxDelay), number("upper", 0, maxDelay)
		if upper < lower {
			m.bad(at, "upper is less than lower")
			return
		}
		d.random = Uniform(lower, upper)
	case "lognormal":
		median := number("median", 0, maxDelay)
		sigma := 0.0
		if fields["sigma"] == nil {
			m.bad(under(at, "sigma"), "is missing")
		} else {
			sigma, _ = m.decimal(fields["sigma"], under(at, "sigma"), 0, 10)
		}
		if fields["maxValue"] != nil {
			if d.max = number("maxValue", 0, maxDelay); d.max < median {
				m.bad(under(at, "maxValue"), "is less than the median")
			}
		}
		if median == 0 || sigma == 0 {
			d.fixed += median
			return
		}
		d.random = Lognormal(median, sigma)
	}
}

// decimal reads a number from low to high.
func (m *mappingReader) decimal(v *jsontree.Value, at string, low, high float64) (float64, bool) {
	if v.Kind == jsontree.Number || v.Kind == jsontree.String {
		if f, err := strconv.ParseFloat(v.Text, 64); err == nil && low <= f && f <= high {
			return f, true
		}
	}
	m.bad(at, "is %s, and not a number from %v to %v", shown(v), low, high)
	return 0, false
}

// loadedDelay is a fixed delay and a random one, which is drawn again when it is above max.
type loadedDelay struct {
	fixed  time.Duration
	random Distribution
	max    time.Duration // 0 is none
}

func (d loadedDelay) String() string {
	s := d.random.String()
	if d.max > 0 {
		s += fmt.Sprintf(", at most %v", d.max)
	}
	if d.fixed > 0 {
		s += fmt.Sprintf(", and %v", d.fixed)
	}
	return s
}

func (d loadedDelay) Sample(r *rand.Rand) time.Duration {
	n := d.random.Sample(r)
	for i := 0; i < 10 && d.max > 0 && n > d.max; i++ {
		n = d.random.Sample(r)
	}
	if d.max > 0 {
		n = min(n, d.max)
	}
	return d.fixed + n
}

var dribbleFields = schema{name: "chunkedDribbleDelay", read: []string{"numberOfChunks", "totalDuration"}}

// dribble cuts the body into chunks of one size, the last one with the rest, and waits before each of them.
func (m *mappingReader) dribble(r Reply, v *jsontree.Value, at string) Reply {
	fields := m.object(v, at, &dribbleFields)
	if fields == nil {
		return r
	}
	var both [2]int64
	for i, name := range dribbleFields.read {
		if fields[name] == nil {
			m.bad(under(at, name), "is missing")
			return r
		}
		var ok bool
		if both[i], ok = m.integer(fields[name], under(at, name), int64(1-i), maxDelay); !ok {
			return r
		}
	}
	if len(r.body) == 0 {
		m.bad(at, "the response has no body to cut into chunks")
		return r
	}
	n := int(min(both[0], int64(len(r.body)))) // more chunks than bytes cannot be
	wait := time.Duration(both[1]/int64(n)) * time.Millisecond
	if wait == 0 {
		return r
	}
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = len(r.body) / n
	}
	sizes[n-1] += len(r.body) % n
	first := loadedDelay{fixed: wait, random: fixed(0)}
	if r.extra != nil && r.extra.delay != nil {
		first.random = r.extra.delay
	}
	return r.with("Trickle", func(x *extra) {
		x.chunks, x.every, x.delay, x.reshaped = sizes, wait, first, true
	})
}

var loadedFaults = map[string]WireFault{
	"EMPTY_RESPONSE":           EmptyResponse,
	"MALFORMED_RESPONSE_CHUNK": MalformedChunk,
	"RANDOM_DATA_THEN_CLOSE":   RandomThenClose,
	"CONNECTION_RESET_BY_PEER": ConnectionReset,
}

func (m *mappingReader) fault(r Reply, v *jsontree.Value, at string) Reply {
	name, ok := m.str(v, at)
	if !ok {
		return r
	}
	f := loadedFaults[name]
	if f == nil {
		m.bad(at, "%s is not a fault; there are EMPTY_RESPONSE, MALFORMED_RESPONSE_CHUNK, RANDOM_DATA_THEN_CLOSE and CONNECTION_RESET_BY_PEER", quote(name))
		return r
	}
	return r.Fault(f)
}

// maxUnzipped is how much of a compressed body is looked at.
const maxUnzipped = 16 << 20

func gunzip(b []byte, most int64) (string, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return "", errors.New("the body is not gzip, as its Content-Encoding says")
	}
	out, err := io.ReadAll(io.LimitReader(z, most+1))
	switch {
	case err != nil:
		return "", errors.New("the body is not gzip, as its Content-Encoding says")
	case int64(len(out)) > most:
		return "", fmt.Errorf("the body has more than %d bytes without gzip", most)
	}
	return string(out), nil
}
