/*
 * echo_server NAME shm|socket: a plain libqb server. Events that find no room
 * wait for a later turn of the loop, as Corosync's do. Says "ready".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <qb/qbipcs.h>
#include <qb/qbloop.h>
#include "echo.h"

static qb_loop_t *loop;
static char out[MAX_MSG];

/* One burst of events at a time is enough for the tests. */
static struct {
	qb_ipcs_connection_t *conn;
	uint64_t next, end;
	uint32_t size;
} burst;

static void send_events(void *data)
{
	(void)data;
	struct event *ev = (void *)out;
	while (burst.conn && burst.next < burst.end) {
		ev->hdr.id = ID_EVENTS;
		ev->hdr.size = sizeof *ev + burst.size;
		ev->hdr.error = 1;
		ev->number = burst.next;
		memset(ev->data, (uint8_t)burst.next, burst.size);
		ssize_t rc = qb_ipcs_event_send(burst.conn, ev, ev->hdr.size);
		if (rc == -EAGAIN || rc == -ENOBUFS) {
			qb_loop_job_add(loop, QB_LOOP_LOW, NULL, send_events);
			return;
		}
		if (rc < 0)
			return;
		burst.next++;
	}
}

static int32_t msg_process(qb_ipcs_connection_t *c, void *data, size_t size)
{
	struct qb_ipc_request_header *req = data;
	struct qb_ipc_response_header res = { req->id, sizeof res, 1 };
	struct iovec iov[2] = { { &res, sizeof res }, { (char *)data + sizeof *req, size - sizeof *req } };

	switch (req->id) {
	case ID_ECHO:
		res.size += iov[1].iov_len;
		qb_ipcs_response_sendv(c, iov, 2);
		break;
	case ID_EVENTS: {
		struct events_request *er = data;
		qb_ipcs_response_send(c, &res, sizeof res);
		burst.conn = c;
		burst.next = 0;
		burst.end = er->count;
		burst.size = er->size;
		send_events(NULL);
		break;
	}
	}
	return 0;
}

static int32_t accept_all(qb_ipcs_connection_t *c, uid_t u, gid_t g)
{
	(void)c, (void)u, (void)g;
	return 0;
}

static void created(qb_ipcs_connection_t *c) { (void)c; }

static int32_t closed(qb_ipcs_connection_t *c)
{
	if (burst.conn == c)
		burst.conn = NULL;
	return 0;
}

static void destroyed(qb_ipcs_connection_t *c) { (void)c; }

static int32_t job_add(enum qb_loop_priority p, void *d, qb_loop_job_dispatch_fn f)
{
	return qb_loop_job_add(loop, p, d, f);
}

static int32_t fd_add(enum qb_loop_priority p, int32_t fd, int32_t ev, void *d, qb_ipcs_dispatch_fn_t f)
{
	return qb_loop_poll_add(loop, p, fd, ev, d, f);
}

static int32_t fd_mod(enum qb_loop_priority p, int32_t fd, int32_t ev, void *d, qb_ipcs_dispatch_fn_t f)
{
	return qb_loop_poll_mod(loop, p, fd, ev, d, f);
}

static int32_t fd_del(int32_t fd) { return qb_loop_poll_del(loop, fd); }

static int32_t stop(int32_t sig, void *data)
{
	(void)sig;
	qb_ipcs_destroy(data);
	qb_loop_stop(loop);
	return 0;
}

int main(int argc, char **argv)
{
	struct qb_ipcs_service_handlers h = { accept_all, created, msg_process, closed, destroyed };
	struct qb_ipcs_poll_handlers p = { job_add, fd_add, fd_mod, fd_del };
	if (argc != 3)
		return 2;
	loop = qb_loop_create();
	qb_ipcs_service_t *s = qb_ipcs_create(argv[1], 0,
		strcmp(argv[2], "socket") ? QB_IPC_SHM : QB_IPC_SOCKET, &h);
	qb_ipcs_poll_handlers_set(s, &p);
	if (qb_ipcs_run(s) != 0)
		return 1;
	qb_loop_signal_handle sig;
	qb_loop_signal_add(loop, QB_LOOP_HIGH, SIGTERM, s, stop, &sig);
	puts("ready");
	fflush(stdout);
	qb_loop_run(loop);
	return 0;
}
