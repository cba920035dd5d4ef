/* SPDX-License-Identifier: GPL-2.0-or-later */
/* On a directory tree of its own under TMPDIR. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "idshift/mountpoint.h"

static char base[PATH_MAX];

/* A path below the tree; good until the fourth call after. */
static const char *at(const char *name)
{
	static char paths[4][PATH_MAX + 64];
	static unsigned int turn;
	char *path = paths[turn++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
	return path;
}

static void make_dir(const char *name, mode_t mode)
{
	assert_int_equal(mkdir(at(name), 0755), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void make_file(const char *name, mode_t mode, const char *text)
{
	int fd = open(at(name), O_CREAT | O_EXCL | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static int make_tree(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char template[PATH_MAX - 64];
	char *real;

	(void)state;
	(void)snprintf(template, sizeof(template), "%s/idshift-test.XXXXXX",
		       tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(template) == NULL)
		return -1;
	real = realpath(template, NULL);
	if (real == NULL)
		return -1;
	(void)snprintf(base, sizeof(base), "%s", real);
	free(real);
	return chmod(base, 0755);
}

static int remove_tree(void **state)
{
	char command[PATH_MAX + 32];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", base);
	return system(command);
}

/* The text of the message after the tree's path is taken out of it. */
static const char *without_base(const char *text)
{
	static char buf[600];
	size_t len = strlen(base);
	const char *found;

	buf[0] = '\0';
	while ((found = strstr(text, base)) != NULL) {
		strncat(buf, text, (size_t)(found - text));
		strncat(buf, "@", sizeof(buf) - strlen(buf) - 1);
		text = found + len;
	}
	strncat(buf, text, sizeof(buf) - strlen(buf) - 1);
	return buf;
}

static void test_source(void **state)
{
	struct error error = { 0 };
	char *real = NULL;

	(void)state;
	make_dir("source", 0755);
	make_file("file", 0644, "");
	assert_int_equal(symlink("source", at("link")), 0);
	assert_int_equal(mountpoint_check_source(at("source"), &real, &error),
			 0);
	assert_string_equal(real, at("source"));
	free(real);
	assert_int_equal(
		mountpoint_check_source(at("link/../source/."), &real, &error),
		0);
	assert_string_equal(real, at("source"));
	free(real);
	real = NULL;
	assert_int_equal(mountpoint_check_source(at("none"), &real, &error),
			 -EINVAL);
	assert_string_equal(without_base(error.text),
			    "source '@/none': there is no such directory");
	assert_int_equal(error.exit_code, 4);
	assert_int_equal(mountpoint_check_source(at("file"), &real, &error),
			 -EINVAL);
	assert_string_equal(without_base(error.text),
			    "source '@/file': not a directory");
	assert_null(real);
}

static void test_target(void **state)
{
	struct error error = { 0 };
	char *real = NULL;

	(void)state;
	make_dir("mnt", 0755);
	assert_int_equal(
		mountpoint_check_target(at("mnt"), true, &real, &error), 0);
	assert_string_equal(real, at("mnt"));
	free(real);
	real = NULL;
	assert_int_equal(
		mountpoint_check_target(at("none"), false, &real, &error),
		-EINVAL);
	assert_string_equal(without_base(error.text),
			    "mount point '@/none': there is no such directory; "
			    "make it with 'mkdir -p'");
	assert_int_equal(error.exit_code, 5);
	assert_int_equal(
		mountpoint_check_target(at("file"), false, &real, &error),
		-EINVAL);
	assert_string_equal(without_base(error.text),
			    "mount point '@/file': not a directory");
	/* A mount of another kind is no obstacle. */
	assert_int_equal(mountpoint_check_target("/proc", false, &real, &error),
			 0);
	free(real);
}

static void test_target_of_others(void **state)
{
	struct error error = { 0 };
	char *real = NULL;

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root to give directories away\n");
		skip();
	}
	make_dir("theirs", 0755);
	make_dir("sticky", 01777);
	make_dir("own", 0555);
	assert_int_equal(chown(at("own"), 4321, 4321), 0);
	assert_int_equal(chown(at("theirs"), 1234, 1234), 0);
	assert_int_equal(chown(at("sticky"), 1234, 1234), 0);
	assert_int_equal(seteuid(4321), 0);
	assert_int_equal(
		mountpoint_check_target(at("theirs"), true, &real, &error),
		-EINVAL);
	assert_string_equal(without_base(error.text),
			    "mount point '@/theirs': you may not write to it, "
			    "so fusermount3 would refuse; use a directory of "
			    "yours");
	assert_int_equal(
		mountpoint_check_target(at("sticky"), true, &real, &error),
		-EINVAL);
	assert_string_equal(without_base(error.text),
			    "mount point '@/sticky': its sticky bit is set and "
			    "it isn't yours, so fusermount3 would refuse; make "
			    "a directory in it");
	assert_int_equal(
		mountpoint_check_target(at("own"), true, &real, &error),
		-EINVAL);
	assert_string_equal(without_base(error.text),
			    "mount point '@/own': you may not write to it, so "
			    "fusermount3 would refuse; run: chmod u+w @/own");
	assert_int_equal(error.exit_code, 5);
	assert_int_equal(seteuid(0), 0);
	assert_null(real);
	/* Root mounts without fusermount3. */
	assert_int_equal(
		mountpoint_check_target(at("sticky"), false, &real, &error), 0);
	free(real);
}

#define UNCHANGED ((uid_t)-1)

struct reach_case {
	const char *name;
	mode_t source_parent;
	gid_t source_gid;
	mode_t mount_parent;
	uid_t mount_uid;
	gid_t mount_gid;
	bool refused;
	bool root_only; /* gives directories away */
};

static const struct reach_case reach_cases[] = {
	{ "both open", 0755, UNCHANGED, 0755, UNCHANGED, UNCHANGED, false,
	  false },
	{ "only the mount point is private", 0755, UNCHANGED, 0700, UNCHANGED,
	  UNCHANGED, false, false },
	{ "only the source is private", 0700, UNCHANGED, 0755, UNCHANGED,
	  UNCHANGED, true, false },
	{ "both are private", 0700, UNCHANGED, 0700, UNCHANGED, UNCHANGED,
	  false, false },
	{ "readable is not searchable", 0744, UNCHANGED, 0755, UNCHANGED,
	  UNCHANGED, true, false },
	{ "searchable for others is open", 0701, UNCHANGED, 0755, UNCHANGED,
	  UNCHANGED, false, false },
	{ "the mount point is open to a group", 0700, UNCHANGED, 0710,
	  UNCHANGED, UNCHANGED, true, false },
	{ "both are open to one group", 0710, UNCHANGED, 0750, UNCHANGED,
	  UNCHANGED, false, false },
	{ "the group may only read", 0740, UNCHANGED, 0750, UNCHANGED,
	  UNCHANGED, true, false },
	{ "open to different groups", 0750, 2000, 0750, UNCHANGED, 2001, true,
	  true },
	{ "open to one other group", 0750, 2000, 0750, UNCHANGED, 2000, false,
	  true },
	{ "the source to a group, the mount point to none", 0750, 2000, 0700,
	  UNCHANGED, 2001, false, true },
	{ "another user's private directory", 0700, UNCHANGED, 0700, 4321,
	  UNCHANGED, true, true },
	{ "the acting user's private directory", 0700, UNCHANGED, 0700, 1234,
	  UNCHANGED, false, true },
};

static void check_reach(const char *source, const char *mount, bool refused,
			struct error *error)
{
	char source_path[PATH_MAX + 64];
	char mount_path[PATH_MAX + 64];

	(void)snprintf(source_path, sizeof(source_path), "%s", at(source));
	(void)snprintf(mount_path, sizeof(mount_path), "%s", at(mount));
	assert_int_equal(
		mountpoint_check_reach(source_path, mount_path, 1234, error),
		refused ? -EINVAL : 0);
}

static void test_reach(void **state)
{
	struct error error = { 0 };

	(void)state;
	make_dir("s", 0755);
	make_dir("s/in", 0700);
	make_dir("s/in/source", 0700);
	make_dir("m", 0755);
	make_dir("m/in", 0755);
	make_dir("m/in/mnt", 0700);
	assert_int_equal(chmod(at("s/in"), 0755), 0);
	for (size_t i = 0; i < sizeof(reach_cases) / sizeof(reach_cases[0]);
	     i++) {
		const struct reach_case *c = &reach_cases[i];

		if (c->root_only && geteuid() != 0)
			continue;
		print_message("%s\n", c->name);
		assert_int_equal(chown(at("s"), geteuid(), getegid()), 0);
		assert_int_equal(chown(at("m"), geteuid(), getegid()), 0);
		assert_int_equal(chown(at("s"), UNCHANGED, c->source_gid), 0);
		assert_int_equal(chown(at("m"), c->mount_uid, c->mount_gid), 0);
		assert_int_equal(chmod(at("s"), c->source_parent), 0);
		assert_int_equal(chmod(at("m"), c->mount_parent), 0);
		/* The directories themselves may be private: modes show. */
		check_reach("s/in/source", "m/in/mnt", c->refused, &error);
		if (c->refused)
			assert_int_equal(error.exit_code, 5);
	}
	assert_int_equal(chown(at("m"), geteuid(), getegid()), 0);
	assert_int_equal(chmod(at("s"), 0700), 0);
	assert_int_equal(chmod(at("m"), 0755), 0);
	check_reach("s/in/source", "m/in/mnt", true, &error);
	assert_string_equal(
		without_base(error.text),
		"mount point '@/m/in/mnt': others can reach it, but not the "
		"source: '@/s' is private (mode 0700); mount in a private "
		"directory, or let them in with 'public'");
	/* The mount point's own mode is covered by the mount. */
	assert_int_equal(chmod(at("m/in/mnt"), 0700), 0);
	check_reach("s/in/source", "m/in/mnt", true, &error);
	/* Inside the same private directory. */
	check_reach("s/in/source", "s/in", false, &error);
	check_reach("s", "m", false, &error);
	assert_int_equal(mountpoint_check_reach("/", at("m"), 0, &error), 0);
}

/* Which private directory stands for which doesn't matter; each needs one. */
static void test_reach_several(void **state)
{
	struct error error = { 0 };

	(void)state;
	make_dir("p", 0700);
	make_dir("p/q", 0710);
	make_dir("p/q/source", 0755);
	make_dir("o", 0710);
	make_dir("o/mnt", 0755);
	/* o stands for p/q, but lets in more than p does. */
	check_reach("p/q/source", "o/mnt", true, &error);
	assert_string_equal(without_base(error.text),
			    "mount point '@/o/mnt': others can reach it, but "
			    "not the source: '@/p' is private (mode 0700); "
			    "mount in a private directory, or let them in with "
			    "'public'");
	assert_int_equal(chmod(at("o"), 0700), 0);
	check_reach("p/q/source", "o/mnt", false, &error);
}

/* user::rwx user:4321:rwx group::--- mask::rwx other::--- */
static const unsigned char acl[] = {
	2, 0,	0,   0,	  1,   0,   7,	0, 255, 255, 255, 255, 2,   0,	 7,
	0, 225, 16,  0,	  0,   4,   0,	0, 0,	255, 255, 255, 255, 16,	 0,
	7, 0,	255, 255, 255, 255, 32, 0, 0,	0,   255, 255, 255, 255,
};

static void test_reach_acl(void **state)
{
	struct error error = { 0 };

	(void)state;
	make_dir("as", 0710);
	make_dir("as/source", 0755);
	make_dir("am", 0710);
	make_dir("am/mnt", 0755);
	check_reach("as/source", "am/mnt", false, &error);
	if (setxattr(at("am"), "system.posix_acl_access", acl, sizeof(acl), 0) <
	    0) {
		assert_int_equal(errno, EOPNOTSUPP);
		print_message("the file system has no ACLs\n");
		skip();
	}
	check_reach("as/source", "am/mnt", true, &error);
	/* With the mask closed, none of its entries lets in. */
	assert_int_equal(chmod(at("am"), 0700), 0);
	check_reach("as/source", "am/mnt", false, &error);
	assert_int_equal(removexattr(at("am"), "system.posix_acl_access"), 0);
	assert_int_equal(chmod(at("am"), 0710), 0);
	assert_int_equal(setxattr(at("as"), "system.posix_acl_access", acl,
				  sizeof(acl), 0),
			 0);
	check_reach("as/source", "am/mnt", true, &error);
}

static void test_conf(void **state)
{
	static const struct {
		const char *text;
		bool allows;
	} cases[] = {
		{ "", false },
		{ "user_allow_other", true },
		{ "user_allow_other\n", true },
		{ "# text\n\n  user_allow_other \t# why\n", true },
		{ "user_allow_other\r\n", true },
		{ "#user_allow_other\n", false },
		{ "user_allow_others\n", false },
		{ "user_allow_other = 1\n", false },
		{ "mount_max = 1000\nuser_allow_other", true },
		{ "xuser_allow_other\n", false },
		{ "   #\n \n", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%zu\n", i);
		assert_int_equal(mountpoint_conf_allows(cases[i].text),
				 cases[i].allows);
	}
}

static int check_fuse(const char *device, const char *conf, const char *path,
		      bool by_fusermount, struct error *error)
{
	struct fuse_needs needs = { .device = device,
				    .conf = conf,
				    .path = path,
				    .by_fusermount = by_fusermount };

	return mountpoint_check_fuse(&needs, error);
}

static void test_fuse(void **state)
{
	struct error error = { 0 };
	char path[2 * PATH_MAX + 64];

	(void)state;
	make_file("device", 0600, "");
	make_file("no.conf", 0644, "#user_allow_other\n");
	make_file("yes.conf", 0644, "user_allow_other\n");
	make_dir("bin", 0755);
	make_file("bin/fusermount3", 0755, "#!/bin/true\n");
	(void)snprintf(path, sizeof(path), "::/none:%s/bin", base);

	assert_int_equal(check_fuse(at("none"), NULL, NULL, false, &error),
			 -EINVAL);
	assert_string_equal(without_base(error.text),
			    "'@/none': there is no such device; load it with "
			    "'modprobe fuse' as root (a container needs "
			    "--device /dev/fuse)");
	assert_int_equal(error.exit_code, 6);
	assert_int_equal(check_fuse(at("bin"), NULL, NULL, false, &error),
			 -EINVAL);
	assert_string_equal(without_base(error.text),
			    "'@/bin': can't be opened for reading and writing: "
			    "Is a directory; its mode should be 0666");
	assert_int_equal(
		check_fuse(at("device"), at("no.conf"), "", false, &error), 0);
	assert_int_equal(
		check_fuse(at("device"), at("no.conf"), path, true, &error),
		-EINVAL);
	assert_string_equal(without_base(error.text),
			    "'@/no.conf': users may not use allow_other; add "
			    "the line 'user_allow_other' to it as root, or "
			    "mount inside 'podman unshare'");
	assert_int_equal(error.exit_code, 6);
	assert_int_equal(
		check_fuse(at("device"), at("none.conf"), path, true, &error),
		-EINVAL);
	assert_int_equal(
		check_fuse(at("device"), at("yes.conf"), path, true, &error),
		0);
	assert_int_equal(check_fuse(at("device"), at("yes.conf"),
				    "/none:", true, &error),
			 -EINVAL);
	assert_string_equal(error.text, "'fusermount3': not found in PATH; "
					"install the package fuse3");
	assert_int_equal(error.exit_code, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_target_of_others),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_reach_several),
		cmocka_unit_test(test_reach_acl),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_fuse),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
