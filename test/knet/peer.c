//go:build ignore

/*
 * One host of libknet's, told by lines on stdin what to do. It is node 2 and has one
 * UDP link to node 1. Each command is answered by `NAME RC ERRNO`; beside that it
 * prints `got HEX` for data, `reachable 0|1`, and `log LEVEL SUBSYSTEM: TEXT`.
 *
 * usage: peer OWN-PORT OTHER-PORT MTU
 */
#include <errno.h>
#include <libknet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE (2 * KNET_MAX_PACKET_SIZE + 1000)

static knet_handle_t handle;
static int datafd, logs[2];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void reachable(void *data, knet_node_id_t host, uint8_t is, uint8_t remote, uint8_t external)
{
	(void)data, (void)host, (void)remote, (void)external;
	printf("reachable %d\n", is);
}

static void broken(void *data, int fd, int8_t channel, uint8_t tx, int error, int errorno)
{
	(void)data, (void)fd, (void)channel;
	printf("log 0 datafd: tx %d error %d %s\n", tx, error, strerror(errorno));
}

static size_t unhex(const char *hex, unsigned char *out)
{
	size_t n = 0;
	unsigned int byte;

	while (sscanf(hex + 2 * n, "%2x", &byte) == 1)
		out[n++] = byte;
	return n;
}

static void answer(const char *name, int rc)
{
	printf("%s %d %d\n", name, rc, rc ? errno : 0);
}

static void command(char *line)
{
	static unsigned char data[KNET_MAX_PACKET_SIZE];
	static char hex[LINE];
	struct knet_handle_crypto_cfg crypto = { .private_key_len = 0 };
	struct knet_handle_compress_cfg compress = { .compress_level = 0 };
	unsigned int n;

	if (sscanf(line, "crypto %u %15s %15s %15s %s", &n, crypto.crypto_model,
		   crypto.crypto_cipher_type, crypto.crypto_hash_type, hex) == 5) {
		if (strlen(hex) <= 2 * KNET_MAX_KEY_LEN)
			crypto.private_key_len = unhex(hex, crypto.private_key);
		answer("crypto", knet_handle_crypto_set_config(handle, &crypto, n));
	} else if (sscanf(line, "use %u", &n) == 1) {
		answer("use", knet_handle_crypto_use_config(handle, n));
	} else if (sscanf(line, "clear-traffic %u", &n) == 1) {
		answer("clear-traffic", knet_handle_crypto_rx_clear_traffic(handle, n));
	} else if (sscanf(line, "compress %15s %d %u", compress.compress_model,
			  &compress.compress_level, &compress.compress_threshold) == 3) {
		answer("compress", knet_handle_compress(handle, &compress));
	} else if (sscanf(line, "send %s", hex) == 1) {
		n = unhex(hex, data);
		answer("send", write(datafd, data, n) == (ssize_t)n ? 0 : -1);
	} else {
		printf("unknown command\n");
	}
}

static void start(const char *own, const char *other, unsigned int mtu)
{
	struct sockaddr_storage src, dst;
	int8_t channel = 0;

	if (pipe(logs))
		die("pipe");
	handle = knet_handle_new_ex(2, logs[1], KNET_LOG_WARN, 0);
	if (!handle)
		die("knet_handle_new");
	if (knet_handle_enable_sock_notify(handle, NULL, broken) ||
	    knet_host_enable_status_change_notify(handle, NULL, reachable) ||
	    knet_handle_add_datafd(handle, &datafd, &channel) ||
	    knet_handle_pmtud_set(handle, mtu) ||
	    knet_host_add(handle, 1) ||
	    knet_strtoaddr("127.0.0.1", own, &src, sizeof(src)) ||
	    knet_strtoaddr("127.0.0.1", other, &dst, sizeof(dst)) ||
	    knet_link_set_config(handle, 1, 0, KNET_TRANSPORT_UDP, &src, &dst, 0) ||
	    knet_link_set_pong_count(handle, 1, 0, 1) ||
	    knet_link_set_ping_timers(handle, 1, 0, 100, 20000, 2048) ||
	    knet_link_set_enable(handle, 1, 0, 1) ||
	    knet_handle_setfwd(handle, 1))
		die("knet");
}

int main(int argc, char **argv)
{
	static char line[LINE], data[KNET_MAX_PACKET_SIZE];
	struct knet_log_msg msg;
	ssize_t n;

	if (argc != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, LINE);
	setvbuf(stdin, NULL, _IONBF, 0);
	start(argv[1], argv[2], atoi(argv[3]));
	printf("ready\n");
	for (;;) {
		struct pollfd fds[] = { { 0, POLLIN, 0 }, { datafd, POLLIN, 0 }, { logs[0], POLLIN, 0 } };

		if (poll(fds, 3, -1) < 0)
			die("poll");
		if (fds[2].revents & POLLIN && read(logs[0], &msg, sizeof(msg)) == sizeof(msg))
			printf("log %d %s: %s\n", msg.msglevel,
			       knet_log_get_subsystem_name(msg.subsystem), msg.msg);
		if (fds[1].revents & POLLIN) {
			n = read(datafd, data, sizeof(data));
			if (n <= 0)
				die("datafd");
			flockfile(stdout);
			fputs("got ", stdout);
			for (ssize_t i = 0; i < n; i++)
				printf("%02x", (unsigned char)data[i]);
			putchar('\n');
			funlockfile(stdout);
		}
		if (fds[0].revents & (POLLIN | POLLHUP)) {
			if (!fgets(line, sizeof(line), stdin))
				return 0;
			command(line);
		}
	}
}
