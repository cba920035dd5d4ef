/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks of the container, taken on the source: fcntl locks as OFD locks of a
 * descriptor per owner (lock_table.h), flock locks on the handle's own
 * descriptor, which is one to one with the container's open file description.
 */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "answering.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/lock_table.h"
#include "idshift/thread.h"

/* Threads that wait for a lock; more are refused with ENOLCK. */
#define WAITERS_MAX 1024
/* Ends a system call of a waiting thread; its handler does nothing. */
#define WAKE_SIGNAL SIGUSR1

/* Until a RELEASE that is on its way has come. */
#define RELEASE_GRACE_TRIES 10
#define RELEASE_GRACE_NS 1000000L

/* Either kind of lock, on a descriptor of the source. */
struct lock_request {
	fuse_ino_t ino;
	int fd;
	bool is_flock;
	int flock_op;
	struct flock lock; /* l_pid: whose */
};

/* libfuse says where it starts, and 0 as the length of what has no end. */
static struct lock_range range_of(const struct flock *lock)
{
	uint64_t start = (uint64_t)lock->l_start;

	return (struct lock_range){
		.start = start,
		.end = lock->l_len <= 0 ? INT64_MAX :
					  start + (uint64_t)lock->l_len - 1,
		.pid = lock->l_pid,
		.type = lock->l_type,
	};
}

static int try_lock(const struct lock_request *request, bool wait)
{
	struct flock lock = request->lock;
	int r;

	lock.l_pid = 0; /* fcntl(2): what an OFD command wants */
	if (request->is_flock)
		r = flock(request->fd,
			  request->flock_op | (wait ? 0 : LOCK_NB));
	else
		r = fcntl(request->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK,
			  &lock);
	return r < 0 ? -errno : 0;
}

static bool is_unlock(const struct lock_request *request)
{
	return request->is_flock ? (request->flock_op & LOCK_UN) != 0 :
				   request->lock.l_type == F_UNLCK;
}

/*
 * Before the answer: who gets a lock sees what others wrote under theirs, on
 * the host or through another mount; who gives one up knows what is there.
 * A change that is too young may be followed by one in the same tick of the
 * clock.  False: another thread is at it, and we were not to wait.
 */
static bool lock_changed(struct filesystem *fs,
			 const struct lock_request *request, bool wait)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	struct statx stx = { 0 };

	if (node_acquire(fs->nodes, request->ino, &node) < 0 ||
	    backing_stat(node.fd, &stx) < 0)
		return true;
	if (!is_unlock(request) && !refresh_pages(fs, &node, &stx, wait))
		return false;
	node_tell(&node, backing_is_settled(&stx) ? &stx : NULL);
	node_was_locked(&node);
	return true;
}

static bool is_conflict(int r)
{
	return r == -EAGAIN || r == -EACCES;
}

/* A lock that only waits for its RELEASE is not somebody else's. */
static int try_lock_patiently(const struct filesystem *fs,
			      const struct lock_request *request)
{
	const struct timespec pause = { .tv_nsec = RELEASE_GRACE_NS };
	int r = try_lock(request, false);

	for (int i = 0; i < RELEASE_GRACE_TRIES && is_conflict(r) &&
			lock_was_closed(fs->locks, request->ino);
	     i++) {
		(void)nanosleep(&pause, NULL);
		r = try_lock(request, false);
	}
	return r;
}

static void begin_op(const struct filesystem *fs,
		     const struct lock_request *request,
		     struct lock_owner *owner, struct lock_op *op)
{
	if (owner != NULL)
		lock_op_begin(fs->locks, owner, range_of(&request->lock), op);
}

/* The request is through: to be noted before its answer. */
static void end_op(const struct filesystem *fs, const struct lock_owner *owner,
		   struct lock_op *op, int r)
{
	if (owner != NULL)
		lock_op_end(fs->locks, op, r == 0);
}

/* -EBUSY: it is had, but for its answer somebody has to wait. */
static int try_at_once(struct filesystem *fs,
		       const struct lock_request *request,
		       struct lock_owner *owner, bool wait)
{
	struct lock_op op;
	int r;

	begin_op(fs, request, owner, &op);
	r = wait ? try_lock(request, false) : try_lock_patiently(fs, request);
	end_op(fs, owner, &op, r);
	return r < 0 || lock_changed(fs, request, false) ? r : -EBUSY;
}

