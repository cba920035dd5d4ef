/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuse_requests.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
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

static ssize_t reply(int fd, struct iovec *iov, int count, void *userdata)
{
	char body[sizeof(struct fuse_entry_out) +
		  sizeof(struct fuse_open_out)] = { 0 };
	struct fuse_out_header header;
	size_t used = 0, total = 0;

	(void)fd;
	(void)userdata;
	for (int i = 0; i < count; i++)
		total += iov[i].iov_len;
	must(count > 0 && iov[0].iov_len == sizeof(header));
	memcpy(&header, iov[0].iov_base, sizeof(header));
	must(header.len == total);
	/* The kernel refuses others, and so does not go on (fuse_dev_do_write)
	 */
	must(header.unique == 0 || (header.error <= 0 && header.error > -512));
	for (int i = 1; i < count; i++) {
		size_t n = iov[i].iov_len;

		n = n < sizeof(body) - used ? n : sizeof(body) - used;
		memcpy(body + used, iov[i].iov_base, n);
		used += n;
	}
	if (header.unique == kernel.unique && header.error == 0)
		learn(body, sizeof(body));
	return (ssize_t)total;
}

static ssize_t no_read(int fd, void *buf, size_t size, void *userdata)
{
	(void)fd;
	(void)buf;
	(void)size;
	(void)userdata;
	errno = ENODEV;
	return -1;
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
	static const struct fuse_custom_io io = { .read = no_read,
						  .writev = reply };
	const struct fuse_lowlevel_ops *ops = filesystem_operations();
	char name[] = "fuzz";
	char *argv[] = { name, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_session *session =
		fuse_session_new(&args, ops, sizeof(*ops), fs);

	must(session != NULL);
	must(fuse_session_custom_io(
		     session, &io, open("/dev/null", O_RDWR | O_CLOEXEC)) == 0);
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
