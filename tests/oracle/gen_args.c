/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The numbers of a call: modes, ids, flags, times, sizes. */
#include "oracle.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PICK(rng, list) \
	((list)[rng_below((rng), sizeof(list) / sizeof(*(list)))])

static int64_t pick_mode(struct rng *rng, bool directory)
{
	static const int64_t directories[] = { 0777,  0777, 01777, 02775, 02777,
					       03777, 0755, 0777,  0711,  0750,
					       0555,  0777, 0333,  02770, 02777,
					       0777,  0775, 0700,  0 };
	static const int64_t files[] = { 0644,	0666,  0666,  0755,  0777,
					 04755, 02755, 06777, 02644, 06666,
					 0600,	0640,  0400,  0000,  01666,
					 0444,	0060,  0006,  04711, 02745 };

	if (rng_below(rng, 6) == 0)
		return rng_below(rng, 010000) | (directory ? 0700 : 0);
	return directory ? PICK(rng, directories) : PICK(rng, files);
}

static mode_t pick_umask(struct rng *rng)
{
	static const mode_t masks[] = { 0, 0, 022, 022, 002, 077, 027, 0777 };

	return PICK(rng, masks);
}

/* 65536 is the last of the map, 65537 and more are outside. */
static int64_t pick_id(struct rng *rng)
{
	static const int64_t ids[] = { 0,    1000,  1001, 5,	60,   2000,
				       1002, 65534, 1000, 1001, 2000, 65536 };

	static const int64_t unmapped[] = { 65537, 70000, 4294967294 };

	if (rng_below(rng, 3) == 0)
		return 4294967295;
	if (rng_below(rng, 25) == 0)
		return PICK(rng, unmapped);
	return PICK(rng, ids);
}

static int64_t pick_size(struct rng *rng)
{
	static const int64_t sizes[] = { 0, 1, 100, 4095, 4096, 4097, 9000 };

	return PICK(rng, sizes);
}

static int64_t pick_offset(struct rng *rng)
{
	static const int64_t offsets[] = { 0,	   0,	  1,
					   100,	   4096,  8192,
					   12288,  20000, 65536,
					   300000, -1,	  INT64_C(5000000000) };

	return PICK(rng, offsets);
}

static void pick_time(struct rng *rng, int64_t time[2])
{
	static const int64_t seconds[] = { 0,	       1,	    -1,
					   -86400,     -1000000000, 999999999,
					   2147483647, 2147483648,  -2147483648,
					   4102444800, 15032385535 };
	static const int64_t nanoseconds[] = {
		0, 1, 999999999, 123456789, 500000000, 1000000000
	};

	time[0] = PICK(rng, seconds);
	switch (rng_below(rng, 4)) {
	case 0:
		time[1] = UTIME_NOW;
		break;
	case 1:
		time[1] = UTIME_OMIT;
		break;
	default:
		time[1] = PICK(rng, nanoseconds);
		if (time[1] == 1000000000 && rng_below(rng, 4))
			time[1] = 7;
	}
}

static int64_t at_flags(struct rng *rng, bool nofollow, bool wrong)
{
	if (wrong && rng_below(rng, 50) == 0)
		return 0x40000000;
	return nofollow ? AT_SYMLINK_NOFOLLOW : 0;
}

static int64_t pick_open_flags(struct rng *rng, bool directory)
{
	static const int64_t access[] = { O_RDONLY, O_WRONLY, O_RDWR,
					  O_RDWR,   O_RDWR,   O_RDWR };
	/* Nonblocking always, for the sake of fifos. */
	int64_t flags = PICK(rng, access) | O_NONBLOCK;

	if (directory && rng_below(rng, 3))
		return O_RDONLY | O_NONBLOCK | O_DIRECTORY;
	if (rng_below(rng, 3))
		flags |= O_CREAT;
	if (rng_below(rng, 5) == 0)
		flags |= O_EXCL;
	if (rng_below(rng, 5) == 0)
		flags |= O_TRUNC;
	if (rng_below(rng, 6) == 0)
		flags |= O_APPEND;
	if (rng_below(rng, 8) == 0)
		flags |= O_NOFOLLOW;
	if (rng_below(rng, 10) == 0)
		flags = (flags & ~(int64_t)O_CREAT) | O_DIRECTORY;
	if (rng_below(rng, 20) == 0)
		flags |= O_NOATIME;
	if (rng_below(rng, 40) == 0)
		flags |= O_PATH;
	return flags;
}

