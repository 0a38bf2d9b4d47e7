/* calls_cfg [end]: libcfg, all calls; "end" are those that end daemons. */
#include "say.h"
#include <arpa/inet.h>
#include <corosync/cfg.h>
#include <netinet/in.h>
#include <sys/wait.h>

static int asked;

static void on_shutdown(corosync_cfg_handle_t h, corosync_cfg_shutdown_flags_t flags) {
	(void)h;
	say("asked for a shutdown, flags %d", flags);
	asked++;
}

static corosync_cfg_callbacks_t callbacks = {on_shutdown};

static corosync_cfg_handle_t start(void) {
	corosync_cfg_handle_t h;
	cs_error_t rc;
	retry(rc, corosync_cfg_initialize(&h, &callbacks));
	if (rc != CS_OK) die("initialize %d", rc);
	return h;
}

static void until(corosync_cfg_handle_t h, int n) {
	int fd;
	corosync_cfg_fd_get(h, &fd);
	for (double end = now() + 20; asked < n;) {
		if (now() > end) die("asked %d times, not %d", asked, n);
		if (readable(fd, 200)) corosync_cfg_dispatch(h, CS_DISPATCH_ALL);
	}
}

static void rings(corosync_cfg_handle_t h) {
	char **names, **status;
	unsigned n;
	cs_error_t rc = corosync_cfg_ring_status_get(h, &names, &status, &n);
	say("ring_status_get: %d, %u", rc, n);
	for (unsigned i = 0; rc == CS_OK && i < n; i++) say("  %s %s", names[i], status[i]);
}

static void node(corosync_cfg_handle_t h, unsigned id) {
	struct corosync_cfg_node_status_v1 s;
	corosync_cfg_node_address_t a[8];
	int n = -1;
	memset(&s, 0, sizeof(s));
	cs_error_t rc = corosync_cfg_node_status_get(h, id, CFG_NODE_STATUS_V1, &s);
	say("node_status_get %u: %d version %d node %u reachable %u remote %u external %u onwire %u %u %u", id, rc, s.version, s.nodeid,
	    s.reachable, s.remote, s.external, s.onwire_min, s.onwire_max, s.onwire_ver);
	for (int i = 0; i < CFG_MAX_LINKS; i++)
		if (s.link_status[i].enabled)
			say("  link %d connected %u dyn %u mtu %u from %s to %s", i, s.link_status[i].connected, s.link_status[i].dynconnected, s.link_status[i].mtu,
			    s.link_status[i].src_ipaddr, s.link_status[i].dst_ipaddr);
	rc = corosync_cfg_get_node_addrs(h, id, 8, &n, a);
	say("get_node_addrs %u: %d, %d", id, rc, rc == CS_OK ? n : -1);
	for (int i = 0; rc == CS_OK && i < n; i++) {
		char text[64] = "?";
		struct sockaddr *sa = (struct sockaddr *)a[i].address;
		if (sa->sa_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)sa)->sin_addr, text, sizeof(text));
		if (sa->sa_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)sa)->sin6_addr, text, sizeof(text));
		say("  length %d family %d %s", a[i].address_length, sa->sa_family, text);
	}
}

/* vote has a second handle answer the question that the first one asks. */
static void vote(corosync_cfg_handle_t h, corosync_cfg_shutdown_flags_t flags, corosync_cfg_shutdown_reply_flags_t answer) {
	int before = asked;
	pid_t pid = fork();
	if (pid == 0) {
		corosync_cfg_handle_t mine = start();
		cs_error_t rc = corosync_cfg_try_shutdown(mine, flags);
		corosync_cfg_finalize(mine);
		_exit(rc);
	}
	until(h, before + 1);
	corosync_cfg_handle_t other = start();
	say("try_shutdown meanwhile: %d", corosync_cfg_try_shutdown(other, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST));
	corosync_cfg_finalize(other);
	say("replyto_shutdown %d: %d", answer, corosync_cfg_replyto_shutdown(h, answer));
	int status = 0;
	waitpid(pid, &status, 0);
	say("try_shutdown %d: %d", flags, WEXITSTATUS(status));
}

