/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "idshift/error.h"

#define ROOM sizeof(((struct error *)NULL)->text)

static void test_line(void **state)
{
	struct error error;

	(void)state;
	assert_int_equal(
		error_set(&error, EXIT_STATUS_MAP, "map '%s': no", "a\nb\x7f"),
		-EINVAL);
	assert_int_equal(error.exit_code, 3);
	assert_string_equal(error.text, "map 'a?b?': no");
	/* CSI, as a character and as a byte. */
	(void)error_set(&error, EXIT_STATUS_MAP, "'%s'",
			"\xc3\xa4\xc2\x9b\x9b");
	assert_string_equal(error.text, "'\xc3\xa4?\?\?'");
	assert_int_equal(error_set(NULL, EXIT_STATUS_MAP, "x"), -EINVAL);
}

static void test_longest(void **state)
{
	char path[2 * ROOM];
	struct error error;

	(void)state;
	for (size_t len = ROOM - 3; len < ROOM + 3; len++) {
		memset(path, 'a', len);
		path[len] = '\0';
		(void)error_set(&error, EXIT_STATUS_OTHER, "%s", path);
		if (len < ROOM)
			assert_string_equal(error.text, path);
		else
			assert_true(strlen(error.text) < ROOM);
	}
}

static void test_reason_stays(void **state)
{
	static const char reason[] = "a': too long; move it";
	char path[4 * ROOM] = "";
	struct error error;

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	(void)error_set(&error, EXIT_STATUS_SOURCE, "source '%s': %s", path,
			"too long; move it");
	assert_memory_equal(error.text, "source 'a", 9);
	assert_non_null(strstr(error.text, "a...a"));
	assert_string_equal(
		error.text + strlen(error.text) - (sizeof(reason) - 1), reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_reason_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
