#include "libnats.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

struct demon_libnats demon_nats;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded; /* under the lock */

/* The address of a function as POSIX says it is read: ISO C has no cast from an object's. */
static bool find(void *library, const char *name, void *ret_function)
{
	void *address = dlsym(library, name);

	memcpy(ret_function, &address, sizeof(address));
	return address != NULL;
}

/* The name is that of the library whose header this was compiled with: structures of other versions
 * may differ. */
static enum demon_rc load(struct demon_err *err)
{
	void *library = dlopen(DEMON_NATS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
	struct demon_libnats table = {0};
	const char *missing = NULL;

	if (!library)
		/* dlerror's text is this thread's own */
		return demon_err_set(err, DEMON_UNAVAIL, "NATS: cannot load the library: %s",
				     dlerror()); /* NOLINT(concurrency-mt-unsafe) */
#define FIND(function)                                          \
	if (!find(library, #function, (void *)&table.function)) \
		missing = missing ? missing : #function;
	DEMON_LIBNATS_LIST(FIND)
#undef FIND
	if (missing) {
		(void)dlclose(library);
		return demon_err_set(err, DEMON_UNAVAIL, "NATS: '%s' has no function '%s'",
				     DEMON_NATS_LIBRARY, missing);
	}
	demon_nats = table;
	return DEMON_OK;
}

enum demon_rc demon_libnats_load(struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	(void)pthread_mutex_lock(&lock);
	if (!loaded)
		rc = load(err);
	loaded = !rc;
	(void)pthread_mutex_unlock(&lock);
	return rc;
}
