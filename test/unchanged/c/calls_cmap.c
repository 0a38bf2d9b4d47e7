/* calls_cmap: libcmap, all calls, on both maps. */
#include "say.h"
#include <corosync/cmap.h>

static int notes;

static void value(const char *what, struct cmap_notify_value v) {
	printf(" %s type %d len %zu", what, v.type, v.len);
	if (v.len > 0) printf(" %08x", check(v.data, v.len));
}

static void on_change(cmap_handle_t h, cmap_track_handle_t t, int32_t event, const char *key,
                      struct cmap_notify_value new, struct cmap_notify_value old, void *user) {
	(void)h; (void)t;
	printf("notify %d %s user %s", event, key, (char *)user);
	value("new", new);
	value("old", old);
	putchar('\n');
	notes++;
}

static void until(cmap_handle_t h, int n) {
	int fd;
	cmap_fd_get(h, &fd);
	for (double end = now() + 20; notes < n;) {
		if (now() > end) die("%d of %d notifications", notes, n);
		if (readable(fd, 200)) cmap_dispatch(h, CS_DISPATCH_ALL);
	}
}

static void get(cmap_handle_t h, const char *key, size_t room) {
	char b[20000];
	size_t n = room;
	cmap_value_types_t type = 0;
	memset(b, 0, sizeof(b));
	cs_error_t rc = cmap_get(h, key, b, &n, &type);
	say("get %s into %zu: %d type %d len %zu %08x", key, room, rc, rc == CS_OK ? type : 0, n, rc == CS_OK ? check(b, n) : 0);
}

/* NUMBERS are libcmap's types of numbers: the word in its calls, C's type, a value. */
#define NUMBERS(X) \
	X(int8, int8_t, -8) X(uint8, uint8_t, 200) X(int16, int16_t, -16000) X(uint16, uint16_t, 60000) \
	X(int32, int32_t, -2000000000) X(uint32, uint32_t, 4000000000u) X(int64, int64_t, -(1LL << 62)) X(uint64, uint64_t, 1ULL << 63) \
	X(float, float, 0.25f) X(double, double, -1e300)
#define SET(word, type, v) say("set t." #word ": %d", cmap_set_##word(h, "t." #word, v));
#define GET(word, type, v) { type got = 0; cs_error_t rc = cmap_get_##word(h, "t." #word, &got); say("t." #word ": %d %.20Lg", rc, (long double)got); }

static void typed(cmap_handle_t h) {
	uint8_t u8;
	uint32_t u32;
	double d;
	char *s;
	NUMBERS(SET)
	NUMBERS(GET)
	say("set t.str: %d", cmap_set_string(h, "t.str", "text"));
	cs_error_t rc = cmap_get_string(h, "t.str", &s);
	say("t.str: %d %s", rc, s);
	free(s);
	say("wrong types: %d %d %d %d", cmap_get_uint8(h, "t.uint32", &u8), cmap_get_uint32(h, "t.str", &u32),
	    cmap_get_string(h, "t.uint32", &s), cmap_get_double(h, "t.float", &d));
	static const char *more[] = {"t.uint8", "t.uint64", "t.str", "t.none", "t.float"}, *less[] = {"t.int8", "t.int64"};
	for (size_t i = 0; i < COUNT(more); i++) say("inc %s: %d", more[i], cmap_inc(h, more[i]));
	for (size_t i = 0; i < COUNT(less); i++) say("dec %s: %d", less[i], cmap_dec(h, less[i]));
	say("inc beyond the last number: %d %d", cmap_set_uint8(h, "t.wrap", 255), cmap_inc(h, "t.wrap"));
	NUMBERS(GET)
	get(h, "t.wrap", 1);
}

