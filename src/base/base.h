/*
 * What every file of the project starts from: attributes, cleanup guards, checked allocation.
 *
 * Cleanup guards run when a scope is left by return, break or goto, never by longjmp. A guarded
 * variable is always initialised where it is declared; demon_take() is the only way to let its
 * value out of the guard.
 */
#ifndef DEMON_BASE_H
#define DEMON_BASE_H

#include <demon/err.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define demon_cleanup(fn)  __attribute__((cleanup(fn)))
#define demon_auto_free    demon_cleanup(demon_free_p)
#define demon_unused       __attribute__((unused))

/** Number of elements of an array (not of a pointer). */
#define demon_count(array) (sizeof(array) / sizeof((array)[0]))

/** Yields the value of a guarded pointer and leaves NULL behind. */
#define demon_take(ptr)                               \
	__extension__({                               \
		__typeof__(ptr) demon_taken_ = (ptr); \
		(ptr) = NULL;                         \
		demon_taken_;                         \
	})

/** Guard of demon_auto_free: frees what the pointer at @p ptr points to. */
static inline void demon_free_p(void *ptr)
{
	free(*(void **)ptr);
}

/**
 * Zeroed memory for @p n objects of @p size bytes, or NULL (out of memory, or the product
 * overflows). Free with free(). Test builds can make any call fail (see fault.h).
 */
void *demon_calloc(size_t n, size_t size) demon_must_check;

/** Grows or shrinks @p ptr to @p n objects of @p size bytes; NULL leaves @p ptr as it was. */
void *demon_realloc(void *ptr, size_t n, size_t size) demon_must_check;

/** A copy of @p n bytes with a NUL after them, or NULL. */
char *demon_strndup(const char *bytes, size_t n) demon_must_check;

/** A copy of a string, or NULL when @p text is NULL or memory is out. */
char *demon_strdup(const char *text) demon_must_check;

#endif
