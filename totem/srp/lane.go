package srp

// Lane is one of the two queues of messages to send.
type Lane uint8

// The queues: while a sync runs, from the transitional view until TransAck, only
// LaneTrans is sent and everything new goes there, so the messages of the sync
// overtake those that waited through the membership change (totemsrp.c:
// new_message_queue and new_message_queue_trans).
const (
	LaneNormal Lane = iota
	LaneTrans
	lanes
)

// outgoing is a packet that waits for the token.
type outgoing struct {
	pkt  *Packet
	span Span
}

// laneQueue is a lane and, of the message it is in the middle of sending, the
// packets already sent on this ring.
type laneQueue struct {
	fifo[outgoing]
	sent []*Packet
}

// fifo is a queue in a ring of memory that grows by doubling.
type fifo[T any] struct {
	buf        []T
	first, len int
}

func (q *fifo[T]) at(i int) *T { return &q.buf[(q.first+i)&(len(q.buf)-1)] }

func (q *fifo[T]) grow() {
	if q.len < len(q.buf) {
		return
	}
	buf := make([]T, max(2*len(q.buf), 16))
	for i := range q.len {
		buf[i] = *q.at(i)
	}
	q.buf, q.first = buf, 0
}

func (q *fifo[T]) push(v T) {
	q.grow()
	q.len++
	*q.at(q.len - 1) = v
}

func (q *fifo[T]) pushFront(v T) {
	q.grow()
	q.first = (q.first - 1) & (len(q.buf) - 1)
	q.len++
	*q.at(0) = v
}

func (q *fifo[T]) pop() T {
	v := *q.at(0)
	var zero T
	*q.at(0) = zero
	q.first = (q.first + 1) & (len(q.buf) - 1)
	q.len--
	return v
}
