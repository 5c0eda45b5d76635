package leakcheck

import (
	"fmt"
	"math"
	"net"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/leakgate/leakgate/fragment"
	"github.com/leakgate/leakgate/internal/lease"
)

func newSeries() *Series {
	return &Series{courses: make(map[Metric]*course), pools: make(map[string]bool), pause: time.Second}
}

// feed gives a series n samples, a second apart.
func (s *Series) feed(n int, sample func(i int) fragment.Sample) {
	for i := range n {
		at := time.Duration(i) * time.Second
		s.add(newPoint(at, sample(i), s.keeps))
		s.took = at
	}
	s.stopped = true
}

// TestSeriesBounds: a series of any length has no more than so many points, in which no peak is lost, and samples are taken
// less often.
func TestSeriesBounds(t *testing.T) {
	s := newSeries()
	const n = 10_000
	s.feed(n, func(i int) fragment.Sample {
		m := fragment.Sample{Goroutines: 5, Sockets: 2, FDs: 9, HeapInUse: 1 << 20, States: map[string]int{"ESTABLISHED": 2}}
		if i == 777 {
			m.Sockets, m.States = 50, map[string]int{"ESTABLISHED": 2, "CLOSE_WAIT": 48}
			m.Leased = map[string]int{"db": 7}
		}
		return m
	})
	points := s.Points()
	assert.LessOrEqual(t, len(points), maxPoints)
	assert.Greater(t, s.pause, time.Second)
	most := 0
	for i, p := range points {
		most = max(most, p.Of(CloseWait))
		if i > 0 {
			require.Greater(t, p.At, points[i-1].At)
		}
	}
	assert.Equal(t, []int{48, 48, 7, 50, 5, 0}, []int{most, s.Peak(CloseWait), s.Peak(Leases("db")), s.Peak(Sockets), s.Peak(Goroutines), s.Peak(SocketsIn("LISTEN"))})
	assert.Equal(t, &course{min: 0, max: 48, sum: 48, n: n}, s.courses[CloseWait], "before and after there were none")
	points[0].States["ESTABLISHED"] = 99
	assert.Equal(t, 2, s.Points()[0].States["ESTABLISHED"], "what is given is the caller's own")
}

// TestSeriesPools: pools of more names than are told apart are added up, those that a ceiling names excepted.
func TestSeriesPools(t *testing.T) {
	s := newSeries()
	s.pools["named"] = true
	s.feed(100, func(i int) fragment.Sample {
		m := fragment.Sample{Leased: map[string]int{fmt.Sprintf("client %d", i): 2, fmt.Sprintf("other %d", i): 1}}
		if i == 99 {
			m.Leased["named"] = 4
		}
		return m
	})
	assert.LessOrEqual(t, len(s.courses), maxSeriesBy+10)
	assert.Equal(t, []int{4, 3, 7}, []int{s.Peak(Leases("named")), s.Peak(Leases(otherPools)), s.Peak(Leases(""))})
}

// TestSeriesString: the table, whole.
func TestSeriesString(t *testing.T) {
	s := newSeries()
	s.feed(90, func(i int) fragment.Sample {
		m := fragment.Sample{Goroutines: 8 + i/10, Sockets: i / 15, FDs: -1, HeapInUse: int64(i%30) << 20, States: map[string]int{"CLOSE_WAIT": i / 15}}
		if i >= 30 && i < 60 {
			m.Leased = map[string]int{"http.DefaultTransport": 1 + i%3}
		}
		return m
	})
	assert.Equal(t, `                                 least    mean    most
leases of http.DefaultTransport      0     0.7       3  ▁▁▁▁▁▁▁▁▁▁▁▁▁▃██▆███▆███▆██▁▁▁▁▁▁▁▁▁▁▁▁▁
sockets                              0     2.5       5  ▁▁▁▁▁▁▁▂▂▂▂▂▂▄▄▄▄▄▄▄▅▅▅▅▅▅▅▇▇▇▇▇▇███████
sockets in CLOSE_WAIT                0     2.5       5  ▁▁▁▁▁▁▁▂▂▂▂▂▂▄▄▄▄▄▄▄▅▅▅▅▅▅▅▇▇▇▇▇▇███████
goroutines                           8    12.0      16  ▅▅▅▅▅▅▅▅▅▅▅▅▅▆▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇▇█████████
heap in use                        0 B  14 MiB  29 MiB  ▁▂▂▃▃▄▄▅▆▆▇▇██▁▂▃▃▄▄▅▅▆▇▇██▁▂▂▃▄▄▅▅▆▆▇▇█
not known on this system: file descriptors
90 samples in 1m29s`, s.String())
	assert.Equal(t, sparkColumns, utf8.RuneCountInString(s.spark(Sockets)))

	s = newSeries()
	s.feed(1, func(int) fragment.Sample {
		return fragment.Sample{Goroutines: 1, Sockets: 3, FDs: 12, HeapInUse: 3 << 20}
	})
	assert.Equal(t, "unchanged: 3 sockets, 12 file descriptors, 1 goroutine, 3.0 MiB of heap in use\n1 sample in 0s", s.String())
}

