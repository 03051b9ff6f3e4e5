# shellcheck shell=sh
# Processes that make dev starts. Each has a line in .demon/NAME.pid: process id, start time, address,
# program. Process ids are used again: one is ours only if start time and program are still the same.

# Field 22 of /proc/PID/stat, behind the name in parentheses.
started_at() {
	sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d' ' -f20
}

#	remember NAME PID ADDRESS PROGRAM
remember() {
	(umask 077 && printf '%s %s %s %s\n' "$2" "$(started_at "$2")" "$3" "$4" > ".demon/$1.pid")
}

pid_of() {
	cut -d' ' -f1 ".demon/$1.pid"
}

address_of() {
	cut -d' ' -f3 ".demon/$1.pid"
}

# True while the process that was started runs, whatever program it has become by now.
is_alive() {
	[ -f ".demon/$1.pid" ] || return 1
	read -r pid since _ < ".demon/$1.pid" || return 1
	[ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ] &&
		[ "$(sed 's/.*) //' "/proc/$pid/stat" 2> /dev/null | cut -c1)" != Z ]
}

# True while it runs and is the program that was started; the file may have been built anew since.
is_running() {
	is_alive "$1" || return 1
	read -r pid _ _ program < ".demon/$1.pid"
	exe=$(readlink "/proc/$pid/exe") || return 1
	[ "${exe% (deleted)}" = "$program" ]
}

# True when the program file was replaced after the process began.
is_outdated() {
	case $(readlink "/proc/$(pid_of "$1")/exe") in *' (deleted)') return 0 ;; esac
	return 1
}

# Ends a process of ours and waits for it: up to 15 s for it to end by itself.
end() {
	if is_running "$1"; then
		pid=$(pid_of "$1")
		kill -TERM "$pid"
		tries=0
		while is_alive "$1" && [ $tries -lt 150 ]; do
			tries=$((tries + 1))
			sleep 0.1
		done
		if is_alive "$1"; then
			echo "$1 ($pid) did not end in 15 s: killed" >&2
			kill -KILL "$pid"
			while is_alive "$1"; do sleep 0.1; done
		fi
		echo "stopped $1 ($pid)"
	fi
	rm -f ".demon/$1.pid"
}

# True when some process listens on this port, on any address.
is_taken() {
	awk -v port="$(printf %04X "$1")" '
		{ split($2, local, ":"); if ($4 == "0A" && local[2] == port) found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6 2> /dev/null
}

# The port that is asked for, or the next one that is free.
free_port() {
	port=$1
	while is_taken "$port"; do port=$((port + 1)); done
	echo "$port"
}
