/* calls_dlm OTHER: what dlm_controld asks of corosync, in its order: cluster
 * name and transport from cmap; quorum tracked; its own id and the addresses of
 * each member from cfg; the group dlm:controld, then one group per lockspace,
 * where members, totem's ring and messages must agree; a member that goes; the
 * vote on a shutdown; the kick of a node that is lost to it. This kernel has no
 * DLM to run dlm_controld on. OTHER is the node that is kicked. */
#include "say.h"
#include <arpa/inet.h>
#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <netinet/in.h>
#include <sys/uio.h>

static uint32_t self, members[64];
static uint32_t count;
static int quorate, messages, changes, rings;

static void on_quorum(quorum_handle_t h, uint32_t q, uint64_t seq, uint32_t n, uint32_t *l) {
	(void)h; (void)seq;
	quorate = q;
	count = n;
	printf("quorum %u members", q);
	for (uint32_t i = 0; i < n && i < 64; i++) printf(" %u", members[i] = l[i]);
	putchar('\n');
}

static void on_deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)pid;
	say("%.*s: %zu bytes %08x from %u", (int)g->length, g->value, n, check(m, n), node);
	messages++;
}

static void on_change(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm, const struct cpg_address *l, size_t nl,
                      const struct cpg_address *j, size_t nj) {
	(void)h;
	printf("%.*s: members", (int)g->length, g->value);
	for (size_t i = 0; i < nm; i++) printf(" %u", m[i].nodeid);
	for (size_t i = 0; i < nl; i++) printf(" left %u/%u", l[i].nodeid, l[i].reason);
	for (size_t i = 0; i < nj; i++) printf(" joined %u/%u", j[i].nodeid, j[i].reason);
	putchar('\n');
	changes++;
}

static void on_ring(cpg_handle_t h, struct cpg_ring_id r, uint32_t n, const uint32_t *l) {
	(void)h; (void)r;
	printf("ring members");
	for (uint32_t i = 0; i < n; i++) printf(" %u", l[i]);
	putchar('\n');
	rings++;
}

static int shutdowns;

static void on_shutdown(corosync_cfg_handle_t h, corosync_cfg_shutdown_flags_t flags) {
	say("shutdown asked, flags %d: no", flags);
	corosync_cfg_replyto_shutdown(h, COROSYNC_CFG_SHUTDOWN_FLAG_NO);
	shutdowns++;
}

static void text_of(cmap_handle_t h, const char *key) {
	char *s = NULL;
	cs_error_t rc = cmap_get_string(h, key, &s);
	say("%s: %d %s", key, rc, rc == CS_OK ? s : "");
	free(s);
}

static void addresses(corosync_cfg_handle_t h, uint32_t node) {
	corosync_cfg_node_address_t a[8];
	int n = 0;
	cs_error_t rc = corosync_cfg_get_node_addrs(h, node, 8, &n, a);
	say("addresses of %u: %d, %d", node, rc, n);
	for (int i = 0; rc == CS_OK && i < n; i++) {
		char text[64] = "?";
		inet_ntop(AF_INET, &((struct sockaddr_in *)a[i].address)->sin_addr, text, sizeof(text));
		say("  %s", text);
	}
}

static cpg_handle_t join(const char *name) {
	cpg_model_v1_data_t d = {.model = CPG_MODEL_V1, .cpg_deliver_fn = on_deliver, .cpg_confchg_fn = on_change, .cpg_totem_confchg_fn = on_ring,
	                         .flags = CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF};
	struct cpg_name g = {.length = strlen(name)};
	cpg_handle_t h;
	cs_error_t rc;
	memcpy(g.value, name, g.length);
	rc = cpg_model_initialize(&h, CPG_MODEL_V1, (cpg_model_data_t *)&d, NULL);
	say("%s: initialize %d", name, rc);
	retry(rc, cpg_join(h, &g));
	say("%s: join %d", name, rc);
	return h;
}

static void send_to(cpg_handle_t h, size_t n) {
	char *m = malloc(n);
	struct iovec v = {m, n};
	cs_error_t rc;
	fill(m, n, n);
	retry(rc, cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1));
	say("sent %zu: %d", n, rc);
	free(m);
}

