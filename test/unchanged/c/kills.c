/* kills ROUNDS: processes that connect to a service, begin to use it and are
 * killed at any moment of that. Ends with how many it started. */
#include "say.h"
#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

static void on_deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)g; (void)node; (void)pid; (void)m; (void)n;
}

static void use_cpg(void) {
	cpg_callbacks_t c = {on_deliver, NULL};
	cpg_handle_t h;
	struct cpg_name g = {.length = 5, .value = "kills"};
	static char m[100000];
	struct iovec v = {m, sizeof(m)};
	if (cpg_initialize(&h, &c) != CS_OK) return;
	cpg_join(h, &g);
	for (;;) {
		cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1);
		cpg_dispatch(h, CS_DISPATCH_ALL);
	}
}

static void use_cmap(void) {
	cmap_handle_t h;
	cmap_iter_handle_t it;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	size_t n;
	cmap_value_types_t type;
	if (cmap_initialize(&h) != CS_OK) return;
	for (;;) {
		cmap_iter_init(h, "runtime.", &it);
		while (cmap_iter_next(h, it, key, &n, &type) == CS_OK) {}
		cmap_set_uint32(h, "kills.key", 1);
	}
}

static void use_quorum(void) {
	quorum_handle_t h;
	quorum_callbacks_t c = {NULL};
	uint32_t type;
	int q;
	if (quorum_initialize(&h, &c, &type) != CS_OK) return;
	quorum_trackstart(h, CS_TRACK_CHANGES | CS_TRACK_CURRENT);
	for (;;) quorum_getquorate(h, &q);
}

static void use_votequorum(void) {
	votequorum_handle_t h;
	votequorum_callbacks_t c = {NULL, NULL, NULL};
	struct votequorum_info i;
	if (votequorum_initialize(&h, &c) != CS_OK) return;
	votequorum_trackstart(h, 1, CS_TRACK_CHANGES);
	for (;;) votequorum_getinfo(h, 0, &i);
}

static void use_cfg(void) {
	corosync_cfg_handle_t h;
	corosync_cfg_callbacks_t c = {NULL};
	unsigned id;
	if (corosync_cfg_initialize(&h, &c) != CS_OK) return;
	corosync_cfg_trackstart(h, 0);
	for (;;) corosync_cfg_local_get(h, &id);
}

int main(int argc, char **argv) {
	static void (*const uses[])(void) = {use_cpg, use_cmap, use_quorum, use_votequorum, use_cfg};
	int rounds = argc > 1 ? atoi(argv[1]) : 100;
	uint32_t seed = 7;
	for (int i = 0; i < rounds; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			uses[i % 5]();
			pause();
		}
		seed = seed * 1664525u + 1013904223u;
		struct timespec t = {0, (seed >> 8) % 6000 * 1000L + 1};
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	say("killed %d", rounds);
	return 0;
}
