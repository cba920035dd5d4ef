/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/create.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/dir_stream.h"
#include "create_internal.h"
#include "intents_internal.h"

/* A creation as it goes to the disk. */
struct making {
	const struct creation *creation;
	struct view want;
	struct acl *acl; /* inherited access ACL, owned */
	struct view_plan plan;
	bool plain; /* open(O_CREAT) or mkdir alone makes it as wanted */
	struct records_moment moment; /* before others can see it */
	struct statx stx; /* as it was made, then what finish() left */
};

static void making_done(struct making *m)
{
	acl_free(m->acl);
}
#define _cleanup_making_ __attribute__((cleanup(making_done)))

/*
 * With real owners a thread creates as the caller's ids (fsuid, fsgid); its
 * capabilities stay, by SECBIT_NO_SETUID_FIXUP.
 */
static void act_as(const struct making *m, struct disk_id uid,
		   struct disk_id gid)
{
	if (!m->creation->records->policy->real_owners)
		return;
	(void)setfsgid(gid.value);
	(void)setfsuid(uid.value);
}

static void act_as_caller(const struct making *m)
{
	act_as(m, m->plan.uid, m->plan.gid);
}

static void act_as_self(const struct making *m)
{
	const struct acting_user *self = &m->creation->records->policy->acting;

	act_as(m, self->uid, self->gid);
}

/* The object that open(O_CREAT) or mkdir alone makes (inode_init_owner()). */
static struct disk_owner made_alone(const struct making *m)
{
	const struct view_policy *policy = m->creation->records->policy;
	const struct acting_user *acting = &policy->acting;
	struct disk_owner made = {
		.uid = acting->uid,
		.gid = acting->gid,
		.mode = m->want.mode & ~(mode_t)(S_ISUID | S_ISGID),
	};

	/*
	 * The thread has the caller's ids then; ID_NONE where an id has no
	 * counterpart on disk, which making_begin() refuses.
	 */
	if (policy->real_owners) {
		made.uid = DISK_ID(ID_NONE);
		made.gid = DISK_ID(ID_NONE);
		(void)owner_map_to_disk(&policy->owner_uid, m->want.uid,
					&made.uid);
		(void)owner_map_to_disk(&policy->owner_gid, m->want.gid,
					&made.gid);
	}
	if ((m->creation->dir->stx_mode & S_ISGID) != 0) {
		made.gid = DISK_ID(m->creation->dir->stx_gid);
		if (S_ISDIR(m->want.mode))
			made.mode |= S_ISGID;
	}
	return made;
}

static int making_begin(struct making *m, const struct creation *creation)
{
	const struct view_policy *policy = creation->records->policy;
	struct disk_owner made;
	int r;

	*m = (struct making){
		.creation = creation,
		.want = creation->want,
		.moment = records_moment(creation->records->cache),
	};
	if (creation->default_acl != NULL && !S_ISLNK(m->want.mode)) {
		r = acl_inherit(creation->default_acl, m->want.mode, &m->acl,
				&m->want.mode);
		if (r < 0)
			return r;
		m->want.acl = m->acl;
	}
	made = made_alone(m);
	if (!disk_id_is_valid(made.uid) || !disk_id_is_valid(made.gid))
		return -EOVERFLOW;
	r = view_plan(policy, &made, &m->want, &m->plan);
	if (r < 0)
		return r;
	/* Its file system makes the mode of what was asked for. */
	if (creation->disk_default_acl)
		m->plan.mode =
			m->want.mode & MODE_BITS & ~(mode_t)(S_ISUID | S_ISGID);
	m->plain = policy->real_owners ||
		   (!m->plan.recorded && creation->default_acl == NULL &&
		    disk_id_equal(m->plan.gid, made.gid));
	return 0;
}

int creation_complete(const struct records *records, int fd,
		      const struct statx *stx, unsigned int absent,
		      bool disk_default_acl, const struct acl *default_acl,
		      bool vouched, struct view *want)
{
	int r;

	if (disk_default_acl)
		want->mode =
			(want->mode & ~(mode_t)0777) | (stx->stx_mode & 0777);
	r = records_apply(records, fd, stx, absent, want);
	if (r == 0 && default_acl != NULL && S_ISDIR(stx->stx_mode))
		r = records_acl_hand_on(records, fd, stx, default_acl, vouched);
	return r;
}

