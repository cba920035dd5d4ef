/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layer_tree DIR LAYER ENTRIES: fill a directory as the layer of an image
 * might be: dozens of owners, every mode, links, fifos, whiteouts of both
 * kinds, attributes, ACLs and capabilities.  The same numbers make the same
 * tree; other layers' have many names in common with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DIRS 24
#define NAME_ROOM 64

/* As splitmix64 does. */
static uint64_t state;

static uint32_t below(uint32_t bound)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) % bound);
}

static int failed;

static void check(const char *what, const char *path, int r)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "layer_tree: %s %s: %s\n", what, path,
		      strerror(errno));
	failed = 1;
}

static uint32_t pick_id(void)
{
	static const uint32_t known[] = {
		0,  0,	0,   1,	  2,	3,    4,    5,	   6,	  7,	 8,
		12, 33, 100, 101, 102,	103,  104,  999,   1000,  1001,	 1002,
		42, 60, 500, 998, 2000, 5000, 9999, 32767, 65533, 65534, 65535
	};

	return known[below(sizeof(known) / sizeof(known[0]))];
}

/* acl(5), in the layout of linux/posix_acl_xattr.h. */
static void set_acl(const char *path, const char *name)
{
	const struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[] = {
		{ 0x01, 7, UINT32_MAX },
		{ 0x02, (uint16_t)below(8), 1 + below(900) },
		{ 0x02, (uint16_t)below(8), 1000 + below(60000) },
		{ 0x04, (uint16_t)below(8), UINT32_MAX },
		{ 0x08, (uint16_t)below(8), pick_id() },
		{ 0x10, (uint16_t)below(8), UINT32_MAX },
		{ 0x20, (uint16_t)below(8), UINT32_MAX },
	};
	char blob[4 + sizeof(entries)] = { 2 };

	memcpy(blob + 4, entries, sizeof(entries));
	check(name, path, setxattr(path, name, blob, sizeof(blob), 0));
}

static void set_capability(const char *path)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 |
			     (below(2) ? VFS_CAP_FLAGS_EFFECTIVE : 0),
		.data = { { .permitted = 1u << below(32),
			    .inheritable = below(2) } },
	};

	check("security.capability", path,
	      setxattr(path, "security.capability", &data, sizeof(data), 0));
}

static void set_attributes(const char *path, mode_t type)
{
	static const char text[] = "value of no importance, but of some length";
	char name[NAME_ROOM];

	if (below(6) == 0) {
		(void)snprintf(name, sizeof(name), "user.layer.n%u", below(9));
		check(name, path,
		      setxattr(path, name, text, below(sizeof(text)), 0));
	}
	if (below(12) == 0)
		set_acl(path, "system.posix_acl_access");
	if (type == S_IFDIR && below(6) == 0)
		set_acl(path, "system.posix_acl_default");
	if (type == S_IFREG && below(10) == 0)
		set_capability(path);
}

static void dress(const char *path, mode_t type)
{
	static const mode_t modes[] = { 0644, 0755, 0600, 0400, 0000, 0444,
					0664, 0777, 0711, 0555, 0640, 0070 };
	struct timespec times[2] = { { 0, 0 }, { 0, 0 } };
	mode_t mode = modes[below(sizeof(modes) / sizeof(modes[0]))];

	if (below(5) == 0)
		mode |= below(8) << 9;
	check("chown", path,
	      fchownat(AT_FDCWD, path, pick_id(), pick_id(),
		       AT_SYMLINK_NOFOLLOW));
	if (type != S_IFLNK)
		check("chmod", path, chmod(path, mode));
	if (type == S_IFREG || type == S_IFDIR)
		set_attributes(path, type);
	times[1].tv_sec = 1000000000 + below(600000000);
	times[1].tv_nsec = below(1000000000);
	check("utimensat", path,
	      utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}

static void make_file(const char *path)
{
	char text[256];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint32_t length = below(sizeof(text));

	memset(text, (int)('a' + below(26)), sizeof(text));
	check("write", path, fd < 0 ? fd : (int)write(fd, text, length));
	if (fd >= 0)
		(void)close(fd);
}

/* Not a directory: what it is differs from layer to layer. */
static void make_entry(uint32_t dir, uint32_t index, const char *before)
{
	char path[NAME_ROOM], target[NAME_ROOM];
	mode_t type = S_IFREG;

	(void)snprintf(path, sizeof(path), "d%u/f%u", dir, index);
	switch (below(16)) {
	case 0:
	case 1:
		type = S_IFLNK;
		(void)snprintf(target, sizeof(target), "../d%u/f%u",
			       below(DIRS), below(100));
		check("symlink", path, symlink(target, path));
		break;
	case 2:
		type = S_IFIFO;
		check("mkfifo", path, mkfifo(path, 0600));
		break;
	case 3:
	case 4:
		if (before[0] != '\0') {
			check("link", path, link(before, path));
			return;
		}
		make_file(path);
		break;
	case 5: /* overlayfs */
		type = S_IFCHR;
		check("whiteout", path, mknod(path, S_IFCHR | 0600, 0));
		break;
	case 6: /* of the archives */
		(void)snprintf(path, sizeof(path), "d%u/.wh.f%u", dir, index);
		make_file(path);
		break;
	default:
		make_file(path);
	}
	dress(path, type);
}

static void fill(uint32_t entries)
{
	char path[NAME_ROOM], before[NAME_ROOM] = "";

	for (uint32_t dir = 0; dir < DIRS; dir++) {
		(void)snprintf(path, sizeof(path), "d%u", dir);
		check("mkdir", path, mkdir(path, 0700));
		before[0] = '\0';
		for (uint32_t i = dir; i < entries; i += DIRS) {
			/* A quarter of the names is not in this layer. */
			if (below(4) == 0)
				continue;
			make_entry(dir, i, before);
			(void)snprintf(before, sizeof(before), "d%u/f%u", dir,
				       i);
			if (access(before, F_OK) < 0)
				before[0] = '\0';
		}
		if (below(8) == 0) {
			(void)snprintf(path, sizeof(path), "d%u/.wh..wh..opq",
				       dir);
			make_file(path);
		}
		(void)snprintf(path, sizeof(path), "d%u", dir);
		dress(path, S_IFDIR);
	}
}

int main(int argc, char **argv)
{
	uintmax_t layer, entries;
	char *end;

	if (argc != 4 || chdir(argv[1]) < 0) {
		(void)fprintf(stderr, "usage: layer_tree DIR LAYER ENTRIES\n");
		return 2;
	}
	layer = strtoumax(argv[2], &end, 10);
	entries = strtoumax(argv[3], &end, 10);
	(void)umask(0);
	state = layer * UINT64_C(0xd1342543de82ef95) + 1;
	fill((uint32_t)entries);
	return failed;
}
