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

static void typed(cmap_handle_t h) {
	int8_t i8; uint8_t u8; int16_t i16; uint16_t u16; int32_t i32; uint32_t u32; int64_t i64; uint64_t u64; float f; double d;
	char *s;
	cs_error_t rc;
	say("set all types: %d %d %d %d %d %d %d %d %d %d %d", cmap_set_int8(h, "t.i8", -8), cmap_set_uint8(h, "t.u8", 200),
	    cmap_set_int16(h, "t.i16", -16000), cmap_set_uint16(h, "t.u16", 60000), cmap_set_int32(h, "t.i32", -2000000000),
	    cmap_set_uint32(h, "t.u32", 4000000000u), cmap_set_int64(h, "t.i64", -(1LL << 62)), cmap_set_uint64(h, "t.u64", 1ULL << 63),
	    cmap_set_float(h, "t.float", 0.25f), cmap_set_double(h, "t.double", -1e300), cmap_set_string(h, "t.str", "text"));
	rc = cmap_get_int8(h, "t.i8", &i8);
	say("i8 %d %d", rc, i8);
	rc = cmap_get_uint8(h, "t.u8", &u8);
	say("u8 %d %d", rc, u8);
	rc = cmap_get_int16(h, "t.i16", &i16);
	say("i16 %d %d", rc, i16);
	rc = cmap_get_uint16(h, "t.u16", &u16);
	say("u16 %d %d", rc, u16);
	rc = cmap_get_int32(h, "t.i32", &i32);
	say("i32 %d %d", rc, i32);
	rc = cmap_get_uint32(h, "t.u32", &u32);
	say("u32 %d %u", rc, u32);
	rc = cmap_get_int64(h, "t.i64", &i64);
	say("i64 %d %lld", rc, (long long)i64);
	rc = cmap_get_uint64(h, "t.u64", &u64);
	say("u64 %d %llu", rc, (unsigned long long)u64);
	rc = cmap_get_float(h, "t.float", &f);
	say("float %d %g", rc, f);
	rc = cmap_get_double(h, "t.double", &d);
	say("double %d %g", rc, d);
	rc = cmap_get_string(h, "t.str", &s);
	say("string %d %s", rc, s);
	free(s);
	say("wrong types: %d %d %d %d", cmap_get_uint8(h, "t.u32", &u8), cmap_get_uint32(h, "t.str", &u32),
	    cmap_get_string(h, "t.u32", &s), cmap_get_double(h, "t.float", &d));
	say("inc, dec: %d %d %d %d", cmap_inc(h, "t.u8"), cmap_dec(h, "t.i8"), cmap_inc(h, "t.u64"), cmap_dec(h, "t.u64"));
	say("inc of text, of nothing, of a float: %d %d %d", cmap_inc(h, "t.str"), cmap_inc(h, "t.none"), cmap_inc(h, "t.float"));
	cmap_set_uint8(h, "t.wrap", 255);
	cmap_inc(h, "t.wrap");
	rc = cmap_get_uint8(h, "t.wrap", &u8);
	say("wrap: %d %d", rc, u8);
	say("string of no length: %d", cmap_set_string(h, "t.empty", ""));
	get(h, "t.empty", 10);
	say("string shorter than its text: %d", cmap_set(h, "t.short", "abcdef", 3, CMAP_VALUETYPE_STRING));
	get(h, "t.short", 10);
	say("string longer than its text: %d", cmap_set(h, "t.long", "abc\0def", 7, CMAP_VALUETYPE_STRING));
	get(h, "t.long", 10);
}

static void odd(cmap_handle_t h) {
	char big[16000], key[400];
	size_t n;
	cmap_value_types_t type;
	fill(big, sizeof(big), 3);
	say("binary: %d", cmap_set(h, "t.bin", big, sizeof(big), CMAP_VALUETYPE_BINARY));
	get(h, "t.bin", sizeof(big));
	get(h, "t.bin", 20000);
	get(h, "t.bin", 100);
	get(h, "t.u32", 3);
	get(h, "t.u32", 4);
	get(h, "t.none", 100);
	n = 0;
	say("size alone: %d", cmap_get(h, "t.bin", NULL, &n, &type));
	say("  %zu %d", n, type);
	say("u32 of 3 bytes: %d", cmap_set(h, "t.bad", big, 3, CMAP_VALUETYPE_UINT32));
	say("u32 of 5 bytes: %d", cmap_set(h, "t.bad", big, 5, CMAP_VALUETYPE_UINT32));
	say("type 77: %d", cmap_set(h, "t.bad", big, 4, 77));
	say("no value: %d", cmap_set(h, "t.bad", NULL, 4, CMAP_VALUETYPE_UINT32));
	say("binary of no length: %d", cmap_set(h, "t.bin0", big, 0, CMAP_VALUETYPE_BINARY));
	static const char *keys[] = {"", "ab", "abc", "a b c", "abc~", "abc\xc3\xa4", "a/b.c-d_e:f", "abc*", "abc%"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) say("key '%s': %d", keys[i], cmap_set_uint8(h, keys[i], 1));
	for (n = 254; n <= 257; n++) {
		memset(key, 'k', n);
		key[n] = 0;
		say("key of %zu: %d %d", n, cmap_set_uint8(h, key, 1), cmap_delete(h, key));
	}
	say("read-only: %d %d %d", cmap_set_uint32(h, "totem.version", 3), cmap_delete(h, "totem.version"), cmap_set_uint32(h, "runtime.votequorum.this_node_id", 1));
	say("inc of read-only: %d", cmap_inc(h, "runtime.votequorum.ev_barrier"));
	say("delete, again: %d %d", cmap_delete(h, "t.bin"), cmap_delete(h, "t.bin"));
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
	static const char *left[] = {"t.i8", "t.u8", "t.i16", "t.u16", "t.i32", "t.u32", "t.i64", "t.u64", "t.float", "t.double", "t.str", "t.wrap", "t.empty", "t.short", "t.long", "t.bin0"};
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++) cmap_delete(h, left[i]);
	say("finalize: %d %d", cmap_finalize(h), cmap_finalize(h));
	say("get after finalize: %d", cmap_inc(h, "t.u8"));
	say("done");
	return 0;
}
