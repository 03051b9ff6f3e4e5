/*
 * Which process holds the write lock: for the message of someone who waited in vain.
 */
#ifndef DEMON_DB_HOLDER_H
#define DEMON_DB_HOLDER_H

/**
 * The id of a process that has byte 0 of the file open at @p fd locked exclusively, or 0: none, or
 * not to be found out. The kernel keeps no owner for an OFD lock, so /proc is searched for a
 * descriptor that shows it; this costs milliseconds and sees the caller's own user only.
 */
int demon_lock_holder(int fd);

#endif
