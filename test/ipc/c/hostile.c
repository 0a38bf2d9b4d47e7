/*
 * hostile NAME MODE [ARG]: a client that breaks every rule of the protocol. It
 * speaks it by itself, without libqb. It ends with status 0 once it has done
 * its worst; what happens to the server is for the caller to see.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "echo.h"

#define REPLY 12328
#define HEADER 8252
enum { WRITE_PT = 0, READ_PT = 1, WORDS = 2, REFS = 8204 / 4, SEM = 8208 / 4 };

struct ring {
	char hdr_path[4200], data_path[4200];
	volatile uint32_t *hdr;
	volatile uint8_t *data;
	uint32_t words;
};

static int sock;
static char reply[REPLY];
static struct ring req, res, ev;
static const char *name;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int dial(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strncpy(sa.sun_path + 1, name, sizeof sa.sun_path - 2);
	if (fd < 0 || connect(fd, (void *)&sa, sizeof sa) < 0)
		die("connect");
	return fd;
}

static void put_request(uint8_t b[24], uint32_t max)
{
	memset(b, 0, 24);
	*(int32_t *)b = -1;
	*(int32_t *)(b + 8) = 24;
	*(uint32_t *)(b + 16) = max;
}

static int shake(void)
{
	uint8_t b[24];
	size_t got = 0;
	sock = dial();
	put_request(b, MAX_MSG);
	if (send(sock, b, 24, MSG_NOSIGNAL) != 24)
		die("send");
	while (got < REPLY) {
		ssize_t n = recv(sock, reply + got, REPLY - got, 0);
		if (n <= 0)
			die("recv");
		got += n;
	}
	return *(int32_t *)(reply + 16);
}

static void attach(struct ring *r, const char *base)
{
	snprintf(r->hdr_path, sizeof r->hdr_path, "%s-header", base);
	snprintf(r->data_path, sizeof r->data_path, "%s-data", base);
	int h = open(r->hdr_path, O_RDWR), d = open(r->data_path, O_RDWR);
	if (h < 0 || d < 0)
		die(base);
	r->hdr = mmap(0, HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, h, 0);
	r->words = r->hdr[WORDS];
	r->data = mmap(0, r->words * 4, PROT_READ | PROT_WRITE, MAP_SHARED, d, 0);
	if (r->hdr == MAP_FAILED || r->data == MAP_FAILED)
		die("mmap");
	close(h);
	close(d);
}

static void join(void)
{
	int rc = shake();
	if (rc) {
		fprintf(stderr, "refused: %d\n", rc);
		exit(1);
	}
	attach(&req, reply + 40);
	attach(&res, reply + 40 + 4096);
	attach(&ev, reply + 40 + 8192);
}

/* leave frees the memory that our mappings keep, or we run out of it */
static void leave(void)
{
	struct ring *rings[] = { &req, &res, &ev };
	close(sock);
	for (int i = 0; i < 3; i++) {
		munmap((void *)rings[i]->hdr, HEADER);
		munmap((void *)rings[i]->data, rings[i]->words * 4);
	}
}

