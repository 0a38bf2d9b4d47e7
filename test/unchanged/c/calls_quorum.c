/* calls_quorum: libquorum, both models, all calls. */
#include "say.h"
#include <corosync/quorum.h>

static int notes;

static void nodes(const char *what, const uint32_t *l, uint32_t n) {
	printf(" %s", what);
	for (uint32_t i = 0; i < n; i++) printf(" %u", l[i]);
}

static void on_v0(quorum_handle_t h, uint32_t quorate, uint64_t seq, uint32_t n, uint32_t *l) {
	(void)h; (void)seq;
	printf("v0 quorate %u", quorate);
	nodes("members", l, n);
	putchar('\n');
	notes++;
}

static void on_v1(quorum_handle_t h, uint32_t quorate, struct quorum_ring_id r, uint32_t n, const uint32_t *l) {
	const void *context = NULL;
	quorum_context_get(h, &context);
	printf("v1 quorate %u rep %u context %s", quorate, r.nodeid, (const char *)context);
	nodes("members", l, n);
	putchar('\n');
	notes++;
}

static void on_list(quorum_handle_t h, struct quorum_ring_id r, uint32_t nm, const uint32_t *m, uint32_t nj, const uint32_t *j, uint32_t nl, const uint32_t *l) {
	(void)h;
	printf("v1 nodelist rep %u", r.nodeid);
	nodes("members", m, nm);
	nodes("joined", j, nj);
	nodes("left", l, nl);
	putchar('\n');
	notes++;
}

static void until(quorum_handle_t h, int n) {
	int fd;
	quorum_fd_get(h, &fd);
	for (double end = now() + 20; notes < n;) {
		if (now() > end) die("%d of %d notifications", notes, n);
		if (readable(fd, 200)) quorum_dispatch(h, CS_DISPATCH_ALL);
	}
}

static void calls(quorum_handle_t h, int model) {
	static const unsigned flags[] = {CS_TRACK_CURRENT, CS_TRACK_CHANGES, CS_TRACK_CHANGES_ONLY, CS_TRACK_CURRENT | CS_TRACK_CHANGES, 0, 64};
	int quorate, per = model ? 2 : 1;
	say("getquorate: %d", quorum_getquorate(h, &quorate));
	say("  %d", quorate);
	say("trackstop before: %d", quorum_trackstop(h));
	for (size_t i = 0; i < COUNT(flags); i++) {
		int before = notes;
		say("trackstart %u: %d", flags[i], quorum_trackstart(h, flags[i]));
		if (flags[i] & CS_TRACK_CURRENT) until(h, before + per);
		say("trackstart again: %d", quorum_trackstart(h, CS_TRACK_CURRENT));
		quorum_dispatch(h, CS_DISPATCH_ALL);
		say("trackstop: %d", quorum_trackstop(h));
		quorum_dispatch(h, CS_DISPATCH_ALL);
		say("  %d notifications", notes - before);
	}
}

int main(void) {
	quorum_handle_t h;
	quorum_callbacks_t c = {on_v0};
	quorum_model_v0_data_t d0 = {QUORUM_MODEL_V0, on_v0};
	quorum_model_v1_data_t d1 = {QUORUM_MODEL_V1, on_v1, on_list}, d1q = {QUORUM_MODEL_V1, on_v1, NULL};
	quorum_model_data_t d9 = {9};
	uint32_t type = 77;
	int fd, quorate;
	cs_error_t rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	retry(rc, quorum_initialize(&h, &c, &type));
	say("initialize: %d type %u", rc, type);
	say("fd_get: %d", quorum_fd_get(h, &fd));
	calls(h, 0);
	say("finalize: %d %d", quorum_finalize(h), quorum_finalize(h));
	say("model 9: %d", quorum_model_initialize(&h, 9, &d9, &type, NULL));
	say("model v0: %d", quorum_model_initialize(&h, QUORUM_MODEL_V0, (quorum_model_data_t *)&d0, &type, "zero"));
	calls(h, 0);
	say("finalize: %d", quorum_finalize(h));
	type = 77;
	say("model v1: %d", quorum_model_initialize(&h, QUORUM_MODEL_V1, (quorum_model_data_t *)&d1, &type, "one"));
	say("type %u", type);
	calls(h, 1);
	say("finalize: %d", quorum_finalize(h));
	say("model v1 without nodelist: %d", quorum_model_initialize(&h, QUORUM_MODEL_V1, (quorum_model_data_t *)&d1q, NULL, "one"));
	say("trackstart: %d", quorum_trackstart(h, CS_TRACK_CURRENT));
	until(h, notes + 1);
	say("finalize: %d", quorum_finalize(h));
	say("after finalize: %d %d", quorum_getquorate(h, &quorate), quorum_dispatch(h, CS_DISPATCH_ALL));
	say("done");
	return 0;
}