/* stranger answers for a tracker, on a handle that does not track itself. */
static void stranger(corosync_cfg_handle_t h) {
	int before = asked, status = 0;
	pid_t pid = fork();
	if (pid == 0) _exit(corosync_cfg_try_shutdown(start(), COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST));
	until(h, before + 1);
	double asked_at = now();
	corosync_cfg_handle_t other = start();
	say("replyto_shutdown of a stranger: %d", corosync_cfg_replyto_shutdown(other, COROSYNC_CFG_SHUTDOWN_FLAG_NO));
	corosync_cfg_finalize(other);
	waitpid(pid, &status, 0);
	say("try_shutdown: %d %s", WEXITSTATUS(status), now() - asked_at < 4 ? "at once" : "at the timeout");
}

int main(int argc, char **argv) {
	(void)argv;
	corosync_cfg_handle_t h;
	int fd;
	unsigned id;
	struct corosync_cfg_node_status_v1 s;
	setvbuf(stdout, NULL, _IOLBF, 0);
	h = start();
	if (argc > 1) {
		say("kill_node of one that is gone: %d", corosync_cfg_kill_node(h, 2, "killed by a test"));
		say("trackstart: %d", corosync_cfg_trackstart(h, 0));
		pid_t pid = fork();
		if (pid == 0) {
			corosync_cfg_handle_t mine = start();
			_exit(corosync_cfg_try_shutdown(mine, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST));
		}
		until(h, 1);
		say("replyto_shutdown yes: %d", corosync_cfg_replyto_shutdown(h, COROSYNC_CFG_SHUTDOWN_FLAG_YES));
		corosync_cfg_fd_get(h, &fd);
		cs_error_t rc = CS_OK;
		for (double end = now() + 20; rc == CS_OK && now() < end;)
			if (readable(fd, 200)) rc = corosync_cfg_dispatch(h, CS_DISPATCH_ALL);
		int status = 0;
		waitpid(pid, &status, 0);
		say("try_shutdown: %d", WEXITSTATUS(status));
		say("dispatch of an ended daemon: %d", rc);
		say("local_get: %d", corosync_cfg_local_get(h, &id));
		say("finalize: %d", corosync_cfg_finalize(h));
		say("initialize: %d", corosync_cfg_initialize(&h, &callbacks));
		say("done");
		return 0;
	}
	say("fd_get: %d", corosync_cfg_fd_get(h, &fd));
	say("local_get: %d", corosync_cfg_local_get(h, &id));
	say("  %u", id);
	rings(h);
	node(h, 1);
	node(h, 2);
	node(h, 77);
	node(h, 0);
	say("node status of version 2: %d", corosync_cfg_node_status_get(h, 1, 2, &s));
	say("kill of nobody: %d", corosync_cfg_kill_node(h, 77, "no reason"));
	say("reopen_log_files: %d", corosync_cfg_reopen_log_files(h));
	cs_error_t rc;
	retry(rc, corosync_cfg_reload_config(h));
	say("reload_config: %d", rc);
	rings(h);
	say("replyto_shutdown of no question: %d", corosync_cfg_replyto_shutdown(h, COROSYNC_CFG_SHUTDOWN_FLAG_NO));
	say("trackstart: %d %d", corosync_cfg_trackstart(h, 0), corosync_cfg_trackstart(h, CS_TRACK_CHANGES));
	vote(h, COROSYNC_CFG_SHUTDOWN_FLAG_REQUEST, COROSYNC_CFG_SHUTDOWN_FLAG_NO);
	stranger(h);
	say("trackstop: %d %d", corosync_cfg_trackstop(h), corosync_cfg_trackstop(h));
	say("finalize: %d %d", corosync_cfg_finalize(h), corosync_cfg_finalize(h));
	say("local_get after finalize: %d", corosync_cfg_local_get(h, &id));
	say("done");
	return 0;
}