static void ring_bell(void)
{
	if (send(sock, "x", 1, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
		die("bell");
}

static uint32_t forced_at = UINT32_MAX; /* write here and not where the header says */

/* chunk writes a request with a size word of our choice. It must not wrap. */
static void chunk(uint32_t size_word, uint32_t magic, int32_t id, int32_t hdr_size, const void *body, size_t n)
{
	uint32_t at = forced_at != UINT32_MAX ? forced_at : req.hdr[WRITE_PT];
	volatile uint32_t *w = (volatile uint32_t *)req.data + at;
	uint8_t hdr[16] = { 0 };
	memcpy(hdr, &id, 4);
	memcpy(hdr + 8, &hdr_size, 4);
	w[0] = size_word;
	memcpy((void *)(w + 2), hdr, 16);
	if (n)
		memcpy((void *)(w + 6), body, n);
	req.hdr[WRITE_PT] = (at + 2 + (16 + n + 3) / 4) % req.words;
	w[1] = magic;
	__atomic_add_fetch(&req.hdr[SEM], 1, __ATOMIC_SEQ_CST);
	ring_bell();
}

static void good(int32_t id, const void *body, size_t n)
{
	chunk(16 + n, 0xA1A1A1A1, id, 16 + n, body, n);
}

static void ask_events(uint32_t count, uint32_t size)
{
	uint32_t b[2] = { count, size };
	good(ID_EVENTS, b, sizeof b);
}

/* until_dropped waits up to ms for the server to hang up. */
static int until_dropped(int ms)
{
	char buf[4096];
	struct pollfd p = { .fd = sock, .events = POLLIN };
	while (poll(&p, 1, ms) > 0) {
		ssize_t n = recv(sock, buf, sizeof buf, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			return 1;
	}
	return 0;
}

static void must_drop(void)
{
	if (!until_dropped(10000)) {
		fprintf(stderr, "the server kept this connection\n");
		exit(1);
	}
}

/* truncate one of the six files, then make the server touch all of them */
static void mode_truncate(int which)
{
	join();
	char *paths[] = { req.hdr_path, req.data_path, res.hdr_path, res.data_path, ev.hdr_path, ev.data_path };
	uint32_t b[2] = { 1, 8 };
	uint32_t *w = (uint32_t *)req.data;
	/* the chunk goes in first: afterwards we would fault ourselves */
	if (which < 2) {
		w[0] = 24;
		int32_t h[4] = { ID_EVENTS, 0, 24, 0 };
		memcpy(w + 2, h, 16);
		memcpy(w + 6, b, 8);
		req.hdr[WRITE_PT] = 8;
		w[1] = 0xA1A1A1A1;
		__atomic_add_fetch(&req.hdr[SEM], 1, __ATOMIC_SEQ_CST);
	}
	if (truncate(paths[which], 0) < 0)
		die("truncate");
	if (which < 2)
		ring_bell();
	else
		good(ID_EVENTS, b, sizeof b);
	must_drop();
}

/* truncate and grow again in a loop while requests and events flow */
static volatile int stop_now;
static void *truncator(void *arg)
{
	struct ring *r = arg;
	struct stat st;
	stat(r->data_path, &st);
	while (!stop_now) {
		if (truncate(r->data_path, 0) < 0 || truncate(r->data_path, st.st_size) < 0)
			break;
	}
	return 0;
}

static void mode_flicker(void)
{
	join();
	pthread_t t;
	pthread_create(&t, 0, truncator, &ev);
	for (int i = 0; i < 200 && !until_dropped(1); i++)
		ask_events(10, 1000);
	stop_now = 1;
	pthread_join(t, 0);
}

/* one chunk each that contradicts itself */
static void mode_sizes(int which)
{
	join();
	uint8_t body[64] = { 0 };
	switch (which) {
	case 0: chunk(0xffffffff, 0xA1A1A1A1, ID_ECHO, 16, body, 0); break;
	case 1: chunk(MAX_MSG + 1, 0xA1A1A1A1, ID_ECHO, 16, body, 0); break;
	case 2: chunk(0, 0xA1A1A1A1, ID_ECHO, 16, body, 0); break;
	case 3: chunk(15, 0xA1A1A1A1, ID_ECHO, 15, body, 0); break;
	case 4: chunk(16, 0xA1A1A1A1, ID_ECHO, 1 << 20, body, 0); break;
	case 5: chunk(16, 0xA1A1A1A1, ID_ECHO, -1, body, 0); break;
	case 6: chunk(80, 0xA1A1A1A1, ID_ECHO, 15, body, 64); break;
	case 7: chunk(80, 0xA1A1A1A1, ID_ECHO, INT32_MIN, body, 64); break;
	case 8: chunk(80, 0xD0D0D0D0, ID_ECHO, 80, body, 64); break;
	case 9: chunk(80, 0xA110CED0, ID_ECHO, 80, body, 64); break;
	case 10: chunk(80, 0, ID_ECHO, 80, body, 64); break;
	case 11: req.hdr[SEM] = 0x7fffffff; ring_bell(); break;
	case 12: req.hdr[SEM] = 0xffffffff; req.hdr[SEM + 1] = 0xffffffff; ring_bell(); break;
	case 13: res.hdr[READ_PT] = res.words; good(ID_ECHO, body, 64); break;
	case 14: ev.hdr[READ_PT] = 0xffffffff; ask_events(1, 10); break;
	default: exit(3);
	}
	must_drop();
}

/* what the server may ignore: words that it never reads back */
static void mode_ignored(void)
{
	join();
	uint8_t body[64] = { 0 };
	for (int i = 0; i < 3; i++) {
		struct ring *r = i == 0 ? &req : i == 1 ? &res : &ev;
		r->hdr[WORDS] = 7;
		memset((void *)(r->hdr + 3), 'A', 8192);
		r->hdr[REFS] = 0x80000000;
	}
	uint32_t at = req.hdr[WRITE_PT];
	req.hdr[READ_PT] = 0xdeadbeef;
	res.hdr[WRITE_PT] = 0xfffffff0;
	ev.hdr[WRITE_PT] = 0x7fffffff;
	req.hdr[WRITE_PT] = at;
	for (int i = 0; i < 100; i++) {
		req.words = req.words ? req.words : 263168;
		good(ID_ECHO, body, 64);
		struct timespec ts = { 0, 200000 };
		nanosleep(&ts, 0);
	}
	if (*(uint32_t *)(res.data + 4) != 0xA1A1A1A1) {
		fprintf(stderr, "no answer in the response ring\n");
		exit(1);
	}
	sleep(1);
}

/* rewrite everything at random while requests flow */
static void *scribbler(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	struct ring *rings[] = { &req, &res, &ev };
	static const uint32_t words[] = { 0, 1, 15, 16, 0xffffffff, 0x7fffffff, 0x80000000, 0xA1A1A1A1,
		0xD0D0D0D0, 0xA110CED0, 263168, 263167, 1 << 20, (1 << 20) + 1 };
	while (!stop_now) {
		struct ring *r = rings[rand_r(&seed) % 3];
		uint32_t v = rand_r(&seed) % 3 ? words[rand_r(&seed) % 14] : (uint32_t)rand_r(&seed);
		switch (rand_r(&seed) % 5) {
		case 0: r->hdr[rand_r(&seed) % 3] = v; break;
		case 1: r->hdr[SEM + rand_r(&seed) % 4] = v; break;
		case 2: r->hdr[rand_r(&seed) % (HEADER / 4)] = v; break;
		default: ((volatile uint32_t *)r->data)[rand_r(&seed) % 4096] = v; break;
		}
	}
	return 0;
}

static void mode_scribble(int seed)
{
	for (int round = 0; round < 30; round++) {
		join();
		pthread_t t;
		stop_now = 0;
		pthread_create(&t, 0, scribbler, (void *)(uintptr_t)(seed * 1000 + round));
		uint8_t body[256];
		memset(body, round, sizeof body);
		for (int i = 0; i < 300 && !until_dropped(0); i++) {
			forced_at = i * 100 % 4000;
			if (i % 10 == 0)
				ask_events(50, 500);
			else
				good(ID_ECHO, body, sizeof body);
		}
		stop_now = 1;
		pthread_join(t, 0);
		leave();
	}
}

/* change one chunk's size and header between the server's looks */
static volatile uint32_t *victim;
static void *swapper(void *arg)
{
	(void)arg;
	while (!stop_now) {
		victim[0] = 80; victim[4] = 80;
		victim[0] = 0xfffffff0; victim[4] = 0x7fffffff;
		victim[0] = 16; victim[4] = 1 << 20;
	}
	return 0;
}

static void mode_swap(void)
{
	for (int round = 0; round < 100; round++) {
		join();
		pthread_t t;
		stop_now = 0;
		victim = (volatile uint32_t *)req.data;
		pthread_create(&t, 0, swapper, 0);
		uint8_t body[64] = { 0 };
		req.hdr[WRITE_PT] = 0;
		good(ID_ECHO, body, 64);
		until_dropped(2);
		stop_now = 1;
		pthread_join(t, 0);
		leave();
	}
}

/* die after each step of the handshake, by SIGKILL */
static void mode_step(int step)
{
	uint8_t b[24];
	put_request(b, MAX_MSG);
	if (step == 0) {
		dial();
	} else if (step < 25) {
		int fd = dial();
		if (send(fd, b, step, MSG_NOSIGNAL) != step)
			die("send");
	} else if (step < 30) {
		int fd = dial();
		send(fd, b, 24, MSG_NOSIGNAL);
		size_t n = (size_t[]){ 0, 1, 24, 100, REPLY - 1 }[step - 25];
		if (n)
			recv(fd, reply, n, MSG_WAITALL);
	} else if (step == 30) {
		shake();
	} else if (step == 31) {
		shake();
		attach(&req, reply + 40);
		req.hdr[REFS]++;
	} else if (step == 32) {
		join();
	} else if (step == 33) {
		join();
		ask_events(1000, 1000);
	} else {
		join();
		uint32_t *w = (uint32_t *)req.data;
		w[1] = 0xA110CED0; /* in the middle of a write */
	}
	kill(getpid(), SIGKILL);
}

static void mode_garbage(int seed)
{
	srand(seed);
	for (int round = 0; round < 300; round++) {
		uint8_t b[400];
		size_t n = round % 3 == 0 ? 24 : rand() % sizeof b + 1;
		for (size_t i = 0; i < n; i++)
			b[i] = rand();
		if (round % 2)
			put_request(b, rand() % 4 ? 0xffffffffu >> rand() % 32 : 0);
		if (round % 7 == 0)
			*(int32_t *)(b + 8) = rand();
		int fd = dial();
		send(fd, b, n, MSG_NOSIGNAL);
		if (round % 2)
			recv(fd, reply, REPLY, MSG_WAITALL | (n < 24 ? MSG_DONTWAIT : 0));
		close(fd);
	}
}

/* send descriptors along with the handshake */
static void mode_rights(void)
{
	for (int round = 0; round < 50; round++) {
		uint8_t b[24];
		put_request(b, MAX_MSG);
		int fd = dial(), fds[10];
		for (int i = 0; i < 10; i++)
			fds[i] = 0;
		union { char buf[CMSG_SPACE(sizeof fds)]; struct cmsghdr align; } c;
		struct iovec iov = { b, round % 2 ? 24 : 7 };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf };
		struct cmsghdr *h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof fds);
		memcpy(CMSG_DATA(h), fds, sizeof fds);
		if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0)
			die("sendmsg");
		if (round % 2)
			recv(fd, reply, REPLY, MSG_WAITALL);
		close(fd);
	}
}

