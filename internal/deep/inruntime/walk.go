//go:build leakgate_runtime

package runtime

import (
	"internal/goarch"
	"unsafe"
)

// What leakgateReach says of an address.
const (
	leakgateReached  = 1 << iota // it is in an object that package-level variables reach
	leakgateHeap                 // it is in an object of the heap
	leakgateSegment              // it is in a package-level variable
	leakgateNoPtrs               // it is in an object that has no pointers
	leakgateTimer                // it is the channel of a timer, or what has such a channel in its first field
	leakgateChan                 // a goroutine waits for this channel; else the goroutine refers to it in a frame of its stack
	leakgateSwitches             // no address, but a counter that changes when the goroutine runs, plus one
)

// leakgateWords is how many words of found there are for each entry: the index of the goroutine, what it is as above, the
// address, the program counter of the frame, and the variable that leads to it.
const leakgateWords = 5

// How leakgateReach ended.
const (
	leakgateComplete = iota
	leakgateFull     // there are more objects than the table has room for
	leakgateLate     // it took too long
)

// leakgateWalk goes through what package-level variables reach. All memory that it needs is the caller's.
type leakgateWalk struct {
	table []uintptr // the objects that were found, by their addresses; with the lowest bit, those that are not to be found
	roots []uintptr // in the order of the table: the variable that leads to it, by the address of the word
	queue []uintptr // those of them with pointers in them
	root  uintptr   // of what is added now
	shift uint
	used  int
	queued,
	done int
	skip  []uintptr // pairs: the variables in between are not looked at
	late  int64
	state int
}

// leakgateReach stops the world and finds all that package-level variables reach, without the stacks of goroutines.
//
// What is in between the pairs of addresses in skip is no such variable, and the walk does not enter the objects of barriers. table,
// roots and queue are zeroed memory to work in, table and roots of a length that is a power of two. It gives up nanos nanoseconds after
// the world stood still. asks are addresses: what they are is written to answers, and the variable that leads there is put in their place. Of the goroutines of gids, those that wait have what they
// wait for and what they refer to written to found.
//
//go:linkname leakgateReach
func leakgateReach(skip, barriers, table, roots, queue, asks []uintptr, answers []uint8, gids []uint64, found []uintptr, nanos int64) (objects, nfound, state int) {
	w := leakgateWalk{table: table, roots: roots, queue: queue, skip: skip, shift: 64}
	for n := len(table); n > 1; n >>= 1 {
		w.shift--
	}
	stw := stopTheWorldGC(stwWriteHeapDump)
	w.late = nanotime() + nanos
	w.own()
	for _, p := range barriers {
		w.bar(p)
	}
	for _, md := range activeModules() {
		w.segment(md.data, md.edata, &md.gcdatamask)
		w.segment(md.bss, md.ebss, &md.gcbssmask)
	}
	for w.done < w.queued && w.state == leakgateComplete {
		w.root = w.roots[w.slot(w.queue[w.done])]
		w.enter(w.queue[w.done])
		w.done++
	}
	if w.state == leakgateComplete {
		for i, p := range asks {
			is, root := w.what(p)
			answers[i], asks[i] = uint8(is), root
		}
		forEachGRace(func(gp *g) {
			for i, id := range gids {
				if gp.goid == id && gp != getg() {
					nfound = w.goroutine(i, gp, found, nfound)
				}
			}
		})
	}
	startTheWorldGC(stw)
	return w.used, nfound, w.state
}

// own keeps the walk out of the runtime's own tables, which lead to every goroutine and what it waits for.
func (w *leakgateWalk) own() {
	forEachGRace(func(gp *g) {
		w.bar(uintptr(unsafe.Pointer(gp)))
		for sg := gp.waiting; sg != nil; sg = sg.waitlink {
			w.bar(uintptr(unsafe.Pointer(sg)))
		}
	})
	for mp := allm; mp != nil; mp = mp.alllink {
		w.bar(uintptr(unsafe.Pointer(mp)))
	}
	for _, pp := range allp {
		w.bar(uintptr(unsafe.Pointer(pp)))
	}
}

// ownSegment says whether an address is in a variable of the runtime that leads to goroutines, or to what waits.
func (w *leakgateWalk) ownSegment(p uintptr) bool {
	in := func(v unsafe.Pointer, size uintptr) bool { return p-uintptr(v) < size }
	return in(unsafe.Pointer(&sched), unsafe.Sizeof(sched)) || in(unsafe.Pointer(&semtable), unsafe.Sizeof(semtable)) ||
		in(unsafe.Pointer(&m0), unsafe.Sizeof(m0)) || in(unsafe.Pointer(&g0), unsafe.Sizeof(g0)) ||
		in(unsafe.Pointer(&allgs), unsafe.Sizeof(allgs)) || in(unsafe.Pointer(&allp), unsafe.Sizeof(allp))
}

// object gives the object of the heap that an address is in; a nil span when it is in none.
func (w *leakgateWalk) object(p uintptr) (base uintptr, s *mspan) {
	s = spanOf(p)
	if s == nil || s.state.get() != mSpanInUse || p < s.base() || p >= s.limit {
		return 0, nil
	}
	return s.base() + s.objIndex(p)*s.elemsize, s
}

// slot is where an object is in the table, or would be.
func (w *leakgateWalk) slot(base uintptr) int {
	mask := len(w.table) - 1
	i := int(uint64(base)*0x9E3779B97F4A7C15>>w.shift) & mask
	for w.table[i] != 0 && w.table[i]&^1 != base {
		i = (i + 1) & mask
	}
	return i
}

