#include "http_exchange.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* What describes the content, and so goes to other origins as well. */
static bool is_portable(const char *name)
{
	static const char *const names[] = {"Accept", "Accept-Language", "Content-Type",
					    "Idempotency-Key", "User-Agent"};

	for (size_t i = 0; i < demon_count(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}

static bool is_content(const char *name)
{
	return strncasecmp(name, "Content-", 8) == 0;
}

/* The fields of this exchange, but for credentials. */
static void choose_fields(struct demon_http_exchange *x)
{
	const struct demon_http_fields *all = x->request->fields;

	demon_http_fields_clear(&x->out->asked);
	for (size_t i = 0; all && i < all->count; i++) {
		const struct demon_http_field *f = &all->items[i];

		if ((x->home || is_portable(f->name)) && (x->body || !is_content(f->name)))
			demon_http_fields_add(&x->out->asked, f->name, f->value);
	}
}

static bool append(const struct demon_libcurl *curl, struct curl_slist **list, const char *line)
{
	struct curl_slist *grown = curl->slist_append(*list, line);

	if (grown)
		*list = grown;
	return grown != NULL;
}

/* What the library would add by itself is taken out by a field without a value. */
static bool add_silence(const struct demon_http_exchange *x, struct curl_slist **list)
{
	static const char *const names[] = {"Accept", "Content-Type", "Expect"};
	char line[64];

	for (size_t i = 0; i < demon_count(names); i++) {
		(void)snprintf(line, sizeof(line), "%s:", names[i]);
		if (!demon_http_fields_get(&x->out->asked, names[i]) &&
		    !append(x->curl, list, line))
			return false;
	}
	return true;
}

static bool add_credentials(const struct demon_http_exchange *x, struct curl_slist **list)
{
	const struct demon_http_request *r = x->request;
	DEMON_BUF(pair, 0);
	DEMON_BUF(line, 0);
	bool done;

	if (!x->home || (!r->username && !r->token))
		return true;
	demon_buf_str(&line, "Authorization: ");
	if (r->token) {
		demon_buf_str(&line, "Bearer ");
		demon_buf_str(&line, r->token);
	} else {
		demon_buf_str(&pair, r->username);
		demon_buf_char(&pair, ':');
		demon_buf_str(&pair, r->password ? r->password : "");
		demon_buf_str(&line, "Basic ");
		demon_buf_base64(&line, pair.data, pair.len);
	}
	done = !pair.rc && !line.rc && append(x->curl, list, line.data);
	explicit_bzero(pair.data, pair.len);
	explicit_bzero(line.data, line.len);
	return done;
}

/* A field with an empty value is written "Name;" for the library. */
static bool list_fields(const struct demon_http_exchange *x, struct curl_slist **list)
{
	const struct demon_http_fields *asked = &x->out->asked;

	for (size_t i = 0; i < asked->count; i++) {
		const struct demon_http_field *f = &asked->items[i];
		DEMON_BUF(line, 0);

		if (*f->value)
			demon_buf_fmt(&line, "%s: %s", f->name, f->value);
		else
			demon_buf_fmt(&line, "%s;", f->name);
		if (line.rc || !append(x->curl, list, line.data))
			return false;
	}
	return !asked->failed && add_silence(x, list) && add_credentials(x, list);
}

/* Whether the last field can stand. A length that is none would be read as none given. */
static const char *judge_length(const struct demon_http_fields *fields)
{
	const struct demon_http_field *last = &fields->items[fields->count - 1];
	const char *first;
	size_t len;

	if (strcasecmp(last->name, "Content-Length") != 0)
		return NULL;
	len = strlen(last->value);
	first = demon_http_fields_get(fields, last->name);
	if (len == 0 || len > 18 || strspn(last->value, "0123456789") != len)
		return "its Content-Length is no length";
	return strcmp(first, last->value) == 0 ? NULL : "it has two lengths";
}

static void begin_head(struct demon_http_exchange *x)
{
	demon_http_fields_clear(&x->out->fields);
	x->whole_head = false;
}

static size_t on_field(char *line, size_t size, size_t count, void *ctx)
{
	struct demon_http_exchange *x = ctx;
	size_t len = size * count;

	x->field_bytes += len;
	if (x->field_bytes > DEMON_HTTP_FIELDS_MAX)
		return 0;
	if (len >= 5 && memcmp(line, "HTTP/", 5) == 0)
		begin_head(x);
	else if (!x->whole_head) /* else: a trailer */
		demon_http_fields_line(&x->out->fields, line, len);
	x->nomem = x->out->fields.failed;
	x->whole_head = x->whole_head || line[0] == '\r' || line[0] == '\n';
	if (x->out->fields.count)
		x->malformed = judge_length(&x->out->fields);
	return x->nomem || x->malformed ? 0 : len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
	struct demon_http_exchange *x = ctx;
	size_t len = size * count;
	size_t room = x->request->max_body - x->out->body.len;

	demon_buf_add(&x->out->body, bytes, len < room ? len : room);
	x->nomem = x->out->body.rc != DEMON_OK;
	x->out->cut = len > room;
	return x->nomem || x->out->cut ? 0 : len;
}

/* The first option that is refused sticks. */
#define SET(option, value)                                              \
	do {                                                            \
		if (!code)                                              \
			code = set(x->easy, CURLOPT_##option, (value)); \
	} while (0)

static CURLcode set_tls(const struct demon_http_exchange *x)
{
	__typeof__(curl_easy_setopt) *set = x->curl->easy_setopt;
	const struct demon_http_request *r = x->request;
	CURLcode code = CURLE_OK;

	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(SSL_VERIFYPEER, 1L);
	SET(SSL_VERIFYHOST, 2L);
	if (r->ca_file) {
		SET(CAINFO, r->ca_file);
		SET(CAPATH, (char *)NULL);
	}
	if (r->cert_file && x->home) {
		SET(SSLCERT, r->cert_file);
		SET(SSLKEY, r->key_file ? r->key_file : r->cert_file);
	}
	return code;
}

static CURLcode set_request(const struct demon_http_exchange *x, const struct curl_slist *fields)
{
	__typeof__(curl_easy_setopt) *set = x->curl->easy_setopt;
	CURLcode code = CURLE_OK;

	SET(URL, x->url);
	SET(HTTPHEADER, fields);
	if (strcmp(x->method, "HEAD") == 0)
		SET(NOBODY, 1L);
	if (x->body || strcmp(x->method, "POST") == 0) {
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)(x->body ? x->request->body_len : 0));
		SET(POSTFIELDS, x->body ? x->request->body : "");
	}
	SET(CUSTOMREQUEST, x->method);
	return code;
}

static CURLcode set_options(struct demon_http_exchange *x, const struct curl_slist *fields)
{
	__typeof__(curl_easy_setopt) *set = x->curl->easy_setopt;
	CURLcode code = CURLE_OK;

	SET(ERRORBUFFER, x->error);
	SET(NOSIGNAL, 1L);
	SET(QUICK_EXIT, 1L); /* a resolver that does not answer is left behind */
	SET(PROTOCOLS_STR, "http,https");
	SET(FOLLOWLOCATION, 0L);
	SET(HTTP09_ALLOWED, 0L);
	SET(PATH_AS_IS, 0L);
	SET(PROXY, ""); /* also none from the environment */
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	SET(CONNECTTIMEOUT_MS, (long)DEMON_HTTP_CONNECT_MS);
	SET(HEADERFUNCTION, on_field);
	SET(HEADERDATA, x);
	SET(WRITEFUNCTION, on_body);
	SET(WRITEDATA, x);
	if (!code)
		code = set_tls(x);
	return code ? code : set_request(x, fields);
}
#undef SET

static demon_ticks mono(const struct demon_http_exchange *x)
{
	return x->request->env->mono(x->request->env->ctx);
}

static void fail(struct demon_http_exchange *x, enum demon_http_end end, const char *text)
{
	x->out->end = end;
	(void)snprintf(x->out->reason, sizeof(x->out->reason), "%s", text);
	for (char *p = x->out->reason; *p; p++)
		if ((unsigned char)*p < ' ' || *p == '\x7f')
			*p = ' ';
}

/* What the library's words for a failure mean. */
static enum demon_http_end end_of(CURLcode code, bool answering)
{
	/* clang-format off */
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST: case CURLE_COULDNT_RESOLVE_PROXY:
		return DEMON_HTTP_DNS;
	/* the library has no other limit of time than the one for a connection */
	case CURLE_COULDNT_CONNECT: case CURLE_INTERFACE_FAILED: case CURLE_OPERATION_TIMEDOUT:
		return DEMON_HTTP_CONNECT;
	case CURLE_SEND_ERROR: case CURLE_RECV_ERROR: case CURLE_GOT_NOTHING:
		return answering ? DEMON_HTTP_PROTOCOL : DEMON_HTTP_CONNECT;
	case CURLE_SSL_CONNECT_ERROR: case CURLE_SSL_ENGINE_NOTFOUND: case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_CERTPROBLEM: case CURLE_SSL_CIPHER: case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_USE_SSL_FAILED: case CURLE_SSL_ENGINE_INITFAILED: case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_SHUTDOWN_FAILED: case CURLE_SSL_CRL_BADFILE: case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH: case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
		return DEMON_HTTP_TLS;
	default:
		return DEMON_HTTP_PROTOCOL;
	}
	/* clang-format on */
}

