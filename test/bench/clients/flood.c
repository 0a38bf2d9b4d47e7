/* flood [-n NODES] [-r RATE] [-g GROUP] SIZE SECONDS: sends messages of SIZE
 * bytes through libcpg as fast as the daemon takes them, or RATE a second, for
 * SECONDS after a warm-up, and counts what is delivered. With -n it waits for
 * that many members of the group before it begins: one on each node.
 * Output: one line of key=value: own messages delivered and the seconds they
 * took, those of all senders in the same time, how many of its own were
 * delivered in all, and how many never came back. Exit status 1 when any is lost. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static uint64_t sent, back, everyone;
static size_t members;
static uint32_t me;
static pid_t self;

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t len) {
	(void)h; (void)g; (void)m; (void)len;
	everyone++;
	back += node == me && pid == (uint32_t)self;
}

static void change(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
                   const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj) {
	(void)h; (void)g; (void)m; (void)l; (void)nl; (void)j; (void)nj;
	if (nm > members) members = nm; /* who was there first may have ended by now */
}

/* Sends up to `due` messages until the daemon asks for a pause, then dispatches what has come. */
static void turn(cpg_handle_t h, struct iovec *v, uint64_t due) {
	struct pollfd p = {.events = POLLIN};
	int refused = 0;
	for (int i = 0; sent < due && i < 64 && !refused; i++) {
		refused = cpg_mcast_joined(h, CPG_TYPE_AGREED, v, 1) != CS_OK;
		sent += !refused;
	}
	cpg_fd_get(h, &p.fd);
	if (poll(&p, 1, refused || sent >= due ? 1 : 0) > 0) cpg_dispatch(h, CS_DISPATCH_ALL);
}

/* Sends for a time: at `rate` a second, or without a pause when it is 0. */
static void run(cpg_handle_t h, struct iovec *v, double span, double rate) {
	double start = now(), t;
	uint64_t before = sent;
	while ((t = now() - start) < span) turn(h, v, rate > 0 ? before + (uint64_t)(t * rate) : UINT64_MAX);
}

int main(int argc, char **argv) {
	struct cpg_name name = {.length = 0};
	const char *group = "flood";
	size_t nodes = 1;
	double rate = 0, end;
	for (int o; (o = getopt(argc, argv, "n:r:g:")) != -1;) {
		if (o == 'n') nodes = strtoul(optarg, 0, 10);
		else if (o == 'r') rate = strtod(optarg, 0);
		else if (o == 'g') group = optarg;
		else return 2;
	}
	if (argc - optind != 2) return 2;
	size_t size = strtoul(argv[optind], 0, 10);
	double span = strtod(argv[optind + 1], 0);
	struct iovec v = {calloc(1, size), size};
	cpg_callbacks_t calls = {deliver, change};
	cpg_handle_t h;
	int err;
	name.length = snprintf(name.value, sizeof name.value, "%s", group);
	self = getpid();
	while ((err = cpg_initialize(&h, &calls)) == CS_ERR_TRY_AGAIN) poll(0, 0, 10);
	while (err == CS_OK && (err = cpg_join(h, &name)) == CS_ERR_TRY_AGAIN) { err = CS_OK; poll(0, 0, 10); }
	if (err != CS_OK || (err = cpg_local_get(h, &me)) != CS_OK) { fprintf(stderr, "flood: cpg error %d\n", err); return 1; }
	for (end = now() + 20; members < nodes && now() < end;) turn(h, &v, 0);
	if (members < nodes) { fprintf(stderr, "flood: %zu of %zu members\n", members, nodes); return 1; }
	run(h, &v, 0.5, rate);
	uint64_t own = back, all = everyone;
	double start = now();
	run(h, &v, span, rate);
	double took = now() - start;
	own = back - own, all = everyone - all;
	for (end = now() + 10; back < sent && now() < end;) turn(h, &v, 0);
	printf("messages=%lu seconds=%.4f everyone=%lu all=%lu lost=%lu\n", (unsigned long)own, took, (unsigned long)all, (unsigned long)back, (unsigned long)(sent - back));
	return back < sent;
}
