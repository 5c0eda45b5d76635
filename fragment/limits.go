package fragment

// What a reader takes from one source, so that a file that went wrong cannot fill the memory. The writer stays below.
const (
	maxRecord = 4 << 20   // bytes of one record, or of one member of the header
	maxFile   = 128 << 20 // bytes of one fragment
	maxAll    = 512 << 20 // bytes of all fragments that one call of ReadDir reads
	maxDepth  = 64        // lists and objects within each other; a record has six
	maxErrors = 20        // records of one fragment that are complained about one by one

	// The end record, and what is needed to say that a fragment is full, go into what is kept free.
	reserved = 64 << 10

	// maxString is how long a text may be, in bytes, when its record is larger than maxRecord.
	maxString = 4 << 10
	// maxList is how many frames, holds and the like such a record keeps.
	maxList = 100

	// samplesStep is how many bytes of samples are written before only every second of what comes is kept, and so on: a run
	// of hours has a fragment of a few megabytes. The peaks of tests are counted elsewhere and stay exact.
	samplesStep = 2 << 20
	// samplesBatch is how many samples one record has at most.
	samplesBatch = 1000
)