static enum demon_rc conclude(struct demon_http_exchange *x, CURLcode code, struct demon_err *err)
{
	const char *words = x->error[0] ? x->error : x->curl->easy_strerror(code);

	if (x->nomem)
		return demon_err_set(err, DEMON_NOMEM, "HTTP client: out of memory");
	if (!code && (!x->whole_head || x->out->status < 200))
		fail(x, DEMON_HTTP_PROTOCOL,
		     "the connection was closed before the answer was whole");
	else if (!code || (code == CURLE_WRITE_ERROR && x->out->cut))
		x->out->end = DEMON_HTTP_ANSWERED;
	else if (x->malformed)
		fail(x, DEMON_HTTP_PROTOCOL, x->malformed);
	else if (code ==
		 CURLE_OUT_OF_MEMORY) /* the library says so of a field above 100 KiB, too */
		fail(x, DEMON_HTTP_TOO_LARGE, "a header field is too large, or memory ran out");
	else if (code == CURLE_WRITE_ERROR && x->field_bytes > DEMON_HTTP_FIELDS_MAX)
		fail(x, DEMON_HTTP_TOO_LARGE, "the answer's header fields are larger than 64 KiB");
	else
		fail(x, end_of(code, x->out->status != 0), words);
	return DEMON_OK;
}