// room says whether there is room for one more.
func (w *leakgateWalk) room() bool {
	if w.used >= len(w.table)/2 || w.queued >= len(w.queue) {
		w.state = leakgateFull
	}
	return w.state == leakgateComplete
}

func (w *leakgateWalk) bar(p uintptr) {
	base, s := w.object(p)
	if s == nil || !w.room() {
		return
	}
	if i := w.slot(base); w.table[i] == 0 {
		w.table[i] = base | 1
		w.used++
	}
}

func (w *leakgateWalk) add(p uintptr) {
	base, s := w.object(p)
	if s == nil || !w.room() {
		return
	}
	i := w.slot(base)
	if w.table[i] != 0 {
		return
	}
	w.table[i], w.roots[i] = base, w.root
	w.used++
	if !s.spanclass.noscan() {
		w.queue[w.queued] = base
		w.queued++
	}
}

// segment looks at the variables of a segment, of which mask says which words are pointers.
func (w *leakgateWalk) segment(from, to uintptr, mask *bitvector) {
	for i := uintptr(0); i < uintptr(mask.n) && from+i*goarch.PtrSize < to && w.state == leakgateComplete; i++ {
		if mask.ptrbit(i) == 0 {
			continue
		}
		at := from + i*goarch.PtrSize
		p := *(*uintptr)(unsafe.Pointer(at))
		if p == 0 || w.ownSegment(at) || w.skipped(at) {
			continue
		}
		w.root = at
		w.add(p)
	}
}

func (w *leakgateWalk) skipped(at uintptr) bool {
	for i := 0; i+1 < len(w.skip); i += 2 {
		if w.skip[i] <= at && at < w.skip[i+1] {
			return true
		}
	}
	return false
}

// enter looks at the pointers of an object.
func (w *leakgateWalk) enter(base uintptr) {
	s := spanOf(base)
	end := base + s.elemsize
	tp := s.typePointersOf(base, s.elemsize)
	for n := 1; ; n++ {
		var at uintptr
		if tp, at = tp.next(end); at == 0 {
			break
		}
		if p := *(*uintptr)(unsafe.Pointer(at)); p != 0 {
			w.add(p)
		}
		if n&0xffff == 0 && nanotime() > w.late {
			w.state = leakgateLate
			return
		}
	}
	if w.done&0xff == 0 && nanotime() > w.late {
		w.state = leakgateLate
	}
}

// what says what an address is, and the variable that leads there.
func (w *leakgateWalk) what(p uintptr) (is, root uintptr) {
	base, s := w.object(p)
	if s == nil {
		for _, md := range activeModules() {
			if md.noptrdata <= p && p < md.enoptrdata || md.data <= p && p < md.edata || md.bss <= p && p < md.ebss || md.noptrbss <= p && p < md.enoptrbss {
				return leakgateSegment, p
			}
		}
		return 0, 0
	}
	is = leakgateHeap
	if s.spanclass.noscan() {
		is |= leakgateNoPtrs
	}
	if i := w.slot(base); w.table[i] == base {
		return is | leakgateReached, w.roots[i]
	}
	return is, 0
}

// goroutine writes what a goroutine waits for and refers to. It must be one that waits: of another one's frames it is not known
// what is in them.
func (w *leakgateWalk) goroutine(index int, gp *g, found []uintptr, n int) int {
	put := func(is, p, pc, root uintptr) {
		if n+leakgateWords <= len(found) {
			found[n], found[n+1], found[n+2], found[n+3], found[n+4] = uintptr(index), is, p, pc, root
			n += leakgateWords
		}
	}
	put(leakgateSwitches, uintptr(gp.trackingSeq)+1, 0, 0)
	if status := readgstatus(gp); status != _Gwaiting && status != 10 { // 10 is _Gleaked, since Go 1.26: it waits for ever
		return n
	}
	var timers [4]uintptr
	ntimers := 0
	for sg := gp.waiting; sg != nil; sg = sg.waitlink {
		// The channel is in the last word, as a pointer or as a number.
		c := *(*uintptr)(unsafe.Pointer(uintptr(unsafe.Pointer(sg)) + unsafe.Sizeof(*sg) - goarch.PtrSize))
		is, root := w.what(c)
		if is&leakgateHeap == 0 {
			continue
		}
		if (*hchan)(unsafe.Pointer(c)).timer != nil {
			is |= leakgateTimer
			if ntimers < len(timers) {
				timers[ntimers] = c
				ntimers++
			}
		}
		put(is|leakgateChan, c, 0, root)
	}
	bits := func(from uintptr, mask *bitvector, pc uintptr) {
		for i := uintptr(0); i < uintptr(mask.n); i++ {
			if mask.ptrbit(i) == 0 {
				continue
			}
			p := *(*uintptr)(unsafe.Pointer(from + i*goarch.PtrSize))
			is, root := w.what(p)
			if is == 0 {
				continue
			}
			if base, s := w.object(p); s != nil {
				for _, t := range timers[:ntimers] {
					if base == t || p == t || *(*uintptr)(unsafe.Pointer(base)) == t {
						is |= leakgateTimer
					}
				}
			}
			put(is, p, pc, root)
		}
	}
	var u unwinder
	for u.init(gp, unwindSilentErrors); u.valid(); u.next() {
		f := &u.frame
		locals, args, _ := f.getStackMap(false)
		if locals.n > 0 {
			bits(f.varp-uintptr(locals.n)*goarch.PtrSize, &locals, f.pc)
		}
		if args.n > 0 {
			bits(f.argp, &args, f.pc)
		}
	}
	return n
}
