//go:build gc && (linux || darwin || freebsd || netbsd || openbsd)

#include "textflag.h"

// func wordOfCurrent(offset uintptr) uint64
TEXT ·wordOfCurrent(SB), NOSPLIT, $0-16
	MOVQ offset+0(FP), AX
	MOVQ (TLS), CX
	MOVQ (CX)(AX*1), AX
	MOVQ AX, ret+8(FP)
	RET