/*
 * After a plain creation: bring what is not as planned, by its statx, to the
 * wanted view; absent as for records_apply().
 */
static int finish(struct making *m, int fd, unsigned int absent)
{
	const struct creation *c = m->creation;
	const struct statx *stx = &m->stx;
	struct records records = *c->records;
	int r;

	if (!c->disk_default_acl && m->plain &&
	    stx->stx_uid == m->plan.uid.value &&
	    stx->stx_gid == m->plan.gid.value &&
	    (stx->stx_mode & MODE_BITS) == m->plan.mode) {
		records_made(&records, &m->moment, stx, &m->want, false);
		return 0;
	}
	/* There is one already, or no name that needs one. */
	if (!m->plain)
		records.intents = NULL;
	r = creation_complete(&records, fd, stx, absent, c->disk_default_acl,
			      c->default_acl, c->default_acl_vouched, &m->want);
	return r < 0 ? r : backing_stat(fd, &m->stx);
}

/* Until its record is there an object is open to the acting user alone. */
static mode_t first_mode(const struct making *m)
{
	if (m->plain || m->creation->disk_default_acl)
		return m->plan.mode;
	return m->plan.mode & S_IRWXU;
}

/* What takes several steps, with its name from the first one on. */
static int intend(const struct making *m)
{
	const struct creation *c = m->creation;
	const struct intent intent = {
		.want = m->want,
		.before = { .uid = m->plan.uid,
			    .gid = m->plan.gid,
			    .mode = first_mode(m) },
		.after = { .uid = m->plan.uid,
			   .gid = m->plan.gid,
			   .mode = m->plan.mode },
		.name = c->name,
		.disk_default_acl = c->disk_default_acl,
		.default_acl = c->default_acl,
		.default_acl_vouched = c->default_acl_vouched,
	};

	if (m->plain)
		return INTENT_NONE;
	return intent_begin(c->records, c->dir_fd, c->dir, &intent);
}

