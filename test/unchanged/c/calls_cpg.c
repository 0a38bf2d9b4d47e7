/* calls_cpg [N]: libcpg, all calls, with a second member in a child process; N groups
 * of one process, and a group of as many processes, at most 140. */
#include "say.h"
#include <corosync/cpg.h>
#include <signal.h>
#include <sys/uio.h>
#include <sys/wait.h>

static uint32_t self_pid, child_pid;
static int messages, changes;

static const char *who(uint32_t pid) { return pid == self_pid ? "self" : pid == child_pid ? "child" : "other"; }

static void list(const char *what, const struct cpg_address *l, size_t n) {
	printf(" %s", what);
	for (size_t i = 0; i < n; i++) printf(" %u/%s/%u", l[i].nodeid, who(l[i].pid), l[i].reason);
}

static void on_deliver(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	void *context = NULL;
	cpg_context_get(h, &context);
	say("deliver %.*s from %u/%s: %zu bytes %08x context %ld", (int)g->length, g->value, node, who(pid), n, check(m, n), (long)context);
	messages++;
}

static void on_change(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
                      const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj) {
	(void)h;
	printf("confchg %.*s", (int)g->length, g->value);
	list("members", m, nm);
	list("left", l, nl);
	list("joined", j, nj);
	putchar('\n');
	changes++;
}

static void on_totem(cpg_handle_t h, struct cpg_ring_id r, uint32_t n, const uint32_t *m) {
	(void)h; (void)r;
	printf("totem members");
	for (uint32_t i = 0; i < n; i++) printf(" %u", m[i]);
	putchar('\n');
}

static struct cpg_name name(const char *s) {
	struct cpg_name n = {.length = strlen(s)};
	memcpy(n.value, s, n.length);
	return n;
}

static cs_error_t start(cpg_handle_t *h, unsigned flags) {
	cpg_model_v1_data_t d = {.model = CPG_MODEL_V1, .cpg_deliver_fn = on_deliver, .cpg_confchg_fn = on_change,
	                         .cpg_totem_confchg_fn = on_totem, .flags = flags};
	cs_error_t rc;
	retry(rc, cpg_model_initialize(h, CPG_MODEL_V1, (cpg_model_data_t *)&d, (void *)7L));
	return rc;
}

/* until dispatches until that many messages and changes have come. */
static void until(cpg_handle_t h, int m, int c) {
	int fd;
	cpg_fd_get(h, &fd);
	for (double end = now() + 30; messages < m || changes < c;) {
		if (now() > end) die("%d of %d messages, %d of %d changes", messages, m, changes, c);
		if (readable(fd, 200)) {
			cs_error_t rc = cpg_dispatch(h, CS_DISPATCH_ALL);
			if (rc != CS_OK && rc != CS_ERR_TRY_AGAIN) die("dispatch %d", rc);
		}
	}
}

static cs_error_t mcast(cpg_handle_t h, cpg_guarantee_t g, void *m, size_t n) {
	struct iovec v = {m, n};
	cs_error_t rc;
	retry(rc, cpg_mcast_joined(h, g, &v, 1));
	return rc;
}

static cs_error_t join(cpg_handle_t h, struct cpg_name g) {
	cs_error_t rc;
	retry(rc, cpg_join(h, &g));
	return rc;
}

static cs_error_t leave(cpg_handle_t h, struct cpg_name g) {
	cs_error_t rc;
	retry(rc, cpg_leave(h, &g));
	return rc;
}

static void members(cpg_handle_t h, const char *g) {
	struct cpg_name n = name(g);
	struct cpg_address l[CPG_MEMBERS_MAX];
	int count = CPG_MEMBERS_MAX;
	cs_error_t rc = cpg_membership_get(h, &n, l, &count);
	printf("membership_get %s: %d, %d:", g, rc, rc == CS_OK ? count : -1);
	list("", l, rc == CS_OK ? count : 0);
	putchar('\n');
}