/* connect many times and say nothing */
static void mode_flood(int n)
{
	for (int i = 0; i < n; i++)
		dial();
	puts("flooding");
	fflush(stdout);
	pause();
}

/* ask for events for ever, read none */
static void mode_deaf(void)
{
	join();
	uint32_t b[2] = { 200, 5000 };
	for (int i = 0; i < 1000; i++) {
		good(ID_FLOOD, b, sizeof b);
		if (until_dropped(1))
			return;
	}
	must_drop();
}

static void mode_bytes(void)
{
	static char junk[65536];
	join();
	for (int i = 0; i < 1000; i++) {
		if (send(sock, junk, sizeof junk, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
			return;
		struct pollfd p = { .fd = sock, .events = POLLOUT };
		poll(&p, 1, 10);
	}
	must_drop();
}

/* take the memory out of the ring files, then fill the file system */
static void fill(const char *path)
{
	static char block[1 << 16];
	memset(block, 1, sizeof block);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	size_t n = sizeof block;
	while (n > 0) {
		ssize_t rc = write(fd, block, n);
		if (rc < 0 && errno != ENOSPC)
			die("fill");
		if (rc < 0)
			n /= 2;
	}
	close(fd);
}

static void mode_fill(int which)
{
	const char *junk = "/dev/shm/hostile-fill";
	if (which == 0) { /* the next client finds no room */
		fill(junk);
		int rc = shake();
		unlink(junk);
		if (rc != -ENOSPC) {
			fprintf(stderr, "connect with a full file system: %d\n", rc);
			exit(1);
		}
		return;
	}
	join();
	struct ring *r = which == 1 ? &res : &ev;
	int fd = open(r->data_path, O_RDWR);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, r->words * 4) < 0)
		die("punch");
	fill(junk);
	ask_events(1, 100);
	must_drop();
	unlink(junk);
}

