/*
 * The end of a worker that can answer no more.
 */
#ifndef DEMON_EXPR_MAIN_H
#define DEMON_EXPR_MAIN_H

/** Says that memory is out and ends the process; libjq calls it, and cannot go on after that. */
void main_out_of_memory(void *unused);

#endif
