/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, reading and removing a whole tree, as root of the namespace. */
#include "oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DEPTH_MAX 24
#define HEAD_BYTES 65536
#define TAIL_BYTES 4096

/* The first bytes and the last: files are sparse and may be of gigabytes. */
static uint64_t content_hash(int dirfd, const char *name, uint64_t size)
{
	static char buf[HEAD_BYTES];
	uint64_t hash = HASH_START;
	ssize_t got;
	int fd = openat(dirfd, name,
			O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return (uint64_t)errno;
	got = pread(fd, buf, sizeof(buf), 0);
	if (got > 0)
		hash = hash_bytes(hash, buf, (size_t)got);
	else if (got < 0)
		hash = (uint64_t)errno;
	if (size > sizeof(buf)) {
		got = pread(fd, buf, TAIL_BYTES, (off_t)size - TAIL_BYTES);
		if (got > 0)
			hash = hash_bytes(hash, buf, (size_t)got);
		else
			hash += (uint64_t)errno;
	}
	(void)close(fd);
	return hash;
}

static int compare_strings(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static void node_detail(struct node *node, const char *name, const char *value,
			size_t length)
{
	size_t at = strlen(node->detail);

	if (sizeof(node->detail) - at < 8)
		return;
	at += (size_t)snprintf(node->detail + at, sizeof(node->detail) - at,
			       "%s%.60s=", at ? " " : "", name);
	for (size_t i = 0; i < length && i < 60; i++) {
		if (at + 3 >= sizeof(node->detail))
			break;
		at += (size_t)snprintf(node->detail + at,
				       sizeof(node->detail) - at, "%02x",
				       (unsigned char)value[i]);
	}
}

static void read_xattrs(const char *path, struct node *node)
{
	static char list[8192], value[8192];
	const char *names[128];
	size_t count = 0;
	ssize_t got = llistxattr(path, list, sizeof(list));

	node->xattr_names = HASH_START;
	node->xattrs = HASH_START;
	if (got < 0)
		node->xattr_names = (uint64_t)errno;
	for (ssize_t at = 0; at < got && count < 128;) {
		names[count++] = list + at;
		at += (ssize_t)strnlen(list + at, (size_t)(got - at)) + 1;
	}
	if (count > 1)
		qsort(names, count, sizeof(*names), compare_strings);
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(names[i]) + 1;

		node->xattr_names =
			hash_bytes(node->xattr_names, names[i], length);
		node->xattrs = hash_bytes(node->xattrs, names[i], length);
		got = lgetxattr(path, names[i], value, sizeof(value));
		if (got < 0)
			node->xattrs += (uint64_t)errno;
		else
			node->xattrs =
				hash_bytes(node->xattrs, value, (size_t)got);
		node_detail(node, names[i], value, got < 0 ? 0 : (size_t)got);
	}
}

static void read_full(int dirfd, const char *name, struct node *node)
{
	char path[PATH_ARG];
	ssize_t got;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dirfd, name);
	if (S_ISLNK(node->attr.mode)) {
		got = readlinkat(dirfd, name, node->detail,
				 sizeof(node->detail) - 1);
		node->detail[got > 0 ? got : 0] = '\0';
		node->content = got < 0 ? (uint64_t)errno : (uint64_t)got;
	} else if (S_ISREG(node->attr.mode)) {
		node->content = content_hash(dirfd, name, node->attr.size);
	}
	read_xattrs(path, node);
}

static struct node *node_add(struct tree *tree, int dirfd, const char *prefix,
			     const char *name)
{
	struct node *node = &tree->nodes[tree->count];
	int length;

	if (tree->count == TREE_NODES) {
		tree->overflow = true;
		return NULL;
	}
	node->content = node->xattr_names = node->xattrs = 0;
	node->detail[0] = '\0';
	node->same_as = tree->count;
	length = snprintf(node->path, sizeof(node->path), "%s%s%s", prefix,
			  prefix[0] == '\0' ? "" : "/", name);
	if ((size_t)length >= sizeof(node->path)) {
		tree->overflow = true;
		return NULL;
	}
	attr_get(dirfd, name, AT_SYMLINK_NOFOLLOW, &node->attr);
	for (size_t i = 0; i < tree->count && node->attr.nlink > 1; i++) {
		if (tree->nodes[i].attr.ino == node->attr.ino) {
			node->same_as = i;
			break;
		}
	}
	tree->count++;
	return node;
}

static void read_level(int fd, const char *prefix, bool full, int depth,
		       struct tree *ret)
{
	struct result *names = malloc(sizeof(*names));

	if (names == NULL || read_names(fd, names) < 0)
		names = (free(names), NULL);
	for (uint32_t at = 0; names != NULL && at < names->length;) {
		const char *name = names->data + at;
		struct node *node;
		int child;

		at += (uint32_t)strlen(name) + 2;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		node = node_add(ret, fd, prefix, name);
		if (node == NULL)
			break;
		if (full)
			read_full(fd, name, node);
		if (!S_ISDIR(node->attr.mode) || depth >= DEPTH_MAX)
			continue;
		child = openat(fd, name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child < 0) {
			node->content = (uint64_t)errno;
			continue;
		}
		read_level(child, node->path, full, depth + 1, ret);
		(void)close(child);
	}
	free(names);
}

void tree_read(int top, const char *epoch, bool full, struct tree *ret)
{
	int fd = openat(top, epoch,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	ret->count = 0;
	ret->overflow = false;
	if (fd < 0)
		return;
	read_level(fd, "", full, 0, ret);
	(void)close(fd);
}

/* The epoch's directory, the cage, and in it a tree that is open to all. */
int tree_make(int top, const char *epoch)
{
	const char *const below[] = { "", "/c", "/c/c", "/c/c/t" };
	char path[64];

	(void)umask(022);
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path), "%s%s", epoch, below[i]);
		if (mkdirat(top, path, 0755) < 0)
			return -errno;
	}
	return fchmodat(top, path, 0777, 0) < 0 ? -errno : 0;
}

static int remove_entries(int fd)
{
	struct result *names = malloc(sizeof(*names));
	int error = names == NULL ? -ENOMEM : 0;
	bool again = true;

	/* A listing may have been cut short: until there is no more. */
	while (error == 0 && again) {
		again = false;
		if (read_names(fd, names) < 0)
			error = -errno;
		for (uint32_t at = 0; error == 0 && at < names->length;) {
			const char *name = names->data + at;

			at += (uint32_t)strlen(name) + 2;
			if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
				continue;
			again = true;
			error = tree_remove(fd, name);
		}
		if (error == 0 && lseek(fd, 0, SEEK_SET) < 0)
			error = -errno;
	}
	free(names);
	return error;
}

int tree_remove(int dirfd, const char *name)
{
	int fd, error;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	fd = openat(dirfd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = remove_entries(fd);
	(void)close(fd);
	if (error == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		error = -errno;
	return error;
}