/* leave things in the folder, and links where the files were */
static void mode_litter(void)
{
	char dir[4200], p[5000];
	join();
	strcpy(dir, reply + 40);
	*strrchr(dir, '/') = 0;
	for (int i = 0; i < 300; i++) {
		snprintf(p, sizeof p, "%s/junk%d", dir, i);
		if (i % 10 == 0)
			mkdir(p, 0700);
		else if (i % 10 == 1)
			symlink("/run/canary", p);
		else
			close(open(p, O_CREAT | O_RDWR, 0600));
	}
	unlink(req.hdr_path);
	symlink("/run/canary", req.hdr_path);
	unlink(ev.data_path);
	symlink("/run", ev.data_path);
	unlink(res.data_path);
	mkdir(res.data_path, 0700);
}

/* put a link to somebody else's folder in the place of ours */
static void mode_swapdir(void)
{
	char dir[4200], moved[4200];
	join();
	strcpy(dir, reply + 40);
	*strrchr(dir, '/') = 0;
	snprintf(moved, sizeof moved, "/dev/shm/hostile-moved");
	if (rename(dir, moved) < 0 || symlink("/run/canarydir", dir) < 0)
		die("rename");
	close(sock);
	usleep(300000);
	/* what is under a name of our own choice is ours to remove */
	unlink(dir);
	char cmd[4300];
	snprintf(cmd, sizeof cmd, "rm -rf %s", moved);
	exit(system(cmd) != 0);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	name = argv[1];
	const char *m = argv[2];
	int arg = argc > 3 ? atoi(argv[3]) : 0;
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(m, "truncate")) mode_truncate(arg);
	else if (!strcmp(m, "flicker")) mode_flicker();
	else if (!strcmp(m, "sizes")) mode_sizes(arg);
	else if (!strcmp(m, "ignored")) mode_ignored();
	else if (!strcmp(m, "scribble")) mode_scribble(arg);
	else if (!strcmp(m, "swap")) mode_swap();
	else if (!strcmp(m, "step")) mode_step(arg);
	else if (!strcmp(m, "garbage")) mode_garbage(arg);
	else if (!strcmp(m, "rights")) mode_rights();
	else if (!strcmp(m, "flood")) mode_flood(arg);
	else if (!strcmp(m, "deaf")) mode_deaf();
	else if (!strcmp(m, "bytes")) mode_bytes();
	else if (!strcmp(m, "fill")) mode_fill(arg);
	else if (!strcmp(m, "litter")) mode_litter();
	else if (!strcmp(m, "swapdir")) mode_swapdir();
	else return 2;
	return 0;
}
