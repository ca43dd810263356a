#!/bin/bash
# bench.sh BAILIFF: measures what docs/benchmarks.md lists, each figure beside its
# bar and, where there is a peer, beside the peer in the same run.
set -euo pipefail

bailiff=$(realpath "$1")
here=$(cd "$(dirname "$0")/.." && pwd)
go=${GO:-go}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n%s\n' "$*"; }

# The peer is unpacked and not installed: it must not become a service.
peer() {
	chmod 0777 "$work"
	(cd "$work" && apt-get download -qq sshguard >/dev/null 2>&1 && dpkg -x sshguard_*.deb peer) ||
		{ echo 'bench: cannot fetch sshguard from Debian; run apt-get update' >&2; exit 1; }
	echo "$work/peer/usr/libexec/sshguard/sshg-parser"
}

# mixed LINES: log lines of a busy host, one in fifty of them an attack.
mixed() {
	awk -v n="$1" -v attacks="$here/rules/testdata/asterisk-18/rfc3164.lines" 'BEGIN {
		while ((getline line < attacks) > 0) if (line ~ /InvalidPassword|Wrong password/) attack[na++] = line
		for (i = 0; i < 200; i++) attack[na++] = "<86>Nov 23 10:11:12 host sshd[" 4000+i "]: Failed password for root from 198.51.100." i%250+1 " port " 40000+i " ssh2"
		tail[0] = "systemd[1]: Started session-%d.scope - Session %d of User alice."
		tail[1] = "CRON[%d]: (root) CMD (test -x /usr/sbin/anacron || run-parts /etc/cron.daily) %d"
		tail[2] = "kernel: [%d.000000] eth0: renamed from veth%d"
		tail[3] = "postfix/smtpd[%d]: connect from mail.example.org[192.0.2.%d]"
		tail[4] = "nginx: 192.0.2.%d - - \"GET /index.html?page=%d HTTP/1.1\" 200 5123 \"-\" \"Mozilla/5.0\""
		tail[5] = "dhclient[%d]: DHCPACK of 192.0.2.%d from 192.0.2.1"
		tail[6] = "sshd[%d]: pam_unix(sshd:session): session opened for user alice(uid=%d) by (uid=0)"
		tail[7] = "asterisk[%d]: VERBOSE[%d]: pbx.c:4371 in pbx_extension_helper: Executing [101@internal:1] Dial(\"PJSIP/102\", \"PJSIP/101\") in new stack"
		tail[8] = "dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.%d, lip=192.0.2.1, mpid=%d, TLS"
		for (i = 0; i < n; i++)
			if (i % 50 == 0) print attack[i/50 % na]
			else printf "<30>Nov 23 10:11:12 host " tail[i % 9] "\n", i%250, i%199
	}'
}

seconds() { # command…: wall time
	local start end
	start=$(date +%s%N)
	"$@" >/dev/null 2>&1
	end=$(date +%s%N)
	awk -v a="$start" -v b="$end" 'BEGIN { printf "%.3f", (b-a)/1e9 }'
}

# What a few of the rules look for, as one expression for grep.
expression="sshd\[[0-9]+\]: Failed password for .* from [0-9.]+ port [0-9]+|\
Registration from '.*' failed for '[0-9.]+:[0-9]+' - Wrong password|\
SecurityEvent=\"InvalidPassword\".*,RemoteAddress=\"IPV4/[A-Z]+/[0-9.]+/[0-9]+\""

lines_per_second() { # what file lines bar: bailiff and two peers on one core
	local own other grep
	own=$(seconds taskset -c 0 env GOMAXPROCS=1 "$bailiff" match --count "$2")
	other=$(seconds taskset -c 0 sh -c "'$parser' <'$2'")
	# Into a pipe: with /dev/null grep ends at the first line that matches.
	grep=$(seconds taskset -c 0 sh -c 'LC_ALL=C grep -cE "$1" "$2" | cat' sh "$expression" "$2")
	awk -v what="$1" -v n="$3" -v own="$own" -v other="$other" -v grep="$grep" -v bar="$4" 'BEGIN {
		printf "%-24s bar %-26s bailiff %5.2f M/s   sshg-parser %5.2f M/s, ratio %.1f   grep -cE %5.2f M/s, ratio %.1f\n",
			what, bar, n/own/1e6, n/other/1e6, other/own, n/grep/1e6, grep/own
	}'
}

parser=$(peer)
say 'Parse and match, the shipped packs, one core, the whole program'
mixed 4000000 >"$work/mixed"
lines_per_second 'mixed lines' "$work/mixed" 4000000 '>= 3 M/s, 4x sshg-parser'
mixed 50000 | grep -E 'Failed password|Wrong password|InvalidPassword' >"$work/once"
for _ in $(seq 1000); do cat "$work/once"; done | head -1000000 >"$work/attacks"
lines_per_second 'every line an attack' "$work/attacks" 1000000 '>= 1 M/s'

bench() { # package pattern: the metrics of go test -bench, one line each
	(cd "$here" && "$go" test -run '^$' -bench "$2" -benchtime "${3:-1x}" "$1") | awk '/^Benchmark/ {
		sub(/-[0-9]+$/, "", $1); printf "%-46s", substr($1, 10)
		for (i = 3; i < NF; i += 2) if ($(i+1) != "ns/op" || $i != 0) printf "  %s %s", $i, $(i+1)
		print ""
	}'
}

scaled() { # as bench, and the processor time of each size over that of the smallest
	bench "$@" | awk '{
		size = split($1, part, "/"); kind = $1; sub("/" part[size] "$", "", kind)
		for (i = 3; i <= NF; i++) if ($i == "cpu-ns/op") { if (!(kind in least)) least[kind] = $(i-1); printf "%s  %.1f ratio\n", $0, $(i-1)/least[kind]; next }
		print
	}'
}

say 'Matching alone (1,000 rules <= 1.3x the time of 100; an 8 KiB hostile line <= 20 us)'
bench ./rules 'Rules|Hostile' 200ms
say 'From a line to the element in the kernel (UDP: p50 <= 1 ms, p99 <= 5 ms; journal: p50 <= 10 ms, p99 <= 20 ms)'
bench ./cmd/internal/livetest ToKernel
say 'One ban with 100,000 present (p99 <= 1 ms); 100,000 bans back in the kernel (<= 2x nft -f)'
bench ./enforce/nft 'Ban|Restore' 2s
bench ./cmd/internal/livetest Restart 3x
say 'RssAnon at rest, 50,000 remembered addresses (<= 25 MB)'
bench ./cmd/internal/livetest AtRest
say 'One match among 10, 10^4 and 10^6 watched addresses; one question to a record of 10, 10^4 and 10^6 offenders, and one ban (flat)'
scaled ./decide '^BenchmarkMatch$' 300000x
scaled ./store Remembered 50000x
say 'UDP for 5 s, at most 200,000 datagrams a second (no match: 0 lost; attacks: every loss counted)'
bench ./cmd/internal/livetest Flood
say 'From the socket to no match, beside rsyslogd that writes the same datagrams to a file: processor time a line'
bench ./cmd/internal/livetest BesideRsyslog