static void iterate(cpg_handle_t h, cpg_iteration_type_t type, const char *g) {
	struct cpg_name n = name(g);
	cpg_iteration_handle_t it;
	struct cpg_iteration_description_t d;
	cs_error_t rc = cpg_iteration_initialize(h, type, type == CPG_ITERATION_ONE_GROUP ? &n : NULL, &it);
	say("iteration %d of '%s': %d", type, g, rc);
	if (rc != CS_OK) return;
	while ((rc = cpg_iteration_next(it, &d)) == CS_OK) {
		if (type == CPG_ITERATION_NAME_ONLY) say("  '%.*s'", (int)d.group.length, d.group.value);
		else say("  '%.*s' %u/%s", (int)d.group.length, d.group.value, d.nodeid, who(d.pid));
	}
	say("  end %d", rc);
	say("  again %d", cpg_iteration_next(it, &d));
	say("  finalize %d", cpg_iteration_finalize(it));
	say("  finalize again %d", cpg_iteration_finalize(it));
}

/* unjoined: what each call says before a join. */
static void unjoined(void) {
	cpg_handle_t h;
	struct cpg_name g = name("g");
	cpg_model_data_t none = {.model = 99};
	cpg_callbacks_t v0 = {on_deliver, on_change};
	uint32_t max;
	unsigned node;
	void *context;
	int fd;
	cpg_flow_control_state_t flow;
	say("model 99: %d", cpg_model_initialize(&h, 99, &none, NULL));
	cs_error_t rc;
	retry(rc, cpg_initialize(&h, &v0));
	say("initialize: %d", rc);
	cpg_context_get(h, &context);
	say("context of a new handle: %ld", (long)context);
	say("context_set: %d", cpg_context_set(h, (void *)42L));
	rc = cpg_context_get(h, &context);
	say("context_get: %d %ld", rc, (long)context);
	rc = cpg_max_atomic_msgsize_get(h, &max);
	say("max_atomic: %d %u", rc, max);
	rc = cpg_fd_get(h, &fd);
	say("fd_get: %d %s", rc, fd >= 0 ? "a descriptor" : "none");
	rc = cpg_local_get(h, &node);
	say("local_get: %d %u", rc, node);
	rc = cpg_flow_control_state_get(h, &flow);
	say("flow_control_state: %d %d", rc, flow);
	say("mcast unjoined: %d", mcast(h, CPG_TYPE_AGREED, "x", 1));
	say("leave unjoined: %d", leave(h, g));
	say("dispatch one nonblocking: %d", cpg_dispatch(h, CS_DISPATCH_ONE_NONBLOCKING));
	say("dispatch all: %d", cpg_dispatch(h, CS_DISPATCH_ALL));
	members(h, "nobody's");
	iterate(h, CPG_ITERATION_NAME_ONLY, "");
	iterate(h, CPG_ITERATION_ONE_GROUP, "nobody's");
	iterate(h, CPG_ITERATION_ALL, "");
	say("iteration of all with a name: %d", cpg_iteration_initialize(h, CPG_ITERATION_ALL, &g, NULL));
	say("iteration of type 9: %d", cpg_iteration_initialize(h, 9, &g, NULL));
	struct cpg_name longest = {.length = CPG_MAX_NAME_LENGTH}, longer = {.length = CPG_MAX_NAME_LENGTH + 1};
	memset(longest.value, 'L', sizeof(longest.value));
	memset(longer.value, 'M', sizeof(longer.value));
	say("join a name of 129: %d", join(h, longer));
	say("finalize: %d", cpg_finalize(h));
	say("finalize again: %d", cpg_finalize(h));
	say("dispatch after finalize: %d", cpg_dispatch(h, CS_DISPATCH_ALL));
	say("local_get after finalize: %d", cpg_local_get(h, &node));
	say("second handle: %d", start(&h, 0));
	int before = changes;
	say("join a name of 128: %d", join(h, longest));
	until(h, 0, before + 1);
	say("finalize joined: %d", cpg_finalize(h));
}

