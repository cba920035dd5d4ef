/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "fuse_kernel.h"
#include "idshift/filesystem.h"

struct kernel kernel;

void take(void *to, size_t size)
{
	size_t got = size < kernel.left ? size : kernel.left;

	memset(to, 0, size);
	if (got > 0)
		memcpy(to, kernel.at, got);
	kernel.at += got;
	kernel.left -= got;
}

uint8_t take_byte(void)
{
	uint8_t byte;

	take(&byte, 1);
	return byte;
}

static void learn_node(const struct fuse_entry_out *entry)
{
	struct known_node *free_node = NULL;

	if (entry->nodeid == 0)
		return;
	for (size_t i = 0; i < kernel.node_count; i++) {
		if (kernel.nodes[i].id == entry->nodeid) {
			kernel.nodes[i].lookups++;
			return;
		}
		if (kernel.nodes[i].lookups == 0 && kernel.nodes[i].id != 1)
			free_node = &kernel.nodes[i];
	}
	if (free_node == NULL && kernel.node_count < KNOWN_MAX)
		free_node = &kernel.nodes[kernel.node_count++];
	if (free_node != NULL)
		*free_node = (struct known_node){ entry->nodeid, 1,
						  entry->attr.mode };
}

static void learn_handle(const struct fuse_open_out *open, uint64_t node)
{
	if (kernel.handle_count < KNOWN_MAX)
		kernel.handles[kernel.handle_count++] =
			(struct known_handle){ open->fh, node, kernel.flags,
					       kernel.opcode == FUSE_OPENDIR };
}

static void learn(const void *body, size_t size)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = { 0 };

	memcpy(&out, body, size < sizeof(out) ? size : sizeof(out));
	switch (kernel.opcode) {
	case FUSE_LOOKUP:
	case FUSE_SYMLINK:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_LINK:
		learn_node(&out.entry);
		break;
	case FUSE_CREATE:
		learn_node(&out.entry);
		learn_handle(&out.open, out.entry.nodeid);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		memcpy(&out.open, body, sizeof(out.open));
		learn_handle(&out.open, kernel.node);
		break;
	case FUSE_RELEASE:
	case FUSE_RELEASEDIR:
		kernel.handles[kernel.handle] =
			kernel.handles[--kernel.handle_count];
		break;
	default:
		break;
	}
}

/* As fuse_dev_do_write() in Linux, which refuses others. */
static void take_reply(const char *reply, size_t size)
{
	char body[sizeof(struct fuse_entry_out) +
		  sizeof(struct fuse_open_out)] = { 0 };
	struct fuse_out_header header;

	memcpy(&header, reply, sizeof(header));
	must(header.unique == 0 || (header.error <= 0 && header.error > -512));
	size -= sizeof(header);
	memcpy(body, reply + sizeof(header),
	       size < sizeof(body) ? size : sizeof(body));
	if (header.unique == kernel.unique && header.error == 0)
		learn(body, sizeof(body));
}

/* All that was written to the device, which is a file. */
static void take_replies(int device)
{
	off_t size = lseek(device, 0, SEEK_END);
	char *bytes = malloc((size_t)size + 1);
	uint32_t length;

	must(bytes != NULL && pread(device, bytes, (size_t)size, 0) == size);
	for (off_t at = 0; at < size; at += length) {
		must(size - at >= (off_t)sizeof(struct fuse_out_header));
		memcpy(&length, bytes + at, sizeof(length));
		must(length >= sizeof(struct fuse_out_header) &&
		     length <= size - at);
		take_reply(bytes + at, length);
	}
	free(bytes);
	must(ftruncate(device, 0) == 0 && lseek(device, 0, SEEK_SET) == 0);
}

void send_request(struct fuse_session *session, struct request *request)
{
	static const uint32_t ids[] = { 0, 100000, 101000, 99999, UINT32_MAX };
	uint8_t who = take_byte();
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + request->size),
		.opcode = kernel.opcode,
		.unique = ++kernel.unique,
		.nodeid = kernel.node,
		.uid = who % 6 == 0 ? getuid() : ids[who % 6 - 1],
		.gid = who / 6 % 6 == 0 ? getgid() : ids[who / 6 % 6 - 1],
		.pid = (uint32_t)getpid(),
	};
	struct fuse_buf buf = { .size = header.len };

	buf.mem = malloc(header.len);
	must(buf.mem != NULL);
	memcpy(buf.mem, &header, sizeof(header));
	memcpy((char *)buf.mem + sizeof(header), request->body, request->size);
	fuse_session_process_buf(session, &buf);
	take_replies(fuse_session_fd(session));
	free(buf.mem);
}

static void send_init(struct fuse_session *session)
{
	struct fuse_init_in in = { .major = FUSE_KERNEL_VERSION,
				   .minor = 31,
				   .max_readahead = 131072,
				   .flags = UINT32_MAX >> 4 };
	struct request request = { .size = 0 };

	kernel.opcode = FUSE_INIT;
	put(&request, &in, sizeof(in));
	send_request(session, &request);
}

void fuse_kernel_run(struct filesystem *fs, const uint8_t *data, size_t size)
{
	const struct fuse_lowlevel_ops *ops = filesystem_operations();
	char name[] = "fuzz";
	char *argv[] = { name, NULL };
	char device[32];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session =
		fuse_session_new(&args, ops, sizeof(*ops), fs);

	must(session != NULL);
	(void)snprintf(device, sizeof(device), "/dev/fd/%d",
		       memfd_create("device", MFD_CLOEXEC));
	must(fuse_session_mount(session, device) == 0);
	fs->session = session;
	kernel = (struct kernel){
		.at = data,
		.left = size,
		.nodes = { { FUSE_ROOT_ID, 1, S_IFDIR } },
		.node_count = 1,
	};
	send_init(session);
	while (kernel.left > 0)
		next_request(session);
	fuse_session_destroy(session);
	fuse_opt_free_args(&args);
}
