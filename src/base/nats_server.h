/*
 * How NATS servers are reached: what settings say, and what a connection is made from.
 */
#ifndef DEMON_NATS_SERVER_H
#define DEMON_NATS_SERVER_H

#include <stdint.h>

/** All borrowed; NULL: not set. Files are PEM, but for the credentials. */
struct demon_nats_server {
	const char *urls;  /* one or several, separated by commas; credentials may stand in them */
	const char *creds; /* credentials file: a JWT and the seed of an nkey */
	const char *ca;    /* file of authorities; NULL: the system's */
	const char *cert;  /* certificate and key of this client, both or none */
	const char *key;
	const char *domain; /* of JetStream */
	int64_t replicas;   /* of streams that are made; 0: 1 */
};

#endif