static void gen_names(struct rng *rng, bool directory, struct op *op)
{
	static const int64_t types[] = { S_IFIFO, S_IFSOCK, S_IFREG,
					 S_IFIFO, S_IFCHR,  S_IFBLK,
					 0,	  S_IFSOCK, S_IFCHR };
	static const int64_t lengths[] = { 255, 1000, 4000, 4095, 4096 };
	static const int64_t renames[] = { 0,
					   0,
					   0,
					   RENAME_NOREPLACE,
					   RENAME_EXCHANGE,
					   RENAME_EXCHANGE,
					   RENAME_NOREPLACE | RENAME_EXCHANGE,
					   RENAME_WHITEOUT,
					   RENAME_WHITEOUT | RENAME_NOREPLACE,
					   RENAME_WHITEOUT | RENAME_EXCHANGE,
					   0x80 };

	switch (op->kind) {
	case OP_MKDIR:
		op->arg[0] = pick_mode(rng, true);
		break;
	case OP_OPEN:
		op->arg[0] = pick_open_flags(rng, directory);
		op->arg[1] = pick_mode(rng, false);
		break;
	case OP_MKNOD:
		op->arg[0] = PICK(rng, types);
		/* Character device 0:0, a whiteout, is free for all. */
		if (op->arg[0] == S_IFCHR || op->arg[0] == S_IFBLK)
			op->arg[1] = rng_below(rng, 3) ? 0 : 0x103;
		op->arg[0] |= pick_mode(rng, false);
		break;
	case OP_SYMLINK:
		op->arg[0] = rng_below(rng, 25) ? 0 : PICK(rng, lengths);
		break;
	case OP_LINK:
		op->arg[0] = rng_below(rng, 4) ? 0 : AT_SYMLINK_FOLLOW;
		break;
	case OP_UNLINK:
		op->arg[0] = 0;
		break;
	case OP_RMDIR:
		op->arg[0] = AT_REMOVEDIR;
		break;
	default:
		op->arg[0] = PICK(rng, renames);
	}
}

static void gen_attributes(struct rng *rng, bool directory, struct op *op)
{
	static const int64_t masks[] = { 0, 1, 2, 4, 6, 3, 5, 7, 7, 8 };
	static const int64_t access_flags[] = { 0, 0, AT_EACCESS,
						AT_SYMLINK_NOFOLLOW };

	switch (op->kind) {
	case OP_CHMOD:
	case OP_FCHMOD:
		op->arg[0] = pick_mode(rng, directory);
		if (op->kind == OP_CHMOD)
			op->arg[1] = at_flags(rng, !rng_below(rng, 8), true);
		break;
	case OP_CHOWN:
	case OP_FCHOWN:
		op->arg[0] = pick_id(rng);
		op->arg[1] = pick_id(rng);
		if (op->kind == OP_CHOWN)
			op->arg[2] = at_flags(rng, !rng_below(rng, 2), true);
		break;
	case OP_UTIMENS:
	case OP_FUTIMENS:
		pick_time(rng, op->arg);
		pick_time(rng, op->arg + 2);
		if (op->kind == OP_UTIMENS)
			op->arg[4] = at_flags(rng, !rng_below(rng, 2), true);
		break;
	case OP_ACCESS:
		op->arg[0] = PICK(rng, masks);
		op->arg[1] = PICK(rng, access_flags);
		break;
	default:
		op->arg[0] = at_flags(rng, !rng_below(rng, 2), false);
	}
}

