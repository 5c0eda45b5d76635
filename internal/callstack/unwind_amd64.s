//go:build gc && (linux || darwin || freebsd || netbsd || openbsd)

#include "textflag.h"

// func unwind(pcs *[maxChain]uintptr) (n int, hash uintptr)
TEXT ·unwind(SB), NOSPLIT|NOFRAME, $0-24
	MOVQ pcs+0(FP), DI
	MOVQ (TLS), R8    // the goroutine, which begins with the bounds of its stack
	MOVQ 0(R8), R9
	MOVQ 8(R8), R10
	SUBQ $16, R10     // the last place for a frame pointer and a return address
	MOVQ BP, AX
	XORL CX, CX
	XORL SI, SI

next:
	CMPQ  AX, R9
	JB    broken      // not on this stack: nothing else is read
	CMPQ  AX, R10
	JA    broken
	TESTQ $7, AX
	JNE   broken
	MOVQ  8(AX), DX
	MOVQ  DX, (DI)(CX*8)
	XORQ  DX, SI
	IMULQ $0x01000193, SI
	INCQ  CX
	MOVQ  0(AX), BX
	TESTQ BX, BX
	JEQ   done        // the function that the goroutine began with
	CMPQ  CX, $96     // maxChain
	JGE   broken
	CMPQ  BX, AX
	JBE   broken      // callers are above
	MOVQ  BX, AX
	JMP   next

broken:
	XORL CX, CX

done:
	MOVQ CX, n+8(FP)
	MOVQ SI, hash+16(FP)
	RET
