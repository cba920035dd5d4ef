/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests, as the kernel would make them. */
#include "fuse_requests.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "fuzz.h"

void put(struct request *request, const void *bytes, size_t size)
{
	memcpy(request->body + request->size, bytes, size);
	request->size += size;
}

static void put_name(struct request *request)
{
	static const char *const names[] = {
		"file",
		"dir",
		"out",
		"secret",
		"fifo",
		"a",
		"b",
		"..",
		".",
		"",
		"a/b",
		"/etc",
		"../outside/secret",
		"user.x",
		"system.posix_acl_access",
		"system.posix_acl_default",
		"security.capability",
		"user.containers.override_stat",
		"trusted.x",
	};
	const uint8_t count = sizeof(names) / sizeof(names[0]);
	uint8_t choice = take_byte();
	char name[NAME_ROOM];
	size_t len;

	if (choice < 200) {
		const char *known = names[choice % count];

		put(request, known, strlen(known) + 1);
		return;
	}
	len = take_byte();
	take(name, len);
	name[len] = '\0';
	put(request, name, strlen(name) + 1);
}

static void choose_node(uint32_t type)
{
	size_t start = take_byte(), i;

	kernel.node = 1;
	for (i = 0; i < kernel.node_count; i++) {
		const struct known_node *n =
			&kernel.nodes[(start + i) % kernel.node_count];

		if (n->lookups > 0 &&
		    (type == 0 || (n->mode & S_IFMT) == type)) {
			kernel.node = n->id;
			return;
		}
	}
	/* None: the kernel wouldn't ask. */
	kernel.opcode = FUSE_STATFS;
}

static uint64_t other_node(uint32_t type)
{
	uint64_t node = kernel.node, other;

	choose_node(type);
	other = kernel.node;
	kernel.node = node;
	return other;
}

static uint64_t choose_handle(bool dir)
{
	size_t start = take_byte(), i;

	for (i = 0; i < kernel.handle_count; i++) {
		size_t at = (start + i) % kernel.handle_count;

		if (kernel.handles[at].dir != dir)
			continue;
		kernel.handle = at;
		kernel.node = kernel.handles[at].node;
		kernel.flags = kernel.handles[at].flags;
		return kernel.handles[at].fh;
	}
	kernel.opcode = FUSE_STATFS;
	return 0;
}

#define OPEN_FLAGS                                                          \
	((uint32_t)(O_ACCMODE | O_APPEND | O_TRUNC | O_NONBLOCK | O_DSYNC | \
		    O_SYNC | O_DIRECT | O_NOATIME))

