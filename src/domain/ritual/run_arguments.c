#include "run_arguments.h"

enum demon_rc demon_run_arguments(const struct demon_task *task, const json_t *data, json_t **with,
				  struct demon_run_error *error, struct demon_err *err)
{
	(void)task;
	(void)data;
	(void)with;
	(void)error;
	(void)err;
	return DEMON_OK;
}

enum demon_rc demon_run_returned(const struct demon_task *task, const json_t *data,
				 json_t **ret_raw, struct demon_err *err)
{
	(void)task;
	(void)data;
	(void)err;
	*ret_raw = NULL;
	return DEMON_OK;
}
