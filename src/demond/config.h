/*
 * What the daemon is to do: flags over environment over defaults.
 */
#ifndef DEMON_CONFIG_H
#define DEMON_CONFIG_H

#include "cli/settings.h"

#include <netinet/in.h>
#include <stdio.h>

struct demon_config {
	struct demon_settings settings;
	struct demon_setting listen;   /* "127.0.0.1:3000" */
	struct demon_setting log_file; /* NULL value: stderr only */
	struct demon_setting node_id;  /* NULL value: the host's name, or what the database has */
	struct demon_setting workers;  /* "64" */
	size_t worker_count;
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t address_len;
};

/** Options of demond besides the global ones. */
extern const struct demon_opt demon_config_options[];

/**
 * Fills *ret_config; end with demon_config_done. DEMON_USAGE: what is malformed, or not in this
 * version; DEMON_DENIED: an address beyond loopback, as long as no token exists.
 */
enum demon_rc demon_config_read(const struct demon_args *args, struct demon_config *ret_config,
				struct demon_err *err) demon_must_check;
void demon_config_done(struct demon_config *config);

/** Prints each value and where it came from, as lines or as one JSON object. */
void demon_config_print(const struct demon_config *config, FILE *to);

#endif
