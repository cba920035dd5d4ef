/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel is asked for, as it would read it; its device is a file. */
#include "idshift/init_flags.h"

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define OUR_FLAGS ((uint32_t)(FUSE_HANDLE_KILLPRIV_V2 | FUSE_PARALLEL_DIROPS))
/* flags2 of INIT: FUSE_PASSTHROUGH, FUSE_OVER_IO_URING */
#define PASSTHROUGH (UINT32_C(1) << 5)
#define OVER_IO_URING (UINT32_C(1) << 9)

struct answer {
	struct fuse_out_header header;
	struct fuse_init_out body;
};

static struct fuse_session *session;
static bool wants_passthrough, has_passthrough;

static void on_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	/* As the real one asks for what libfuse knows. */
	conn->want |= conn->capable & FUSE_CAP_POSIX_ACL;
	init_flags_want(conn);
	if (wants_passthrough)
		has_passthrough = init_flags_want_passthrough(conn);
}

static int setup(void **state)
{
	static const struct fuse_lowlevel_ops ops = { .init = on_init };
	char name[] = "test";
	char *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	char device[32];

	(void)state;
	(void)setenv("FUSE_URING_ENABLE", "1", 1);
	wants_passthrough = has_passthrough = false;
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args);
	if (session == NULL)
		return -1;
	(void)snprintf(device, sizeof(device), "/dev/fd/%d",
		       memfd_create("device", MFD_CLOEXEC));
	return fuse_session_mount(session, device);
}

static int teardown(void **state)
{
	(void)state;
	fuse_session_destroy(session);
	return 0;
}

/* How much of an answer there is. */
static ssize_t ask(uint32_t flags, uint32_t flags2, bool answered,
		   struct answer *ret)
{
	struct {
		struct fuse_in_header header;
		struct fuse_init_in body;
	} request = {
		.header = { .len = sizeof(request),
			    .opcode = FUSE_INIT,
			    .unique = 2 },
		.body = { .major = FUSE_KERNEL_VERSION,
			  .minor = 45,
			  .max_readahead = 131072,
			  .flags = flags | FUSE_INIT_EXT | FUSE_POSIX_ACL,
			  .flags2 = flags2 },
	};

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(
		init_flags_serve(session, &request, sizeof(request), answered),
		0);
	return pread(fuse_session_fd(session), ret, sizeof(*ret), 0);
}

static void test_wanted(void **state)
{
	struct answer answer;

	(void)state;
	assert_int_equal(
		ask(OUR_FLAGS, PASSTHROUGH | OVER_IO_URING, false, &answer),
		sizeof(answer));
	assert_int_equal(answer.header.unique, 2);
	assert_int_equal(answer.header.error, 0);
	assert_int_equal(answer.body.flags & OUR_FLAGS, OUR_FLAGS);
	assert_int_equal(answer.body.flags & FUSE_POSIX_ACL, FUSE_POSIX_ACL);
	assert_int_equal(answer.body.flags2, 0);
}

static void test_not_offered(void **state)
{
	struct answer answer;

	(void)state;
	wants_passthrough = true;
	assert_true(ask(0, 0, false, &answer) > 0);
	assert_int_equal(answer.body.flags & OUR_FLAGS, 0);
	assert_int_equal(answer.body.flags2, 0);
	assert_false(has_passthrough);
}

static void test_passthrough(void **state)
{
	struct answer answer;
	uint32_t depth;

	(void)state;
	wants_passthrough = true;
	assert_true(ask(OUR_FLAGS, PASSTHROUGH, false, &answer) > 0);
	assert_true(has_passthrough);
	assert_int_equal(answer.body.flags & OUR_FLAGS, OUR_FLAGS);
	assert_int_equal(answer.body.flags2 & PASSTHROUGH, PASSTHROUGH);
	/* max_stack_depth, which older headers have as unused. */
	memcpy(&depth, (const char *)&answer.body.flags2 + sizeof(depth),
	       sizeof(depth));
	assert_int_equal(depth, 1);
}

/* Perhaps it wasn't: the daemon before may have been killed just then. */
static void test_answered(void **state)
{
	struct answer answer;

	(void)state;
	assert_true(ask(OUR_FLAGS, 0, true, &answer) > 0);
	assert_int_equal(answer.body.flags & OUR_FLAGS, OUR_FLAGS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_wanted, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_offered, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_passthrough, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_answered, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
