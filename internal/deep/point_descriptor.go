package deep

// descriptorPoints are where descriptors are opened, named and closed.
var descriptorPoints = []point{
	{
		pkg: "internal/poll", name: "(*FD).Init", types: "(string, bool) error",
		wrap: "leakgateErr := @orig@(@p0@, @p1@)\n" +
			"\tleakgatehook.Opened(leakgateunsafe.Pointer(@recv@), uintptr(@recv@.Sysfd), @p0@)\n" +
			"\treturn leakgateErr",
		imports: []string{"unsafe"},
		sees:    "who opened a socket or a file",
	},
	{
		pkg: "internal/poll", name: "(*FD).destroy", types: "() error",
		enter:   "leakgatehook.Closing(leakgateunsafe.Pointer(@recv@))",
		imports: []string{"unsafe"},
		sees:    "files",
	},
	{
		// A host with addresses of both kinds is dialled by goroutines, which do not know who has asked.
		pkg: "net", name: "(*sysDialer).dialParallel", types: "(context.Context, addrList, addrList) (Conn, error)",
		wrap: "leakgateConn, leakgateErr := @orig@(@p0@, @p1@, @p2@)\n" +
			"\tif leakgateErr == nil && len(@p2@) > 0 {\n" +
			"\t\tif leakgateTCP, ok := leakgateConn.(*TCPConn); ok && leakgateTCP != nil && leakgateTCP.fd != nil {\n" +
			"\t\t\tleakgatehook.Connected(leakgateunsafe.Pointer(&leakgateTCP.fd.pfd))\n" +
			"\t\t}\n" +
			"\t}\n" +
			"\treturn leakgateConn, leakgateErr",
		imports: []string{"unsafe"},
		sees:    "who dialled a host that has both kinds of addresses",
	},
	{
		pkg: "os", name: "newFile", types: "(int, string, newFileKind, bool) *File", // unix
		wrap: fileNamed, imports: []string{"unsafe"}, sees: "files",
	},
	{
		pkg: "os", name: "newFile", types: "(syscall.Handle, string, newFileKind, bool) *File", // windows
		wrap: fileNamed, imports: []string{"unsafe"}, sees: "files",
	},
	{
		pkg: "os", name: "newFile", types: "(syscall.Handle, string, string, bool) *File", // windows, Go 1.25
		wrap: fileNamed, imports: []string{"unsafe"}, sees: "files",
	},
	{
		pkg: "os", name: "newRoot", types: "(int, string) (*Root, error)", // unix
		wrap: rootOpened, imports: []string{"unsafe"}, sees: roots,
	},
	{
		pkg: "os", name: "newRoot", types: "(syscall.Handle, string) (*Root, error)", // windows
		wrap: rootOpened, imports: []string{"unsafe"}, sees: roots,
	},
	{
		pkg: "os", name: "(*root).Close", types: "() error", // also what the garbage collector calls
		enter:   "leakgatehook.Closing(leakgateunsafe.Pointer(@recv@))",
		imports: []string{"unsafe"},
		sees:    roots,
	},
}

const roots = "who opened an os.Root"

// rootOpened: a root has a descriptor of its own, which internal/poll knows nothing of.
const rootOpened = "leakgateRoot, leakgateErr := @orig@(@p0@, @p1@)\n" +
	"\tif leakgateErr == nil {\n" +
	"\t\tleakgatehook.Opened(leakgateunsafe.Pointer(leakgateRoot.root), uintptr(@p0@), \"root\")\n" +
	"\t\tleakgatehook.Named(leakgateunsafe.Pointer(leakgateRoot.root), @p1@)\n" +
	"\t}\n" +
	"\treturn leakgateRoot, leakgateErr"

const fileNamed = "leakgateFile := @orig@(@p0@, @p1@, @p2@, @p3@)\n" +
	"\tif leakgateFile != nil {\n" +
	"\t\tleakgatehook.Named(leakgateunsafe.Pointer(&leakgateFile.pfd), @p1@)\n" +
	"\t}\n" +
	"\treturn leakgateFile"
