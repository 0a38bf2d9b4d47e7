package qbipc

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// outQueue holds messages that found no room, in order.
type outQueue struct {
	from  *blocks
	chain [][]byte // blocks of messages, each behind its length
	head  int      // the block of the oldest
	at    int      // where in it that begins
	count int
	bytes int64
}

// lengthSize is what stands before each message of a block.
const lengthSize = 4

func (q *outQueue) empty() bool { return q.count == 0 }

func (q *outQueue) push(hdr, body []byte) {
	n := lengthSize + len(hdr) + len(body)
	last := len(q.chain) - 1
	if last < q.head || cap(q.chain[last])-len(q.chain[last]) < n {
		size := min(blockMin<<min(last+1-q.head, 8), blockFull)
		q.chain = append(q.chain, q.from.get(max(n, size)))
		last++
	}
	b := binary.NativeEndian.AppendUint32(q.chain[last], uint32(n-lengthSize))
	q.chain[last] = append(append(b, hdr...), body...)
	q.count++
	q.bytes += int64(n-lengthSize) + queueItemCost
}

func (q *outQueue) first() []byte {
	b := q.chain[q.head][q.at:]
	n := binary.NativeEndian.Uint32(b)
	return b[lengthSize : lengthSize+n]
}

func (q *outQueue) pop() {
	n := len(q.first())
	q.at += lengthSize + n
	q.count--
	q.bytes -= int64(n) + queueItemCost
	if q.at < len(q.chain[q.head]) {
		return
	}
	q.from.put(q.chain[q.head])
	q.chain[q.head] = nil
	q.head, q.at = q.head+1, 0
	if q.head == len(q.chain) {
		q.chain, q.head = q.chain[:0], 0
	}
	if q.head > 64 && q.head > len(q.chain)/2 {
		rest := copy(q.chain, q.chain[q.head:])
		clear(q.chain[rest:])
		q.chain, q.head = q.chain[:rest], 0
	}
}

// drop forgets all that waits.
func (q *outQueue) drop() {
	for _, b := range q.chain[q.head:] {
		q.from.put(b)
	}
	*q = outQueue{from: q.from}
}

// Reply sends the answer to a request, now or much later. When the client has
// not made room for it by reading earlier ones, it waits in memory and the
// client's requests wait with it.
func (c *Conn) Reply(hdr, body []byte) {
	if c.dead {
		return
	}
	err := error(unix.EAGAIN)
	if c.replies.empty() {
		err = c.wire.reply(hdr, body)
	}
	switch err {
	case nil:
		c.stats.Responses++
	case unix.EAGAIN:
		c.stats.SendRetries++
		c.enqueue(&c.replies, hdr, body)
		c.watch()
	case unix.EMSGSIZE:
		c.tooLong("answer", hdr, body)
	default:
		c.fail("answer", err)
	}
}

// Event sends an asynchronous message. Events are never dropped while the
// client lives; without room they wait in memory, up to Options.MaxQueue.
func (c *Conn) Event(hdr, body []byte) {
	if c.dead {
		return
	}
	err := error(unix.EAGAIN)
	if c.events.empty() {
		err = c.wire.event(hdr, body)
	}
	switch err {
	case nil:
		c.eventSent()
	case unix.EAGAIN:
		if c.events.empty() {
			c.stats.SendRetries++
			c.stats.Queueing, c.stats.Queued, c.stats.Sent = true, 0, 0
		}
		c.stats.Queued++
		c.enqueue(&c.events, hdr, body)
	case unix.EMSGSIZE:
		c.tooLong("event", hdr, body)
	default:
		c.fail("event", err)
	}
}

// tooLong is our own mistake: the message cannot reach this client ever.
func (c *Conn) tooLong(what string, hdr, body []byte) {
	c.srv.noise.say(c.srv.poll.Now(), LogError, fmt.Sprintf("%s of %d bytes for client %d on %s, which takes %d: not sent",
		what, len(hdr)+len(body), c.peer.PID, c.srv.o.Name, c.maxMsg))
}