static int open_unnamed(const struct creation *c, mode_t mode)
{
	int fd = openat(c->dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

static bool unnamed_unsupported(int r)
{
	/* open(2): EISDIR on kernels, EOPNOTSUPP on file systems without. */
	return r == -EOPNOTSUPP || r == -EISDIR || r == -EINVAL;
}

/* Without its record it would be somebody else's. */
static void unmake(const struct making *m, int fd, int remove_flags)
{
	const struct creation *c = m->creation;

	if (unlinkat(c->dir_fd, c->name, remove_flags) == 0 && fd >= 0)
		records_forget(c->records, fd, &m->stx);
}

static int create_in_place(struct making *m, mode_t mode)
{
	const struct creation *c = m->creation;
	_cleanup_fd_ int fd = -1;
	int r, handle = intend(m);

	act_as_caller(m);
	fd = openat(c->dir_fd, c->name,
		    O_CREAT | O_EXCL | O_RDWR | O_NOFOLLOW | O_CLOEXEC, mode);
	r = fd < 0 ? -errno : 0;
	act_as_self(m);
	if (r == 0) {
		r = backing_stat(fd, &m->stx);
		if (r == 0)
			r = finish(m, fd, 0);
		if (r < 0)
			unmake(m, fd, 0);
	}
	intent_end(c->records, handle);
	return r < 0 ? r : take_fd(&fd);
}

/* Recorded, but not linked: nobody else has seen it. */
static int make_unnamed(struct making *m)
{
	const struct creation *c = m->creation;
	_cleanup_fd_ int fd = open_unnamed(c, m->plan.mode);
	int r;

	if (fd < 0)
		return fd;
	r = backing_stat(fd, &m->stx);
	if (r == 0)
		r = finish(m, fd, records_absent_of_new(c->records, &m->stx));
	return r < 0 ? r : take_fd(&fd);
}

static bool has_same_owner(const struct statx *a, const struct statx *b)
{
	return a->stx_uid == b->stx_uid && a->stx_gid == b->stx_gid &&
	       a->stx_mode == b->stx_mode;
}

/*
 * inotify(7) tells watchers on the host what is done by a descriptor under the
 * name that it was opened by, and an unnamed file is "#" with its inode number
 * for good.  So by its name; as it is where that leads elsewhere by now.
 */
static int open_linked(const struct creation *c, int unnamed,
		       const struct statx *made)
{
	_cleanup_fd_ int path_fd = backing_open_child(c->dir_fd, c->name);
	struct statx stx;
	int fd;

	if (path_fd < 0 || backing_stat(path_fd, &stx) < 0 ||
	    stx.stx_ino != made->stx_ino ||
	    backing_dev(&stx) != backing_dev(made))
		return unnamed;
	/* Who has taken a lease on it is not waited for. */
	fd = backing_reopen(path_fd, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return unnamed;
	close_fd(unnamed);
	return fd;
}

static int create_unnamed(struct making *m)
{
	const struct creation *c = m->creation;
	bool has_acl = c->disk_default_acl || c->default_acl != NULL;
	_cleanup_fd_ int fd = make_unnamed(m);
	struct statx unseen = m->stx;
	int r;

	if (fd < 0)
		return fd;
	m->moment = records_moment(c->records->cache);
	r = backing_link(fd, c->dir_fd, c->name);
	if (r < 0) {
		records_forget(c->records, fd, &unseen);
		return r;
	}
	fd = open_linked(c, take_fd(&fd), &unseen);
	r = backing_stat(fd, &m->stx);
	if (r < 0) {
		m->stx = unseen;
		unmake(m, fd, 0);
		return r;
	}
	if (!has_acl && has_same_owner(&unseen, &m->stx))
		records_made(c->records, &m->moment, &m->stx, &m->want, true);
	return take_fd(&fd);
}

static void made_as(const struct making *m, struct statx *ret_stx,
		    struct view *ret_view)
{
	*ret_stx = m->stx;
	*ret_view = m->want;
	ret_view->acl = NULL;
}

int create_file(const struct creation *c, struct statx *ret_stx,
		struct view *ret_view)
{
	_cleanup_making_ struct making m;
	int fd, r = making_begin(&m, c);

	if (r < 0)
		return r;
	fd = m.plain ? -EOPNOTSUPP : create_unnamed(&m);
	if (m.plain || unnamed_unsupported(fd))
		fd = create_in_place(&m, first_mode(&m));
	if (fd < 0)
		return fd;
	made_as(&m, ret_stx, ret_view);
	return fd;
}

static bool is_earlier(const struct statx_timestamp *a,
		       const struct statx_timestamp *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/*
 * A hostile colleague may have put something else in its place, to have it
 * opened to him: of another type, or older than the directory's last change
 * before, by the file system's own clock.  A change of a time to come was made
 * under another clock: then older than when we began.
 */
static bool is_new(const struct making *m, const struct statx *stx)
{
	const struct creation *c = m->creation;
	const struct timespec *clock = &m->moment.clock;
	const struct statx_timestamp began = {
		.tv_sec = clock->tv_sec, .tv_nsec = (uint32_t)clock->tv_nsec
	};
	const struct statx_timestamp *before = &c->dir->stx_ctime;

	if ((stx->stx_mode & S_IFMT) != (c->want.mode & S_IFMT))
		return false;
	if ((stx->stx_mask & STATX_BTIME) == 0)
		return true;
	return !is_earlier(&stx->stx_btime,
			   is_earlier(&began, before) ? &began : before);
}

/* -errno where that can't be seen. */
static int is_empty(int path_fd)
{
	int fd = backing_reopen(path_fd, O_RDONLY | O_DIRECTORY);
	struct dir_stream *dir;
	struct dir_item item;
	int r;

	if (fd < 0)
		return fd;
	r = dir_stream_new(fd, &dir);
	if (r < 0) {
		close_fd(fd);
		return r;
	}
	do
		r = dir_stream_next(dir, &item);
	while (r > 0 &&
	       (strcmp(item.name, ".") == 0 || strcmp(item.name, "..") == 0));
	(void)dir_stream_free(dir);
	return r < 0 ? r : r == 0;
}

/*
 * What the directory's last change before has made is as old as that.  But
 * who puts it here renames it, which moves its ctime.
 */
static bool is_as_made(const struct making *m, int fd, const struct statx *stx)
{
	int empty;

	if ((stx->stx_mask & STATX_BTIME) == 0 ||
	    !is_earlier(&stx->stx_btime, &stx->stx_ctime))
		return true;
	/* A slow source may take its time for what else it sets. */
	if (!S_ISDIR(stx->stx_mode))
		return stx->stx_ctime.tv_sec - stx->stx_btime.tv_sec <= 1;
	empty = is_empty(fd);
	/* Its own default ACL may shut us out of what was made. */
	return empty > 0 || (empty == -EACCES && m->creation->disk_default_acl);
}

/* The new object, if it is still what was made, and its statx in `m`. */
static int open_made(struct making *m)
{
	const struct creation *c = m->creation;
	_cleanup_fd_ int fd = backing_open_child(c->dir_fd, c->name);
	int r;

	if (fd < 0)
		return fd;
	r = backing_stat(fd, &m->stx);
	if (r < 0)
		return r;
	return is_new(m, &m->stx) && is_as_made(m, fd, &m->stx) ? take_fd(&fd) :
								  -ESTALE;
}

/*
 * Of a link that isn't known by a key the owner can't be kept, and hardly
 * matters: better that it shows another than that there is none.
 */
static int leave_unrecorded(struct making *m, int r)
{
	const struct view_policy *policy = m->creation->records->policy;
	struct disk_owner disk = backing_owner(&m->stx);

	if (r != -EOPNOTSUPP || !S_ISLNK(m->stx.stx_mode))
		return r;
	view_of(policy, &disk, NULL, &m->want);
	return 0;
}

/* The new object's path fd, its record and mode made; or no object. */
static int adopt(struct making *m)
{
	const struct creation *c = m->creation;
	int remove_flags = S_ISDIR(c->want.mode) ? AT_REMOVEDIR : 0;
	_cleanup_fd_ int fd = open_made(m);
	int r = fd < 0 ? fd : leave_unrecorded(m, finish(m, fd, 0));

	if (r < 0 && r != -ESTALE)
		unmake(m, fd, remove_flags);
	return r < 0 ? r : take_fd(&fd);
}

/* The system call that makes it, as the thread is; 0 or -errno. */
typedef int make_fn(const struct making *m, const void *detail);

static int make_and_adopt(const struct creation *c, make_fn *make,
			  const void *detail, struct statx *ret_stx,
			  struct view *ret_view)
{
	_cleanup_making_ struct making m;
	int handle, r = making_begin(&m, c);

	if (r < 0)
		return r;
	handle = intend(&m);
	act_as_caller(&m);
	r = make(&m, detail);
	act_as_self(&m);
	if (r == 0)
		r = adopt(&m);
	intent_end(c->records, handle);
	if (r >= 0)
		made_as(&m, ret_stx, ret_view);
	return r;
}

static int make_directory(const struct making *m, const void *detail)
{
	const struct creation *c = m->creation;

	(void)detail;
	return mkdirat(c->dir_fd, c->name, first_mode(m)) < 0 ? -errno : 0;
}

int create_directory(const struct creation *c, struct statx *ret_stx,
		     struct view *ret_view)
{
	return make_and_adopt(c, make_directory, NULL, ret_stx, ret_view);
}

static int make_symlink(const struct making *m, const void *detail)
{
	const struct creation *c = m->creation;
	const char *target = detail;

	return symlinkat(target, c->dir_fd, c->name) < 0 ? -errno : 0;
}

int create_symlink(const struct creation *c, const char *target,
		   struct statx *ret_stx, struct view *ret_view)
{
	return make_and_adopt(c, make_symlink, target, ret_stx, ret_view);
}

static int make_node(const struct making *m, const void *detail)
{
	const struct creation *c = m->creation;
	mode_t mode = (c->want.mode & S_IFMT) | first_mode(m);
	const dev_t *rdev = detail;

	return mknodat(c->dir_fd, c->name, mode, *rdev) < 0 ? -errno : 0;
}

int create_node(const struct creation *c, dev_t rdev, struct statx *ret_stx,
		struct view *ret_view)
{
	mode_t type = c->want.mode & S_IFMT;

	/* mknod(2): the whiteout is the one device that needs no privilege. */
	if (!c->records->policy->real_owners &&
	    (S_ISBLK(type) || (S_ISCHR(type) && rdev != 0)))
		return -EPERM;
	return make_and_adopt(c, make_node, &rdev, ret_stx, ret_view);
}