/* pieces sends by several vectors and sizes up to beyond the atomic one. */
static void pieces(cpg_handle_t h) {
	static const size_t sizes[] = {0, 1, 3, 4, 1000, 65536, 262144, 1047551, 1047552, 1047553, 1 << 20, (1 << 20) + 1, 3 << 20};
	int sent = messages;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		char *m = malloc(sizes[i] + 1);
		fill(m, sizes[i], i);
		say("mcast %zu: %d", sizes[i], mcast(h, (cpg_guarantee_t)(i % 4), m, sizes[i]));
		until(h, ++sent, 0);
		free(m);
	}
	char a[100], b[70000], c[5];
	fill(a, sizeof(a), 1);
	fill(b, sizeof(b), 2);
	fill(c, sizeof(c), 3);
	struct iovec v[4] = {{a, sizeof(a)}, {b, sizeof(b)}, {NULL, 0}, {c, sizeof(c)}};
	say("mcast four vectors: %d", cpg_mcast_joined(h, CPG_TYPE_AGREED, v, 4));
	until(h, ++sent, 0);
	char *big = malloc(2000000);
	fill(big, 2000000, 9);
	struct iovec w[3] = {{a, sizeof(a)}, {big, 2000000}, {c, sizeof(c)}};
	cs_error_t rc;
	retry(rc, cpg_mcast_joined(h, CPG_TYPE_AGREED, w, 3));
	say("mcast three vectors in pieces: %d", rc);
	until(h, ++sent, 0);
	free(big);
}

/* zero_copy: buffers of libcpg in shared memory. */
static void zero_copy(cpg_handle_t h) {
	static const size_t sizes[] = {0, 1, 100, 4096, 1000000};
	void *buf[5];
	int sent = messages;
	for (int i = 0; i < 5; i++) {
		cs_error_t rc;
		retry(rc, cpg_zcb_alloc(h, sizes[i], &buf[i]));
		say("zcb_alloc %zu: %d", sizes[i], rc);
	}
	for (int round = 0; round < 2; round++)
		for (int i = 4; i >= 0; i--) {
			size_t n = sizes[i] / (1 + round);
			cs_error_t rc;
			fill(buf[i], n, 100 + i);
			retry(rc, cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED, buf[i], n));
			say("zcb_mcast %zu: %d", n, rc);
			until(h, ++sent, 0);
		}
	say("zcb_mcast too big: %d", cpg_zcb_mcast_joined(h, CPG_TYPE_AGREED, buf[4], (8192 * 128) + 1));
	for (int i = 0; i < 5; i++) say("zcb_free: %d", cpg_zcb_free(h, buf[i]));
	cpg_handle_t other;
	void *b;
	start(&other, 0);
	say("zcb_alloc unjoined: %d", cpg_zcb_alloc(other, 10, &b));
	say("zcb_mcast unjoined: %d", cpg_zcb_mcast_joined(other, CPG_TYPE_AGREED, b, 10));
	say("finalize with a buffer: %d", cpg_finalize(other));
	say("zcb_alloc after finalize: %d", cpg_zcb_alloc(other, 10, &b));
}

/* child joins, says hello, and ends as told. */
static void child(cpg_handle_t h, const char *how) {
	int pipefd[2];
	if (pipe(pipefd)) die("pipe");
	int before = changes, sent = messages;
	pid_t pid = fork();
	if (pid == 0) {
		cpg_handle_t mine;
		freopen("/dev/null", "w", stdout);
		self_pid = getpid();
		messages = changes = 0;
		if (start(&mine, 0) != CS_OK || join(mine, name("pair")) != CS_OK) _exit(1);
		until(mine, 0, 1);
		mcast(mine, CPG_TYPE_AGREED, "hello", 5);
		until(mine, 1, 0);
		char c;
		close(pipefd[1]);
		while (read(pipefd[0], &c, 1) > 0) {}
		if (!strcmp(how, "leave")) { leave(mine, name("pair")); until(mine, 1, 2); cpg_finalize(mine); }
		if (!strcmp(how, "finalize")) cpg_finalize(mine);
		if (!strcmp(how, "kill")) raise(SIGKILL);
		_exit(0);
	}
	child_pid = pid;
	close(pipefd[0]);
	until(h, sent + 1, before + 1);
	members(h, "pair");
	iterate(h, CPG_ITERATION_NAME_ONLY, "");
	iterate(h, CPG_ITERATION_ONE_GROUP, "pair");
	iterate(h, CPG_ITERATION_ALL, "");
	say("child ends by %s", how);
	close(pipefd[1]);
	until(h, 0, before + 2);
	waitpid(pid, NULL, 0);
	members(h, "pair");
	child_pid = 0;
}