/* Whether the exchange has to be given up now. canceled() may be costly: it is not asked for
 * every piece that comes. */
static bool is_given_up(struct demon_http_exchange *x, demon_ticks *next_ask)
{
	const struct demon_http_request *r = x->request;
	demon_ticks now = mono(x);

	if (r->canceled && now >= *next_ask) {
		*next_ask = now + (demon_ticks)DEMON_HTTP_ASK_MS * 1000;
		if (r->canceled(r->ctx)) {
			fail(x, DEMON_HTTP_CANCELED, "canceled");
			return true;
		}
	}
	if (now < x->deadline)
		return false;
	fail(x, DEMON_HTTP_TIMED_OUT, "its time was up");
	return true;
}

/* Waits for the network, not beyond the deadline. */
static CURLMcode wait_for_network(const struct demon_http_exchange *x)
{
	int64_t left = (x->deadline - mono(x) + 999) / 1000;
	int ms = left < 0 ? 0 : left < DEMON_HTTP_ASK_MS ? (int)left : DEMON_HTTP_ASK_MS;

	return x->curl->multi_poll(x->multi, NULL, 0, ms, NULL);
}

/* True: it ended by itself, with *ret_code; false: it was given up, or *ret_failed. */
static bool drive(struct demon_http_exchange *x, CURLcode *ret_code, CURLMcode *ret_failed)
{
	demon_ticks next_ask = 0;
	int running = 1;
	int queued;
	const CURLMsg *message;

	for (;;) {
		if ((*ret_failed = x->curl->multi_perform(x->multi, &running)))
			return false;
		if (running == 0 && (message = x->curl->multi_info_read(x->multi, &queued))) {
			*ret_code = message->data.result;
			return true;
		}
		if (is_given_up(x, &next_ask))
			return false;
		if ((*ret_failed = wait_for_network(x)))
			return false;
	}
}