/* odd: values and keys that are not as they should be. */
static void odd(cmap_handle_t h) {
	char big[16000], key[400];
	size_t n = 0;
	cmap_value_types_t type;
	fill(big, sizeof(big), 3);
	const struct { const char *what, *key; const void *value; size_t size; int type; } sets[] = {
		{"string of no length", "t.empty", "", 0, CMAP_VALUETYPE_STRING},
		{"string shorter than its text", "t.short", "abcdef", 3, CMAP_VALUETYPE_STRING},
		{"string longer than its text", "t.long", "abc\0def", 7, CMAP_VALUETYPE_STRING},
		{"binary", "t.bin", big, sizeof(big), CMAP_VALUETYPE_BINARY},
		{"binary of no length", "t.bin0", big, 0, CMAP_VALUETYPE_BINARY},
		{"u32 of 3 bytes", "t.bad", big, 3, CMAP_VALUETYPE_UINT32},
		{"u32 of 5 bytes", "t.bad", big, 5, CMAP_VALUETYPE_UINT32},
		{"type 77", "t.bad", big, 4, 77},
		{"no value", "t.bad", NULL, 4, CMAP_VALUETYPE_UINT32},
	};
	for (size_t i = 0; i < COUNT(sets); i++) say("%s: %d", sets[i].what, cmap_set(h, sets[i].key, sets[i].value, sets[i].size, sets[i].type));
	const struct { const char *key; size_t room; } gets[] = {
		{"t.empty", 10}, {"t.short", 10}, {"t.long", 10}, {"t.bin", sizeof(big)}, {"t.bin", 20000}, {"t.bin", 100}, {"t.bin0", 10},
		{"t.uint32", 3}, {"t.uint32", 4}, {"t.bad", 10}, {"t.none", 100},
	};
	for (size_t i = 0; i < COUNT(gets); i++) get(h, gets[i].key, gets[i].room);
	say("size alone: %d", cmap_get(h, "t.bin", NULL, &n, &type));
	say("  %zu %d", n, type);
	static const char *keys[] = {"", "ab", "abc", "a b c", "abc~", "abc\xc3\xa4", "a/b.c-d_e:f", "abc*", "abc%"};
	for (size_t i = 0; i < COUNT(keys); i++) say("key '%s': %d", keys[i], cmap_set_uint8(h, keys[i], 1));
	for (n = 254; n <= 257; n++) {
		memset(key, 'k', n);
		key[n] = 0;
		say("key of %zu: %d %d", n, cmap_set_uint8(h, key, 1), cmap_delete(h, key));
	}
	say("read-only: %d %d %d", cmap_set_uint32(h, "totem.version", 3), cmap_delete(h, "totem.version"), cmap_set_uint32(h, "runtime.votequorum.this_node_id", 1));
	say("inc of read-only: %d", cmap_inc(h, "runtime.votequorum.ev_barrier"));
	say("delete, again: %d %d", cmap_delete(h, "t.bin"), cmap_delete(h, "t.bin"));
}

/* forget deletes what has that prefix. */
static void forget(cmap_handle_t h, const char *prefix) {
	cmap_iter_handle_t it;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	size_t n;
	cmap_value_types_t type;
	if (cmap_iter_init(h, prefix, &it) != CS_OK) die("no iteration of %s", prefix);
	while (cmap_iter_next(h, it, key, &n, &type) == CS_OK) cmap_delete(h, key);
	cmap_iter_finalize(h, it);
}

static void iterate(cmap_handle_t h, const char *prefix, int show) {
	cmap_iter_handle_t it;
	char key[CMAP_KEYNAME_MAXLEN + 1];
	size_t n;
	cmap_value_types_t type;
	int count = 0;
	cs_error_t rc = cmap_iter_init(h, prefix, &it);
	say("iterate %s: %d", prefix ? prefix : "all", rc);
	if (rc != CS_OK) return;
	while ((rc = cmap_iter_next(h, it, key, &n, &type)) == CS_OK) {
		count++;
		if (show) say("  %s type %d len %zu", key, type, n);
	}
	say("  %s, end %d", count > 0 ? "some" : "none", rc);
	say("  finalize %d %d", cmap_iter_finalize(h, it), cmap_iter_finalize(h, it));
	say("  next after it %d", cmap_iter_next(h, it, key, &n, &type));
}

