/*
 * demonctl graph: what its commands share, and their table.
 */
#ifndef DEMON_CTL_GRAPH_H
#define DEMON_CTL_GRAPH_H

#include "command.h"
#include "domain/graph/graph.h"

/** Reads the four options of the scope and opens the store. DEMON_USAGE: one is missing. */
enum demon_rc demon_graph_open(struct demon_ctl *ctl, bool create, struct demon_graph_scope *scope,
			       struct demon_err *err) demon_must_check;

/** Which commit is meant: option --at, or the tag "main". */
const char *demon_graph_at(const struct demon_ctl *ctl);

/** Prints a canonical JSON object (demon_graph_item_fn). @p ctx is the struct demon_ctl. */
enum demon_rc demon_graph_print(void *ctx, const char *json, size_t len, struct demon_err *err)
    demon_must_check;

/** Reads a whole file of mutations, or whatever else is JSON; "-" is standard input. */
enum demon_rc demon_graph_read(const char *path, struct demon_buf *out, struct demon_err *err)
    demon_must_check;

demon_command_fn demon_command_graph_create;
demon_command_fn demon_command_graph_commit;
demon_command_fn demon_command_graph_tag;
demon_command_fn demon_command_graph_delete_tag;
demon_command_fn demon_command_graph_list_tags;
demon_command_fn demon_command_graph_get_tag;
demon_command_fn demon_command_graph_get_commit;
demon_command_fn demon_command_graph_log;
demon_command_fn demon_command_graph_diff;
demon_command_fn demon_command_graph_merge_base;
demon_command_fn demon_command_graph_merge;
demon_command_fn demon_command_graph_get_node;
demon_command_fn demon_command_graph_neighbors;
demon_command_fn demon_command_graph_path_exists;
demon_command_fn demon_command_graph_query;
demon_command_fn demon_command_graph_export;
demon_command_fn demon_command_graph_import;
demon_command_fn demon_command_graph_verify;

extern const struct demon_command demon_graph_commands[];

#endif