static int64_t time_of(const struct demon_http_exchange *x, CURLINFO what)
{
	curl_off_t us = 0;

	(void)x->curl->easy_getinfo(x->easy, what, &us);
	return us / 1000;
}

static void measure(struct demon_http_exchange *x)
{
	long status = 0;
	long sent = 0;

	(void)x->curl->easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
	(void)x->curl->easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &sent);
	x->out->status = (int)status;
	x->out->sent = sent > 0;
	x->out->resolved_ms = time_of(x, CURLINFO_NAMELOOKUP_TIME_T);
	x->out->connected_ms = time_of(x, CURLINFO_CONNECT_TIME_T);
	x->out->secured_ms = time_of(x, CURLINFO_APPCONNECT_TIME_T);
	x->out->answered_ms = time_of(x, CURLINFO_STARTTRANSFER_TIME_T);
}

static enum demon_rc run(struct demon_http_exchange *x, struct demon_err *err)
{
	CURLcode code = CURLE_OK;
	CURLMcode failed = x->curl->multi_add_handle(x->multi, x->easy);
	bool ended;

	if (failed)
		return demon_err_set(err, DEMON_INTERNAL, "HTTP client: %s",
				     x->curl->multi_strerror(failed));
	ended = drive(x, &code, &failed);
	measure(x);
	(void)x->curl->multi_remove_handle(x->multi, x->easy);
	if (failed)
		return demon_err_set(err,
				     failed == CURLM_OUT_OF_MEMORY ? DEMON_NOMEM : DEMON_INTERNAL,
				     "HTTP client: %s", x->curl->multi_strerror(failed));
	return ended ? conclude(x, code, err) : DEMON_OK;
}

static void free_list(const struct demon_libcurl *curl, struct curl_slist *list)
{
	for (struct curl_slist *i = list; i; i = i->next)
		explicit_bzero(i->data, strlen(i->data));
	curl->slist_free_all(list);
}

enum demon_rc demon_http_exchange(struct demon_http_exchange *x, struct demon_err *err)
{
	struct curl_slist *list = NULL;
	CURLcode code;
	enum demon_rc rc;

	x->field_bytes = 0;
	x->malformed = NULL;
	x->whole_head = false;
	x->error[0] = '\0';
	x->out->cut = false;
	demon_http_fields_clear(&x->out->fields);
	demon_buf_clear(&x->out->body);
	x->curl->easy_reset(x->easy);
	choose_fields(x);
	if (!list_fields(x, &list))
		rc = demon_err_set(err, DEMON_NOMEM, "HTTP client: out of memory");
	else if ((code = set_options(x, list)))
		rc = demon_err_set(err, code == CURLE_OUT_OF_MEMORY ? DEMON_NOMEM : DEMON_INTERNAL,
				   "HTTP client: %s", x->curl->easy_strerror(code));
	else
		rc = run(x, err);
	free_list(x->curl, list);
	return rc;
}
