#!/bin/sh
# What rotate-credential.yaml needs of the machine, for a service that reads the credentials it takes
# from a file, one a line. Credentials come on stdin, never as arguments, which everybody can see.
#
#   credential.sh get DIR SCOPE KEY   prints DIR/SCOPE/KEY, which only its owner may read; this is
#                                     what `--secrets-command 'credential.sh get DIR'` asks
#   credential.sh add FILE            adds the credential to FILE, if it is not there yet
#   credential.sh remove FILE         takes it out of FILE, if it is there
set -eu
umask 077

usage() {
	echo "usage: credential.sh get DIR SCOPE KEY | add FILE | remove FILE" >&2
	exit 2
}

fail() {
	echo "credential.sh: $*" >&2
	exit 1
}

case "${1:-} $#" in
"get 4")
	path=$2/$3/$4
	[ -f "$path" ] || fail "$path: no such file"
	case $(ls -ld -- "$path") in
	-???------*) cat -- "$path" ;;
	*) fail "$path: others than its owner may use it (chmod 600)" ;;
	esac
	;;
"add 2" | "remove 2")
	credential=$(cat)
	[ -n "$credential" ] || fail "no credential on stdin"
	[ -f "$2" ] || fail "$2: no such file"
	cp -p -- "$2" "$2.part" # its mode, and its owner where that can be
	printf '%s\n' "$credential" | grep -vxF -f /dev/stdin -- "$2" > "$2.part" || [ $? -eq 1 ]
	[ "$1" = remove ] || printf '%s\n' "$credential" >> "$2.part"
	mv -- "$2.part" "$2"
	;;
*) usage ;;
esac
