/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subordinate ids, and user namespaces made of them. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "idshift/cleanup.h"
#include "idshift/number.h"
#include "idshift/program.h"
#include "idshift/small_file.h"
#include "idshift/subid.h"

#include "doctor.h"

/* Fewer, and images whose nobody is 65534 don't unpack. */
#define COUNT_WANTED 65536

static void check_spans(struct doctor *doctor, const char *what,
			enum subid_kind kind, const struct subid_span *spans,
			size_t count)
{
	const char *word = kind == SUBID_UID ? "uid" : "gid";
	uint32_t own = kind == SUBID_UID ? doctor->uid : doctor->gid;
	_cleanup_extents_ struct extent_list extents = { 0 };
	uint64_t total = 0;
	uint32_t twice = 0;
	int r = subid_to_extents(own, spans, count, &extents, &twice);

	for (size_t i = 0; i < count; i++)
		total += spans[i].count;
	if (r == -EEXIST)
		doctor_fail(doctor, what,
			    "%u is there twice, which podman refuses: mend "
			    "/etc/sub%s",
			    twice, word);
	else if (r < 0)
		doctor_fail(doctor, what, "%s: mend /etc/sub%s",
			    r == -ERANGE ? "they reach beyond 4294967294" :
					   strerror(-r),
			    word);
	else if (total < COUNT_WANTED)
		doctor_warn(doctor, what,
			    "only %llu: images with greater ids can't be "
			    "unpacked; as root, 'usermod --add-sub%ss "
			    "FIRST-LAST %s'",
			    (unsigned long long)total, word,
			    doctor->user != NULL ? doctor->user : "USER");
	else
		doctor_ok(doctor, what, "%llu from %llu on",
			  (unsigned long long)total,
			  (unsigned long long)spans[0].start);
}

static void check_subids(struct doctor *doctor, enum subid_kind kind)
{
	const char *word = kind == SUBID_UID ? "uid" : "gid";
	const char *what =
		kind == SUBID_UID ? "subordinate uids" : "subordinate gids";
	const char *user = doctor->user != NULL ? doctor->user : "USER";
	_cleanup_free_ struct subid_span *spans = NULL;
	unsigned long long first;
	size_t count = 0;
	int r = subid_lookup(kind, doctor->user, doctor->uid, &spans, &count);

	if (r == -ENOENT && doctor->uid == 0)
		doctor_ok(doctor, what, "none, and root needs none");
	else if (r == -ENOENT) {
		first = subid_first_free("/etc/subuid", "/etc/subgid");
		doctor_fail(doctor, what,
			    "none: as root, 'usermod --add-sub%ss %llu-%llu "
			    "%s', or for users of a domain have 'subid: sss' "
			    "in /etc/nsswitch.conf",
			    word, first, first + SUBID_USUAL - 1, user);
	} else if (r < 0)
		doctor_fail(doctor, what,
			    "the look-up failed: check /etc/sub%s and 'subid' "
			    "in /etc/nsswitch.conf",
			    word);
	else
		check_spans(doctor, what, kind, spans, count);
}

static void check_mapper(struct doctor *doctor, const char *program)
{
	char path[PATH_MAX];

	if (!program_find(program, getenv("PATH"), path))
		doctor_fail(doctor, program,
			    "not in PATH: install the package uidmap "
			    "(shadow-utils)");
	else if (!doctor_is_privileged(path))
		doctor_fail(doctor, program,
			    "'%s' is neither setuid root nor has it "
			    "cap_set%.1sid: as root, 'chmod 4755 %s'",
			    path, program + 3, path);
	else
		doctor_ok(doctor, program, "%s", path);
}

void doctor_check_ids(struct doctor *doctor)
{
	if (doctor->child_userns) {
		doctor_ok(doctor, "subordinate ids",
			  "this is a user namespace, which has its ids");
		return;
	}
	check_subids(doctor, SUBID_UID);
	check_subids(doctor, SUBID_GID);
	if (doctor->uid != 0) {
		check_mapper(doctor, "newuidmap");
		check_mapper(doctor, "newgidmap");
	}
}

/* 0, or the -errno with which a user namespace can't be made. */
static int try_userns(void)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
	if (child < 0 || waitpid(child, &status, 0) != child ||
	    !WIFEXITED(status))
		return -ECHILD;
	return -WEXITSTATUS(status);
}

/* -1: the kernel has no such setting. */
static long long setting(const char *path)
{
	char text[32];
	uint64_t value;

	if (small_file_read(AT_FDCWD, path, text, sizeof(text)) < 0 ||
	    number_parse(text, strcspn(text, "\n"), INT64_MAX, &value) < 0)
		return -1;
	return (long long)value;
}

void doctor_check_userns(struct doctor *doctor)
{
	static const char what[] = "user namespaces";
	int r = try_userns();

	if (setting("/proc/sys/user/max_user_namespaces") == 0)
		doctor_fail(doctor, what,
			    "switched off: as root, 'sysctl -w "
			    "user.max_user_namespaces=15000'");
	else if (r < 0 &&
		 setting("/proc/sys/kernel/unprivileged_userns_clone") == 0)
		doctor_fail(doctor, what,
			    "switched off for users: as root, 'sysctl -w "
			    "kernel.unprivileged_userns_clone=1'");
	else if (r < 0)
		doctor_fail(doctor, what,
			    "none can be made: %s: a container around this or "
			    "a security module forbids it",
			    strerror(-r));
	else if (doctor->uid != 0 &&
		 setting("/proc/sys/kernel/"
			 "apparmor_restrict_unprivileged_userns") == 1)
		doctor_warn(doctor, what,
			    "AppArmor restricts them to programs with a "
			    "profile: podman has one; for others, as root, "
			    "'sysctl -w "
			    "kernel.apparmor_restrict_unprivileged_userns=0'");
	else
		doctor_ok(doctor, what, "can be made");
}
