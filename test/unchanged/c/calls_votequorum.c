/* calls_votequorum: libvotequorum, all calls. */
#include "say.h"
#include <corosync/cpg.h>
#include <corosync/votequorum.h>
#include <sys/uio.h>

static votequorum_ring_id_t ring;
static int notes;

static void on_quorum(votequorum_handle_t h, uint64_t context, uint32_t quorate, uint32_t n, votequorum_node_t l[]) {
	(void)h;
	printf("quorum context %llu quorate %u", (unsigned long long)context, quorate);
	for (uint32_t i = 0; i < n; i++) printf(" %u/%u", l[i].nodeid, l[i].state);
	putchar('\n');
	notes++;
}

static void on_list(votequorum_handle_t h, uint64_t context, votequorum_ring_id_t r, uint32_t n, uint32_t l[]) {
	(void)h;
	ring = r;
	printf("nodelist context %llu rep %u", (unsigned long long)context, r.nodeid);
	for (uint32_t i = 0; i < n; i++) printf(" %u", l[i]);
	putchar('\n');
	notes++;
}

static void on_expected(votequorum_handle_t h, uint64_t context, uint32_t expected) {
	(void)h;
	say("expected context %llu %u", (unsigned long long)context, expected);
	notes++;
}

static void until(votequorum_handle_t h, int n) {
	int fd;
	votequorum_fd_get(h, &fd);
	for (double end = now() + 20; notes < n;) {
		if (now() > end) die("%d of %d notifications", notes, n);
		if (readable(fd, 200)) votequorum_dispatch(h, CS_DISPATCH_ALL);
	}
}

static cpg_handle_t group;
static int back;

static void on_back(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)g; (void)node; (void)m; (void)n;
	if (pid == (uint32_t)getpid()) back++;
}

/* settle takes what has come when two messages of ours have been round the
 * ring: what a call changes, and what the others answer to that, is before. */
static void settle(votequorum_handle_t h) {
	struct cpg_name name = {.length = 6, .value = "settle"};
	struct iovec v = {"x", 1};
	cpg_callbacks_t c = {on_back, NULL};
	cs_error_t rc;
	int fd;
	if (group == 0) {
		retry(rc, cpg_initialize(&group, &c));
		retry(rc, cpg_join(group, &name));
	}
	for (int i = 0; i < 2; i++) {
		int before = back;
		retry(rc, cpg_mcast_joined(group, CPG_TYPE_AGREED, &v, 1));
		cpg_fd_get(group, &fd);
		for (double end = now() + 20; back == before;) {
			if (now() > end) die("a message of ours does not come back");
			if (readable(fd, 200)) cpg_dispatch(group, CS_DISPATCH_ALL);
		}
	}
	votequorum_dispatch(h, CS_DISPATCH_ALL);
}

static void info(votequorum_handle_t h, unsigned node) {
	struct votequorum_info i;
	memset(&i, 0, sizeof(i));
	cs_error_t rc = votequorum_getinfo(h, node, &i);
	if (rc != CS_OK) {
		say("info of %u: %d", node, rc);
		return;
	}
	say("info of %u: %d node %u state %u votes %u expected %u highest %u total %u quorum %u flags %u qdevice %u '%s'", node, rc,
	    i.node_id, i.node_state, i.node_votes, i.node_expected_votes, i.highest_expected, i.total_votes, i.quorum, i.flags, i.qdevice_votes, i.qdevice_name);
}

static void tracking(votequorum_handle_t h) {
	static const unsigned flags[] = {CS_TRACK_CURRENT, CS_TRACK_CHANGES, CS_TRACK_CHANGES_ONLY, CS_TRACK_CURRENT | CS_TRACK_CHANGES, 0, 64};
	say("trackstop before: %d", votequorum_trackstop(h));
	for (size_t i = 0; i < COUNT(flags); i++) {
		int before = notes;
		say("trackstart %u: %d", flags[i], votequorum_trackstart(h, 100 + i, flags[i]));
		if (flags[i] & (CS_TRACK_CURRENT | CS_TRACK_CHANGES)) until(h, before + 2);
		say("trackstart again: %d", votequorum_trackstart(h, 200, CS_TRACK_CURRENT));
		settle(h);
		say("trackstop: %d", votequorum_trackstop(h));
		settle(h);
	}
}

static void votes(votequorum_handle_t h) {
	cs_error_t rc;
	say("track: %d", votequorum_trackstart(h, 5, CS_TRACK_CHANGES));
	settle(h);
	static const unsigned expected[] = {0, 1, 3, 2, 100, 2};
	for (size_t i = 0; i < COUNT(expected); i++) {
		retry(rc, votequorum_setexpected(h, expected[i]));
		say("setexpected %u: %d", expected[i], rc);
		settle(h);
		info(h, 0);
	}
	static const unsigned set[][2] = {{1, 2}, {2, 2}, {1, 1}, {2, 1}, {2, 0}, {2, 1}, {1, 100}, {1, 1}, {77, 1}, {0, 1}};
	for (size_t i = 0; i < COUNT(set); i++) {
		retry(rc, votequorum_setvotes(h, set[i][0], set[i][1]));
		say("setvotes %u %u: %d", set[i][0], set[i][1], rc);
		settle(h);
		info(h, 1);
		info(h, 2);
	}
	retry(rc, votequorum_setexpected(h, 2));
	say("setexpected back: %d", rc);
	settle(h);
	say("trackstop: %d", votequorum_trackstop(h));
}

