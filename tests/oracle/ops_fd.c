/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making the calls on open descriptors. */
#include "oracle.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BUFFER_MAX 16384

struct entry {
	uint64_t ino;
	int64_t off;
	unsigned short reclen;
	unsigned char type;
	char name[];
};

static int compare_names(const void *a, const void *b)
{
	const struct entry *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

long read_names(int fd, struct result *ret)
{
	static char buf[65536] __attribute__((aligned(8)));
	const struct entry *entries[512];
	size_t count = 0, used = 0, at = 0;
	long got;

	while ((got = syscall(SYS_getdents64, fd, buf + used,
			      sizeof(buf) - used)) > 0)
		used += (size_t)got;
	/* A full buffer is no fault of the directory's. */
	if (got < 0 && errno != EINVAL)
		return -1;
	while (at < used && count < 512) {
		entries[count] = (const void *)(buf + at);
		at += entries[count++]->reclen;
	}
	qsort(entries, count, sizeof(*entries), compare_names);
	ret->length = 0;
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(entries[i]->name) + 1;

		if (DATA_MAX - ret->length < length + 1)
			break;
		memcpy(ret->data + ret->length, entries[i]->name, length);
		ret->length += (uint32_t)length;
		ret->data[ret->length++] = (char)entries[i]->type;
	}
	return (long)count;
}

/* A directory's positions are its file system's own affair. */
static long seek(const struct op *op, int fd, const struct attr *attr)
{
	if (attr->err == 0 && S_ISDIR(attr->mode))
		return 0;
	return lseek(fd, op->arg[0], (int)op->arg[1]);
}

static long write_bytes(const struct op *op, int fd)
{
	static char buf[BUFFER_MAX];
	size_t size = (size_t)op->arg[0] % sizeof(buf);

	for (size_t i = 0; i < size; i++)
		buf[i] = (char)(op->arg[1] + (int64_t)(i % 251));
	if (op->kind == OP_WRITE)
		return write(fd, buf, size);
	return pwrite(fd, buf, size, op->arg[2]);
}

static long read_bytes(const struct op *op, int fd, struct result *ret)
{
	size_t size = op->arg[0] < DATA_MAX ? (size_t)op->arg[0] : DATA_MAX;
	ssize_t got;

	if (op->kind == OP_READ)
		got = read(fd, ret->data, size);
	else
		got = pread(fd, ret->data, size, op->arg[1]);
	if (got > 0)
		ret->length = (uint32_t)got;
	return got;
}

static long copy_range(const struct op *op, const struct actor *actor,
		       enum tree_id tree)
{
	loff_t from = op->arg[1], to = op->arg[2];

	return copy_file_range(actor->slots[tree][op->arg[0] % SLOTS], &from,
			       actor->slots[tree][op->slot], &to,
			       (size_t)op->arg[3], 0);
}

static long set_xattr(const struct op *op, int fd)
{
	char value[512];
	size_t size = (size_t)op->arg[0] % sizeof(value);

	memset(value, (int)op->arg[1], sizeof(value));
	return fsetxattr(fd, op->path[1], value, size, (int)op->arg[2]);
}

static long get_dents(int fd, struct result *ret)
{
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	return read_names(fd, ret);
}

static long close_slot(int *slot)
{
	int fd = *slot;

	*slot = -1;
	return close(fd);
}

static long futimens_slot(const struct op *op, int fd)
{
	struct timespec times[2] = { { op->arg[0], op->arg[1] },
				     { op->arg[2], op->arg[3] } };

	return futimens(fd, times);
}

/* Change one byte by a shared mapping, and have it written back. */
static long map_byte(const struct op *op, int fd, const struct attr *attr)
{
	long page = sysconf(_SC_PAGESIZE);
	int error = 0;
	char *map;

	/* Beyond the end there would be a signal. */
	if (attr->err == 0 && S_ISREG(attr->mode) &&
	    (op->arg[1] < 0 || attr->size <= (uint64_t)op->arg[1]))
		return 0;
	map = mmap(NULL, (size_t)page, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   op->arg[1]);
	if (map == MAP_FAILED)
		return -1;
	map[0] = (char)op->arg[0];
	if (msync(map, (size_t)page, MS_SYNC) < 0)
		error = errno;
	(void)munmap(map, (size_t)page);
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Open what is open once more, though it may have no name any longer. */
static long reopen(const struct op *op, int slots[SLOTS])
{
	int *slot = &slots[op->slot];
	char path[40];
	int fd, error;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d",
		       slots[op->arg[0] % SLOTS]);
	fd = open(path, (int)op->arg[1] | O_CLOEXEC);
	error = errno;
	if (*slot >= 0)
		(void)close(*slot);
	*slot = fd;
	errno = error;
	return fd < 0 ? -1 : 0;
}

long op_execute_fd(const struct op *op, struct actor *actor, enum tree_id tree,
		   struct result *ret)
{
	int fd = actor->slots[tree][op->slot];

	/*
	 * The kernel moves bytes through a fifo without asking the file
	 * system, and FUSE has it keep no times (S_NOCMTIME).
	 */
	if (op->kind <= OP_PREAD && ret->before.err == 0 &&
	    S_ISFIFO(ret->before.mode))
		return 0;
	switch (op->kind) {
	case OP_WRITE:
	case OP_PWRITE:
		return write_bytes(op, fd);
	case OP_READ:
	case OP_PREAD:
		return read_bytes(op, fd, ret);
	case OP_LSEEK:
		return seek(op, fd, &ret->before);
	case OP_FTRUNCATE:
		return ftruncate(fd, op->arg[0]);
	case OP_FCHMOD:
		return fchmod(fd, (mode_t)op->arg[0]);
	case OP_FCHOWN:
		return fchown(fd, (uid_t)op->arg[0], (gid_t)op->arg[1]);
	case OP_FUTIMENS:
		return futimens_slot(op, fd);
	case OP_FSTAT:
		ret->attr = ret->before;
		ret->has_attr = ret->before.err == 0;
		errno = ret->before.err;
		return ret->has_attr ? 0 : -1;
	case OP_FALLOCATE:
		return fallocate(fd, (int)op->arg[0], op->arg[1], op->arg[2]);
	case OP_FSYNC:
		return op->arg[0] ? fdatasync(fd) : fsync(fd);
	case OP_COPY_RANGE:
		return copy_range(op, actor, tree);
	case OP_FSETXATTR:
		return set_xattr(op, fd);
	case OP_FGETDENTS:
		return get_dents(fd, ret);
	case OP_MMAP:
		return map_byte(op, fd, &ret->before);
	case OP_REOPEN:
		return reopen(op, actor->slots[tree]);
	default:
		return close_slot(&actor->slots[tree][op->slot]);
	}
}
