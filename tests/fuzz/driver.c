/*
 * Runs the files of the folders given as arguments through a fuzz target, without libFuzzer.
 * Fails when a folder cannot be read or there was no file at all.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* In memory of the exact size, so that reading past the end is found. */
static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *bytes = NULL;
	size_t size;
	int failed = 1;

	if (!f || fstat(fileno(f), &st) != 0)
		goto out;
	size = (size_t)st.st_size;
	bytes = malloc(size ? size : 1);
	if (!bytes || fread(bytes, 1, size, f) != size)
		goto out;
	failed = LLVMFuzzerTestOneInput(bytes, size);
out:
	if (failed)
		(void)fprintf(stderr, "%s: %s\n", path, strerror(errno)); /* NOLINT: one thread */
	free(bytes);
	if (f)
		(void)fclose(f);
	return failed;
}

static int run_folder(const char *folder, unsigned *count)
{
	struct dirent **entries = NULL;
	int n = scandir(folder, &entries, NULL, alphasort);
	int failed = n < 0;

	if (n < 0)
		(void)fprintf(stderr, "%s: %s\n", folder, strerror(errno)); /* NOLINT: one thread */
	for (int i = 0; i < n; i++) {
		char path[4096];

		(void)snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.') {
			failed |= run_file(path);
			(*count)++;
		}
		free(entries[i]);
	}
	free(entries);
	return failed;
}

int main(int argc, char **argv)
{
	unsigned count = 0;
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= run_folder(argv[i], &count);
	(void)fprintf(stderr, "%u inputs\n", count);
	return failed || count == 0;
}
