/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "idshift/symbolic_mode.h"

struct mode_case {
	const char *text;
	mode_t before; /* with type */
	mode_t umask;
	mode_t after;
};

/* What GNU chmod 9.1 makes of them. */
static const struct mode_case cases[] = {
	{ "0", S_IFREG | 07777, 0, 0 },
	{ "644", S_IFREG | 07777, 077, 0644 },
	{ "7777", S_IFREG, 0, 07777 },
	{ "000000644", S_IFREG | 0111, 0, 0644 },
	{ "755", S_IFDIR | 06700, 0, 06755 },
	{ "0755", S_IFDIR | 06700, 0, 06755 },
	{ "00755", S_IFDIR | 06700, 0, 0755 },
	{ "2755", S_IFDIR | 04700, 0, 06755 },
	{ "1777", S_IFDIR | 0755, 0, 01777 },
	{ "u+x", S_IFREG | 0644, 0, 0744 },
	{ "+x", S_IFREG | 0644, 022, 0755 },
	{ "+w", S_IFREG | 0444, 022, 0644 },
	{ "a+w", S_IFREG | 0444, 022, 0666 },
	{ "-w", S_IFREG | 0666, 022, 0466 },
	{ "=r", S_IFREG | 07777, 022, 0444 },
	{ "=", S_IFREG | 07777, 022, 0 },
	{ "=", S_IFDIR | 07777, 022, 06000 },
	{ "go=", S_IFREG | 0666, 0, 0600 },
	{ "g=u", S_IFREG | 0640, 0, 0660 },
	{ "o=g-w", S_IFREG | 0660, 0, 0664 },
	{ "g+o", S_IFREG | 0604, 0, 0644 },
	{ "u-g", S_IFREG | 0740, 0, 0340 },
	{ "a+X", S_IFREG | 0644, 0, 0644 },
	{ "a+X", S_IFREG | 0744, 0, 0755 },
	{ "a+X", S_IFDIR | 0644, 0, 0755 },
	{ "u=rwX,go=rX", S_IFREG | 0100, 0, 0755 },
	{ "u+s", S_IFREG | 0755, 0, 04755 },
	{ "g+s", S_IFDIR | 0755, 0, 02755 },
	{ "+s", S_IFREG | 0755, 022, 06755 },
	{ "o+s", S_IFREG | 0755, 0, 0755 },
	{ "u=rwx", S_IFREG | 04755, 0, 0755 },
	{ "u=rwx", S_IFDIR | 04755, 0, 04755 },
	{ "u=rwxs", S_IFDIR | 0755, 0, 04755 },
	{ "g-s", S_IFDIR | 02755, 0, 0755 },
	{ "a-s", S_IFDIR | 06755, 0, 0755 },
	{ "-s", S_IFDIR | 06755, 0, 0755 },
	{ "+t", S_IFDIR | 0777, 0, 01777 },
	{ "o+t", S_IFDIR | 0777, 0, 01777 },
	{ "u+t", S_IFDIR | 0777, 0, 0777 },
	{ "u+r-w+x", S_IFREG | 0200, 0, 0500 },
	{ "ug+rw,o-rwx", S_IFREG | 0007, 0, 0660 },
	{ "u+", S_IFREG | 0644, 0, 0644 },
	{ "+4755", S_IFREG | 0022, 077, 04777 },
	{ "-7", S_IFREG | 0777, 077, 0770 },
	{ "=755", S_IFREG | 07022, 077, 0755 },
	{ "=755", S_IFDIR | 07022, 077, 0755 },
	{ "-0", S_IFDIR | 06755, 0, 06755 },
	{ "-6000", S_IFDIR | 06755, 0, 0755 },
	{ "+2000", S_IFDIR | 0755, 0, 02755 },
	{ "u=rwx,+7,-22", S_IFREG | 0070, 0, 0755 },
	{ "+x+7", S_IFREG | 0644, 0, 0757 },
};

static void test_apply(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct mode_case *c = &cases[i];
		struct symbolic_mode mode;

		print_message("%s of %o\n", c->text, c->before);
		assert_int_equal(symbolic_mode_parse(c->text, &mode), 0);
		assert_int_equal(
			symbolic_mode_apply(&mode, c->before, c->umask),
			c->after);
	}
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"",	"8",	"0o7",	 "10000",  "777777", "u",
		"r",	"u+y",	"x+u",	 "u+r,",   ",u+r",   "u+r,,g+r",
		"u+rg", "u+ug", "u+r ",	 " 644",   "644,u",  "u+7",
		"+7r",	"+7+x", "a=755", "+10000", "-8",     "+r7",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct symbolic_mode mode = { .count = 77 };

		print_message("'%s'\n", texts[i]);
		assert_int_equal(symbolic_mode_parse(texts[i], &mode), -EINVAL);
		assert_int_equal(mode.count, 77);
	}
}

/* No text makes it hold more than it has room for. */
static void test_bound(void **state)
{
	char text[4 * (SYMBOLIC_MODE_MAX_STEPS + 1)] = "";
	struct symbolic_mode mode;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < SYMBOLIC_MODE_MAX_STEPS; i++) {
		memcpy(text + len, "u+r,", 4);
		len += 4;
	}
	text[len - 1] = '\0';
	assert_int_equal(symbolic_mode_parse(text, &mode), 0);
	assert_int_equal(mode.count, SYMBOLIC_MODE_MAX_STEPS);
	memcpy(text + len - 1, "+w", 3);
	assert_int_equal(symbolic_mode_parse(text, &mode), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
