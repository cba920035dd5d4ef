# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2034 # make's dollars; variables for run.sh
# Where the benchmark runs: users, a user namespace, a disk, templates.  Sets
#   $place      what the source is on
#   $cold_how   how caches are made cold
#   $templates  what the rows of applications start from
#   $ns_pid     a process in the callers' user namespace, or empty

bench_uid=1700
templates=$T/templates

bed_private_etc() {
	local file
	mount --make-rprivate /
	mkdir -p "$T/sys" &&
		mount -t tmpfs -o mode=755 idshift-bench "$T/sys" || return
	cp -a /etc "$T/sys/etc"
	mount --bind "$T/sys/etc" /etc
	for file in passwd group; do
		awk -F: -v id=$bench_uid '$3 != id' "/etc/$file" >"$T/sys/new"
		cat "$T/sys/new" >"/etc/$file"
	done
	echo "idshift-bench:x:$bench_uid:$bench_uid::$T/home:/bin/sh" >>/etc/passwd
	echo "idshift-bench:x:$bench_uid:" >>/etc/group
	echo "idshift-bench:100000:65536" | tee /etc/subuid >/etc/subgid
	rm -f /etc/nsswitch.conf
	echo user_allow_other >/etc/fuse.conf
	# Real hosts have it open to all.
	mknod -m 666 "$T/sys/fuse" c 10 229 && mount --bind "$T/sys/fuse" /dev/fuse
	mkdir -p "/run/user" && mount -t tmpfs -o mode=755 idshift-bench /run/user
	install -d -m 700 -o $bench_uid -g $bench_uid "/run/user/$bench_uid"
	# So that the namespace sees what is mounted after its start.
	mount --make-rshared /
}

# A quiet disk: nothing else writes to it, and it has no seek times.
bed_image() {
	[[ -z ${BENCH_DIR-} ]] || return
	mkdir -p "$T/ram"
	mount -t tmpfs -o size=6g,mode=700 idshift-bench "$T/ram" &&
		truncate -s 5G "$T/ram/image" &&
		mkfs.ext4 -q -m 0 -N 1500000 "$T/ram/image" 2>/dev/null &&
		mount -o loop,noinit_itable "$T/ram/image" "$T/disk" 2>/dev/null
}

