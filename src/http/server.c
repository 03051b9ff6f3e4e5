#include "server.h"

#include "base/json.h"
#include "db/stmt.h"
#include "store/readers.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS            2U
#define CONNECTIONS_MAX    64U
#define CONNECTIONS_PER_IP 16U
#define MEMORY_MAX         ((size_t)16 << 10)
#define IDLE_SECONDS       5U
#define BACKLOG            64

DEMON_SQL(sql_health, "SELECT id FROM local_node WHERE id = 1");

struct demon_server {
	struct demon_store *store; /* borrowed */
	struct MHD_Daemon *mhd;
	unsigned port;
	demon_server_log_fn *log;
	void *log_ctx;
};

static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status,
			     const struct demon_buf *body, const char *allow)
{
	struct MHD_Response *response;
	enum MHD_Result ok;

	if (body->rc)
		return MHD_NO;
	response = MHD_create_response_from_buffer(body->len, body->data, MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	if (ok == MHD_YES)
		ok = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (ok == MHD_YES && allow)
		ok = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
	if (ok == MHD_YES)
		ok = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ok;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why,
			      const char *allow)
{
	DEMON_BUF(body, 0);
	struct demon_jw w = demon_jw_begin(&body);

	demon_jw_str(&w, "error", why);
	demon_jw_end(&w);
	return reply(connection, status, &body, allow);
}

/* A read that SQLite's own cache cannot answer, so that a lost file is not called healthy. */
static enum demon_rc check_health(struct demon_store *store, struct demon_err *err)
{
	DEMON_READ(loan);
	bool row = false;
	enum demon_rc rc;

	if ((rc = demon_store_borrow(store, &loan, err)) ||
	    (rc = demon_db_script(loan.db, "PRAGMA shrink_memory", err)))
		return rc;
	DEMON_STMT(q, loan.db, &sql_health);
	if ((rc = demon_step(&q, &row, err)))
		return rc;
	return row ? DEMON_OK : demon_err_set(err, DEMON_CORRUPT, "the node has no identity");
}

static enum MHD_Result answer_health(struct demon_server *server, struct MHD_Connection *connection)
{
	DEMON_BUF(body, 0);
	struct demon_err err = {0};

	if (check_health(server->store, &err)) {
		if (server->log)
			server->log(server->log_ctx, true, err.msg);
		return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
			      "the database cannot be read", NULL);
	}
	demon_buf_str(&body, "{\"status\":\"ok\"}");
	return reply(connection, MHD_HTTP_OK, &body, NULL);
}

static bool announces_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING) ||
	       (length && strcmp(length, "0") != 0);
}

/* Refuses what needs no more than the headers; false: the request is to be answered. */
static bool refuse_early(struct MHD_Connection *connection, const char *method, bool known,
			 enum MHD_Result *ret_result)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		*ret_result =
		    known ? refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
				   "only GET and HEAD are possible here", "GET, HEAD")
			  : refuse(connection, MHD_HTTP_NOT_FOUND, "there is nothing here", NULL);
	else if (announces_body(connection))
		*ret_result = refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE,
				     "a request here has no body", NULL);
	else
		return false;
	return true;
}

/*
 * Called with the headers first, and again when the request is whole. A reply at the first call
 * ends the connection, so only refusals are given there.
 */
/* NOLINTBEGIN(readability-function-size, readability-non-const-parameter): the library's signature
 */
static enum MHD_Result handle(void *ctx, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **request)
{
	static char seen; /* its address marks a request that was seen before */
	struct demon_server *server = ctx;
	bool known = strcmp(url, "/healthz") == 0;
	enum MHD_Result result;

	(void)version;
	(void)upload;
	if (!*request) {
		*request = &seen;
		return refuse_early(connection, method, known, &result) ? result : MHD_YES;
	}
	if (*upload_size)
		return MHD_NO;
	if (!known)
		return refuse(connection, MHD_HTTP_NOT_FOUND, "there is nothing here", NULL);
	return answer_health(server, connection);
}
/* NOLINTEND(readability-function-size, readability-non-const-parameter) */

/* What libmicrohttpd has to say, one line a message. */
demon_printf_like(2, 0) static void log_mhd(void *ctx, const char *fmt, va_list args)
{
	struct demon_server *server = ctx;
	char text[512];

	if (!server->log)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\r\n")] = '\0';
	server->log(server->log_ctx, false, text);
}

static void close_p(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static enum demon_rc bind_socket(const struct demon_server_options *o, int *ret_fd,
				 unsigned *ret_port, struct demon_err *err)
{
	demon_cleanup(close_p) int fd =
	    socket(o->address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} bound = {.v6 = {0}};
	socklen_t len = sizeof(bound);
	int on = 1;

	if (fd < 0)
		return demon_err_sys(err, DEMON_UNAVAIL, errno, "cannot open a socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (o->address->sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	if (bind(fd, o->address, o->address_len) || listen(fd, BACKLOG))
		return demon_err_sys(err, DEMON_UNAVAIL, errno, "cannot listen");
	if (getsockname(fd, &bound.any, &len))
		return demon_err_sys(err, DEMON_UNAVAIL, errno, "cannot find out the port");
	*ret_port = ntohs(bound.any.sa_family == AF_INET6 ? bound.v6.sin6_port : bound.v4.sin_port);
	*ret_fd = take_fd(&fd);
	return DEMON_OK;
}

enum demon_rc demon_server_start(struct demon_store *store,
				 const struct demon_server_options *options,
				 struct demon_server **ret_server, struct demon_err *err)
{
	struct demon_server *server = demon_calloc(1, sizeof(*server));
	enum demon_rc rc;
	int fd = -1;

	if (!server)
		return demon_err_set(err, DEMON_NOMEM, "no memory for the server");
	server->store = store;
	server->log = options->log;
	server->log_ctx = options->log_ctx;
	if ((rc = bind_socket(options, &fd, &server->port, err))) {
		free(server);
		return rc;
	}
	/* the logger comes first: the library reads options in order */
	server->mhd = MHD_start_daemon(
	    MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, server,
	    MHD_OPTION_EXTERNAL_LOGGER, log_mhd, server, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_THREAD_POOL_SIZE, THREADS, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
	    MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER_IP,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    IDLE_SECONDS, MHD_OPTION_END);
	if (!server->mhd) {
		(void)close(fd);
		free(server);
		return demon_err_set(err, DEMON_UNAVAIL, "the HTTP server does not start");
	}
	*ret_server = server;
	return DEMON_OK;
}

unsigned demon_server_port(const struct demon_server *server)
{
	return server->port;
}

void demon_server_stop(struct demon_server *server)
{
	if (!server)
		return;
	MHD_stop_daemon(server->mhd);
	free(server);
}
