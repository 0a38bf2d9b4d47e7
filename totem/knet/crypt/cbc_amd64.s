#include "textflag.h"

// The routines below encrypt and decrypt AES-CBC in place with the processor's AES
// instructions (Intel 64 manual, volume 2: AESENC, AESDEC). Round keys are read from
// memory for each round: the reads are off the path that the time goes by.
//
// Registers: R11 round keys, R12 rounds, R13 blocks left, R10 offset of the block.

// func hasAES() bool
TEXT ·hasAES(SB), NOSPLIT, $0-1
	MOVL $1, AX
	XORL CX, CX
	CPUID
	SHRL $25, CX
	ANDL $1, CX
	MOVB CX, ret+0(FP)
	RET

// func subWord(w uint32) uint32
// AESENCLAST shifts rows between the columns; here all columns are the same.
TEXT ·subWord(SB), NOSPLIT, $0-12
	MOVL       w+0(FP), AX
	MOVL       AX, X0
	PSHUFL     $0, X0, X0
	PXOR       X1, X1
	AESENCLAST X1, X0
	MOVL       X0, AX
	MOVL       AX, ret+8(FP)
	RET

// func inverseMixColumns(key *[4]uint32)
TEXT ·inverseMixColumns(SB), NOSPLIT, $0-8
	MOVQ   key+0(FP), AX
	MOVUPS (AX), X0
	AESIMC X0, X0
	MOVUPS X0, (AX)
	RET

#define ENC1(n) \
	MOVUPS (n*16)(R11), X8; \
	AESENC X8, X0

#define ENC4(n) \
	MOVUPS (n*16)(R11), X8; \
	AESENC X8, X0; \
	AESENC X8, X1; \
	AESENC X8, X2; \
	AESENC X8, X3

#define ENC8(n) \
	MOVUPS (n*16)(R11), X8; \
	AESENC X8, X0; \
	AESENC X8, X1; \
	AESENC X8, X2; \
	AESENC X8, X3; \
	AESENC X8, X4; \
	AESENC X8, X5; \
	AESENC X8, X6; \
	AESENC X8, X7

// NEXT xors the block that comes with the one before it and the first round key,
// which is in X10.
#define NEXT(at, x) \
	MOVUPS 16(at)(R10*1), X9; \
	PXOR   X10, X9; \
	PXOR   X9, x

// func encrypt1(keys *roundKeys, rounds int, chain *byte, blocks int)
TEXT ·encrypt1(SB), NOSPLIT, $0-32
	MOVQ   keys+0(FP), R11
	MOVQ   rounds+8(FP), R12
	MOVQ   chain+16(FP), AX
	MOVQ   blocks+24(FP), R13
	XORQ   R10, R10
	MOVUPS (R11), X10
	MOVQ   R12, CX
	SHLQ   $4, CX
	MOVUPS (R11)(CX*1), X11 // key of the last round
	MOVUPS (AX), X0

encrypt1block:
	NEXT(AX, X0)
	ENC1(1)
	ENC1(2)
	ENC1(3)
	ENC1(4)
	ENC1(5)
	ENC1(6)
	ENC1(7)
	ENC1(8)
	ENC1(9)
	CMPQ R12, $12
	JB   encrypt1last
	ENC1(10)
	ENC1(11)
	JE   encrypt1last
	ENC1(12)
	ENC1(13)

encrypt1last:
	AESENCLAST X11, X0
	MOVUPS     X0, 16(AX)(R10*1)
	ADDQ       $16, R10
	DECQ       R13
	JNZ        encrypt1block
	RET

// func encrypt4(keys *roundKeys, rounds int, chains *[8]*byte, blocks int)
TEXT ·encrypt4(SB), NOSPLIT, $0-32
	MOVQ   keys+0(FP), R11
	MOVQ   rounds+8(FP), R12
	MOVQ   chains+16(FP), R9
	MOVQ   blocks+24(FP), R13
	XORQ   R10, R10
	MOVUPS (R11), X10
	MOVQ   R12, CX
	SHLQ   $4, CX
	MOVUPS (R11)(CX*1), X11
	MOVQ   0(R9), AX
	MOVQ   8(R9), BX
	MOVQ   16(R9), CX
	MOVQ   24(R9), DX
	MOVUPS (AX), X0
	MOVUPS (BX), X1
	MOVUPS (CX), X2
	MOVUPS (DX), X3

