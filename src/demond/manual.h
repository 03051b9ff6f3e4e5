/*
 * The manual page of demond.
 */
#ifndef DEMON_DEMOND_MANUAL_H
#define DEMON_DEMOND_MANUAL_H

#include <stdio.h>

/** Prints it, for man(1). */
void demon_manual(FILE *to);

#endif
