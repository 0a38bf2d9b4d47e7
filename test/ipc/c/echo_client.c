/*
 * echo_client NAME check|rtt|events COUNT SIZE: a plain libqb client.
 *   check   echoes of many sizes, then COUNT events of SIZE bytes, all verified
 *   rtt     COUNT echoes of SIZE bytes, prints nanoseconds for one
 *   async   COUNT requests without answer, then one with; prints ns for one
 *   events  COUNT events of SIZE bytes, prints nanoseconds for one
 *   hold    connects, says "connected" and waits for the end of its input
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <qb/qbipcc.h>
#include "echo.h"

static qb_ipcc_connection_t *conn;
static char out[MAX_MSG], in[MAX_MSG];

static void die(const char *what, long rc)
{
	printf("%s: %ld (%s)\n", what, rc, strerror(rc < 0 ? -rc : 0));
	exit(1);
}

static double now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void echo(size_t n, int verify)
{
	struct qb_ipc_request_header *req = (void *)out;
	struct qb_ipc_response_header *res = (void *)in;
	struct iovec iov = { out, sizeof *req + n };
	ssize_t rc;

	req->id = ID_ECHO;
	req->size = iov.iov_len;
	if (verify)
		memset(out + sizeof *req, (int)(n % 251), n);
	rc = qb_ipcc_sendv_recv(conn, &iov, 1, in, sizeof in, -1);
	if (rc != (ssize_t)(sizeof *res + n) || res->size != rc || res->id != ID_ECHO || res->error != 1)
		die("echo", rc);
	if (verify && memcmp(out + sizeof *req, in + sizeof *res, n))
		die("echo came back changed", n);
}

static void recv_event(uint64_t number, size_t size)
{
	struct event *ev = (void *)in;
	ssize_t rc = qb_ipcc_event_recv(conn, in, sizeof in, 30000);
	if (rc != (ssize_t)(sizeof *ev + size) || ev->hdr.size != rc || ev->number != number)
		die("event", rc);
	if (size && (ev->data[0] != (uint8_t)number || ev->data[size - 1] != (uint8_t)number))
		die("event content", number);
}

static void ask_events(uint32_t count, uint32_t size)
{
	struct events_request req = { { ID_EVENTS, sizeof req }, count, size };
	struct iovec iov = { &req, sizeof req };
	ssize_t rc = qb_ipcc_sendv_recv(conn, &iov, 1, in, sizeof in, -1);
	if (rc != sizeof(struct qb_ipc_response_header))
		die("ask for events", rc);
}

static void check(uint32_t count, uint32_t size, size_t largest)
{
	for (int round = 0; round < 40; round++) {
		for (size_t n = 0; n < 300; n += 7)
			echo(n, 1);
		for (size_t n = 1000; n <= largest; n = n * 3 + round)
			echo(n, 1);
		echo(largest, 1);
	}
	ask_events(count, size);
	for (uint32_t i = 0; i < count; i++)
		recv_event(i, size);
	struct pollfd p = { .events = POLLIN };
	qb_ipcc_fd_get(conn, &p.fd);
	if (poll(&p, 1, 0) != 0)
		die("the descriptor is readable without an event", p.revents);
}

int main(int argc, char **argv)
{
	if (argc != 5)
		die("usage: echo_client NAME MODE COUNT SIZE", 0);
	long count = atol(argv[3]), size = atol(argv[4]);
	conn = qb_ipcc_connect(argv[1], MAX_MSG);
	if (!conn)
		die("connect", -errno);
	double start = now_ns();
	if (!strcmp(argv[2], "check")) {
		size_t largest = MAX_MSG - sizeof(struct qb_ipc_response_header);
		if (getenv("LARGEST"))
			largest = atol(getenv("LARGEST"));
		check(count, size, largest);
		puts("ok");
	} else if (!strcmp(argv[2], "rtt")) {
		for (long i = 0; i < count; i++)
			echo(size, 0);
		printf("%.0f\n", (now_ns() - start) / count);
	} else if (!strcmp(argv[2], "async")) {
		struct qb_ipc_request_header *req = (void *)out;
		req->id = ID_SILENT;
		req->size = sizeof *req + size;
		for (long i = 0; i < count; i++) {
			ssize_t rc;
			while ((rc = qb_ipcc_send(conn, out, req->size)) == -EAGAIN)
				usleep(50);
			if (rc != req->size)
				die("send", rc);
		}
		echo(0, 0);
		printf("%.0f\n", (now_ns() - start) / count);
	} else if (!strcmp(argv[2], "events")) {
		ask_events(count, size);
		for (long i = 0; i < count; i++)
			recv_event(i, size);
		printf("%.0f\n", (now_ns() - start) / count);
	} else {
		puts("connected");
		fflush(stdout);
		while (read(0, in, 1) > 0)
			;
	}
	qb_ipcc_disconnect(conn);
	return 0;
}
