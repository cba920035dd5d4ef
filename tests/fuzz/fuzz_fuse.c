/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The request stream of a hostile container, in one process: we are the
 * kernel.  What the kernel vouches for is so here too (lengths, node ids and
 * handles that it was given, the types that requests are for); names, ids,
 * flags, offsets and the order are the input's.  Nothing outside of the source
 * may change, and no descriptor stay behind.
 */
#include "fuse_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "idshift/filesystem.h"
#include "idshift/records_db.h"

static char base[4096];
static struct view_policy policy;

static int remove_entry(const char *path, const struct stat *st, int flag,
			struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	(void)nftw(path, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

static void remove_base(void)
{
	remove_tree(base);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	must(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void map_all(struct userns_map *ids, struct owner_map *owners)
{
	const struct id_extent wire[] = { { 0, getuid(), 1 },
					  { 1, 100000, 65536 } };
	const struct id_extent disk[] = { { getuid(), 0, 1 },
					  { 2000, 1000, 2 } };

	must(userns_map_init(ids, wire, 2) == 0);
	must(owner_map_init(owners, disk, 2) == 0);
}

/* In memory, where that is to be had: commits to the database are synced. */
static void make_base(void)
{
	const char *const dirs[] = { getenv("IDSHIFT_TEST_DIR"), "/dev/shm",
				     "/var/tmp" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		if (dirs[i] == NULL)
			continue;
		(void)snprintf(base, sizeof(base), "%s/idshift-fuzz.XXXXXX",
			       dirs[i]);
		if (mkdtemp(base) != NULL && chdir(base) == 0)
			return;
	}
	perror(base);
	abort();
}

/* Made once: what is outside of the source, and the policy. */
static void prepare(void)
{
	static struct disk_id group;

	make_base();
	(void)atexit(remove_base);
	(void)umask(0);
	must(mkdir("outside", 0755) == 0);
	write_file("outside/secret", "secret");
	map_all(&policy.userns_uid, &policy.owner_uid);
	map_all(&policy.userns_gid, &policy.owner_gid);
	policy.unmapped = CONTAINER_ID(ID_NONE);
	group = DISK_ID(getgid());
	policy.acting = (struct acting_user){
		.uid = DISK_ID(getuid()),
		.gid = group,
		.groups = &group,
		.group_count = 1,
	};
}

static void make_source(void)
{
	must(mkdir("src", 0755) == 0 && mkdir("src/dir", 02775) == 0);
	write_file("src/file", "text");
	write_file("src/dir/file", "more");
	must(symlink("../outside", "src/out") == 0);
	must(symlink("../outside/secret", "src/secret") == 0);
	must(mkfifo("src/fifo", 0666) == 0);
}

/* Everything about the outside that a request could change. */
static void look_outside(struct statx ret[3])
{
	static const char *const paths[] = { ".", "outside", "outside/secret" };
	const unsigned int mask = STATX_BASIC_STATS & ~(unsigned)STATX_ATIME;

	memset(ret, 0, 3 * sizeof(*ret));
	for (int i = 0; i < 3; i++)
		must(statx(AT_FDCWD, paths[i], AT_SYMLINK_NOFOLLOW, mask,
			   &ret[i]) == 0);
	for (int i = 0; i < 3; i++)
		ret[i].stx_atime = (struct statx_timestamp){ 0 };
}

static int lowest_fd(void)
{
	int fd = dup(STDERR_FILENO);

	(void)close(fd);
	return fd;
}

static struct filesystem *open_source(void)
{
	const struct filesystem_config config = {
		.chown_mode = CHOWN_RECORD,
		.xattrs = true,
		.host_locks = true,
		.attr_timeout = 1,
		.entry_timeout = 1,
		.max_fds = 64,
	};
	int source = open("src", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct filesystem *fs;
	struct records_db *db;

	must(source >= 0);
	must(records_db_open("state", &db) == 0);
	must(filesystem_new(&config, &policy, source, db, &fs) == 0);
	return fs;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct statx before[3], after[3];
	struct filesystem *fs;
	static bool prepared;
	/* libFuzzer's own paths may be relative. */
	int fd, back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (!prepared)
		prepare();
	prepared = true;
	must(chdir(base) == 0);
	remove_tree("src");
	remove_tree("state");
	fd = lowest_fd();
	must(mkdir("state", 0700) == 0);
	make_source();
	look_outside(before);
	fs = open_source();
	fuse_kernel_run(fs, data, size);
	(void)filesystem_free(fs);
	look_outside(after);
	must(memcmp(before, after, sizeof(before)) == 0);
	must(lowest_fd() == fd);
	must(fchdir(back) == 0 && close(back) == 0);
	return 0;
}
