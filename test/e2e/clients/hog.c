/* hog cpu|memory MIB: takes a processor, or takes, fills and frees MIB of
 * memory over and over, until it is killed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int main(int argc, char **argv) {
	if (argc == 2 && strcmp(argv[1], "cpu") == 0)
		for (volatile unsigned long i = 0;; i++) {}
	if (argc != 3) { fprintf(stderr, "usage: hog cpu | hog memory MIB\n"); return 2; }
	size_t size = (size_t)atol(argv[2]) << 20;
	for (;;) {
		char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED) return 1;
		memset(p, 1, size);
		munmap(p, size);
	}
}
