# Processes that make dev starts. Each has a line in .demon/NAME.pid: process id, start time of the
# process, address. A process is ours only if its start time is still the same: ids are used again.

started_at() {
	# field 22 of /proc/PID/stat, behind the name in parentheses
	sed 's/.*) //' "/proc/$1/stat" 2> /dev/null | cut -d' ' -f20
}

remember() {
	printf '%s %s %s\n' "$2" "$(started_at "$2")" "$4" > ".demon/$1.pid"
}

is_running() {
	[ -f ".demon/$1.pid" ] || return 1
	read -r pid since _ < ".demon/$1.pid"
	[ -n "$since" ] && [ "$(started_at "$pid")" = "$since" ] &&
		[ "$(sed 's/.*) //' "/proc/$pid/stat" | cut -c1)" != Z ]
}

address() {
	cut -d' ' -f3 ".demon/$1.pid"
}

# The port that is asked for, or the next free one on loopback.
free_port() {
	port=$1
	while ss_has "$port"; do port=$((port + 1)); done
	echo "$port"
}

ss_has() {
	grep -qi "0100007F:$(printf %04X "$1") \|00000000:$(printf %04X "$1") " /proc/net/tcp
}

# True when an HTTP GET of a loopback address answers 200.
answers() {
	rest=${1#http://}
	host=${rest%%/*}
	reply=$(exec 2> /dev/null; http_get "${host%:*}" "${host#*:}" "/${rest#*/}") || return 1
	case $reply in *" 200 "*) return 0 ;; esac
	return 1
}

http_get() {
	if command -v curl > /dev/null; then
		curl -s -i --max-time 2 "http://$1:$2$3" | head -n 1
	elif command -v python3 > /dev/null; then
		python3 - "$1" "$2" "$3" <<'PY'
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=2)
c.request("GET", sys.argv[3])
print("HTTP/1.1", c.getresponse().status, "")
PY
	else
		# a shell with network redirections, which Debian always has
		bash -c 'exec 3<> "/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$3" >&3 && head -n 1 <&3' - "$1" "$2" "$3"
	fi
}
