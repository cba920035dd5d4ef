/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "idshift/mountinfo.h"

static char file[PATH_MAX];

static int make_file(const char *text)
{
	FILE *stream = fopen(file, "we");

	if (stream == NULL)
		return -1;
	(void)fputs(text, stream);
	return fclose(stream);
}

static int make_name(void **state)
{
	const char *tmp = getenv("TMPDIR");
	int fd;

	(void)state;
	(void)snprintf(file, sizeof(file), "%s/idshift-test.XXXXXX",
		       tmp == NULL ? "/tmp" : tmp);
	fd = mkstemp(file);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

static void test_fields(void **state)
{
	struct mountinfo info;

	(void)state;
	assert_int_equal(
		make_file(
			"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
			"220 22 0:5 / /a\\040b rw - fuse.idshift-mount "
			"/x\\040y\\134z rw,user_id=1000,group_id=1\n"
			"23 22 0:6 / /p rw master:1 - proc proc rw,user_id=x\n"
			"25 22 0:6 / /p rw - fuse \\04 rw,other_user_id=7\n"),
		0);
	assert_int_equal(mountinfo_find(file, 220, &info), 0);
	assert_string_equal(info.type, "fuse.idshift-mount");
	assert_string_equal(info.source, "/x y\\z");
	assert_string_equal(info.point, "/a b");
	assert_int_equal(info.user, 1000);
	assert_int_equal(mountinfo_find(file, 22, &info), 0);
	assert_string_equal(info.type, "ext4");
	assert_string_equal(info.source, "/dev/sda1");
	assert_string_equal(info.point, "/");
	assert_int_equal(info.user, 0);
	assert_int_equal(mountinfo_find(file, 23, &info), 0);
	assert_string_equal(info.source, "proc");
	assert_int_equal(info.user, 0);
	assert_int_equal(mountinfo_find(file, 25, &info), 0);
	assert_string_equal(info.source, "\\04");
	assert_int_equal(info.user, 0);
}

static void test_not_found(void **state)
{
	struct mountinfo info;

	(void)state;
	assert_int_equal(make_file("22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
				   "24 22 0:6 / /bad\n"
				   "25 22 0:6 / /bad - \n"
				   "26 22\n"),
			 0);
	/* Not the start of another number. */
	assert_int_equal(mountinfo_find(file, 2, &info), -ENOENT);
	assert_int_equal(mountinfo_find(file, 24, &info), -ENOENT);
	assert_int_equal(mountinfo_find(file, 26, &info), -ENOENT);
	assert_int_equal(mountinfo_find(file, 25, &info), 0);
	assert_string_equal(info.type, "");
	assert_string_equal(info.source, "");
	assert_int_equal(mountinfo_find("/nothing", 22, &info), -ENOENT);
}

static void test_too_long(void **state)
{
	static char line[PATH_MAX + 128];
	struct mountinfo info;
	int len = snprintf(line, sizeof(line), "22 1 0:5 / /m rw - fuse /");

	(void)state;
	memset(line + len, 'x', PATH_MAX - 2);
	assert_int_equal(make_file(line), 0);
	assert_int_equal(mountinfo_find(file, 22, &info), 0);
	assert_int_equal(strlen(info.source), PATH_MAX - 1);
	line[len + PATH_MAX - 2] = 'x';
	assert_int_equal(make_file(line), 0);
	assert_int_equal(mountinfo_find(file, 22, &info), -ERANGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, make_name, remove_file);
}
