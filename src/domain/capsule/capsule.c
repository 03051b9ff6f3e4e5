#include "capsule.h"
#include "domain/approval/terms.h"
#include "domain/graph/graph_capsule.h"

#include <string.h>

static const struct demon_capsule *const capsules[] = {
    &demon_capsule_approval,     &demon_capsule_echo,        &demon_capsule_exec,
    &demon_capsule_graph_commit, &demon_capsule_graph_query, &demon_capsule_http};
static const char *const names[] = {"approval",    "echo", "exec", "graph.commit",
				    "graph.query", "http", NULL};

const struct demon_capsule *demon_capsule_find(const char *name)
{
	for (size_t i = 0; i < demon_count(capsules); i++)
		if (strcmp(capsules[i]->name, name) == 0)
			return capsules[i];
	return NULL;
}

const char *const *demon_capsule_names(size_t *ret_count)
{
	_Static_assert(demon_count(names) == demon_count(capsules) + 1, "a name for each capsule");
	*ret_count = demon_count(capsules);
	return names;
}
