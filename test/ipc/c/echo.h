/* The test service that the programs here and the Go tests speak. */
#include <stdint.h>
#include <qb/qbipc_common.h>

#define ID_ECHO 1   /* answer: response header, then the request's bytes */
#define ID_EVENTS 2 /* u32 count, u32 size: answer, then that many events */
#define ID_SILENT 3 /* no answer */
#define ID_FLOOD 4  /* as ID_EVENTS, all at once whether there is room or not */

struct events_request {
	struct qb_ipc_request_header hdr;
	uint32_t count;
	uint32_t size;
} __attribute__((aligned(8)));

/* An event: header, number, then size bytes that are all (uint8_t)number. */
struct event {
	struct qb_ipc_response_header hdr;
	uint64_t number;
	uint8_t data[];
} __attribute__((aligned(8)));

#define MAX_MSG (1024 * 1024)
