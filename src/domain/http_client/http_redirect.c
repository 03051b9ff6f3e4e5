#include "http_redirect.h"

#include <string.h>
#include <strings.h>

struct origin {
	char *scheme; /* each to be freed by the library */
	char *host;
	char *port;
};

static void free_origin(const struct demon_libcurl *curl, const struct origin *o)
{
	curl->free(o->scheme);
	curl->free(o->host);
	curl->free(o->port);
}

static bool is_spoken(const char *scheme)
{
	return strcasecmp(scheme, "http") == 0 || strcasecmp(scheme, "https") == 0;
}

/* Why the URL is not one to ask, or NULL; the origin then is whole. */
static const char *read_origin(const struct demon_libcurl *curl, CURLU *url, struct origin *o)
{
	if (curl->url_get(url, CURLUPART_SCHEME, &o->scheme, 0))
		return "to what is not a URL";
	if (!is_spoken(o->scheme))
		return "to something other than http and https";
	if (curl->url_get(url, CURLUPART_HOST, &o->host, 0) ||
	    curl->url_get(url, CURLUPART_PORT, &o->port, CURLU_DEFAULT_PORT))
		return "to what is not a URL";
	return NULL;
}

/* Any scheme is read, so that it can be refused by name. */
static bool go_to(const struct demon_libcurl *curl, CURLU *url, const char *location)
{
	return !curl->url_set(url, CURLUPART_URL, location,
			      CURLU_NON_SUPPORT_SCHEME | CURLU_URLENCODE) &&
	       !curl->url_set(url, CURLUPART_USER, NULL, 0) &&
	       !curl->url_set(url, CURLUPART_PASSWORD, NULL, 0) &&
	       !curl->url_set(url, CURLUPART_FRAGMENT, NULL, 0);
}

static void resolve(const struct demon_libcurl *curl, CURLU *url, const char *location,
		    struct demon_http_redirect *ret)
{
	struct origin from = {0};
	struct origin to = {0};

	ret->refused = read_origin(curl, url, &from);
	if (!ret->refused && !go_to(curl, url, location))
		ret->refused = "to what is not a URL";
	if (!ret->refused)
		ret->refused = read_origin(curl, url, &to);
	if (!ret->refused) {
		bool same_scheme = strcasecmp(from.scheme, to.scheme) == 0;

		if (!same_scheme && strcasecmp(from.scheme, "https") == 0)
			ret->refused = "from https to http";
		ret->same_origin = same_scheme && strcasecmp(from.host, to.host) == 0 &&
				   strcmp(from.port, to.port) == 0;
	}
	free_origin(curl, &from);
	free_origin(curl, &to);
}

enum demon_rc demon_http_redirect(const struct demon_libcurl *curl, const char *from,
				  const char *location, struct demon_http_redirect *ret,
				  struct demon_err *err)
{
	CURLU *url = curl->url();
	char *text = NULL;

	*ret = (struct demon_http_redirect){0};
	if (url && !curl->url_set(url, CURLUPART_URL, from, 0)) {
		resolve(curl, url, location, ret);
		if (!ret->refused && !curl->url_get(url, CURLUPART_URL, &text, 0))
			ret->url = demon_strdup(text);
	}
	curl->free(text);
	curl->url_cleanup(url);
	if (!ret->refused && !ret->url)
		return demon_err_set(err, DEMON_NOMEM, "redirect: out of memory");
	return DEMON_OK;
}

bool demon_http_redirect_to_get(int status, const char *method)
{
	if (status == 303)
		return strcmp(method, "HEAD") != 0;
	return (status == 301 || status == 302) && strcmp(method, "POST") == 0;
}

bool demon_http_is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}
