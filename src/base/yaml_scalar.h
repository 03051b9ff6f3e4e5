/*
 * What a plain scalar means by the YAML 1.2 core schema; for yaml.c only.
 */
#ifndef DEMON_YAML_SCALAR_H
#define DEMON_YAML_SCALAR_H

#include "base.h"

#include <jansson.h>

/**
 * Resolves plain text: null, a boolean, an integer (decimal, 0o, 0x), a float, else a string.
 * *ret_json is new. DEMON_INVALID, without a place: infinity, NaN, an integer that a double does
 * not hold exactly, a number that overflows. DEMON_NOMEM.
 */
enum demon_rc demon_yaml_resolve(const char *text, size_t len, json_t **ret_json,
				 struct demon_err *err) demon_must_check;

#endif
