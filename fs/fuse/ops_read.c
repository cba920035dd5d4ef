/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel takes a short answer for the end of the file: so an error after
 * some of the data is an error, and it asks again for less.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "idshift/cleanup.h"

/* From here on a copy costs more than the calls that spare it. */
#define SPLICE_FROM ((size_t)65536)

/* Each thread's way for data that isn't copied. */
struct data_pipe {
	int in;
	int out;
	size_t size;
};

static pthread_key_t pipe_key;

static void data_pipe_close(void *data)
{
	struct data_pipe *pipe = data;

	close_fd(pipe->in);
	close_fd(pipe->out);
	free(pipe);
}

void reads_init(struct filesystem *fs)
{
	static atomic_flag made = ATOMIC_FLAG_INIT;

	/* Once; it is the process's. */
	if (!atomic_flag_test_and_set(&made) &&
	    pthread_key_create(&pipe_key, data_pipe_close) != 0)
		fs->config.splice = false;
}

static struct data_pipe *data_pipe_open(void)
{
	struct data_pipe *pipe = malloc(sizeof(*pipe));
	int fds[2];

	if (pipe == NULL || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		free(pipe);
		return NULL;
	}
	*pipe = (struct data_pipe){ .in = fds[1], .out = fds[0] };
	if (pthread_setspecific(pipe_key, pipe) != 0) {
		data_pipe_close(pipe);
		return NULL;
	}
	return pipe;
}

/* It has something in it that nobody wants. */
static void data_pipe_drop(struct data_pipe *pipe)
{
	(void)pthread_setspecific(pipe_key, NULL);
	data_pipe_close(pipe);
}

/* Empty, and with room for so much from any offset; NULL: none is to be had. */
static struct data_pipe *data_pipe_for(size_t size)
{
	struct data_pipe *pipe = pthread_getspecific(pipe_key);
	long page = sysconf(_SC_PAGESIZE);
	int got;

	if (pipe == NULL)
		pipe = data_pipe_open();
	if (pipe == NULL || pipe->size >= size + (size_t)page)
		return pipe;
	got = fcntl(pipe->in, F_SETPIPE_SZ, (int)(size + (size_t)page));
	if (got < 0)
		return NULL;
	pipe->size = (size_t)got;
	return pipe;
}

/* The end of the file, as the kernel was told of it? */
static bool is_end(const struct filesystem *fs, fuse_ino_t ino, off_t at)
{
	return node_is_told_size(fs->nodes, ino, (uint64_t)at);
}

/* False: nothing was replied. */
static bool reply_spliced(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
			  int fd, size_t size, off_t off)
{
	struct data_pipe *pipe = data_pipe_for(size);
	struct fuse_bufvec data = FUSE_BUFVEC_INIT(0);
	size_t done = 0;
	off_t at = off;
	ssize_t got;

	if (pipe == NULL)
		return false;
	do {
		got = splice(fd, &at, pipe->in, NULL, size - done, 0);
		if (got > 0)
			done += (size_t)got;
	} while (got > 0 && done < size && !is_end(fs, ino, at));
	if (got < 0) {
		if (done > 0)
			data_pipe_drop(pipe);
		return false;
	}
	data.buf[0].flags = FUSE_BUF_IS_FD;
	data.buf[0].fd = pipe->out;
	data.buf[0].size = done;
	/* Where it failed it has told so, and left some of it there. */
	if (fuse_reply_data(req, &data, 0) != 0 ||
	    (done > 0 && data.idx < data.count))
		data_pipe_drop(pipe);
	return true;
}

static ssize_t read_all(const struct filesystem *fs, fuse_ino_t ino, int fd,
			char *buffer, size_t size, off_t off)
{
	size_t done = 0;
	ssize_t got;

	do {
		got = pread(fd, buffer + done, size - done, off + (off_t)done);
		if (got < 0)
			return -errno;
		done += (size_t)got;
	} while (got > 0 && done < size && !is_end(fs, ino, off + (off_t)done));
	return (ssize_t)done;
}

void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
	     struct fuse_file_info *fi)
{
	struct filesystem *fs = filesystem_of(req);
	int fd = handle_fd(fs->handles, fi->fh);
	_cleanup_free_ char *buffer = NULL;
	ssize_t r = -ENOMEM;

	if (fd < 0) {
		reply_result(req, fd);
		return;
	}
	if (fs->config.splice && size >= SPLICE_FROM &&
	    reply_spliced(fs, req, ino, fd, size, off))
		return;
	buffer = malloc(size > 0 ? size : 1);
	if (buffer != NULL)
		r = read_all(fs, ino, fd, buffer, size, off);
	if (r < 0)
		reply_result(req, (int)r);
	else
		(void)fuse_reply_buf(req, buffer, (size_t)r);
}
