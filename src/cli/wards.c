#include "wards.h"

#include "settings.h"

enum demon_rc demon_ward_settings_read(struct demon_wards **ret_wards, struct demon_err *err)
{
	const struct demon_wards_options options = {
	    .capabilities = demon_settings_env("WARDS_CAP_QUOTAS"),
	    .tenants = demon_settings_env("WARDS_QUOTAS"),
	    .global = demon_settings_env("WARDS_GLOBAL_QUOTA"),
	    .schedules = demon_settings_env("WARDS_SCHEDULES"),
	    .tenanting = demon_settings_env("TENANTING_ENABLED"),
	};
	enum demon_rc rc;

	/* who lists capabilities means to deny the others */
	if (demon_settings_env("WARDS_CAPS"))
		return demon_err_set(err, DEMON_USAGE,
				     "WARDS_CAPS is not in this version: give quotas, and what no "
				     "quota names is denied");
	rc = demon_wards_open(&options, ret_wards, err);
	if (rc == DEMON_INVALID || rc == DEMON_TOOBIG)
		err->rc = rc = DEMON_USAGE;
	return rc;
}