/* dispatches: what each way to dispatch takes from three waiting messages. */
static void dispatches(cpg_handle_t h) {
	int sent = messages, fd;
	cpg_fd_get(h, &fd);
	for (int i = 0; i < 5; i++) mcast(h, CPG_TYPE_AGREED, "12345", i + 1);
	for (double end = now() + 20; messages < sent + 1 && now() < end;) cpg_dispatch(h, CS_DISPATCH_ONE_NONBLOCKING);
	say("after one: %d", messages - sent);
	say("one blocking: %d, %d", cpg_dispatch(h, CS_DISPATCH_ONE), messages - sent);
	until(h, sent + 5, 0);
	say("nothing left: %d %d", cpg_dispatch(h, CS_DISPATCH_ONE_NONBLOCKING), readable(fd, 0));
}

/* hex prints a name of any bytes. */
static void hex(const struct cpg_name *g) {
	putchar(' ');
	for (uint32_t i = 0; i < g->length; i++) printf("%02x", (unsigned char)g->value[i]);
}

static void on_bytes(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)node; (void)pid;
	printf("deliver");
	hex(g);
	say(" '%.*s'", (int)n, (char *)m);
	messages++;
}

static void on_count(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
                     const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj) {
	(void)h; (void)m; (void)l; (void)j;
	printf("confchg");
	hex(g);
	say(" %zu members %zu left %zu joined", nm, nl, nj);
	changes++;
}

/* names joins groups whose names are empty, or equal up to a NUL, with a handle each. */
static void names(void) {
	static const struct { const char *bytes; uint32_t n; } all[] = {{"", 0}, {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"a\0c", 3}, {"\0", 1}, {"\xff\n\\", 3}};
	enum { count = sizeof(all) / sizeof(*all) };
	cpg_model_v1_data_t d = {.model = CPG_MODEL_V1, .cpg_deliver_fn = on_bytes, .cpg_confchg_fn = on_count};
	cpg_handle_t h[count];
	struct cpg_name g[count];
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t it;
	cs_error_t rc;
	int sent = messages;
	for (int i = 0; i < count; i++) {
		memset(&g[i], 0, sizeof(g[i]));
		g[i].length = all[i].n;
		memcpy(g[i].value, all[i].bytes, all[i].n);
		retry(rc, cpg_model_initialize(&h[i], CPG_MODEL_V1, (cpg_model_data_t *)&d, NULL));
		int before = changes;
		rc = join(h[i], g[i]);
		say("join name %d: %d", i, rc);
		until(h[i], 0, before + 1);
	}
	for (int i = 0; i < count; i++) {
		struct cpg_address l[CPG_MEMBERS_MAX];
		int n = CPG_MEMBERS_MAX;
		char text[] = {'m', '0' + i};
		rc = cpg_membership_get(h[i], &g[i], l, &n);
		say("members %d: %d %d, mcast %d", i, rc, n, mcast(h[i], CPG_TYPE_AGREED, text, 2));
		until(h[i], ++sent, 0);
		rc = cpg_iteration_initialize(h[0], CPG_ITERATION_ONE_GROUP, &g[i], &it);
		printf("iterate %d: %d", i, rc);
		while (rc == CS_OK && cpg_iteration_next(it, &item) == CS_OK) hex(&item.group);
		if (rc == CS_OK) cpg_iteration_finalize(it);
		putchar('\n');
	}
	/* Who ends in the group without a name stays its member in the original. */
	int before = changes;
	say("leave name 0: %d", leave(h[0], g[0]));
	until(h[0], 0, before + 1);
	for (int i = 0; i < count; i++) cpg_finalize(h[i]);
}

static size_t members_now;

static void on_crowd(cpg_handle_t h, const struct cpg_name *g, const struct cpg_address *m, size_t nm,
                     const struct cpg_address *l, size_t nl, const struct cpg_address *j, size_t nj) {
	(void)h; (void)g; (void)m; (void)l; (void)nl; (void)j; (void)nj;
	members_now = nm;
	changes++;
}

static void on_hello(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)g; (void)node; (void)pid; (void)m; (void)n;
	messages++;
}

