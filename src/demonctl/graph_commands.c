#include "graph.h"

#define OPT(n, v, h)                                   \
	{                                              \
		.name = (n), .value = (v), .help = (h) \
	}
#define FLAG(n, h)                       \
	{                                \
		.name = (n), .help = (h) \
	}
#define SCOPE                                                          \
	OPT("tenant-id", "T", "the tenant; default that of --tenant"), \
	    OPT("project-id", "P", "the project; needed"),             \
	    OPT("namespace", "N", "the namespace; needed"),            \
	    OPT("graph-id", "G", "the graph; needed")
#define SAID                                                                             \
	OPT("author", "WHO", "who makes it; default: the user, or the token's subject"), \
	    OPT("message", "TEXT", "why")
#define MOVES                                                       \
	OPT("move-tag", "TAG", "let this tag name the new commit"), \
	    OPT("expect", "ID",                                     \
		"the tag must name this now; '': it must not be there; else status 4")
#define AT OPT("at", "REF", "a commit, the first 8 digits of one, or a tag; default the tag main")
#define LAST                 \
	{                    \
		.name = NULL \
	}

static const struct demon_opt create_options[] = {
    SCOPE, SAID, MOVES, FLAG("force", "put and remove as it is written, whatever is there"), LAST};
static const struct demon_opt commit_options[] = {
    SCOPE,
    SAID,
    MOVES,
    {.name = "parent-ref",
     .value = "REF",
     .help = "a parent, the first one's state is built on; several: several parents; none: a root",
     .many = true},
    FLAG("force", "put and remove as it is written, whatever is there"),
    LAST};
static const struct demon_opt tag_options[] = {
    SCOPE, OPT("tag", "TAG", "its name; needed"),
    OPT("commit-id", "ID", "what it names from now on; needed"),
    OPT("expect", "ID", "it must name this now; '': it must not be there; else status 4"), LAST};
static const struct demon_opt delete_options[] = {
    SCOPE, OPT("tag", "TAG", "its name; needed"),
    OPT("expect", "ID", "it must name this now; else status 4"), LAST};
static const struct demon_opt get_tag_options[] = {SCOPE, OPT("tag", "TAG", "its name; needed"),
						   LAST};
static const struct demon_opt get_commit_options[] = {
    SCOPE, OPT("commit-id", "ID", "the commit, instead of the word"), LAST};
static const struct demon_opt scope_options[] = {SCOPE, LAST};
static const struct demon_opt log_options[] = {
    SCOPE,
    OPT("from", "REF", "this commit and what it descends from; default: all, by time"),
    OPT("order", "ORDER", "topo: no parent before its children; time: newest first; default topo"),
    OPT("node", "ID",
	"only commits that change this node, newest first; of what main descends from"),
    OPT("limit", "N", "at most so many"),
    LAST};
static const struct demon_opt diff_options[] = {
    SCOPE, FLAG("mutations", "the mutations that turn A into B, as a file for commit"), LAST};
static const struct demon_opt merge_options[] = {
    SCOPE,
    SAID,
    MOVES,
    OPT("strategy", "SIDE", "ours or theirs, for conflicts that no resolution names"),
    {.name = "resolve",
     .value = "FILE",
     .source = 'f',
     .help = "a JSON list of {kind, id, property, take: ours|theirs|base} or with value"},
    FLAG("dry-run", "list conflicts and write nothing"),
    LAST};
static const struct demon_opt at_options[] = {SCOPE, AT, LAST};
#define REACH                                                        \
	OPT("direction", "WAY", "out, in or both; default both"),    \
	    OPT("label", "LABEL", "only along edges of this label"), \
	    OPT("depth", "N", "at most so many edges")
static const struct demon_opt reach_options[] = {SCOPE, AT, REACH, LAST};
static const struct demon_opt query_options[] = {
    SCOPE,
    AT,
    OPT("label", "LABEL", "nodes with this label"),
    OPT("property", "NAME[=VALUE]", "nodes that have it, with this value (JSON, or a text)"),
    OPT("after", "ID", "nodes behind this one"),
    OPT("limit", "N", "at most so many"),
    LAST};
static const struct demon_opt export_options[] = {
    SCOPE, AT, OPT("format", "FORMAT", "json or dot; default json"), LAST};

#define G           "--project-id p --namespace n --graph-id g"
#define READS       .role = DEMON_ROLE_VIEWER, .of_tenant = true
#define WRITES      .role = DEMON_ROLE_OPERATOR, .of_tenant = true
#define WORDS(a, n) .arguments = (a), .min_words = (n), .max_words = (n)

