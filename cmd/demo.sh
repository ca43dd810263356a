#!/bin/bash
# demo.sh BAILIFF: shows bailiff at work among real daemons, in namespaces that
# are gone when it ends. A PBX forwards the log of a real attack on it, an SSH
# guesser attacks a real sshd whose log goes to a real journald, and a bystander
# logs in all the while.
set -euo pipefail

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

outside() { # bailiff
	[ "$(id -u)" = 0 ] || { echo 'demo: needs root for namespaces: sudo make demo' >&2; exit 1; }
	# journald finds the unit of a sender by its cgroup: give the demo a
	# hierarchy of its own.
	work=$(mktemp -d)
	mkdir "$work/cgroup"
	mount -t cgroup2 none "$work/cgroup"
	cgroup=$work/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)/bailiff-demo-$$
	mkdir "$cgroup"
	trap 'clean' EXIT
	( echo "$BASHPID" >"$cgroup/cgroup.procs"
	  exec unshare --net --mount --pid --cgroup --fork --kill-child --propagation private "$0" inside "$1" )
}

clean() {
	find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
	umount "$work/cgroup"
	rm -rf "$work"
}

private() { # mounts that nobody else sees
	mount -t proc proc /proc
	mount -t tmpfs -o mode=755 tmpfs /run
	mount -t tmpfs -o mode=755 tmpfs /var/log
	mkdir /run/cgroup
	mount -t cgroup2 cgroup2 /run/cgroup
	mount --move /run/cgroup /sys/fs/cgroup
	local dev
	dev=$(mktemp -d /run/dev.XXXX)
	mount -t tmpfs -o mode=755 tmpfs "$dev"
	for node in null zero full random urandom tty; do
		touch "$dev/$node"
		mount --bind "/dev/$node" "$dev/$node"
	done
	ln -s /proc/self/fd "$dev/fd"
	ln -s /run/systemd/journal/dev-log "$dev/log"
	mount --move "$dev" /dev
	mkdir -p /run/systemd/journal /run/sshd /var/log/journal "$(dirname "$state")"
	[ -s /etc/machine-id ] || { head -c16 /dev/urandom | od -An -tx1 | tr -d ' \n' >/run/machine-id; mount --bind /run/machine-id /etc/machine-id; }
}

host() { # name address: a machine that sends everything to us
	ip netns add "$1"
	ip link add "$1" type veth peer name eth0 netns "$1"
	ip addr add fe80::1/64 dev "$1" nodad
	ip link set "$1" up
	ip -n "$1" addr add fe80::2/64 dev eth0 nodad
	ip -n "$1" addr add "$2" dev eth0
	ip -n "$1" link set eth0 up
	ip -4 -n "$1" route add default via inet6 fe80::1 dev eth0
	ip -4 route add "$2/32" via inet6 fe80::2 dev "$1"
}

await() { # what command…: until the command succeeds, 15 s at most
	local what=$1
	shift
	for _ in $(seq 150); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "demo: waited in vain for $what" >&2
	cat /run/demo/bailiff.log >&2
	exit 1
}

start_journald() {
	/lib/systemd/systemd-journald &
	await journald test -S /run/systemd/journal/dev-log
}

start_sshd() {
	ssh-keygen -q -t ed25519 -N '' -f /run/demo/hostkey
	ssh-keygen -q -t ed25519 -N '' -f /run/demo/key
	cat >/run/demo/sshd_config <<-EOF
		Port 22
		HostKey /run/demo/hostkey
		PidFile none
		UsePAM no
		PermitRootLogin yes
		PasswordAuthentication yes
		AuthorizedKeysFile /run/demo/key.pub
		StrictModes no
	EOF
	mkdir -p /sys/fs/cgroup/system.slice/ssh.service
	( echo "$BASHPID" >/sys/fs/cgroup/system.slice/ssh.service/cgroup.procs
	  exec /usr/sbin/sshd -D -f /run/demo/sshd_config ) &
	await sshd bash -c '</dev/tcp/127.0.0.1/22'
	printf '#!/bin/sh\necho guess\n' >/run/demo/askpass
	chmod +x /run/demo/askpass
}

login() { # host option…
	local from=$1
	shift
	SSH_ASKPASS=/run/demo/askpass SSH_ASKPASS_REQUIRE=force ip netns exec "$from" setsid -w ssh -F none \
		-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
		-o ConnectTimeout=2 -o ServerAliveInterval=1 -o ServerAliveCountMax=1 "$@" root@192.0.2.10 echo "logged in" </dev/null
}

inside() { # bailiff
	local bailiff=$1 state=/run/demo/state
	private
	ip link set lo up
	ip addr add 192.0.2.10/24 dev lo
	host pbx 203.0.113.200
	host guesser 203.0.113.66
	host colleague 203.0.113.67
	start_journald
	start_sshd
	cat >/run/demo/bailiff.toml <<-EOF
		state_dir = "$state"
		socket    = "/run/bailiff/bailiff.sock"
		[[source.syslog]]
		listen     = "udp://192.0.2.10:514"
		allow_from = ["203.0.113.200"]
		path       = "protected"
		[jail.sshd]
		packs = ["sshd"]
		[jail.pbx]
		packs = ["asterisk"]
		find_time = "60s"
	EOF

	say 'bailiff starts: the journal, and a PBX that forwards syslog.'
	show cat /run/demo/bailiff.toml
	"$bailiff" run --config /run/demo/bailiff.toml >/run/demo/bailiff.log 2>&1 &
	local pid=$!
	await 'bailiff to answer' "$bailiff" status

	say 'A PBX under attack forwards its log: 857 lines, recorded from a real one.'
	ip netns exec pbx bash -c 'while IFS= read -r line; do printf %s "$line" >/dev/udp/192.0.2.10/514; done' \
		<"$here/../rules/testdata/asterisk-18/rfc3164.lines"
	say 'Somebody guesses the root password of sshd.'
	for _ in 1 2 3; do
		login guesser -o PubkeyAuthentication=no -o NumberOfPasswordPrompts=3 2>&1 | tail -1 || true
	done
	await 'the ban' "$bailiff" list 203.0.113.66

	say 'What bailiff printed as it happened:'
	cat /run/demo/bailiff.log
	say 'The bans:'
	show "$bailiff" list
	say 'The sets in the kernel, which end the bans by themselves:'
	show nft list table inet bailiff | grep -v '^$' | cut -c1-150
	say 'Why is the guesser banned?'
	show "$bailiff" why 203.0.113.66
	say 'The guesser is out, a colleague with a key is in:'
	login guesser -o PasswordAuthentication=no -i /run/demo/key 2>&1 || true
	login colleague -o PasswordAuthentication=no -i /run/demo/key
	kill -TERM "$pid"
	wait "$pid"
	say 'bailiff has stopped; its bans still stand, and end on time:'
	show nft list set inet bailiff banned4 | sed -n '1,8p' | cut -c1-150
}

here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in
inside) inside "$2" ;;
'') echo 'usage: demo.sh BAILIFF' >&2; exit 2 ;;
*) outside "$(realpath "$1")" ;;
esac
