/* What the programs of this folder share. Each plays one library's calls
 * against the daemon of its node and prints every result and callback, with
 * process ids and ring numbers left out, so that two daemons say the same. */
#ifndef SAY_H
#define SAY_H
#include <corosync/corotypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static inline void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void say(const char *format, ...) {
	va_list ap;
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/* die ends the program: what follows would say nothing. */
#define die(...) do { say("FATAL " __VA_ARGS__); exit(2); } while (0)

static inline double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static inline void nap(int ms) {
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	nanosleep(&t, NULL);
}

/* retry repeats a call while the daemon asks for it, for at most 20 s. */
#define retry(rc, call) do { \
	double until_ = now() + 20; \
	while (((rc) = (call)) == CS_ERR_TRY_AGAIN && now() < until_) nap(5); \
} while (0)

/* readable waits for a descriptor, for at most 20 s, and says whether it is. */
static inline int readable(int fd, int ms) {
	struct pollfd p = {fd, POLLIN, 0};
	return poll(&p, 1, ms) == 1;
}

/* check is a sum over a message that depends on each byte's place. */
static inline uint32_t check(const void *m, size_t n) {
	const unsigned char *b = m;
	uint32_t sum = 2166136261u;
	for (size_t i = 0; i < n; i++) sum = (sum ^ b[i]) * 16777619u;
	return sum;
}

static inline void fill(void *m, size_t n, uint32_t seed) {
	unsigned char *b = m;
	for (size_t i = 0; i < n; i++) b[i] = (unsigned char)((seed = seed * 1664525u + 1013904223u) >> 3);
}
#endif
