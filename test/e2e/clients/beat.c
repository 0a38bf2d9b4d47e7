/* beat GROUP SECONDS: a libcpg client that shows when messages get through.
 *
 * It joins GROUP, sends a short message every 20 ms as far as it may, and prints
 * "d MS" for the first delivery in a millisecond of CLOCK_MONOTONIC, "v MS" for
 * a new ring, and "s MS" when it begins and ends. Exit status 0 after SECONDS; 1: libcpg failed; 2: usage. */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>

static long long last;

static long long now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void on_message(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *msg, size_t len) {
	long long t = now();
	(void)h; (void)g; (void)node; (void)pid; (void)msg; (void)len;
	if (t != last) printf("d %lld\n", t);
	last = t;
}

static void on_group(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t mn, const struct cpg_address *l,
                     size_t ln, const struct cpg_address *j, size_t jn) {
	(void)h; (void)g; (void)m; (void)mn; (void)l; (void)ln; (void)j; (void)jn;
}

static void on_totem(cpg_handle_t h, struct cpg_ring_id r, uint32_t n, const uint32_t *m) {
	(void)h; (void)r; (void)n; (void)m;
	printf("v %lld\n", now());
}

int main(int argc, char **argv) {
	if (argc != 3) { fprintf(stderr, "usage: beat GROUP SECONDS\n"); return 2; }
	cpg_model_v1_data_t cm = {CPG_MODEL_V1, on_message, on_group, on_totem, 0};
	cpg_handle_t c;
	struct cpg_name group;
	struct iovec v = {"beat", 4};
	struct pollfd p = {.events = POLLIN};
	int rc = cpg_model_initialize(&c, CPG_MODEL_V1, (cpg_model_data_t *)&cm, 0);
	if (rc != CS_OK) { fprintf(stderr, "initialize: %d\n", rc); return 1; }
	group.length = snprintf(group.value, sizeof group.value, "%s", argv[1]);
	while ((rc = cpg_join(c, &group)) == CS_ERR_TRY_AGAIN) poll(0, 0, 20);
	if (rc != CS_OK) { fprintf(stderr, "join: %d\n", rc); return 1; }
	cpg_fd_get(c, &p.fd);
	setvbuf(stdout, 0, _IOLBF, 0);
	long long end = now() + 1000 * atoll(argv[2]), next = now();
	printf("s %lld\n", now());
	while (now() < end) {
		if (now() >= next) {
			cpg_mcast_joined(c, CPG_TYPE_AGREED, &v, 1);
			next = now() + 20;
		}
		if (poll(&p, 1, next > now() ? next - now() : 0) > 0 && (rc = cpg_dispatch(c, CS_DISPATCH_ALL)) != CS_OK && rc != CS_ERR_TRY_AGAIN) {
			fprintf(stderr, "dispatch: %d\n", rc);
			return 1;
		}
	}
	printf("s %lld\n", now());
	return 0;
}
