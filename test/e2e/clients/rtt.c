/* rtt SECONDS [PAUSE]: sends one 64-byte message after the other through libcpg
 * and times each until it comes back in total order. Output: one line of
 * key=value, times in microseconds. It pauses 2 ms (or PAUSE) between messages, so
 * that the ring is idle in between and each message meets the daemon asleep. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

static int back;

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t len) {
	(void)h; (void)g; (void)node; (void)pid; (void)m; (void)len;
	back = 1;
}

static int ascending(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv) {
	enum { MAX = 1 << 20 };
	static double took[MAX];
	cpg_callbacks_t callbacks = {deliver, 0};
	cpg_handle_t h;
	struct cpg_name group;
	struct pollfd p = {.events = POLLIN};
	char body[64] = {0};
	struct iovec v = {body, sizeof body};
	size_t n = 0;
	int rc;
	if (argc != 2 && argc != 3) { fprintf(stderr, "usage: rtt SECONDS [PAUSE]\n"); return 2; }
	int pause = argc == 3 ? atoi(argv[2]) : 2;
	group.length = snprintf(group.value, sizeof group.value, "rtt-%d", rand());
	if ((rc = cpg_initialize(&h, &callbacks)) != CS_OK || (rc = cpg_fd_get(h, &p.fd)) != CS_OK || (rc = cpg_join(h, &group)) != CS_OK) {
		fprintf(stderr, "cpg: %d\n", rc);
		return 1;
	}
	for (double end = now() + atof(argv[1]); now() < end && n < MAX;) {
		double began = now();
		back = 0;
		while ((rc = cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1)) == CS_ERR_TRY_AGAIN) poll(0, 0, 1);
		if (rc != CS_OK) { fprintf(stderr, "cpg_mcast_joined: %d\n", rc); return 1; }
		while (!back) {
			if (poll(&p, 1, 10000) == 0) { fprintf(stderr, "no message for 10 s\n"); return 1; }
			if ((rc = cpg_dispatch(h, CS_DISPATCH_ONE)) != CS_OK && rc != CS_ERR_TRY_AGAIN) { fprintf(stderr, "cpg_dispatch: %d\n", rc); return 1; }
		}
		took[n++] = (now() - began) * 1e6;
		if (pause > 0) poll(0, 0, pause);
	}
	if (n == 0) return 1;
	qsort(took, n, sizeof *took, ascending);
	printf("messages=%zu p50=%.0f p99=%.0f p99.9=%.0f max=%.0f\n", n, took[n / 2], took[n * 99 / 100], took[n * 999 / 1000], took[n - 1]);
	return 0;
}