static void gen_xattr(struct rng *rng, struct op *op)
{
	static const int64_t sizes[] = { 0, 1, 20, 100, 20, 100, 20, 33 };
	static const int64_t rooms[] = { 0, 4, 256, 1024, 1024 };
	static const int64_t flags[] = {
		0, 0, 0, 0, 0, 0, XATTR_CREATE, XATTR_REPLACE
	};
	static const int64_t caps[] = { 0, 0, 0, 1, 2, 3, 4, 5, -1, -1 };

	switch (op->kind) {
	case OP_SETXATTR:
	case OP_FSETXATTR:
		op->arg[0] = rng_below(rng, 50) ? PICK(rng, sizes) : 65537;
		op->arg[1] = 'a' + (int64_t)rng_below(rng, 20);
		op->arg[2] = PICK(rng, flags);
		op->arg[3] = rng_below(rng, 3) == 0;
		if (op->kind == OP_FSETXATTR)
			op->arg[3] = 0;
		break;
	case OP_GETXATTR:
	case OP_LISTXATTR:
		op->arg[0] = PICK(rng, rooms);
		op->arg[1] = rng_below(rng, 3) == 0;
		break;
	case OP_REMOVEXATTR:
		op->arg[0] = rng_below(rng, 3) == 0;
		break;
	case OP_SETCAP:
		op->arg[0] = PICK(rng, caps);
		op->arg[1] = PICK(rng, flags);
		break;
	default:
		op->arg[0] = (int64_t)rng_below(rng, 1000000) + 1;
		if (rng_below(rng, 8) == 0)
			op->arg[0] = rng_below(rng, 3) ? -1 : 0;
		op->arg[1] = rng_below(rng, 3) == 0;
	}
}

static void gen_content(struct rng *rng, struct op *op)
{
	static const int64_t modes[] = {
		0,
		FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		FALLOC_FL_PUNCH_HOLE,
		FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE
	};

	op->arg[0] = pick_size(rng);
	switch (op->kind) {
	case OP_WRITE:
	case OP_PWRITE:
		op->arg[1] = rng_below(rng, 256);
		if (op->kind == OP_PWRITE)
			op->arg[2] = pick_offset(rng);
		break;
	case OP_PREAD:
		op->arg[1] = pick_offset(rng);
		break;
	case OP_READ:
		break;
	case OP_LSEEK:
		op->arg[0] = pick_offset(rng);
		op->arg[1] = rng_below(rng, 6);
		break;
	case OP_TRUNCATE:
	case OP_FTRUNCATE:
		op->arg[0] =
			rng_below(rng, 2) ? pick_size(rng) : pick_offset(rng);
		break;
	case OP_FALLOCATE:
		op->arg[0] = PICK(rng, modes);
		op->arg[1] = pick_offset(rng);
		/* No room is taken for gigabytes. */
		if (op->arg[1] > 300000)
			op->arg[1] = 0;
		op->arg[2] = pick_size(rng);
		break;
	case OP_MMAP:
		op->arg[0] = rng_below(rng, 256);
		op->arg[1] = rng_below(rng, 3) ? 0 : pick_offset(rng);
		break;
	case OP_REOPEN:
		op->arg[0] = rng_below(rng, SLOTS);
		op->arg[1] = pick_open_flags(rng, false) &
			     ~(int64_t)(O_CREAT | O_EXCL | O_NOFOLLOW);
		break;
	case OP_COPY_RANGE:
		op->arg[0] = rng_below(rng, SLOTS);
		op->arg[1] = rng_below(rng, 2) ? 0 : 100;
		op->arg[2] = rng_below(rng, 2) ? 0 : 4096;
		op->arg[3] = pick_size(rng);
		break;
	default:
		op->arg[0] = rng_below(rng, 2);
	}
}

void gen_args(struct rng *rng, bool directory, struct op *op)
{
	op->umask = (op_uses(op->kind) & OP_UMASK) ? pick_umask(rng) : 0;
	switch (op->kind) {
	case OP_MKDIR:
	case OP_OPEN:
	case OP_MKNOD:
	case OP_SYMLINK:
	case OP_LINK:
	case OP_UNLINK:
	case OP_RMDIR:
	case OP_RENAME:
		gen_names(rng, directory, op);
		break;
	case OP_CHMOD:
	case OP_CHOWN:
	case OP_FCHMOD:
	case OP_FCHOWN:
	case OP_UTIMENS:
	case OP_FUTIMENS:
	case OP_ACCESS:
	case OP_STAT:
		gen_attributes(rng, directory, op);
		break;
	case OP_SETXATTR:
	case OP_FSETXATTR:
	case OP_GETXATTR:
	case OP_LISTXATTR:
	case OP_REMOVEXATTR:
	case OP_SETCAP:
	case OP_SETACL:
		gen_xattr(rng, op);
		break;
	case OP_READLINK:
		op->arg[0] = rng_below(rng, 4) ? 4096 : 3;
		break;
	case OP_READDIR:
	case OP_FSTAT:
	case OP_FGETDENTS:
	case OP_CLOSE:
		break;
	default:
		gen_content(rng, op);
	}
}
