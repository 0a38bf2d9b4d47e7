/* watch GROUP: prints every callback of libcpg (v1), libquorum (v1) and
 * libvotequorum, one line each, as it comes, until corosync is gone (then
 * "SERVICE gone RC") or standard input ends. Each line starts with the service
 * and the time in seconds. The first line says "ready NODE" once it has joined
 * GROUP and tracks both quorum services. */
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void say(const char *format, ...) {
	struct timespec t;
	va_list ap;
	clock_gettime(CLOCK_REALTIME, &t);
	printf("%lld.%06ld ", (long long)t.tv_sec, t.tv_nsec / 1000);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static char *nodes(char *b, const uint32_t *l, size_t n) {
	char *p = b;
	*p = 0;
	for (size_t i = 0; i < n; i++) p += sprintf(p, "%s%u", i ? "," : "", l[i]);
	return b;
}

static char *addresses(char *b, const struct cpg_address *l, size_t n, int reasons) {
	char *p = b;
	*p = 0;
	for (size_t i = 0; i < n; i++) {
		p += sprintf(p, "%s%u", i ? "," : "", l[i].nodeid);
		if (reasons) p += sprintf(p, "/%u", l[i].reason);
	}
	return b;
}

static void on_message(cpg_handle_t h, const struct cpg_name *g, uint32_t n, uint32_t pid, void *m, size_t len) {
	(void)h; (void)g; (void)pid; (void)m;
	say("cpg message from=%u bytes=%zu", n, len);
}

static void on_group(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
                     const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj) {
	char a[4096], b[4096], c[4096];
	(void)h; (void)g;
	say("cpg confchg M=%s L=%s J=%s", addresses(a, m, nm, 0), addresses(b, l, nl, 1), addresses(c, j, nj, 1));
}

static void on_totem(cpg_handle_t h, struct cpg_ring_id r, uint32_t n, const uint32_t *m) {
	char a[4096];
	(void)h;
	say("cpg totem ring=%u.%llx M=%s", r.nodeid, (unsigned long long)r.seq, nodes(a, m, n));
}

static void on_quorum(quorum_handle_t h, uint32_t quorate, struct quorum_ring_id r, uint32_t n, const uint32_t *m) {
	char a[4096];
	(void)h;
	say("quorum quorum ring=%u.%llx quorate=%u M=%s", r.nodeid, (unsigned long long)r.seq, quorate, nodes(a, m, n));
}

static void on_nodelist(quorum_handle_t h, struct quorum_ring_id r, uint32_t nm, const uint32_t *m, uint32_t nj, const uint32_t *j,
                        uint32_t nl, const uint32_t *l) {
	char a[4096], b[4096], c[4096];
	(void)h;
	say("quorum nodelist ring=%u.%llx M=%s L=%s J=%s", r.nodeid, (unsigned long long)r.seq, nodes(a, m, nm), nodes(b, l, nl), nodes(c, j, nj));
}

static void on_votes(votequorum_handle_t h, uint64_t ctx, uint32_t quorate, uint32_t n, votequorum_node_t *l) {
	char a[4096], *p = a;
	(void)h; (void)ctx;
	*p = 0;
	for (uint32_t i = 0; i < n; i++) p += sprintf(p, "%s%u/%u", i ? "," : "", l[i].nodeid, l[i].state);
	say("votequorum quorum quorate=%u nodes=%s", quorate, a);
}

static void on_vote_nodes(votequorum_handle_t h, uint64_t ctx, votequorum_ring_id_t r, uint32_t n, uint32_t *l) {
	char a[4096];
	(void)h; (void)ctx;
	say("votequorum nodelist ring=%u.%llx M=%s", r.nodeid, (unsigned long long)r.seq, nodes(a, l, n));
}

static void on_expected(votequorum_handle_t h, uint64_t ctx, uint32_t votes) {
	(void)h; (void)ctx;
	say("votequorum expected votes=%u", votes);
}

#define TRY(call) do { \
	int tries = 0, rc; \
	while ((rc = (call)) == CS_ERR_TRY_AGAIN && tries++ < 500) poll(0, 0, 20); \
	if (rc != CS_OK) { fprintf(stderr, "%s: %d\n", #call, rc); return 1; } \
} while (0)

int main(int argc, char **argv) {
	if (argc != 2) { fprintf(stderr, "usage: watch GROUP\n"); return 2; }
	cpg_model_v1_data_t cm = {CPG_MODEL_V1, on_message, on_group, on_totem, 0};
	quorum_model_v1_data_t qm = {QUORUM_MODEL_V1, on_quorum, on_nodelist};
	votequorum_callbacks_t vm = {on_votes, on_expected, on_vote_nodes};
	cpg_handle_t c; quorum_handle_t q; votequorum_handle_t v;
	struct cpg_name group;
	uint32_t me, kind;
	struct pollfd p[4] = {{.events = POLLIN}, {.events = POLLIN}, {.events = POLLIN}, {.fd = 0, .events = POLLIN}};
	group.length = snprintf(group.value, sizeof group.value, "%s", argv[1]);
	TRY(cpg_model_initialize(&c, CPG_MODEL_V1, (cpg_model_data_t *)&cm, 0));
	TRY(quorum_model_initialize(&q, QUORUM_MODEL_V1, (quorum_model_data_t *)&qm, &kind, 0));
	TRY(votequorum_initialize(&v, &vm));
	TRY(cpg_local_get(c, &me));
	TRY(cpg_fd_get(c, &p[0].fd));
	TRY(quorum_fd_get(q, &p[1].fd));
	TRY(votequorum_fd_get(v, &p[2].fd));
	TRY(cpg_join(c, &group));
	TRY(quorum_trackstart(q, CS_TRACK_CHANGES));
	TRY(votequorum_trackstart(v, 0, CS_TRACK_CHANGES));
	say("ready %u", me);
	for (;;) {
		int rc;
		if (poll(p, 4, -1) < 0) continue;
		if (p[3].revents) return 0;
		/* One callback per turn keeps the printed order close to the order of arrival. */
		const char *service = "cpg";
		if (p[0].revents) rc = cpg_dispatch(c, CS_DISPATCH_ONE);
		else if (p[1].revents) service = "quorum", rc = quorum_dispatch(q, CS_DISPATCH_ONE);
		else service = "votequorum", rc = votequorum_dispatch(v, CS_DISPATCH_ONE);
		if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN) { say("%s gone %d", service, rc); return 0; }
	}
}