/* A request that waits, in a thread of its own. */
struct waiter {
	struct filesystem *fs;
	fuse_req_t req;
	struct lock_request request;
	struct lock_owner *owner; /* held; NULL for flock */
	struct lock_op op;
	int own_fd; /* to close, or -1 */
	pthread_t thread;
	atomic_bool interrupted;
	atomic_bool done;
};

static atomic_uint waiters;

static void wake_handler(int signal)
{
	(void)signal;
}

void locks_init(void)
{
	/* Without SA_RESTART. */
	const struct sigaction action = { .sa_handler = wake_handler };

	(void)sigaction(WAKE_SIGNAL, &action, NULL);
}

/*
 * The container's process was killed or got a signal.  A signal that comes
 * before the system call is lost, so it is sent until the call is over.
 */
static void interrupt_waiter(fuse_req_t req, void *data)
{
	const struct timespec pause = { .tv_nsec = 1000000L };
	struct waiter *waiter = data;

	(void)req;
	atomic_store(&waiter->interrupted, true);
	/* What came before there was a function comes by setting it. */
	if (pthread_equal(pthread_self(), waiter->thread))
		return;
	while (!atomic_load(&waiter->done)) {
		(void)pthread_kill(waiter->thread, WAKE_SIGNAL);
		(void)nanosleep(&pause, NULL);
	}
}

static void waiter_free(struct waiter *waiter)
{
	lock_owner_put(waiter->fs->locks, waiter->owner);
	close_fd(waiter->own_fd);
	free(waiter);
	atomic_fetch_sub(&waiters, 1);
}

static void *wait_for_lock(void *data)
{
	struct waiter *waiter = data;
	fuse_req_t req = waiter->req;
	int r;

	waiter->thread = pthread_self();
	fuse_req_interrupt_func(req, interrupt_waiter, waiter);
	do
		r = atomic_load(&waiter->interrupted) ?
			    -EINTR :
			    try_lock(&waiter->request, true);
	while (r == -EINTR && !atomic_load(&waiter->interrupted));
	atomic_store(&waiter->done, true);
	answering_begin();
	end_op(waiter->fs, waiter->owner, &waiter->op, r);
	if (r == 0)
		(void)lock_changed(waiter->fs, &waiter->request, true);
	/* Also waits for an interrupt_waiter() that is under way. */
	fuse_req_interrupt_func(req, NULL, NULL);
	reply_result(req, r);
	waiter_free(waiter);
	answering_end();
	return NULL;
}

/* Within the bound on those who wait; the owner's hold is handed over to it. */
static struct waiter *waiter_new(struct filesystem *fs, fuse_req_t req,
				 const struct lock_request *request,
				 struct lock_owner *owner)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));

	if (atomic_fetch_add(&waiters, 1) >= WAITERS_MAX || waiter == NULL) {
		atomic_fetch_sub(&waiters, 1);
		free(waiter);
		return NULL;
	}
	waiter->fs = fs;
	waiter->req = req;
	waiter->request = *request;
	waiter->owner = owner;
	waiter->own_fd = -1;
	return waiter;
}

/* A duplicate keeps the file of a flock open; flock(2) knows no deadlock. */
static int prepare_wait(struct waiter *waiter)
{
	if (!waiter->request.is_flock)
		return lock_op_wait(waiter->fs->locks, &waiter->op);
	waiter->own_fd = fcntl(waiter->request.fd, F_DUPFD_CLOEXEC, 0);
	waiter->request.fd = waiter->own_fd;
	return waiter->own_fd < 0 ? -ENOLCK : 0;
}

/*
 * What was had can't be answered for.  What was had before of the same bytes
 * goes along: less than is believed is better than more.
 */
static void give_up(struct filesystem *fs, const struct lock_request *had,
		    struct lock_owner *owner)
{
	struct lock_request request = *had;
	struct lock_op op;

	request.lock.l_type = F_UNLCK;
	request.flock_op = LOCK_UN;
	begin_op(fs, &request, owner, &op);
	end_op(fs, owner, &op, try_lock(&request, false));
}

/* At once or from a waiting thread; the owner's hold is handed over. */
static void lock_and_reply(struct filesystem *fs, fuse_req_t req,
			   const struct lock_request *request,
			   struct lock_owner *owner, bool wait)
{
	struct waiter *waiter;
	int r = try_at_once(fs, request, owner, wait);
	bool had = r == -EBUSY;

