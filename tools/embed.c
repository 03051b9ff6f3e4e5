/*
 * Turns files into a C table: embed OUTPUT SYMBOL FILE…
 *
 * Runs at build time only. The table is sorted as the arguments are and ends with a NULL name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *path)
{
	(void)fprintf(stderr, "embed: %s '%s'\n", what, path);
	exit(1);
}

static size_t emit_bytes(FILE *out, const char *path, size_t index)
{
	FILE *in = fopen(path, "rb");
	size_t n = 0;
	int c;

	if (!in)
		die("cannot read", path);
	(void)fprintf(out, "static const unsigned char file_%zu[] = {", index);
	while ((c = getc(in)) != EOF) {
		(void)fprintf(out, "%s%d,", n % 24 == 0 ? "\n" : "", c);
		n++;
	}
	(void)fprintf(out, "0};\n");
	if (ferror(in) || fclose(in) != 0)
		die("cannot read", path);
	return n;
}

int main(int argc, char **argv)
{
	FILE *out;
	size_t count;
	size_t *sizes;

	if (argc < 3)
		die("usage: embed OUTPUT SYMBOL FILE…", "");
	count = (size_t)argc - 3;
	sizes = calloc(count + 1, sizeof(*sizes));
	out = fopen(argv[1], "w");
	if (!out || !sizes)
		die("cannot write", argv[1]);
	(void)fprintf(out, "#include \"base/embedded.h\"\n");
	for (size_t i = 0; i < count; i++)
		sizes[i] = emit_bytes(out, argv[3 + i], i);
	(void)fprintf(out, "extern const struct demon_embedded %s[];\n", argv[2]);
	(void)fprintf(out, "const struct demon_embedded %s[] = {\n", argv[2]);
	for (size_t i = 0; i < count; i++) {
		const char *slash = strrchr(argv[3 + i], '/');

		(void)fprintf(out, "\t{\"%s\", (const char *)file_%zu, %zu},\n",
			      slash ? slash + 1 : argv[3 + i], i, sizes[i]);
	}
	(void)fprintf(out, "\t{0, 0, 0},\n};\n");
	free(sizes);
	if (fclose(out) != 0)
		die("cannot write", argv[1]);
	return 0;
}
