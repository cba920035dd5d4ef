/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <syslog.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/init_flags.h"
#include "idshift/passthrough_ioctl.h"

/* An inode that is open, and how. */
struct opened {
	uint64_t ino;
	uint64_t count;
	int32_t id; /* 0: copied */
};

struct passthrough {
	pthread_mutex_t lock;
	void *opened; /* tsearch(3) */
	bool logged;
};

static int compare(const void *left, const void *right)
{
	const struct opened *a = left, *b = right;

	return a->ino < b->ino ? -1 : a->ino > b->ino;
}

int passthrough_new(struct fuse_conn_info *conn, struct passthrough **ret)
{
	struct passthrough *pass;

	*ret = NULL;
	if (!init_flags_want_passthrough(conn))
		return 0;
	pass = calloc(1, sizeof(*pass));
	if (pass == NULL)
		return -ENOMEM;
	(void)pthread_mutex_init(&pass->lock, NULL);
	*ret = pass;
	return 0;
}

struct passthrough *passthrough_free(struct passthrough *pass)
{
	if (pass == NULL)
		return NULL;
	tdestroy(pass->opened, free);
	(void)pthread_mutex_destroy(&pass->lock);
	free(pass);
	return NULL;
}

/*
 * The kernel keeps the very open file it is given, as long as the inode is
 * open: one of its own, that holds no lock and isn't open for writing.
 */
static int register_again(struct fuse_session *session, int fd, int flags)
{
	_cleanup_fd_ int own = backing_reopen(fd, flags);
	const struct passthrough_backing backing = { .fd = own };
	int id;

	if (own < 0)
		return own;
	id = ioctl(fuse_session_fd(session), PASSTHROUGH_IOC_OPEN, &backing);
	return id < 0 ? -errno : id;
}

/* EPERM: no privilege; ELOOP: a stacked file system, such as overlayfs. */
static int32_t open_backing(struct passthrough *pass,
			    struct fuse_session *session, int fd)
{
	int id;

	if (fd < 0)
		return 0;
	id = register_again(session, fd, O_PATH);
	/* Linux before 6.12 */
	if (id == -EBADF)
		id = register_again(session, fd, O_RDONLY | O_NONBLOCK);
	if (id > 0)
		return id;
	if (!pass->logged)
		syslog(LOG_INFO,
		       "files that can't be passed through are copied; the "
		       "first one: %s",
		       strerror(-id));
	pass->logged = true;
	return 0;
}

/* With the lock held. */
static struct opened *find(struct passthrough *pass, uint64_t ino)
{
	const struct opened key = { .ino = ino };
	struct opened **found = tfind(&key, &pass->opened, compare);

	return found != NULL ? *found : NULL;
}

static struct opened *add(struct passthrough *pass, uint64_t ino)
{
	struct opened *opened = calloc(1, sizeof(*opened));

	if (opened == NULL)
		return NULL;
	opened->ino = ino;
	if (tsearch(opened, &pass->opened, compare) != NULL)
		return opened;
	free(opened);
	return NULL;
}

int passthrough_opened(struct passthrough *pass, struct fuse_session *session,
		       uint64_t ino, int fd)
{
	struct opened *opened;
	int r = -ENOMEM;

	if (pass == NULL)
		return 0;
	/* The ioctl takes memory and nothing else: it waits for nobody. */
	(void)pthread_mutex_lock(&pass->lock);
	opened = find(pass, ino);
	if (opened == NULL) {
		opened = add(pass, ino);
		if (opened != NULL)
			opened->id = open_backing(pass, session, fd);
	}
	if (opened != NULL) {
		opened->count++;
		r = opened->id;
	}
	(void)pthread_mutex_unlock(&pass->lock);
	return r;
}

void passthrough_closed(struct passthrough *pass, struct fuse_session *session,
			uint64_t ino)
{
	struct opened *opened;

	if (pass == NULL)
		return;
	(void)pthread_mutex_lock(&pass->lock);
	opened = find(pass, ino);
	if (opened != NULL && --opened->count == 0) {
		uint32_t id = (uint32_t)opened->id;

		(void)tdelete(opened, &pass->opened, compare);
		free(opened);
		if (id != 0)
			(void)ioctl(fuse_session_fd(session),
				    PASSTHROUGH_IOC_CLOSE, &id);
	}
	(void)pthread_mutex_unlock(&pass->lock);
}

bool passthrough_is_open(struct passthrough *pass, uint64_t ino)
{
	const struct opened *opened;
	bool passed;

	if (pass == NULL)
		return false;
	(void)pthread_mutex_lock(&pass->lock);
	opened = find(pass, ino);
	passed = opened != NULL && opened->id != 0;
	(void)pthread_mutex_unlock(&pass->lock);
	return passed;
}

#if FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17)

int passthrough_reply_open(fuse_req_t req, struct fuse_file_info *fi, int id)
{
	fi->backing_id = id;
	return fuse_reply_open(req, fi);
}

int passthrough_reply_create(fuse_req_t req,
			     const struct fuse_entry_param *entry,
			     struct fuse_file_info *fi, int id)
{
	fi->backing_id = id;
	return fuse_reply_create(req, entry, fi);
}

#else /* The same by hand; the backing id is where padding was. */

static struct fuse_open_out open_out(const struct fuse_file_info *fi, int id)
{
	return (struct fuse_open_out){
		.fh = fi->fh,
		.open_flags = PASSTHROUGH_OPEN_FLAG,
		.padding = (uint32_t)id,
	};
}

int passthrough_reply_open(fuse_req_t req, struct fuse_file_info *fi, int id)
{
	const struct fuse_open_out out = open_out(fi, id);

	if (id == 0)
		return fuse_reply_open(req, fi);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static struct fuse_attr attr_out(const struct stat *attr)
{
	return (struct fuse_attr){
		.ino = attr->st_ino,
		.size = (uint64_t)attr->st_size,
		.blocks = (uint64_t)attr->st_blocks,
		.atime = (uint64_t)attr->st_atim.tv_sec,
		.mtime = (uint64_t)attr->st_mtim.tv_sec,
		.ctime = (uint64_t)attr->st_ctim.tv_sec,
		.atimensec = (uint32_t)attr->st_atim.tv_nsec,
		.mtimensec = (uint32_t)attr->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)attr->st_ctim.tv_nsec,
		.mode = attr->st_mode,
		.nlink = (uint32_t)attr->st_nlink,
		.uid = attr->st_uid,
		.gid = attr->st_gid,
		.blksize = (uint32_t)attr->st_blksize,
	};
}

#define SECOND_NS 1000000000

/* At most a year: see options_table.c. */
static void set_timeout(double timeout, uint64_t *ret_sec, uint32_t *ret_nsec)
{
	*ret_sec = (uint64_t)timeout;
	*ret_nsec = (uint32_t)((timeout - (double)*ret_sec) * SECOND_NS);
}

int passthrough_reply_create(fuse_req_t req,
			     const struct fuse_entry_param *entry,
			     struct fuse_file_info *fi, int id)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {
		.entry = {
			.nodeid = entry->ino,
			.generation = entry->generation,
			.attr = attr_out(&entry->attr),
		},
		.open = open_out(fi, id),
	};

	if (id == 0)
		return fuse_reply_create(req, entry, fi);
	set_timeout(entry->entry_timeout, &out.entry.entry_valid,
		    &out.entry.entry_valid_nsec);
	set_timeout(entry->attr_timeout, &out.entry.attr_valid,
		    &out.entry.attr_valid_nsec);
	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

#endif