static void add_names(struct request *request)
{
	switch (kernel.opcode) {
	case FUSE_MKNOD: {
		struct fuse_mknod_in in;

		take(&in, sizeof(in));
		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_MKDIR: {
		struct fuse_mkdir_in in;

		take(&in, sizeof(in));
		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_CREATE: {
		struct fuse_create_in in;

		take(&in, sizeof(in));
		in.flags &= OPEN_FLAGS | O_EXCL;
		in.flags |= O_CREAT;
		in.mode &= 07777;
		kernel.flags = in.flags;
		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_LINK: {
		struct fuse_link_in in = { other_node(0) };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_RENAME2: {
		struct fuse_rename2_in in = { .newdir = other_node(S_IFDIR),
					      .flags = take_byte() & 7 };

		put(request, &in, sizeof(in));
		put_name(request);
		break;
	}
	case FUSE_SYMLINK:
		put_name(request);
		break;
	default:
		break;
	}
	put_name(request);
}

static void add_xattr(struct request *request)
{
	struct fuse_setxattr_in set = { .size = take_byte() * 4u,
					.flags = take_byte() & 3 };
	struct fuse_getxattr_in get = { .size = take_byte() * 64u };
	char value[255 * 4];

	if (kernel.opcode == FUSE_SETXATTR) {
		put(request, &set, FUSE_COMPAT_SETXATTR_IN_SIZE);
		put_name(request);
		take(value, set.size);
		put(request, value, set.size);
		return;
	}
	if (kernel.opcode != FUSE_REMOVEXATTR)
		put(request, &get, sizeof(get));
	if (kernel.opcode != FUSE_LISTXATTR)
		put_name(request);
}

static void add_open(struct request *request)
{
	struct fuse_open_in in;

	take(&in, sizeof(in));
	in.flags &= OPEN_FLAGS;
	kernel.flags = in.flags;
	put(request, &in, sizeof(in));
}

static void add_setattr(struct request *request)
{
	struct fuse_setattr_in in;

	take(&in, sizeof(in));
	in.size %= OFFSET_MAX;
	in.valid &= ~(uint32_t)FATTR_FH;
	/* A size is for regular files. */
	if ((in.valid & FATTR_SIZE) != 0)
		choose_node(S_IFREG);
	put(request, &in, sizeof(in));
}

static void add_write(struct request *request, uint64_t fh, uint64_t offset)
{
	char data[255 * 16];
	struct fuse_write_in in = { .fh = fh,
				    .offset = offset,
				    .size = take_byte() * 16u,
				    .write_flags = take_byte() & 7,
				    .flags = kernel.flags };

	put(request, &in, sizeof(in));
	take(data, in.size);
	put(request, data, in.size);
}

/* Requests for an open file or directory. */
static void add_handle(struct request *request)
{
	bool dir = kernel.opcode == FUSE_READDIR ||
		   kernel.opcode == FUSE_READDIRPLUS ||
		   kernel.opcode == FUSE_RELEASEDIR ||
		   kernel.opcode == FUSE_FSYNCDIR;
	uint64_t fh = choose_handle(dir), offset;

	take(&offset, sizeof(offset));
	offset %= OFFSET_MAX;
	switch (kernel.opcode) {
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS: {
		struct fuse_read_in in = { .fh = fh,
					   .offset = offset,
					   .size = take_byte() * 64u,
					   .flags = kernel.flags };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_WRITE:
		add_write(request, fh, offset);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR: {
		struct fuse_release_in in = { .fh = fh,
					      .flags = kernel.flags,
					      .release_flags = take_byte() & 3,
					      .lock_owner = take_byte() & 3 };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR: {
		struct fuse_fsync_in in = { .fh = fh, .fsync_flags = 1 };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_FLUSH: {
		struct fuse_flush_in in = { .fh = fh,
					    .lock_owner = take_byte() & 3 };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_GETLK:
	case FUSE_SETLK: {
		struct fuse_lk_in in = { .fh = fh,
					 .owner = take_byte() & 3,
					 .lk = { .start = offset,
						 .end = offset + take_byte(),
						 .type = take_byte() % 3,
						 .pid = 1 },
					 .lk_flags = take_byte() & 1 };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_FALLOCATE: {
		struct fuse_fallocate_in in = { .fh = fh,
						.offset = offset,
						.length = take_byte() * 64u,
						.mode = take_byte() };

		put(request, &in, sizeof(in));
		break;
	}
	case FUSE_LSEEK: {
		struct fuse_lseek_in in = { .fh = fh,
					    .offset = offset,
					    .whence = take_byte() % 6 };

		put(request, &in, sizeof(in));
		break;
	}
	default:
		break;
	}
}

static void add_forget(struct request *request)
{
	struct fuse_forget_in in = { .nlookup = take_byte() };

	for (size_t i = 0; i < kernel.node_count; i++) {
		struct known_node *n = &kernel.nodes[i];

		if (n->id != kernel.node)
			continue;
		/* One that is open, or the root, is not forgotten. */
		for (size_t h = 0; h < kernel.handle_count; h++)
			if (kernel.handles[h].node == n->id)
				in.nlookup = 0;
		if (n->id == FUSE_ROOT_ID || in.nlookup >= n->lookups)
			in.nlookup = n->id == FUSE_ROOT_ID ? 0 : n->lookups;
		n->lookups -= in.nlookup;
	}
	put(request, &in, sizeof(in));
}

void next_request(struct fuse_session *session)
{
	static const uint8_t opcodes[] = {
		FUSE_LOOKUP,	  FUSE_FORGET,	  FUSE_GETATTR,
		FUSE_SETATTR,	  FUSE_READLINK,  FUSE_SYMLINK,
		FUSE_MKNOD,	  FUSE_MKDIR,	  FUSE_UNLINK,
		FUSE_RMDIR,	  FUSE_LINK,	  FUSE_OPEN,
		FUSE_READ,	  FUSE_WRITE,	  FUSE_STATFS,
		FUSE_RELEASE,	  FUSE_FSYNC,	  FUSE_SETXATTR,
		FUSE_GETXATTR,	  FUSE_LISTXATTR, FUSE_REMOVEXATTR,
		FUSE_FLUSH,	  FUSE_OPENDIR,	  FUSE_READDIR,
		FUSE_RELEASEDIR,  FUSE_FSYNCDIR,  FUSE_GETLK,
		FUSE_SETLK,	  FUSE_CREATE,	  FUSE_FALLOCATE,
		FUSE_READDIRPLUS, FUSE_RENAME2,	  FUSE_LSEEK,
	};
	static struct request request;

	request.size = 0;
	kernel.flags = 0;
	kernel.opcode = opcodes[take_byte() % sizeof(opcodes)];
	switch (kernel.opcode) {
	case FUSE_LOOKUP:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
	case FUSE_LINK:
	case FUSE_CREATE:
	case FUSE_RENAME2:
		choose_node(S_IFDIR);
		add_names(&request);
		break;
	case FUSE_FORGET:
		choose_node(0);
		add_forget(&request);
		break;
	case FUSE_GETATTR: {
		struct fuse_getattr_in in = { 0 };

		choose_node(0);
		put(&request, &in, sizeof(in));
		break;
	}
	case FUSE_SETATTR:
		choose_node(0);
		add_setattr(&request);
		break;
	case FUSE_READLINK:
		choose_node(S_IFLNK);
		break;
	case FUSE_OPEN:
		choose_node(S_IFREG);
		add_open(&request);
		break;
	case FUSE_OPENDIR:
		choose_node(S_IFDIR);
		add_open(&request);
		break;
	case FUSE_SETXATTR:
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
	case FUSE_REMOVEXATTR:
		choose_node(0);
		add_xattr(&request);
		break;
	case FUSE_STATFS:
		choose_node(0);
		break;
	default:
		add_handle(&request);
		break;
	}
	send_request(session, &request);
}
