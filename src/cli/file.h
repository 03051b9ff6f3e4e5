/*
 * Whole files in and out.
 */
#ifndef DEMON_FILE_H
#define DEMON_FILE_H

#include "base/buf.h"

/**
 * Opens a regular file for reading, or standard input (descriptor 0) when @p path is "-".
 * *ret_size, which may be NULL, stays when the size is not known. A FIFO is refused, not waited
 * for. DEMON_NOTFOUND, DEMON_INVALID a folder, FIFO or device, DEMON_IO.
 */
enum demon_rc demon_file_open(const char *path, int *ret_fd, int64_t *ret_size,
			      struct demon_err *err) demon_must_check;

/**
 * Reads a regular file, or standard input when @p path is "-", into @p out. out->max is the limit.
 *
 * DEMON_NOTFOUND no such file; DEMON_INVALID a folder, FIFO, device; DEMON_TOOBIG more than the
 * limit; DEMON_IO, DEMON_NOMEM. The message names the path.
 */
enum demon_rc demon_file_read(const char *path, struct demon_buf *out, struct demon_err *err)
    demon_must_check;

/** A file that replaces another whole or not at all: written beside it, synced, renamed. */
struct demon_new_file {
	char *path;      /* owned; NULL: not begun */
	char *temporary; /* owned */
	int fd;
};

#define DEMON_NEW_FILE(name) \
	demon_cleanup(demon_new_file_done) struct demon_new_file name = {.fd = -1}

enum demon_rc demon_new_file_begin(struct demon_new_file *f, const char *path,
				   struct demon_err *err) demon_must_check;
enum demon_rc demon_new_file_add(struct demon_new_file *f, const char *bytes, size_t n,
				 struct demon_err *err) demon_must_check;
enum demon_rc demon_new_file_commit(struct demon_new_file *f, struct demon_err *err)
    demon_must_check;
/** Removes what was not committed. */
void demon_new_file_done(struct demon_new_file *f);

#endif
