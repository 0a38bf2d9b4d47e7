/* calls_sam [lost]: libsam, all calls: health checks, restarts, stored data, quorum
 * and cmap as parts of a policy. Each scene runs in a process of its own, which
 * becomes the supervisor of what sam_register forks. "lost" ends node 2, and with it
 * the quorum of a ring of two. */
#include "say.h"
#include <corosync/cfg.h>
#include <corosync/cmap.h>
#include <corosync/sam.h>
#include <signal.h>
#include <sys/wait.h>

static void scene(const char *name, void (*play)(void)) {
	int status = 0;
	say("scene %s", name);
	pid_t pid = fork();
	if (pid == 0) {
		play();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status)) say("  exit %d", WEXITSTATUS(status));
	else say("  signal %d", WTERMSIG(status));
}

static void uninitialized(void) {
	unsigned id;
	size_t n;
	char b[10];
	say("start %d stop %d hc %d finalize %d register %d failed %d", sam_start(), sam_stop(), sam_hc_send(), sam_finalize(), sam_register(&id), sam_mark_failed());
	say("store %d restore %d size %d signal %d callback %d", sam_data_store(b, 4), sam_data_restore(b, 4), sam_data_getsize(&n), sam_warn_signal_set(SIGTERM), sam_hc_callback_register(NULL));
	say("policy 77: %d", sam_initialize(100, 77));
	say("initialize %d", sam_initialize(100, SAM_RECOVERY_POLICY_QUIT));
	say("again %d", sam_initialize(100, SAM_RECOVERY_POLICY_QUIT));
	say("start %d stop %d hc %d", sam_start(), sam_stop(), sam_hc_send());
	say("finalize %d", sam_finalize());
	say("finalize %d", sam_finalize());
}

static void on_term(int s) {
	(void)s;
	static const char text[] = "  warned\n";
	write(1, text, sizeof(text) - 1);
}

/* quits: no health check comes; the process is warned, killed and not begun again. */
static void quits(void) {
	unsigned id = 0;
	say("initialize %d", sam_initialize(200, SAM_RECOVERY_POLICY_QUIT));
	say("signal %d", sam_warn_signal_set(SIGUSR1));
	cs_error_t rc = sam_register(&id);
	say("registered %d instance %u", rc, id);
	signal(SIGUSR1, on_term);
	say("register again %d", sam_register(&id));
	say("start %d", sam_start());
	for (int i = 0; i < 5; i++) {
		sam_hc_send();
		nap(50);
	}
	say("silence");
	for (;;) pause();
}

static int asked;

static int healthy(void) {
	asked++;
	return asked > 3 ? 1 : 0;
}

/* restarts: three lives that hand data on. */
static void restarts(void) {
	unsigned id = 0;
	char b[20] = "";
	size_t n = 77;
	say("initialize %d", sam_initialize(200, SAM_RECOVERY_POLICY_RESTART));
	say("store before %d", sam_data_store("first", 6));
	cs_error_t rc = sam_register(&id);
	say("registered %d instance %u", rc, id);
	rc = sam_data_getsize(&n);
	say("size %d %zu", rc, n);
	say("restore too small %d", sam_data_restore(b, 2));
	rc = sam_data_restore(b, sizeof(b));
	say("restore %d '%s'", rc, b);
	snprintf(b, sizeof(b), "life %u", id);
	say("store %d", sam_data_store(b, strlen(b) + 1));
	say("start %d", sam_start());
	if (id == 1) {
		say("silence");
		for (;;) pause();
	}
	if (id == 2) {
		say("callback %d", sam_hc_callback_register(healthy));
		for (;;) pause();
	}
	if (id == 3) {
		sam_mark_failed(); /* the supervisor is quicker than a line of ours, or not */
		for (;;) pause();
	}
	say("stop %d", sam_stop());
	nap(500);
	say("store nothing %d", sam_data_store(NULL, 0));
	rc = sam_data_getsize(&n);
	say("size %d %zu", rc, n);
	say("finalize %d", sam_finalize());
	_exit(5);
}

static void keys(void) {
	cmap_handle_t h;
	cmap_iter_handle_t it;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	size_t n;
	cmap_value_types_t type;
	cs_error_t rc;
	retry(rc, cmap_initialize(&h));
	rc = cmap_iter_init(h, "resources.process.", &it);
	while ((rc = cmap_iter_next(h, it, key, &n, &type)) == CS_OK) {
		char *text = NULL, *short_key = strchr(key + strlen("resources.process."), '.');
		uint64_t u = 0;
		if (type == CMAP_VALUETYPE_STRING) cmap_get_string(h, key, &text);
		else cmap_get_uint64(h, key, &u);
		if (strstr(key, "last_updated")) u = u > 0;
		say("  key %s type %d %s %llu", short_key ? short_key : key, type, text ? text : "", (unsigned long long)u);
		free(text);
	}
	cmap_finalize(h);
}

/* watched: the supervisor tells in cmap how the process is. */
static void watched(void) {
	unsigned id = 0;
	cs_error_t rc;
	retry(rc, sam_initialize(300, SAM_RECOVERY_POLICY_RESTART | SAM_RECOVERY_POLICY_CMAP));
	say("initialize %d", rc);
	rc = sam_register(&id);
	say("registered %d instance %u", rc, id);
	keys();
	say("start %d", sam_start());
	sam_hc_send();
	keys();
	if (id == 1) {
		sam_mark_failed(); /* the supervisor is quicker than a line of ours, or not */
		for (;;) pause();
	}
	say("stop %d", sam_stop());
	keys();
	_exit(0);
}

/* quorate: health checks begin only with quorum. */
static void quorate(void) {
	unsigned id = 0;
	cs_error_t rc;
	retry(rc, sam_initialize(300, SAM_RECOVERY_POLICY_QUORUM_RESTART));
	say("initialize %d", rc);
	rc = sam_register(&id);
	say("registered %d instance %u", rc, id);
	say("start %d", sam_start());
	if (id == 1) {
		say("silence");
		for (;;) pause();
	}
	say("stop %d", sam_stop());
	_exit(0);
}

/* gone: the cmap policy without a restart. */
static void gone(void) {
	unsigned id = 0;
	cs_error_t rc;
	retry(rc, sam_initialize(0, SAM_RECOVERY_POLICY_QUIT | SAM_RECOVERY_POLICY_CMAP));
	say("initialize %d", rc);
	rc = sam_register(&id);
	say("registered %d instance %u, start %d", rc, id, sam_start());
	keys();
	raise(SIGKILL);
}

/* loses: the quorum goes while the process is healthy. */
static void loses(void) {
	unsigned id = 0;
	cs_error_t rc;
	retry(rc, sam_initialize(20000, SAM_RECOVERY_POLICY_QUORUM_QUIT));
	say("initialize %d", rc);
	rc = sam_register(&id);
	signal(SIGTERM, on_term);
	say("registered %d instance %u, start %d", rc, id, sam_start());
	corosync_cfg_callbacks_t none = {NULL};
	corosync_cfg_handle_t h;
	retry(rc, corosync_cfg_initialize(&h, &none));
	say("kill_node: %d", corosync_cfg_kill_node(h, 2, "for its vote"));
	for (;;) pause();
}

int main(int argc, char **argv) {
	(void)argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		scene("loses", loses);
		say("done");
		return 0;
	}
	scene("uninitialized", uninitialized);
	scene("quits", quits);
	scene("restarts", restarts);
	scene("quorate", quorate);
	scene("watched", watched);
	scene("gone", gone);
	say("after all");
	keys();
	say("done");
	return 0;
}