/* until polls all descriptors, as dlm_controld's loop does, until done. */
#define until(what, done) do { \
	for (double end_ = now() + 60; !(done);) { \
		if (now() > end_) die(what); \
		poll(fds, COUNT(fds), 200); \
		if (fds[0].revents & POLLIN) quorum_dispatch(q, CS_DISPATCH_ALL); \
		if (fds[1].revents & POLLIN) corosync_cfg_dispatch(c, CS_DISPATCH_ALL); \
		if (fds[2].revents & POLLIN) cpg_dispatch(daemon_group, CS_DISPATCH_ALL); \
		if (fds[3].revents & POLLIN) cpg_dispatch(space, CS_DISPATCH_ALL); \
	} \
} while (0)

int main(int argc, char **argv) {
	cmap_handle_t m;
	quorum_handle_t q;
	quorum_callbacks_t qc = {on_quorum};
	corosync_cfg_handle_t c;
	corosync_cfg_callbacks_t cc = {on_shutdown};
	uint32_t type, other = argc > 1 ? atoi(argv[1]) : 2;
	struct pollfd fds[4];
	cs_error_t rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	retry(rc, cmap_initialize(&m));
	say("cmap: %d", rc);
	text_of(m, "totem.cluster_name");
	text_of(m, "totem.rrp_mode");
	text_of(m, "totem.transport");
	cmap_finalize(m);
	rc = quorum_initialize(&q, &qc, &type);
	say("quorum: %d type %u", rc, type);
	rc = corosync_cfg_initialize(&c, &cc);
	say("cfg: %d", rc);
	say("trackstart: %d", corosync_cfg_trackstart(c, 0));
	say("quorum trackstart: %d", quorum_trackstart(q, CS_TRACK_CURRENT | CS_TRACK_CHANGES));
	say("local_get: %d", corosync_cfg_local_get(c, &self));
	say("  %u", self);
	cpg_handle_t daemon_group = join("dlm:controld"), space = join("dlm:ls:test");
	for (int i = 0; i < 4; i++) fds[i] = (struct pollfd){-1, POLLIN, 0};
	quorum_fd_get(q, &fds[0].fd);
	until("no quorum", quorate && count == 2);
	for (uint32_t i = 0; i < count; i++) addresses(c, members[i]);
	corosync_cfg_fd_get(c, &fds[1].fd);
	cpg_fd_get(daemon_group, &fds[2].fd);
	until("no member of dlm:controld", changes == 1 && rings == 1);
	cpg_fd_get(space, &fds[3].fd);
	until("no member of the lockspace", changes == 2 && rings == 2);
	send_to(daemon_group, 40);
	until("no message of dlm:controld", messages == 1);
	send_to(space, 3000);
	until("no message of the lockspace", messages == 2);
	if (fork() == 0) {
		corosync_cfg_handle_t mine;
		corosync_cfg_initialize(&mine, &cc);
		corosync_cfg_try_shutdown(mine, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST);
		_exit(0);
	}
	until("nobody asks", shutdowns == 1);
	say("kick %u: %d", other, corosync_cfg_kill_node(c, other, "dlm_controld"));
	/* Which of the services tells it first is chance: each is read by itself. */
	fds[0].fd = fds[3].fd = -1;
	until("its ring does not change", rings == 3);
	fds[2].fd = -1;
	cpg_fd_get(space, &fds[3].fd);
	until("the lockspace's ring does not change", rings == 4);
	fds[3].fd = -1;
	quorum_fd_get(q, &fds[0].fd);
	until("it stays a member", count == 1);
	addresses(c, other);
	struct cpg_name g = {.length = 11, .value = "dlm:ls:test"};
	cpg_fd_get(space, &fds[3].fd);
	say("leave: %d", cpg_leave(space, &g));
	until("it does not leave", changes == 3);
	say("finalize: %d %d %d %d", cpg_finalize(space), cpg_finalize(daemon_group), corosync_cfg_finalize(c), quorum_finalize(q));
	say("done");
	return 0;
}
