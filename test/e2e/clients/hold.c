/* hold CLIENTS: that many connections to the groups' service, each a member of
 * a group, until standard input ends. The first line says "ready". */
#include <corosync/cpg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
	if (argc != 2) return 2;
	cpg_callbacks_t none = {0};
	for (int i = 0; i < atoi(argv[1]); i++) {
		cpg_handle_t h;
		struct cpg_name group;
		int err;
		group.length = snprintf(group.value, sizeof group.value, "hold-%d", i);
		while ((err = cpg_initialize(&h, &none)) == CS_ERR_TRY_AGAIN) poll(0, 0, 10);
		while (err == CS_OK && (err = cpg_join(h, &group)) == CS_ERR_TRY_AGAIN) { err = CS_OK; poll(0, 0, 10); }
		if (err != CS_OK) { fprintf(stderr, "hold: client %d: cpg error %d\n", i + 1, err); return 1; }
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF) {}
	return 0;
}