bed_disk() {
	mkdir -p "$T/disk"
	if ((EUID == 0)) && bed_image; then
		place="ext4 on a loop device in memory"
	else
		place="$(stat -f -c %T "$T/disk") below ${BENCH_DIR:-/var/tmp}"
	fi
	mkdir -p "$T/disk"/{plain,records,mnt,empty,overlay}
	if ((EUID == 0)); then
		chown $bench_uid:$bench_uid "$T/disk"/*
	fi
}

bed_user() { # COMMAND...: as the user who mounts
	if ((EUID == 0)); then
		exec setpriv --reuid $bench_uid --regid $bench_uid --clear-groups \
			env -i "PATH=$PATH" "HOME=$T/home" USER=idshift-bench \
			"XDG_RUNTIME_DIR=/run/user/$bench_uid" LANG=C.UTF-8 "$@"
	else
		exec "$@"
	fi
}

bed_namespace() {
	local i
	ns_pid=
	(bed_user unshare --user --map-auto --map-root-user --setuid 0 --setgid 0 \
		--mount --propagation slave sleep infinity 2>"$T/log/namespace") &
	ns_pid=$!
	for ((i = 0; i < 100; i++)); do
		[[ $(tr '\0' ' ' <"/proc/$ns_pid/cmdline" 2>/dev/null) != sleep* ]] ||
			return 0
		kill -0 "$ns_pid" 2>/dev/null || break
		sleep 0.05
	done
	ns_pid=
	echo "no user namespace ($(tail -1 "$T/log/namespace")): callers are" \
		"yourself, without chown" >&2
}

# in_ns ID COMMAND...: as that id of the namespace.
in_ns() {
	local id=$1
	shift
	ns_command "$id"
	"${ns_prefix[@]}" "$@"
}

ns_command() { # ID: sets ns_prefix
	ns_prefix=(env -i "PATH=$PATH" "HOME=$T/home" LANG=C.UTF-8
		"GIT_CONFIG_GLOBAL=$templates/gitconfig" GIT_CONFIG_NOSYSTEM=1)
	[[ -z $ns_pid ]] ||
		ns_prefix=(nsenter -t "$ns_pid" -U -m -S "$1" -G "$1" "${ns_prefix[@]}")
}

bed_cold() {
	if ((EUID == 0)) && echo 2 2>/dev/null >/proc/sys/vm/drop_caches; then
		cold_how="dentries and inodes dropped (drop_caches)"
		make_cold() {
			echo 2 >/proc/sys/vm/drop_caches
		}
	else
		cold_how="mounted anew (the source's own caches stay warm)"
		make_cold() {
			fs_umount
			fs_mount
		}
	fi
}

bed_start() {
	chmod 755 "$T"
	mkdir -p "$T/log" "$T/home" "$T/bin"
	install -m 755 "$BUILD/idshift-mount" "$BUILD/tests/bench" "$T/bin/"
	[[ -z $base ]] || install -m 755 "$base" "$T/bin/idshift-base" || return
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	if ((EUID == 0)); then
		bed_private_etc || return
		chown $bench_uid:$bench_uid "$T/home"
		templates=$T/sys/templates # in memory
	fi
	mkdir -p "$templates"
	bed_disk && bed_namespace && bed_cold
}

bed_end() {
	local pids
	pids=$(jobs -p)
	# shellcheck disable=SC2086
	[[ -z $pids ]] || kill $pids 2>/dev/null
	((EUID != 0)) || umount -Rl "$T/disk" "$T/ram" "$T/sys" 2>/dev/null
}

# --- what the rows of applications work on ---------------------------------

bed_git() {
	local i git=(git -c "safe.directory=*" -C "$templates/git")
	cat >"$templates/gitconfig" <<-'END'
		[user]
			name = bench
			email = bench@example.org
		[safe]
			directory = *
		[init]
			defaultBranch = main
		[gc]
			auto = 0
		[maintenance]
			auto = false
	END
	mkdir -p "$templates/git"
	export GIT_CONFIG_GLOBAL=$templates/gitconfig GIT_CONFIG_NOSYSTEM=1
	"${git[@]}" init -q
	for ((i = 0; i < 1000; i++)); do
		mkdir -p "$templates/git/d$((i / 25))"
		echo "file $i" >"$templates/git/d$((i / 25))/f$i"
	done
	"${git[@]}" add . && "${git[@]}" commit -qm one || return
	"${git[@]}" checkout -qb other
	for ((i = 0; i < 1000; i += 3)); do
		echo "changed" >>"$templates/git/d$((i / 25))/f$i"
	done
	"${git[@]}" commit -qam two && "${git[@]}" gc -q &&
		"${git[@]}" checkout -q main
}

bed_build() {
	local dir=$templates/build i j
	mkdir -p "$dir"
	{
		echo 'objects = $(patsubst %.c,%.o,$(wildcard *.c))'
		echo 'all: program'
		echo 'program: $(objects)'
		printf '\tcc -o $@ $(objects)\n'
		echo '%.o: %.c $(wildcard *.h)'
		printf '\tcc -c -o $@ $<\n'
	} >"$dir/Makefile"
	for ((i = 0; i < 12; i++)); do
		echo "int f$i(int n);" >"$dir/h$i.h"
	done
	for ((i = 0; i < 12; i++)); do
		{
			printf '#include <%s.h>\n' stdio stdlib string unistd
			for ((j = 0; j < 12; j++)); do
				echo "#include \"h$j.h\""
			done
			echo "int f$i(int n) { return n > 0 ? f$(((i + 1) % 12))(n - 1) : 0; }"
		} >"$dir/c$i.c"
	done
	echo 'int f0(int n); int main(void) { return f0(9); }' >"$dir/main.c"
}

bed_templates() {
	local i
	"$T/bin/bench" -n "${TREE:-10000}" tree "$templates" &&
		tar -C "$templates" --owner=0 --group=0 -cf \
			"$templates/tree.tar" tree && rm -rf "$templates/tree" ||
		return
	bed_git && bed_build || return
	{
		echo 'create table t (a integer primary key, b text);'
		for ((i = 0; i < 50; i++)); do
			echo "insert into t values ($i, 'row $i');"
		done
		echo 'select count(*) from t;'
	} >"$templates/rows.sql"
}
