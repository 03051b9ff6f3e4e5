#include "admin/register.h"
#include "approval/gate.h"
#include "graph/graph.h"
#include "ritual/registry.h"
#include "ritual/run.h"
#include "store/store.h"
#include "ward/ward.h"

enum demon_rc demon_open(const char *path, const struct demon_options *options,
			 struct demon_store **ret_store, struct demon_err *err)
{
	static const struct demon_projection *const projections[] = {&demon_run_projection,
								     &demon_gate_projection,
								     &demon_registry_projection,
								     &demon_register_projection,
								     &demon_graph_projection,
								     &demon_ward_projection,
								     NULL};

	return demon_store_open(path, options, projections, ret_store, err);
}