// TestMetricText: a number of each metric in words, and the metric as it is written in a test.
func TestMetricText(t *testing.T) {
	for _, c := range []struct {
		m    Metric
		n    int
		want string
	}{
		{Goroutines, 1, "1 goroutine AtMost(Goroutines, 1)"},
		{Sockets, 2, "2 sockets AtMost(Sockets, 2)"},
		{CloseWait, 1, "1 socket in CLOSE_WAIT AtMost(CloseWait, 1)"},
		{SocketsIn("time wait"), 2, `2 sockets in TIME_WAIT AtMost(SocketsIn("TIME_WAIT"), 2)`},
		{Leases(""), 1, `1 lease AtMost(Leases(""), 1)`},
		{Leases("the pool"), 2, `2 leases of the pool AtMost(Leases("the pool"), 2)`},
		{FDs, 1, "1 file descriptor AtMost(FDs, 1)"},
		{FDs, 2, "2 file descriptors AtMost(FDs, 2)"},
		{HeapInUse, 1536, "1.5 KiB of heap in use AtMost(HeapInUse, 1536)"},
		{HeapInUse, 1 << 30, "1.0 GiB of heap in use AtMost(HeapInUse, 1073741824)"},
		{HeapInUse, 100, "100 B of heap in use AtMost(HeapInUse, 100)"},
	} {
		assert.Equal(t, c.want, c.m.count(c.n)+" "+AtMost(c.m, c.n).String())
	}
}

// BenchmarkMeasure: what one sample costs, with sockets open.
func BenchmarkMeasure(b *testing.B) {
	for _, n := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("%d-sockets", n), func(b *testing.B) {
			for range n {
				c, err := net.Listen("tcp4", "127.0.0.1:0")
				require.NoError(b, err)
				defer c.Close()
			}
			b.ReportAllocs()
			for b.Loop() {
				measure(math.MaxInt)
			}
		})
	}
}

// BenchmarkWarnHeld: what one look of WarnHeld costs when nothing is held, and when something is that is not over the limit.
func BenchmarkWarnHeld(b *testing.B) {
	for _, n := range []int{0, 10, 1000} {
		b.Run(fmt.Sprintf("%d-held", n), func(b *testing.B) {
			p := lease.Live.NewPool(string(SQLConn), "bench", nil)
			held := make([]lease.Lease, n)
			for i := range held {
				p.Take(&held[i], idle{}, 0)
			}
			h := &warnings{by: []*warned{{w: &watch{cfg: &config{}}, limit: time.Hour}}, told: make(map[*lease.Lease]*warning)}
			b.ReportAllocs()
			for b.Loop() {
				h.look()
			}
			for i := range held {
				held[i].Release(false)
			}
		})
	}
}

type idle struct{}

func (idle) Now() lease.State { return lease.Held }
func (idle) Info() lease.Info { return lease.Info{} }

// TestSeriesOfNobody: a Series that Sample did not make, as in a struct that was never filled, has recorded nothing.
func TestSeriesOfNobody(t *testing.T) {
	var s Series
	s.Stop()
	assert.Empty(t, s.Points())
	assert.Equal(t, -1, s.Peak(Sockets))
	assert.Equal(t, "0 samples in 0s", s.String())
}