static void tracks(cmap_handle_t h) {
	cmap_track_handle_t one, all, none;
	say("track add: %d %d", cmap_track_add(h, "w.one", CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY, on_change, "one", &one),
	    cmap_track_add(h, "w.", CMAP_TRACK_ADD | CMAP_TRACK_DELETE | CMAP_TRACK_MODIFY | CMAP_TRACK_PREFIX, on_change, "all", &all));
	say("track of nothing: %d", cmap_track_add(h, "w.one", 0, on_change, "none", &none));
	say("track of odd bits: %d", cmap_track_add(h, "w.one", 64, on_change, "none", &none));
	say("track everything deleted: %d", cmap_track_add(h, NULL, CMAP_TRACK_DELETE | CMAP_TRACK_PREFIX, on_change, "gone", &none));
	cmap_set_uint32(h, "w.one", 1);
	cmap_set_uint32(h, "w.one", 1);
	cmap_set_uint32(h, "w.one", 2);
	cmap_set_string(h, "w.one", "now text");
	cmap_inc(h, "w.two");
	cmap_set_uint8(h, "w.two", 5);
	cmap_inc(h, "w.two");
	cmap_delete(h, "w.one");
	cmap_delete(h, "w.two");
	cmap_set_uint8(h, "x.none", 5);
	cmap_delete(h, "x.none");
	until(h, 13);
	say("track delete: %d %d %d", cmap_track_delete(h, one), cmap_track_delete(h, one), cmap_track_delete(h, 12345));
	cmap_set_uint32(h, "w.one", 9);
	until(h, 14);
	cmap_delete(h, "w.one");
	until(h, 16);
	say("track delete: %d %d", cmap_track_delete(h, all), cmap_track_delete(h, none));
	say("dispatch: %d, %d notifications", cmap_dispatch(h, CS_DISPATCH_ALL), notes);
}

static void stats(void) {
	cmap_handle_t h;
	uint64_t u;
	uint8_t u8;
	cs_error_t rc;
	retry(rc, cmap_initialize_map(&h, CMAP_MAP_STATS));
	say("stats map: %d", rc);
	iterate(h, "stats.pg.", 1);
	iterate(h, "stats.srp.", 1);
	iterate(h, "stats.ipcs.global.", 1);
	iterate(h, "t.", 1);
	say("get: %d", cmap_get_uint64(h, "stats.ipcs.global.active", &u));
	say("wrong type: %d, unknown: %d", cmap_get_uint8(h, "stats.ipcs.global.active", &u8), cmap_get_uint64(h, "stats.none.such", &u));
	say("set: %d, delete: %d, inc: %d", cmap_set_uint64(h, "stats.ipcs.global.active", 1), cmap_delete(h, "stats.ipcs.global.active"),
	    cmap_inc(h, "stats.ipcs.global.active"));
	say("clear: %d", cmap_set_string(h, "stats.clear.ipc", "1"));
	say("finalize: %d", cmap_finalize(h));
}

int main(void) {
	cmap_handle_t h;
	const void *context;
	int fd;
	cs_error_t rc;
	setvbuf(stdout, NULL, _IOLBF, 0);
	say("map 9: %d", cmap_initialize_map(&h, 9));
	retry(rc, cmap_initialize(&h));
	say("initialize: %d", rc);
	say("context_set: %d", cmap_context_set(h, "mine"));
	say("context_get: %d", cmap_context_get(h, &context));
	say("  %s", (const char *)context);
	say("fd: %d", cmap_fd_get(h, &fd));
	typed(h);
	odd(h);
	iterate(h, "t.", 1);
	iterate(h, "nodelist.", 1);
	iterate(h, NULL, 0);
	iterate(h, "nothing.such", 1);
	tracks(h);
	stats();
	forget(h, "t.");
	iterate(h, "t.", 1);
	say("finalize: %d %d", cmap_finalize(h), cmap_finalize(h));
	say("inc after finalize: %d", cmap_inc(h, "t.uint8"));
	say("done");
	return 0;
}