encrypt4block:
	NEXT(AX, X0)
	NEXT(BX, X1)
	NEXT(CX, X2)
	NEXT(DX, X3)
	ENC4(1)
	ENC4(2)
	ENC4(3)
	ENC4(4)
	ENC4(5)
	ENC4(6)
	ENC4(7)
	ENC4(8)
	ENC4(9)
	CMPQ R12, $12
	JB   encrypt4last
	ENC4(10)
	ENC4(11)
	JE   encrypt4last
	ENC4(12)
	ENC4(13)

encrypt4last:
	AESENCLAST X11, X0
	AESENCLAST X11, X1
	AESENCLAST X11, X2
	AESENCLAST X11, X3
	MOVUPS     X0, 16(AX)(R10*1)
	MOVUPS     X1, 16(BX)(R10*1)
	MOVUPS     X2, 16(CX)(R10*1)
	MOVUPS     X3, 16(DX)(R10*1)
	ADDQ       $16, R10
	DECQ       R13
	JNZ        encrypt4block
	RET

// func encrypt8(keys *roundKeys, rounds int, chains *[8]*byte, blocks int)
TEXT ·encrypt8(SB), NOSPLIT, $0-32
	MOVQ   keys+0(FP), R11
	MOVQ   rounds+8(FP), R12
	MOVQ   blocks+24(FP), R13
	XORQ   R10, R10
	MOVUPS (R11), X10
	MOVQ   R12, CX
	SHLQ   $4, CX
	MOVUPS (R11)(CX*1), X11
	MOVQ   chains+16(FP), R9
	MOVQ   0(R9), AX
	MOVQ   8(R9), BX
	MOVQ   16(R9), CX
	MOVQ   24(R9), DX
	MOVQ   32(R9), SI
	MOVQ   40(R9), DI
	MOVQ   48(R9), R8
	MOVQ   56(R9), R9
	MOVUPS (AX), X0
	MOVUPS (BX), X1
	MOVUPS (CX), X2
	MOVUPS (DX), X3
	MOVUPS (SI), X4
	MOVUPS (DI), X5
	MOVUPS (R8), X6
	MOVUPS (R9), X7

encrypt8block:
	NEXT(AX, X0)
	NEXT(BX, X1)
	NEXT(CX, X2)
	NEXT(DX, X3)
	NEXT(SI, X4)
	NEXT(DI, X5)
	NEXT(R8, X6)
	NEXT(R9, X7)
	ENC8(1)
	ENC8(2)
	ENC8(3)
	ENC8(4)
	ENC8(5)
	ENC8(6)
	ENC8(7)
	ENC8(8)
	ENC8(9)
	CMPQ R12, $12
	JB   encrypt8last
	ENC8(10)
	ENC8(11)
	JE   encrypt8last
	ENC8(12)
	ENC8(13)

encrypt8last:
	AESENCLAST X11, X0
	AESENCLAST X11, X1
	AESENCLAST X11, X2
	AESENCLAST X11, X3
	AESENCLAST X11, X4
	AESENCLAST X11, X5
	AESENCLAST X11, X6
	AESENCLAST X11, X7
	MOVUPS     X0, 16(AX)(R10*1)
	MOVUPS     X1, 16(BX)(R10*1)
	MOVUPS     X2, 16(CX)(R10*1)
	MOVUPS     X3, 16(DX)(R10*1)
	MOVUPS     X4, 16(SI)(R10*1)
	MOVUPS     X5, 16(DI)(R10*1)
	MOVUPS     X6, 16(R8)(R10*1)
	MOVUPS     X7, 16(R9)(R10*1)
	ADDQ       $16, R10
	DECQ       R13
	JNZ        encrypt8block
	RET

