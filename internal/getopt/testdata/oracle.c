/* Runs glibc's getopt over its arguments: oracle SHORT l|s ARGUMENTS… */
#include <getopt.h>
#include <stdio.h>

static struct option table[] = {
	{"if", required_argument, 0, 'i'},   {"status", no_argument, 0, 's'},
	{"start", no_argument, 0, 'S'},      {"nodes", no_argument, 0, 'n'},
	{"reload", no_argument, 0, 'R'},     {"reopen", no_argument, 0, 'R'},
	{"opt", optional_argument, 0, 'o'},  {"force", no_argument, 0, 0},
	{"reset", required_argument, 0, 'r'}, {0, 0, 0, 0}};

int main(int argc, char **argv)
{
	char *shorts = argv[1];
	int wide = argv[2][0] == 'l', n = argc - 2, c, index = 0;
	char **v = argv + 2;

	v[0] = "prog";
	while ((c = wide ? getopt_long(n, v, shorts, table, &index) : getopt(n, v, shorts)) != -1) {
		printf("%d", c);
		if (optarg)
			printf("=[%s]", optarg);
		if (c == '?' || c == ':')
			printf(" opt=%d", optopt);
		printf("\n");
	}
	for (int i = optind; i < n; i++)
		printf("rest [%s]\n", v[i]);
	return 0;
}