const struct demon_command demon_graph_commands[] = {
    {.name = "create",
     .summary = "make a graph, with its first commit",
     WORDS("FILE", 1),
     .text = "FILE is a JSON list of mutations; '-' is standard input. A graph that exists is "
	     "status 4.\n"
	     "Prints {commitId, parents, stateRoot, mutationsCount, noop, ts}.",
     .examples = "demonctl graph create " G " seed.json --move-tag main",
     .options = create_options,
     .run = demon_command_graph_create,
     WRITES},
    {.name = "commit",
     .summary = "add a commit",
     WORDS("FILE", 1),
     .text = "The mutations are held to the first parent's state: adding what is there, changing "
	     "or\n"
	     "removing what is not, and an edge to a node that is not there are errors, with the "
	     "number\n"
	     "of the mutation, from 0, and nothing is written. Prints the same as create.",
     .examples = "demonctl graph commit " G " --parent-ref main change.json --move-tag main",
     .options = commit_options,
     .run = demon_command_graph_commit,
     WRITES},
    {.name = "tag",
     .summary = "set a tag",
     WORDS("", 0),
     .text = "Prints {tag, action, commitId, previousCommitId}.",
     .examples = "demonctl graph tag " G " --tag main --commit-id 5f2c1a9e",
     .options = tag_options,
     .run = demon_command_graph_tag,
     WRITES},
    {.name = "delete-tag",
     .summary = "delete a tag; commits stay",
     WORDS("", 0),
     .examples = "demonctl graph delete-tag " G " --tag old",
     .options = delete_options,
     .run = demon_command_graph_delete_tag,
     WRITES},
    {.name = "list-tags",
     .summary = "all tags, by name",
     WORDS("", 0),
     .text = "{tag, commitId, timestamp, origin} a line.",
     .examples = "demonctl graph list-tags " G,
     .options = scope_options,
     .run = demon_command_graph_list_tags,
     READS},
    {.name = "get-tag",
     .summary = "what a tag names",
     WORDS("", 0),
     .examples = "demonctl graph get-tag " G " --tag main",
     .options = get_tag_options,
     .run = demon_command_graph_get_tag,
     READS},
    {.name = "get-commit",
     .summary = "a commit with all its mutations",
     .arguments = "[REF]",
     .max_words = 1,
     .examples = "demonctl graph get-commit " G " main",
     .options = get_commit_options,
     .run = demon_command_graph_get_commit,
     READS},
    {.name = "log",
     .summary = "commits, children before parents",
     WORDS("", 0),
     .text = "With --json {commitId, parents, generation, ts, author, message} a line.",
     .examples = "demonctl graph log " G " --from main --limit 20\n"
		 "demonctl graph log " G " --node k-1",
     .options = log_options,
     .run = demon_command_graph_log,
     READS},
    {.name = "diff",
     .summary = "what differs between the states of two commits",
     WORDS("A B", 2),
     .text = "'+', '-' or '~' and the node or edge; with --json {kind, id, change, before, "
	     "after}.",
     .examples = "demonctl graph diff " G " v1 main\n"
		 "demonctl graph diff " G " v1 main --mutations > change.json",
     .options = diff_options,
     .run = demon_command_graph_diff,
     READS},
    {.name = "merge-base",
     .summary = "the best common ancestors of two commits, all of them",
     WORDS("A B", 2),
     .examples = "demonctl graph merge-base " G " main feature",
     .options = scope_options,
     .run = demon_command_graph_merge_base,
     READS},
    {.name = "merge",
     .summary = "merge commit B into commit A, by property",
     WORDS("A B", 2),
     .text =
	 "Conflicts are listed, and unless all of them are resolved nothing is written and "
	 "the\n"
	 "status is 4. Of several common ancestors the one furthest from the roots is the base.\n"
	 "Prints {merge: nothing|forward|commit, commitId, mutationsCount, unresolved, "
	 "conflicts}.",
     .examples = "demonctl graph merge " G " main feature --move-tag main\n"
		 "demonctl graph merge " G " main feature --strategy theirs --dry-run",
     .options = merge_options,
     .run = demon_command_graph_merge,
     WRITES},
    {.name = "get-node",
     .summary = "a node as it is at a commit",
     WORDS("NODE", 1),
     .examples = "demonctl graph get-node " G " k-1 --at v1",
     .options = at_options,
     .run = demon_command_graph_get_node,
     READS},
    {.name = "neighbors",
     .summary = "the nodes within reach of a node, nearest first",
     WORDS("NODE", 1),
     .text = "Along one edge unless --depth says more; each with its distance.",
     .examples = "demonctl graph neighbors " G " k-1 --direction out --depth 2",
     .options = reach_options,
     .run = demon_command_graph_neighbors,
     READS},
    {.name = "path-exists",
     .summary = "a shortest path between two nodes",
     WORDS("FROM TO", 2),
     .text = "Prints {exists, path}.",
     .examples = "demonctl graph path-exists " G " k-1 k-9 --direction out",
     .options = reach_options,
     .run = demon_command_graph_path_exists,
     READS},
    {.name = "query",
     .summary = "nodes by label and property, by id",
     WORDS("", 0),
     .examples = "demonctl graph query " G " --label Key --property bits=256",
     .options = query_options,
     .run = demon_command_graph_query,
     READS},
    {.name = "export",
     .summary = "the whole state at a commit",
     WORDS("", 0),
     .examples = "demonctl graph export " G " --format dot | dot -Tsvg > g.svg",
     .options = export_options,
     .run = demon_command_graph_export,
     READS},
    {.name = "import",
     .summary = "make a graph from an export",
     WORDS("FILE", 1),
     .examples = "demonctl graph import " G " g.json --move-tag main",
     .options = create_options,
     .run = demon_command_graph_import,
     WRITES},
    {.name = "verify",
     .summary = "derive every id, root and hash anew",
     WORDS("", 0),
     .text = "Of one graph, or without a scope of all. Damage is status 7.",
     .examples = "demonctl graph verify",
     .options = scope_options,
     .run = demon_command_graph_verify,
     READS},
    {.name = NULL},
};
