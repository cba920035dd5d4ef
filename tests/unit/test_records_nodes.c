/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of what can't hold an extended attribute. */
#include "idshift/records.h"

#include "store_fixture.h"

static const struct {
	const char *name;
	mode_t mode; /* 0777 so that all have one view */
	const char *type;
} nodes[] = {
	{ "link", S_IFLNK | 0777, "symlink" },
	{ "fifo", S_IFIFO | 0777, "pipe" },
	{ "socket", S_IFSOCK | 0777, "socket" },
};

static void test_recorded(void **state)
{
	struct store *s = store_of(state);

	for (size_t i = 0; i < LENGTH(nodes); i++) {
		const char *name = nodes[i].name;
		char text[48];

		host_node(s, name, nodes[i].mode);
		expect_db_record(s, name, NULL);
		assert_int_equal(apply(s, name, 33, 34, 0777), 0);
		(void)snprintf(text, sizeof(text), "33:34:0777:%s",
			       nodes[i].type);
		expect_db_record(s, name, text);
		expect_view(s, name, 33, 34, 0777);
		expect_disk(s, name, 1000, 1000, 0777);
		assert_int_equal(apply(s, name, NO, 2000, 0777), 0);
		expect_view(s, name, 33, 2000, 0777);
		expect_disk(s, name, 1000, 2000, 0777);
		/* Another name of the same object. */
		assert_int_equal(linkat(s->src, name, s->src, "again", 0), 0);
		expect_view(s, "again", 33, 2000, 0777);
		assert_int_equal(unlinkat(s->src, "again", 0), 0);
		assert_int_equal(apply(s, name, 1000, 0, 0777), 0);
		expect_db_record(s, name, NULL);
		expect_view(s, name, 1000, 0, 0777);
	}
}

static void test_modes(void **state)
{
	struct store *s = store_of(state);

	for (size_t i = 1; i < LENGTH(nodes); i++) {
		const char *name = nodes[i].name;

		host_node(s, name, nodes[i].mode);
		assert_int_equal(apply(s, name, NO, NO, 0620), 0);
		expect_disk(s, name, 1000, 1000, 0620);
		expect_db_record(s, name, NULL);
		assert_int_equal(apply(s, name, NO, 5, 06020), 0);
		expect_disk(s, name, 1000, 1000, 0600);
		expect_view(s, name, 1000, 5, 06020);
		host_chmod(s, name, 0644);
		expect_view(s, name, 1000, 5, 0644);
	}
}

static void test_forget(void **state)
{
	struct store *s = store_of(state);

	for (size_t i = 0; i < LENGTH(nodes); i++) {
		const char *name = nodes[i].name;
		struct statx stx;
		int fd;

		host_node(s, name, nodes[i].mode);
		assert_int_equal(apply(s, name, 33, 34, 0777), 0);
		fd = backing_open_child(s->src, name);
		assert_int_equal(backing_stat(fd, &stx), 0);
		records_forget(&s->records, fd, &stx);
		expect_db_record(s, name, NULL);
		expect_view(s, name, 1000, 0, 0777);
		/* Once more is harmless. */
		records_forget(&s->records, fd, &stx);
		(void)close(fd);
	}
}

static void test_strangers(void **state)
{
	struct store *s = store_of(state);

	host_node(s, "fifo", S_IFIFO | 0666);
	assert_int_equal(apply(s, "fifo", 33, 34, 0666), 0);
	become_root();
	host_chown(s, "fifo", 1001, 2000);
	become_sergio();
	expect_view(s, "fifo", NO, 2000, 0666);
	assert_int_equal(apply(s, "fifo", 33, 34, 0666), -EPERM);
	become_root();
	host_chown(s, "fifo", 1000, 2000);
	become_sergio();
	expect_view(s, "fifo", 33, 34, 0666);
}

/* The host removed it behind our back: its inode's next user owes nothing. */
static void test_recycled_inode(void **state)
{
	struct store *s = store_of(state);
	int recycled = 0;

	for (int round = 0; round < 20; round++) {
		struct statx old, new;

		host_node(s, "fifo", S_IFIFO | 0666);
		assert_int_equal(apply(s, "fifo", 33, 34, 0600), 0);
		expect_view(s, "fifo", 33, 34, 0600);
		stat_entry(s, "fifo", &old);
		assert_int_equal(unlinkat(s->src, "fifo", 0), 0);
		host_node(s, "fifo", S_IFIFO | 0600);
		stat_entry(s, "fifo", &new);
		recycled += old.stx_ino == new.stx_ino;
		expect_view(s, "fifo", 1000, 0, 0600);
		expect_db_record(s, "fifo", NULL);
		assert_int_equal(unlinkat(s->src, "fifo", 0), 0);
	}
	if (recycled == 0)
		print_message("# this file system did not recycle an inode\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SERGIO_TEST(test_recorded),	  SERGIO_TEST(test_modes),
		SERGIO_TEST(test_forget),	  SERGIO_TEST(test_strangers),
		SERGIO_TEST(test_recycled_inode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
