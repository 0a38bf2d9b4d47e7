/* flood SIZE SECONDS: sends messages of SIZE bytes through libcpg as fast as the
 * daemon takes them, for SECONDS after a warm-up, and counts its own deliveries.
 * Output: one line of key=value: delivered messages and the seconds they took,
 * and how many of those sent never came back. Exit status 1 when any is lost. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

static uint64_t sent, back;

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t len) {
	(void)h; (void)g; (void)node; (void)pid; (void)m; (void)len;
	back++;
}

/* Sends until the daemon asks for a pause, then dispatches what has come. */
static void turn(cpg_handle_t h, struct iovec *v, int sending) {
	struct pollfd p = {.events = POLLIN};
	int refused = 0;
	for (int i = 0; sending && i < 64 && !refused; i++) {
		refused = cpg_mcast_joined(h, CPG_TYPE_AGREED, v, 1) != CS_OK;
		sent += !refused;
	}
	cpg_fd_get(h, &p.fd);
	if (poll(&p, 1, refused || !sending ? 1 : 0) > 0) cpg_dispatch(h, CS_DISPATCH_ALL);
}

int main(int argc, char **argv) {
	if (argc != 3) return 2;
	size_t size = strtoul(argv[1], 0, 10);
	double span = strtod(argv[2], 0), warm = now() + 0.5, start, end;
	struct iovec v = {calloc(1, size), size};
	struct cpg_name name = {5, "flood"};
	cpg_callbacks_t calls = {.cpg_deliver_fn = deliver};
	cpg_handle_t h;
	int err;
	while ((err = cpg_initialize(&h, &calls)) == CS_ERR_TRY_AGAIN) poll(0, 0, 10);
	while (err == CS_OK && (err = cpg_join(h, &name)) == CS_ERR_TRY_AGAIN) { err = CS_OK; poll(0, 0, 10); }
	if (err != CS_OK) { fprintf(stderr, "flood: cpg error %d\n", err); return 1; }
	while (now() < warm) turn(h, &v, 1);
	uint64_t before = back;
	for (start = now(), end = start + span; now() < end;) turn(h, &v, 1);
	double took = now() - start;
	uint64_t counted = back - before;
	for (end = now() + 10; back < sent && now() < end;) turn(h, &v, 0);
	printf("messages=%lu seconds=%.4f all=%lu lost=%lu\n", (unsigned long)counted, took, (unsigned long)back, (unsigned long)(sent - back));
	return back < sent;
}
