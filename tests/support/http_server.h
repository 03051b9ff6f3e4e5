/*
 * A loopback HTTP server for tests that may break every rule: a function of the test writes the
 * answer, byte by byte if it likes. One connection at a time, one request each. Its thread never
 * asserts; what it received is looked at afterwards.
 */
#ifndef DEMON_TEST_HTTP_SERVER_H
#define DEMON_TEST_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct http_server;

/** A connection whose request has been read. */
struct http_peer {
	struct http_server *server;
	int fd;
	size_t number;       /* of the request, from 1 */
	const char *request; /* head and body */
	void *ctx;
};

typedef void http_server_fn(struct http_peer *peer);

/** Listens on 127.0.0.1, on a port of its own. New: http_server_close. Fails the test. */
struct http_server *http_server_open(http_server_fn *answer, void *ctx);
/** Ends what is under way. NULL is allowed. */
void http_server_close(struct http_server *server);

int http_server_port(const struct http_server *server);

/** "http://127.0.0.1:PORT" and @p path, in one of 16 static buffers. */
const char *http_server_url(const struct http_server *server, const char *path);

/** How many requests came, and the text of one of them (from 1), borrowed until the next. */
size_t http_server_count(struct http_server *server);
const char *http_server_request(struct http_server *server, size_t number);

/** Sends bytes; false: the other side has gone, or the server is being closed. */
bool http_peer_send(struct http_peer *peer, const void *bytes, size_t len);
bool http_peer_say(struct http_peer *peer, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/** An answer with its length. @p fields end in "\r\n" each, or are empty. */
bool http_peer_answer(struct http_peer *peer, int status, const char *fields, const char *body);

/** Waits until the other side closes, or the server is being closed, or @p ms are over (-1: no
 * limit). False: the time is over. */
bool http_peer_wait(struct http_peer *peer, int ms);

#endif
