package qbipc

import "math/bits"

// Sizes of blocks: powers of two. What is larger is not kept.
const (
	blockMin  = 4 << 10
	blockFull = 64 << 10 // blocks of a queue that is long
	blockMax  = 2 << 20
	// blocksKept is how many bytes of free blocks a server keeps for its clients.
	blocksKept = 4 << 20
)

// blocks is memory for messages that wait, used again and again: what waits for a
// client in a flood would be a megabyte of garbage a second and more, in a
// process whose memory is locked. A nil *blocks keeps nothing.
type blocks struct {
	free  [10][][]byte // by size, blockMin the first
	bytes int
}

func blockClass(n int) int { return max(bits.Len(uint(n-1))-bits.Len(blockMin-1), 0) }

// get returns an empty block for at least n bytes.
func (b *blocks) get(n int) []byte {
	if n > blockMax {
		return make([]byte, 0, n)
	}
	class := blockClass(n)
	if b == nil || len(b.free[class]) == 0 {
		return make([]byte, 0, blockMin<<class)
	}
	last := len(b.free[class]) - 1
	block := b.free[class][last]
	b.free[class][last] = nil
	b.free[class] = b.free[class][:last]
	b.bytes -= cap(block)
	return block[:0]
}

// put takes a block back that get returned.
func (b *blocks) put(block []byte) {
	if b == nil || cap(block) > blockMax || b.bytes+cap(block) > blocksKept {
		return
	}
	class := blockClass(cap(block))
	b.free[class] = append(b.free[class], block)
	b.bytes += cap(block)
}
