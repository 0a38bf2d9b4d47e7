/* load GROUP NODES COUNT SECONDS: a libcpg client that proves content and order.
 *
 * It joins GROUP, waits until NODES members are there, sends COUNT messages and
 * delivers NODES*COUNT. Message k of node n has a length and a content that
 * follow from n and k alone, so no byte of it need be a header: a message may be
 * as short as one byte, and every receiver can check every byte. CPG keeps the
 * order of each sender, so k is counted. Output: one line of key=value, with a
 * digest of the order of delivery that has to be the same on all nodes.
 * Exit status 0: everything was delivered and right; 1: not; 2: usage. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

enum { MAX_NODE = 256, MAX_LEN = 1 << 20 };

static unsigned char sending[MAX_LEN], expected[MAX_LEN];
static uint64_t digest = 1469598103934665603ull; /* FNV-1a */
static unsigned members, sent, delivered, bad;
static uint32_t next_of[MAX_NODE];

static uint64_t mixed(uint64_t x) { /* splitmix64 */
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
	return x ^ (x >> 31);
}

/* The first messages have the lengths at which something changes: one byte, one
 * datagram, the pieces of a datagram, the IPC buffer, the largest. Then mostly short
 * ones, one of ten up to 64 KiB, one of a hundred up to 1 MiB. */
static uint32_t length_of(uint32_t node, uint32_t k) {
	static const uint32_t edges[] = {1, 2, 3, 4, 7, 8, 1300, 1400, 1408, 1472, 1500, 2800, 65535, 65536, 65537, 1000000, MAX_LEN - 1, MAX_LEN};
	uint64_t r = mixed((uint64_t)node << 32 | k);
	if (k < sizeof edges / sizeof *edges) return edges[k];
	if (r % 100 == 0) return 1 + (r >> 8) % MAX_LEN;
	if (r % 10 == 0) return 1 + (r >> 8) % 65536;
	return 1 + (r >> 8) % 1500;
}

/* Every second message can be compressed well, the others cannot. */
static void fill(unsigned char *b, uint32_t node, uint32_t k, uint32_t len) {
	uint64_t x = (uint64_t)node << 32 | k, mask = k % 2 ? 0x0101010101010101ull : ~0ull;
	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t v = mixed(x + i * 0x1000193ull) & mask;
		memcpy(b + i, &v, len - i < 8 ? len - i : 8);
	}
}

static void digest_add(uint32_t v) {
	for (int i = 0; i < 4; i++) digest = (digest ^ (v >> 8 * i & 255)) * 1099511628211ull;
}

static void deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *msg, size_t len) {
	(void)h; (void)g; (void)pid;
	delivered++;
	if (node >= MAX_NODE) { bad++; return; }
	uint32_t k = next_of[node]++;
	fill(expected, node, k, length_of(node, k));
	if (len != length_of(node, k) || memcmp(msg, expected, len) != 0) {
		if (bad++ < 3) fprintf(stderr, "message %u of node %u: %zu bytes, wrong (want %u)\n", k, node, len, length_of(node, k));
	}
	digest_add(node);
	digest_add(k);
}

static void changed(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t n,
                    const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj) {
	(void)h; (void)g; (void)m; (void)l; (void)nl; (void)j; (void)nj;
	members = n;
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
	if (argc != 5) { fprintf(stderr, "usage: load GROUP NODES COUNT SECONDS\n"); return 2; }
	unsigned nodes = atoi(argv[2]), count = atoi(argv[3]);
	double end = now() + atof(argv[4]), began = 0;
	cpg_callbacks_t callbacks = {deliver, changed};
	cpg_handle_t h;
	struct cpg_name group;
	uint32_t me;
	int fd, rc;
	group.length = snprintf(group.value, sizeof group.value, "%s", argv[1]);
	while ((rc = cpg_initialize(&h, &callbacks)) == CS_ERR_TRY_AGAIN && now() < end) poll(0, 0, 20);
	if (rc != CS_OK) { fprintf(stderr, "cpg_initialize: %d\n", rc); return 1; }
	if ((rc = cpg_local_get(h, &me)) != CS_OK || (rc = cpg_fd_get(h, &fd)) != CS_OK) { fprintf(stderr, "cpg: %d\n", rc); return 1; }
	while ((rc = cpg_join(h, &group)) == CS_ERR_TRY_AGAIN && now() < end) poll(0, 0, 20);
	if (rc != CS_OK) { fprintf(stderr, "cpg_join: %d\n", rc); return 1; }
	uint32_t len = 0;
	while (now() < end && delivered < nodes * count) {
		int can = sent < count && (sent > 0 || members >= nodes);
		struct pollfd p = {fd, POLLIN, 0};
		if (poll(&p, 1, can ? 0 : 50) > 0) {
			rc = cpg_dispatch(h, CS_DISPATCH_ALL);
			if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN) { fprintf(stderr, "cpg_dispatch: %d\n", rc); return 1; }
		}
		if (!can) continue;
		if (began == 0) began = now();
		if (len == 0) fill(sending, me, sent, len = length_of(me, sent));
		struct iovec v = {sending, len};
		rc = cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1);
		if (rc == CS_OK) { sent++; len = 0; }
		else if (rc == CS_ERR_TRY_AGAIN) poll(&p, 1, 1);
		else { fprintf(stderr, "cpg_mcast_joined: %d\n", rc); return 1; }
	}
	printf("node=%u members=%u sent=%u delivered=%u bad=%u digest=%016llx seconds=%.2f\n", me, members, sent, delivered, bad,
	       (unsigned long long)digest, began == 0 ? 0 : now() - began);
	return delivered == nodes * count && bad == 0 ? 0 : 1;
}