	/* What is had already a waiting thread has at once. */
	if (!had && (!wait || !is_conflict(r))) {
		lock_owner_put(fs->locks, owner);
		reply_result(req, r);
		return;
	}
	waiter = waiter_new(fs, req, request, owner);
	if (waiter == NULL) {
		if (had)
			give_up(fs, request, owner);
		lock_owner_put(fs->locks, owner);
		reply_result(req, -ENOLCK);
		return;
	}
	begin_op(fs, request, owner, &waiter->op);
	r = prepare_wait(waiter);
	if (r == 0 && thread_start(wait_for_lock, waiter, WAKE_SIGNAL) < 0)
		r = -ENOLCK;
	if (r < 0) {
		end_op(fs, owner, &waiter->op, r);
		if (had)
			give_up(fs, request, owner);
		waiter_free(waiter);
		reply_result(req, r);
	}
}

/* A descriptor that may hold both kinds of locks, as far as is permitted. */
static int open_for_locks(const struct filesystem *fs, fuse_ino_t ino)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	int r = node_acquire(fs->nodes, ino, &node);

	for (size_t i = 0; r >= 0 && i < sizeof(modes) / sizeof(*modes); i++) {
		/* We ourselves may have a lease on it for a moment. */
		int wait = S_ISREG(node.type) ? 0 : O_NONBLOCK;
		int fd = backing_reopen(node.fd, modes[i] | wait);

		if (fd != -EACCES && fd != -EROFS && fd != -EPERM &&
		    fd != -ETXTBSY)
			return keep_open(fs, fd);
	}
	return r < 0 ? r : -EBADF;
}

/* It ends with the handle, should it never get a lock. */
static int owner_entry(struct filesystem *fs, fuse_ino_t ino,
		       const struct fuse_file_info *fi, struct lock_owner **ret)
{
	int fd;

	*ret = lock_owner_find(fs->locks, ino, fi->lock_owner);
	if (*ret != NULL)
		return 0;
	fd = open_for_locks(fs, ino);
	if (fd < 0)
		return fd;
	*ret = lock_owner_add(fs->locks, ino, fi->lock_owner, fi->fh, fd);
	return *ret != NULL ? 0 : -ENOLCK;
}

void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock)
{
	struct filesystem *fs = filesystem_of(req);
	struct lock_owner *owner = NULL;
	const short type = lock->l_type;
	int r = owner_entry(fs, ino, fi, &owner);

	lock->l_pid = 0;
	if (r == 0 && fcntl(lock_owner_fd(owner), F_OFD_GETLK, lock) < 0)
		r = -errno;
	/* The kernel knows our OFD locks as nobody's. */
	if (r == 0 && lock->l_type != F_UNLCK && lock->l_pid < 0) {
		struct lock_range told = range_of(lock);

		told.type = type;
		lock->l_pid =
			lock_conflict(fs->locks, ino, fi->lock_owner, &told);
	}
	lock_owner_put(fs->locks, owner);
	if (r < 0)
		reply_result(req, r);
	else
		(void)fuse_reply_lock(req, lock);
}

void op_setlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock, int sleep)
{
	struct filesystem *fs = filesystem_of(req);
	struct lock_request request = { .ino = ino, .lock = *lock };
	struct lock_owner *owner = NULL;
	int r = 0;

	if (lock->l_type == F_UNLCK)
		owner = lock_owner_find(fs->locks, ino, fi->lock_owner);
	else
		r = owner_entry(fs, ino, fi, &owner);
	if (owner == NULL) {
		reply_result(req, r); /* or it has none to give up */
		return;
	}
	if (lock->l_type != F_UNLCK)
		lock_owner_note(fs->locks, owner, fi->fh);
	request.fd = lock_owner_fd(owner);
	lock_and_reply(fs, req, &request, owner, sleep != 0);
}

void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct filesystem *fs = filesystem_of(req);
	struct lock_request request = {
		.ino = ino,
		.fd = handle_fd(fs->handles, fi->fh),
		.is_flock = true,
		.flock_op = op & ~LOCK_NB,
	};

	if (request.fd < 0)
		reply_result(req, request.fd);
	else
		lock_and_reply(fs, req, &request, NULL, (op & LOCK_NB) == 0);
}
