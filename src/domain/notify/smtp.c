#include "smtp.h"

#include "domain/http_client/libcurl.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_MS 10000
#define ASK_MS     200

struct exchange {
	const struct demon_libcurl *curl;
	const struct demon_smtp_request *request;
	CURL *easy;
	CURLM *multi;
	struct curl_slist *to;
	size_t given; /* bytes of the mail that the library has */
	demon_ticks deadline;
	char said[160]; /* the server's last line */
	char error[CURL_ERROR_SIZE];
};

static void exchange_done(struct exchange *x)
{
	if (!x->curl)
		return;
	if (x->multi && x->easy)
		(void)x->curl->multi_remove_handle(x->multi, x->easy);
	if (x->easy)
		x->curl->easy_cleanup(x->easy);
	if (x->multi)
		(void)x->curl->multi_cleanup(x->multi);
	if (x->to)
		x->curl->slist_free_all(x->to);
}

static size_t on_read(char *out, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;
	size_t left = x->request->mail_len - x->given;
	size_t n = size * count < left ? size * count : left;

	memcpy(out, x->request->mail + x->given, n);
	x->given += n;
	return n;
}

static size_t on_line(char *line, size_t size, size_t count, void *ctx)
{
	struct exchange *x = ctx;
	size_t len = size * count;
	size_t n = len < sizeof(x->said) - 1 ? len : sizeof(x->said) - 1;

	memcpy(x->said, line, n);
	x->said[n] = '\0';
	return len;
}

static size_t on_body(const char *bytes, size_t size, size_t count, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * count;
}

/* The first option that is refused sticks. */
#define SET(option, value)                                              \
	do {                                                            \
		if (!code)                                              \
			code = set(x->easy, CURLOPT_##option, (value)); \
	} while (0)

static CURLcode set_security(const struct exchange *x)
{
	__typeof__(curl_easy_setopt) *set = x->curl->easy_setopt;
	const struct demon_smtp_request *r = x->request;
	CURLcode code = CURLE_OK;

	SET(USE_SSL, (long)(r->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL));
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	if (r->ca_file) {
		SET(CAINFO, r->ca_file);
		SET(CAPATH, (char *)NULL);
	}
	if (r->username) {
		SET(USERNAME, r->username);
		SET(PASSWORD, r->password);
	}
	return code;
}

static CURLcode set_options(struct exchange *x, const char *from)
{
	__typeof__(curl_easy_setopt) *set = x->curl->easy_setopt;
	const struct demon_smtp_request *r = x->request;
	CURLcode code = CURLE_OK;

	SET(ERRORBUFFER, x->error);
	SET(NOSIGNAL, 1L);
	SET(QUICK_EXIT, 1L); /* a resolver that does not answer is left behind */
	SET(PROTOCOLS_STR, "smtp,smtps");
	SET(PROXY, ""); /* also none from the environment */
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	SET(CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	SET(URL, r->url);
	SET(MAIL_FROM, from);
	SET(MAIL_RCPT, x->to);
	SET(UPLOAD, 1L);
	SET(INFILESIZE_LARGE, (curl_off_t)r->mail_len);
	SET(READFUNCTION, on_read);
	SET(READDATA, x);
	SET(HEADERFUNCTION, on_line);
	SET(HEADERDATA, x);
	SET(WRITEFUNCTION, on_body);
	return code ? code : set_security(x);
}
#undef SET

static enum demon_rc refused(const struct exchange *x, CURLcode code, struct demon_err *err)
{
	return demon_err_set(err, code == CURLE_OUT_OF_MEMORY ? DEMON_NOMEM : DEMON_INTERNAL,
			     "mail client: %s", x->curl->easy_strerror(code));
}

static demon_ticks mono(const struct exchange *x)
{
	return x->request->env->mono(x->request->env->ctx);
}

/* One line, without what the terminal would take for commands. */
static void say(struct demon_smtp_response *out, const char *text)
{
	(void)snprintf(out->reason, sizeof(out->reason), "%s", text);
	for (char *p = out->reason; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			*p = ' ';
	for (size_t n = strlen(out->reason); n && out->reason[n - 1] == ' '; n--)
		out->reason[n - 1] = '\0';
}

/* True: the exchange is to be given up, and why is said. */
static bool is_given_up(const struct exchange *x, struct demon_smtp_response *out)
{
	const struct demon_smtp_request *r = x->request;

	out->canceled = r->canceled && r->canceled(r->ctx);
	if (!out->canceled && mono(x) < x->deadline)
		return false;
	say(out, out->canceled ? "canceled" : "its time was up");
	return true;
}

static void conclude(const struct exchange *x, CURLcode code, struct demon_smtp_response *out)
{
	long status = 0;

	(void)x->curl->easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	out->status = (int)status;
	out->sent = code == CURLE_OK;
	if (!code)
		return;
	if (status >= 400)
		say(out, x->said);
	else
		say(out, x->error[0] ? x->error : x->curl->easy_strerror(code));
}

static enum demon_rc drive(struct exchange *x, struct demon_smtp_response *out,
			   struct demon_err *err)
{
	CURLMcode failed = x->curl->multi_add_handle(x->multi, x->easy);
	const CURLMsg *message;
	int running = 1;
	int queued;

	while (!failed && !(failed = x->curl->multi_perform(x->multi, &running))) {
		if (running == 0 && (message = x->curl->multi_info_read(x->multi, &queued))) {
			conclude(x, message->data.result, out);
			return DEMON_OK;
		}
		if (is_given_up(x, out))
			return DEMON_OK;
		failed = x->curl->multi_poll(x->multi, NULL, 0, ASK_MS, NULL);
	}
	return demon_err_set(err, failed == CURLM_OUT_OF_MEMORY ? DEMON_NOMEM : DEMON_INTERNAL,
			     "mail client: %s", x->curl->multi_strerror(failed));
}

enum demon_rc demon_smtp_send(const struct demon_smtp_request *request,
			      struct demon_smtp_response *ret_response, struct demon_err *err)
{
	demon_cleanup(exchange_done) struct exchange x = {.request = request};
	struct demon_smtp_response out = {0};
	char from[300];
	char to[300];
	CURLcode code;
	enum demon_rc rc;

	if ((rc = demon_libcurl(&x.curl, err)))
		return rc;
	(void)snprintf(from, sizeof(from), "<%s>", request->from);
	(void)snprintf(to, sizeof(to), "<%s>", request->to);
	x.deadline = mono(&x) + request->timeout_ms * 1000;
	x.easy = x.curl->easy_init();
	x.multi = x.curl->multi_init();
	x.to = x.curl->slist_append(NULL, to);
	if (!x.easy || !x.multi || !x.to)
		return demon_err_set(err, DEMON_NOMEM, "mail client: out of memory");
	if ((code = set_options(&x, from)))
		return refused(&x, code, err);
	if ((rc = drive(&x, &out, err)))
		return rc;
	*ret_response = out;
	return DEMON_OK;
}