#define DEC1(n) \
	MOVUPS (n*16)(R11), X8; \
	AESDEC X8, X0

#define DEC8(n) \
	MOVUPS (n*16)(R11), X8; \
	AESDEC X8, X0; \
	AESDEC X8, X1; \
	AESDEC X8, X2; \
	AESDEC X8, X3; \
	AESDEC X8, X4; \
	AESDEC X8, X5; \
	AESDEC X8, X6; \
	AESDEC X8, X7

// START loads block n of eight and xors it with the first round key.
#define START(n, x) \
	MOVUPS (n*16)(AX), x; \
	PXOR   X10, x

// UNCHAIN xors a decrypted block with the ciphertext n blocks on from AX.
#define UNCHAIN(n, x) \
	MOVUPS (n*16)(AX), X9; \
	PXOR   X9, x

// func decrypt(keys *roundKeys, rounds int, chain *byte, blocks int)
// AX is the block to decrypt; X12 the ciphertext before it, which is no more in memory.
TEXT ·decrypt(SB), NOSPLIT, $0-32
	MOVQ   keys+0(FP), R11
	MOVQ   rounds+8(FP), R12
	MOVQ   chain+16(FP), AX
	MOVQ   blocks+24(FP), R13
	MOVUPS (R11), X10
	MOVQ   R12, CX
	SHLQ   $4, CX
	MOVUPS (R11)(CX*1), X11
	MOVUPS (AX), X12
	ADDQ   $16, AX

decrypt8block:
	CMPQ R13, $8
	JB   decrypt1block
	START(0, X0)
	START(1, X1)
	START(2, X2)
	START(3, X3)
	START(4, X4)
	START(5, X5)
	START(6, X6)
	START(7, X7)
	DEC8(1)
	DEC8(2)
	DEC8(3)
	DEC8(4)
	DEC8(5)
	DEC8(6)
	DEC8(7)
	DEC8(8)
	DEC8(9)
	CMPQ R12, $12
	JB   decrypt8last
	DEC8(10)
	DEC8(11)
	JE   decrypt8last
	DEC8(12)
	DEC8(13)

decrypt8last:
	AESDECLAST X11, X0
	AESDECLAST X11, X1
	AESDECLAST X11, X2
	AESDECLAST X11, X3
	AESDECLAST X11, X4
	AESDECLAST X11, X5
	AESDECLAST X11, X6
	AESDECLAST X11, X7
	PXOR       X12, X0
	UNCHAIN(0, X1)
	UNCHAIN(1, X2)
	UNCHAIN(2, X3)
	UNCHAIN(3, X4)
	UNCHAIN(4, X5)
	UNCHAIN(5, X6)
	UNCHAIN(6, X7)
	MOVUPS     (7*16)(AX), X12
	MOVUPS     X0, (0*16)(AX)
	MOVUPS     X1, (1*16)(AX)
	MOVUPS     X2, (2*16)(AX)
	MOVUPS     X3, (3*16)(AX)
	MOVUPS     X4, (4*16)(AX)
	MOVUPS     X5, (5*16)(AX)
	MOVUPS     X6, (6*16)(AX)
	MOVUPS     X7, (7*16)(AX)
	ADDQ       $128, AX
	SUBQ       $8, R13
	JMP        decrypt8block

decrypt1block:
	TESTQ R13, R13
	JZ    decrypted
	START(0, X0)
	DEC1(1)
	DEC1(2)
	DEC1(3)
	DEC1(4)
	DEC1(5)
	DEC1(6)
	DEC1(7)
	DEC1(8)
	DEC1(9)
	CMPQ  R12, $12
	JB    decrypt1last
	DEC1(10)
	DEC1(11)
	JE    decrypt1last
	DEC1(12)
	DEC1(13)

decrypt1last:
	AESDECLAST X11, X0
	PXOR       X12, X0
	MOVUPS     (AX), X12
	MOVUPS     X0, (AX)
	ADDQ       $16, AX
	DECQ       R13
	JMP        decrypt1block

decrypted:
	RET
