/*
 * libcurl, loaded when something is to be sent for the first time: a program that sends nothing
 * does not pay for it at its start, and runs where it is not installed. The one file that includes
 * curl/curl.h; functions are called through a table, nothing links the library.
 */
#ifndef DEMON_LIBCURL_H
#define DEMON_LIBCURL_H

#include "base/base.h"

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

/* The oldest that works: name resolution that can be given up (7.87). */
#define DEMON_LIBCURL_OLDEST 0x075700

/* X(member, function) */
#define DEMON_LIBCURL_LIST(X)                            \
	X(global_init, curl_global_init)                 \
	X(version_info, curl_version_info)               \
	X(easy_init, curl_easy_init)                     \
	X(easy_cleanup, curl_easy_cleanup)               \
	X(easy_reset, curl_easy_reset)                   \
	X(easy_setopt, curl_easy_setopt)                 \
	X(easy_getinfo, curl_easy_getinfo)               \
	X(easy_strerror, curl_easy_strerror)             \
	X(multi_init, curl_multi_init)                   \
	X(multi_cleanup, curl_multi_cleanup)             \
	X(multi_add_handle, curl_multi_add_handle)       \
	X(multi_remove_handle, curl_multi_remove_handle) \
	X(multi_perform, curl_multi_perform)             \
	X(multi_poll, curl_multi_poll)                   \
	X(multi_info_read, curl_multi_info_read)         \
	X(multi_strerror, curl_multi_strerror)           \
	X(slist_append, curl_slist_append)               \
	X(slist_free_all, curl_slist_free_all)           \
	X(url, curl_url)                                 \
	X(url_cleanup, curl_url_cleanup)                 \
	X(url_get, curl_url_get)                         \
	X(url_set, curl_url_set)                         \
	X(getdate, curl_getdate)                         \
	X(free, curl_free)

#define DEMON_LIBCURL_MEMBER(member, function) __typeof__(function) *(member);
struct demon_libcurl {
	DEMON_LIBCURL_LIST(DEMON_LIBCURL_MEMBER)
};
#undef DEMON_LIBCURL_MEMBER

/**
 * The library, loaded and initialised by the first call; it is never unloaded. *ret_table is
 * static. DEMON_UNAVAIL: it is not installed, too old, or does not start; the next call tries
 * again. Any thread.
 */
enum demon_rc demon_libcurl(const struct demon_libcurl **ret_table, struct demon_err *err)
    demon_must_check;

/** Loads and initialises the library @p file, as above, into a table of the caller. */
enum demon_rc demon_libcurl_load(const char *file, struct demon_libcurl *ret_table,
				 struct demon_err *err) demon_must_check;

#endif