/* device plays corosync-qdevice. */
static void device(votequorum_handle_t h) {
	cs_error_t rc;
	votequorum_ring_id_t old = ring;
	say("poll unregistered: %d", votequorum_qdevice_poll(h, "dev", 1, ring));
	say("update unregistered: %d", votequorum_qdevice_update(h, "dev", "new"));
	say("unregister unregistered: %d", votequorum_qdevice_unregister(h, "dev"));
	say("master wins unregistered: %d", votequorum_qdevice_master_wins(h, "dev", 1));
	retry(rc, votequorum_qdevice_register(h, "dev"));
	say("register: %d", rc);
	settle(h);
	info(h, 0);
	say("register again: %d, another: %d", votequorum_qdevice_register(h, "dev"), votequorum_qdevice_register(h, "two"));
	say("track: %d", votequorum_trackstart(h, 6, CS_TRACK_CHANGES));
	settle(h);
	say("poll 1: %d", votequorum_qdevice_poll(h, "dev", 1, ring));
	settle(h);
	info(h, 0);
	say("poll 1 again: %d", votequorum_qdevice_poll(h, "dev", 1, ring));
	say("poll 0: %d", votequorum_qdevice_poll(h, "dev", 0, ring));
	settle(h);
	info(h, 0);
	say("poll other name: %d", votequorum_qdevice_poll(h, "two", 1, ring));
	old.seq = ring.seq - 4;
	old.nodeid = ring.nodeid;
	say("poll of an old ring: %d", votequorum_qdevice_poll(h, "dev", 1, old));
	say("master wins: %d, other name %d", votequorum_qdevice_master_wins(h, "dev", 1), votequorum_qdevice_master_wins(h, "two", 1));
	settle(h);
	info(h, 0);
	info(h, 2);
	say("master wins off: %d", votequorum_qdevice_master_wins(h, "dev", 0));
	retry(rc, votequorum_qdevice_update(h, "dev", "new"));
	say("update: %d", rc);
	settle(h);
	info(h, 0);
	say("update old name: %d", votequorum_qdevice_update(h, "dev", "more"));
	say("poll 1 by new name: %d", votequorum_qdevice_poll(h, "new", 1, ring));
	settle(h);
	info(h, 0);
	say("unregister old name: %d", votequorum_qdevice_unregister(h, "dev"));
	retry(rc, votequorum_qdevice_unregister(h, "new"));
	say("unregister: %d", rc);
	settle(h);
	info(h, 0);
	retry(rc, votequorum_qdevice_register(h, "mute"));
	say("register: %d", rc);
	say("poll 1: %d", votequorum_qdevice_poll(h, "mute", 1, ring));
	settle(h);
	info(h, 0);
	say("silence");
	nap(4000); /* quorum.device.timeout is 3 s */
	settle(h);
	info(h, 0);
	say("finalize registered: %d", votequorum_finalize(h));
	nap(300);
	votequorum_callbacks_t c = {on_quorum, on_expected, on_list};
	retry(rc, votequorum_initialize(&h, &c));
	info(h, 0);
	say("unregister from another handle: %d", votequorum_qdevice_unregister(h, "mute"));
	settle(h);
	info(h, 0);
	votequorum_finalize(h);
}

int main(int argc, char **argv) {
	votequorum_handle_t h;
	votequorum_callbacks_t c = {on_quorum, on_expected, on_list}, none = {NULL, NULL, NULL};
	void *context;
	char name[400];
	cs_error_t rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	retry(rc, votequorum_initialize(&h, &c));
	say("initialize: %d", rc);
	say("context_set: %d", votequorum_context_set(h, "mine"));
	say("context_get: %d", votequorum_context_get(h, &context));
	say("  %s", (char *)context);
	info(h, 0);
	info(h, 1);
	info(h, 2);
	info(h, 77);
	tracking(h);
	if (argc > 1 && !strcmp(argv[1], "device")) {
		device(h);
		say("done");
		return 0;
	}
	votes(h);
	memset(name, 'n', sizeof(name));
	name[254] = 0;
	say("device of a name of 254 without configuration: %d", votequorum_qdevice_register(h, name));
	name[254] = 'n';
	name[255] = 0;
	say("device of a name of 255: %d", votequorum_qdevice_register(h, name));
	say("device calls: %d %d %d %d", votequorum_qdevice_unregister(h, "dev"), votequorum_qdevice_update(h, "dev", "new"),
	    votequorum_qdevice_poll(h, "dev", 1, ring), votequorum_qdevice_master_wins(h, "dev", 1));
	say("finalize: %d %d", votequorum_finalize(h), votequorum_finalize(h));
	say("no callbacks: %d", votequorum_initialize(&h, &none));
	say("trackstart: %d", votequorum_trackstart(h, 1, CS_TRACK_CURRENT));
	say("dispatch: %d", votequorum_dispatch(h, CS_DISPATCH_ALL));
	say("finalize: %d", votequorum_finalize(h));
	say("done");
	return 0;
}
