#!/bin/sh
# Makes a backup of a SQLite file that verify-backup.yaml can check:
#
#   make-backup.sh DATABASE BACKUP
#
# writes BACKUP (a consistent copy, also while the database is in use), BACKUP.sha256 and
# BACKUP.counts (lines "table rows"). The database is only read.
set -eu
[ $# -eq 2 ] || { echo "usage: make-backup.sh DATABASE BACKUP" >&2; exit 2; }
[ -f "$1" ] || { echo "make-backup.sh: $1: no such file" >&2; exit 1; }
[ ! -e "$2" ] || { echo "make-backup.sh: $2 exists already" >&2; exit 1; }

quoted=$(printf %s "$2" | sed "s/'/''/g")
sqlite3 -batch "$1" "VACUUM INTO '$quoted'"
sha256sum "$2" > "$2.sha256"
# one SELECT for each table, made by SQLite itself, and then run by it
sqlite3 -batch -readonly "$2" "
	SELECT 'SELECT ' || quote(name || ' ') || ' || count(*) FROM \"'
	       || replace(name, '\"', '\"\"') || '\";'
	FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
	ORDER BY name" | sqlite3 -batch -readonly "$2" > "$2.counts"
