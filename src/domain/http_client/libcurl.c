#include "libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

/* The library's ABI has been 4 since 2006. */
#define LIBRARY "libcurl.so.4"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct demon_libcurl table; /* written once, under the lock */
static bool loaded;                /* under the lock */

/* The address of a function as POSIX says it is read: ISO C has no cast from an object's. */
static bool find(void *library, const char *name, void *ret_function)
{
	void *address = dlsym(library, name);

	memcpy(ret_function, &address, sizeof(address));
	return address != NULL;
}

static enum demon_rc fill(void *library, const char *file, struct demon_libcurl *t,
			  struct demon_err *err)
{
	const char *missing = NULL;

#define FIND(member, function)                                           \
	if (!find(library, #function, (void *)&t->member) || !t->member) \
		missing = missing ? missing : #function;
	DEMON_LIBCURL_LIST(FIND)
#undef FIND
	if (missing)
		return demon_err_set(err, DEMON_UNAVAIL, "HTTP client: '%s' has no function '%s'",
				     file, missing);
	return DEMON_OK;
}

static enum demon_rc start(const struct demon_libcurl *t, struct demon_err *err)
{
	const curl_version_info_data *v;
	CURLcode code = t->global_init(CURL_GLOBAL_DEFAULT);

	if (code)
		return demon_err_set(err, DEMON_UNAVAIL, "HTTP client: libcurl does not start: %s",
				     t->easy_strerror(code));
	v = t->version_info(CURLVERSION_NOW);
	if (v->version_num < DEMON_LIBCURL_OLDEST)
		return demon_err_set(err, DEMON_UNAVAIL,
				     "HTTP client: libcurl %s is too old: expected 7.87.0 or later",
				     v->version);
	if (!(v->features & CURL_VERSION_ASYNCHDNS) || !(v->features & CURL_VERSION_SSL))
		return demon_err_set(err, DEMON_UNAVAIL,
				     "HTTP client: libcurl %s was built without TLS or without "
				     "asynchronous name resolution",
				     v->version);
	return DEMON_OK;
}

enum demon_rc demon_libcurl_load(const char *file, struct demon_libcurl *ret_table,
				 struct demon_err *err)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	struct demon_libcurl t = {0};
	enum demon_rc rc;

	if (!library)
		/* dlerror's text is this thread's own */
		return demon_err_set(err, DEMON_UNAVAIL, "HTTP client: cannot load libcurl: %s",
				     dlerror()); /* NOLINT(concurrency-mt-unsafe) */
	if ((rc = fill(library, file, &t, err))) {
		(void)dlclose(library);
		return rc;
	}
	if ((rc = start(&t, err)))
		return rc;
	*ret_table = t;
	return DEMON_OK;
}

enum demon_rc demon_libcurl(const struct demon_libcurl **ret_table, struct demon_err *err)
{
	enum demon_rc rc = DEMON_OK;

	(void)pthread_mutex_lock(&lock);
	if (!loaded)
		rc = demon_libcurl_load(LIBRARY, &table, err);
	if (!rc) {
		loaded = true;
		*ret_table = &table;
	}
	(void)pthread_mutex_unlock(&lock);
	return rc;
}