static cpg_handle_t quiet(void) {
	cpg_model_v1_data_t d = {.model = CPG_MODEL_V1, .cpg_deliver_fn = on_hello, .cpg_confchg_fn = on_crowd};
	cpg_handle_t h;
	cs_error_t rc;
	retry(rc, cpg_model_initialize(&h, CPG_MODEL_V1, (cpg_model_data_t *)&d, NULL));
	if (rc != CS_OK) die("initialize %d", rc);
	return h;
}

/* groups is one process with many handles, each in a group of its own. */
static void groups(int n) {
	cpg_handle_t *h = calloc(n, sizeof(*h));
	struct cpg_iteration_description_t item;
	cpg_iteration_handle_t it;
	int count = 0;
	for (int i = 0; i < n; i++) {
		char text[32];
		snprintf(text, sizeof(text), "group-%d", i);
		h[i] = quiet();
		int before = changes;
		if (join(h[i], name(text)) != CS_OK) die("join %d", i);
		until(h[i], 0, before + 1);
	}
	cpg_iteration_initialize(h[0], CPG_ITERATION_NAME_ONLY, NULL, &it);
	while (cpg_iteration_next(it, &item) == CS_OK) count++;
	say("%d groups: %d", n, count);
	cpg_iteration_finalize(it);
	for (int i = 0; i < n; i++) cpg_finalize(h[i]);
	free(h);
}

/* crowd is many processes in one group, each of which says hello. libcpg's own limit
 * is CPG_MEMBERS_MAX, which neither it nor the daemon checks. */
static void crowd(int n) {
	cpg_handle_t h = quiet();
	int pipefd[2], sent = messages, before = changes, well = 0, status;
	struct cpg_address l[2 * CPG_MEMBERS_MAX];
	struct cpg_name g = name("crowd");
	pid_t *pid = calloc(n, sizeof(*pid));
	if (pipe(pipefd) || join(h, g) != CS_OK) die("crowd");
	until(h, 0, before + 1);
	for (int i = 0; i < n; i++) {
		if ((pid[i] = fork()) == 0) {
			cpg_handle_t mine = quiet();
			char c;
			close(pipefd[1]);
			messages = changes = 0;
			if (join(mine, g) != CS_OK) _exit(1);
			until(mine, 0, 1);
			mcast(mine, CPG_TYPE_AGREED, "hello", 5);
			_exit(read(pipefd[0], &c, 1) == 0 ? 0 : 1);
		}
		until(h, sent + i + 1, before + i + 2);
	}
	int count = 2 * CPG_MEMBERS_MAX;
	cs_error_t rc = cpg_membership_get(h, &g, l, &count);
	say("%d processes in a group: %zu members, membership_get %d %d", n, members_now, rc, count);
	close(pipefd[1]);
	for (int i = 0; i < n; i++)
		if (waitpid(pid[i], &status, 0) == pid[i] && WIFEXITED(status) && WEXITSTATUS(status) == 0) well++;
	until(h, 0, before + 1 + 2 * n);
	say("%d ended well, %zu members left", well, members_now);
	cpg_finalize(h);
	free(pid);
}

int main(int argc, char **argv) {
	cpg_handle_t h, second;
	int many = argc > 1 ? atoi(argv[1]) : 10;
	setvbuf(stdout, NULL, _IOLBF, 0);
	self_pid = getpid();
	unjoined();
	names();
	groups(many);
	crowd(many < 140 ? many : 140);
	say("model v1: %d", start(&h, CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF));
	int before = changes;
	say("join: %d", join(h, name("pair")));
	until(h, 0, before + 1);
	say("totem: %d", cpg_dispatch(h, CS_DISPATCH_ALL));
	say("join again: %d", join(h, name("pair")));
	say("join another: %d", join(h, name("other")));
	say("second handle: %d", start(&second, 0));
	say("second joins: %d", join(second, name("pair")));
	say("second finalizes: %d", cpg_finalize(second));
	pieces(h);
	zero_copy(h);
	dispatches(h);
	child(h, "leave");
	child(h, "finalize");
	child(h, "exit");
	child(h, "kill");
	before = changes;
	say("leave: %d", leave(h, name("pair")));
	until(h, 0, before + 1);
	say("mcast after leave: %d", mcast(h, CPG_TYPE_AGREED, "x", 1));
	say("leave again: %d", leave(h, name("pair")));
	say("finalize: %d", cpg_finalize(h));
	say("done");
	return 0;
}
