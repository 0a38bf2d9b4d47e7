/* slow COUNT SIZE: a member that takes nothing while another sends COUNT
 * messages of SIZE bytes, then takes all, in order and whole. A third client is
 * answered meanwhile. Prints how much waited in the daemon's memory. */
#include "say.h"
#include <corosync/cmap.h>
#include <corosync/cpg.h>
#include <sys/uio.h>

static uint32_t next;
static size_t size;
static int sender_seen;

static void on_slow(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)g; (void)node; (void)pid;
	static char *want;
	uint32_t number;
	if (want == NULL) want = malloc(size);
	memcpy(&number, m, 4);
	if (n != size || number != next) die("message %u of %zu bytes, want %u of %zu", number, n, next, size);
	fill(want, size, number);
	if (memcmp(want + 4, (char *)m + 4, size - 4)) die("message %u is damaged", number);
	next++;
}

static void on_sender(cpg_handle_t h, const struct cpg_name *g, uint32_t node, uint32_t pid, void *m, size_t n) {
	(void)h; (void)g; (void)node; (void)pid; (void)m; (void)n;
	sender_seen++;
}

static cpg_handle_t member(cpg_deliver_fn_t f, const char *name) {
	cpg_callbacks_t c = {f, NULL};
	cpg_handle_t h;
	cs_error_t rc;
	struct cpg_name g = {.length = strlen(name)};
	strcpy(g.value, name);
	retry(rc, cpg_initialize(&h, &c));
	if (rc != CS_OK) die("initialize %d", rc);
	retry(rc, cpg_join(h, &g));
	if (rc != CS_OK) die("join %d", rc);
	return h;
}

int main(int argc, char **argv) {
	uint32_t count = argc > 2 ? atoi(argv[1]) : 1000;
	size = argc > 2 ? atoi(argv[2]) : 1000;
	int sync[2], done[2], fd;
	if (pipe(sync) || pipe(done)) die("pipe");
	pid_t sender = fork();
	if (sender == 0) { /* another process, for a pid is in a group once */
		char c, *m = malloc(size);
		cpg_handle_t h = member(on_sender, "slow");
		read(sync[0], &c, 1);
		for (uint32_t i = 0; i < count; i++) {
			cs_error_t rc;
			fill(m, size, i);
			memcpy(m, &i, 4);
			struct iovec v = {m, size};
			while ((rc = cpg_mcast_joined(h, CPG_TYPE_AGREED, &v, 1)) == CS_ERR_TRY_AGAIN) {
				nap(1);
				cpg_dispatch(h, CS_DISPATCH_ALL);
			}
			if (rc != CS_OK) die("mcast %d", rc);
			cpg_dispatch(h, CS_DISPATCH_ALL);
		}
		cpg_fd_get(h, &fd);
		for (double end = now() + 60; (uint32_t)sender_seen < count;) {
			if (now() > end) die("the sender got %d of %u back", sender_seen, count);
			if (readable(fd, 200)) cpg_dispatch(h, CS_DISPATCH_ALL);
		}
		write(done[1], "d", 1);
		_exit(0);
	}
	cpg_handle_t h = member(on_slow, "slow");
	write(sync[1], "g", 1);
	double longest = 0;
	cmap_handle_t third;
	cs_error_t rc;
	uint32_t u;
	retry(rc, cmap_initialize(&third));
	while (!readable(done[0], 5)) {
		double at = now();
		if ((rc = cmap_get_uint32(third, "totem.version", &u)) != CS_OK) die("cmap_get %d", rc);
		if (now() - at > longest) longest = now() - at;
	}
	if (longest > 5) die("another client waited %.1f s", longest);
	say("sent %u, taken %u", count, next);
	cpg_fd_get(h, &fd);
	for (double end = now() + 60; next < count;) {
		if (now() > end) die("%u of %u came", next, count);
		if (readable(fd, 200)) cpg_dispatch(h, CS_DISPATCH_ALL);
	}
	say("taken %u", next);
	say("nothing more: %d", readable(fd, 100));
	return 0;
}
