#include "wake.h"

#include "base/buf.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 1000

enum demon_rc demon_wake_open(struct demon_wake *ret_wake, struct demon_err *err)
{
	struct demon_wake wake = {.watch = -1, .cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

	if (wake.cancel < 0)
		return demon_err_sys(err, DEMON_IO, errno, "cannot make an eventfd");
	*ret_wake = wake;
	return DEMON_OK;
}

enum demon_rc demon_wake_watch(struct demon_wake *wake, const char *db_path, struct demon_err *err)
{
	DEMON_BUF(path, 0);
	enum demon_rc rc;

	if (wake->watching)
		return DEMON_OK;
	demon_buf_fmt(&path, "%s.lock", db_path);
	if ((rc = demon_buf_rc(&path, err)))
		return rc;
	wake->watching = true;
	wake->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (wake->watch >= 0 && inotify_add_watch(wake->watch, path.data, IN_ACCESS) < 0) {
		(void)close(wake->watch);
		wake->watch = -1;
	}
	return DEMON_OK;
}

void demon_wake_close(struct demon_wake *wake)
{
	if (wake->watch >= 0)
		(void)close(wake->watch);
	if (wake->cancel >= 0)
		(void)close(wake->cancel);
	*wake = (struct demon_wake){.watch = -1, .cancel = -1};
}

static void drain(int fd)
{
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

enum demon_rc demon_wake_wait(struct demon_wake *wake, int64_t ms, struct demon_err *err)
{
	struct pollfd fds[2] = {{wake->cancel, POLLIN, 0}, {wake->watch, POLLIN, 0}};
	int limit = ms < LOOK_AGAIN_MS ? (int)(ms < 0 ? 0 : ms) : LOOK_AGAIN_MS;

	if (poll(fds, 2, limit) < 0 && errno != EINTR)
		return demon_err_sys(err, DEMON_IO, errno, "cannot wait for a commit");
	if (fds[0].revents)
		return demon_err_set(err, DEMON_CANCELED, "the reader was canceled");
	if (fds[1].revents)
		drain(wake->watch);
	return DEMON_OK;
}

void demon_wake_cancel(struct demon_wake *wake)
{
	uint64_t one = 1;

	(void)!write(wake->cancel, &one, sizeof(one));
}
