#include "base.h"

#include "fault.h"

#include <string.h>

void *demon_calloc(size_t n, size_t size)
{
	if (DEMON_FAULT(ALLOC))
		return NULL;
	return calloc(n ? n : 1, size ? size : 1);
}

void *demon_realloc(void *ptr, size_t n, size_t size)
{
	size_t bytes;

	if (DEMON_FAULT(ALLOC) || __builtin_mul_overflow(n, size, &bytes))
		return NULL;
	return realloc(ptr, bytes ? bytes : 1);
}

char *demon_strndup(const char *bytes, size_t n)
{
	char *copy = demon_calloc(n + 1, 1);

	if (copy && n)
		memcpy(copy, bytes, n);
	return copy;
}

char *demon_strdup(const char *text)
{
	return text ? demon_strndup(text, strlen(text)) : NULL;
}