func (c *Conn) enqueue(q *outQueue, hdr, body []byte) {
	if uint64(len(hdr))+uint64(len(body)) > uint64(c.maxMsg) {
		c.tooLong("message", hdr, body)
		return
	}
	cost := int64(len(hdr)+len(body)) + queueItemCost
	if c.events.bytes+c.replies.bytes+cost > c.srv.o.MaxQueue {
		c.fail(fmt.Sprintf("it does not read: %d messages wait", c.events.count+c.replies.count), unix.ENOBUFS)
		return
	}
	q.push(hdr, body)
	if c.delay == 0 {
		c.armRetry(retryFirst)
	}
	c.crowd()
}

// crowd tells a client to send less while much waits for it. Without this one that
// sends faster than it reads, on a ring that takes all of it, would be dropped.
func (c *Conn) crowd() {
	limit := c.srv.o.Crowded
	if c.crowded {
		limit /= 2
	}
	if now := limit > 0 && c.events.bytes >= limit; now != c.crowded {
		c.crowded = now
		if err := c.tellFlow(); err != nil {
			c.fail("flow control", err)
		}
	}
}

func (c *Conn) armRetry(d time.Duration) {
	c.delay = d
	c.retry.Reset(c.srv.poll.Now().Add(d))
}

// eventSent counts an event and rings the client's bell.
func (c *Conn) eventSent() {
	c.stats.Events++
	c.stats.Sent++
	if !c.srv.o.Sockets {
		c.notify++
		c.sendNotify()
	}
}

// sendNotify sends one byte for each event that has none yet (ipcs.c:
// new_event_notification). What finds no room is sent when the stream has some.
func (c *Conn) sendNotify() {
	bytes := c.srv.bell[:]
	for c.notify > 0 {
		n, err := ringBell(c.sock, bytes[:min(c.notify, len(bytes))])
		switch err {
		case nil:
			c.notify -= n
			continue
		case unix.EINTR:
			continue
		case unix.EAGAIN, unix.ENOBUFS:
		default:
			c.doom("hung up")
			return
		}
		break
	}
	if (c.notify > 0) != (c.mask&pollOut != 0) {
		c.watch()
	}
}

// retryQueues sends what waits, as far as the client has made room. Nothing
// tells when it has, so this looks again, soon after progress and less often
// without.
func (c *Conn) retryQueues() {
	if c.dead {
		return
	}
	progress := c.flushEvents()
	progress = c.flushReplies() || progress
	switch {
	case c.dead:
	case c.events.empty() && c.replies.empty():
		c.delay = 0
	case progress:
		c.armRetry(retryFirst)
	default:
		c.armRetry(min(2*c.delay, retryLast))
	}
}

// flushEvents sends at most a ring's worth: a client may make its ring look
// empty for ever.
func (c *Conn) flushEvents() (progress bool) {
	for bytes := 0; !c.events.empty() && !c.dead; {
		if bytes >= batchBytes {
			return progress
		}
		msg := c.events.first()
		err := c.wire.event(msg, nil)
		if err == unix.EAGAIN {
			c.stats.SendRetries++
			return progress
		}
		if err != nil {
			c.fail("event", err)
			return progress
		}
		progress = true
		bytes += len(msg)
		c.events.pop()
		c.stats.Queued--
		c.eventSent()
		c.crowd()
	}
	if c.stats.Queueing && !c.dead {
		c.srv.log(LogInfo, fmt.Sprintf("Q empty, queued:%d sent:%d.", c.stats.Queued, c.stats.Sent))
		c.stats.Queueing, c.stats.Queued, c.stats.Sent = false, 0, 0
	}
	return progress
}

func (c *Conn) flushReplies() (progress bool) {
	if c.replies.empty() {
		return false
	}
	for !c.replies.empty() && !c.dead {
		err := c.wire.reply(c.replies.first(), nil)
		if err == unix.EAGAIN {
			c.stats.SendRetries++
			return progress
		}
		if err != nil {
			c.fail("answer", err)
			return progress
		}
		progress = true
		c.replies.pop()
		c.stats.Responses++
	}
	c.watch()
	return progress
}
