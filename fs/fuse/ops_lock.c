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

#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/lock_table.h"

/* Threads that wait for a lock; more are refused with ENOLCK. */
#define WAITERS_MAX 1024
#define WAITER_STACK ((size_t)128 * 1024)
/* Ends a system call of a waiting thread; its handler does nothing. */
#define WAKE_SIGNAL SIGUSR1

/*
 * A close in the container is answered before its RELEASE has come: a lock
 * that is only waiting for that is not yet somebody else's.
 */
#define RELEASE_GRACE_TRIES 10
#define RELEASE_GRACE_NS 1000000L

/* Either kind of lock, on a descriptor of the source. */
struct lock_request {
	int fd;
	bool is_flock;
	int flock_op;
	struct flock lock;
};

static int try_lock(const struct lock_request *request, bool wait)
{
	struct flock lock = request->lock;
	int r;

	if (request->is_flock)
		r = flock(request->fd,
			  request->flock_op | (wait ? 0 : LOCK_NB));
	else
		r = fcntl(request->fd, wait ? F_OFD_SETLKW : F_OFD_SETLK,
			  &lock);
	return r < 0 ? -errno : 0;
}

static bool is_conflict(int r)
{
	return r == -EAGAIN || r == -EACCES;
}

static int try_lock_patiently(const struct lock_request *request)
{
	const struct timespec pause = { .tv_nsec = RELEASE_GRACE_NS };
	int r = try_lock(request, false);

	for (int i = 0; i < RELEASE_GRACE_TRIES && is_conflict(r); i++) {
		(void)nanosleep(&pause, NULL);
		r = try_lock(request, false);
	}
	return r;
}

/* A request that waits, in a thread of its own. */
struct waiter {
	struct filesystem *fs;
	fuse_req_t req;
	struct lock_request request;
	struct lock_owner *owner; /* held; NULL for flock */
	int own_fd;		  /* to close, or -1 */
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
	/* Also waits for an interrupt_waiter() that is under way. */
	fuse_req_interrupt_func(req, NULL, NULL);
	reply_result(req, r);
	waiter_free(waiter);
	return NULL;
}

static int start_waiter(struct waiter *waiter)
{
	pthread_attr_t attr;
	sigset_t others, old;
	pthread_t thread;
	int r;

	(void)sigfillset(&others);
	(void)sigdelset(&others, WAKE_SIGNAL);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, WAITER_STACK);
	/* The daemon's own signals are the main thread's. */
	(void)pthread_sigmask(SIG_SETMASK, &others, &old);
	r = pthread_create(&thread, &attr, wait_for_lock, waiter);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}

/*
 * Answer now if that is possible, else from a waiting thread.  The owner's
 * hold is handed over; own_fd is a duplicate that keeps a handle's open file
 * description alive for a flock that waits.
 */
static void lock_and_reply(struct filesystem *fs, fuse_req_t req,
			   const struct lock_request *request,
			   struct lock_owner *owner, bool wait)
{
	struct waiter *waiter;
	int r = wait ? try_lock(request, false) : try_lock_patiently(request);

	if (!wait || !is_conflict(r)) {
		lock_owner_put(fs->locks, owner);
		reply_result(req, r);
		return;
	}
	waiter = calloc(1, sizeof(*waiter));
	if (waiter == NULL || atomic_fetch_add(&waiters, 1) >= WAITERS_MAX) {
		if (waiter != NULL)
			atomic_fetch_sub(&waiters, 1);
		free(waiter);
		lock_owner_put(fs->locks, owner);
		reply_result(req, -ENOLCK);
		return;
	}
	waiter->fs = fs;
	waiter->req = req;
	waiter->request = *request;
	waiter->owner = owner;
	waiter->own_fd = -1;
	if (request->is_flock) {
		waiter->own_fd = fcntl(request->fd, F_DUPFD_CLOEXEC, 0);
		waiter->request.fd = waiter->own_fd;
	}
	r = request->is_flock && waiter->own_fd < 0 ? -errno :
						      start_waiter(waiter);
	if (r < 0) {
		waiter_free(waiter);
		reply_result(req, -ENOLCK);
	}
}

/* A descriptor that may hold both kinds of locks, as far as is permitted. */
static int open_for_locks(const struct filesystem *fs, fuse_ino_t ino)
{
	static const int modes[] = { O_RDWR, O_RDONLY, O_WRONLY };
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	int r = node_acquire(fs->nodes, ino, &node);

	for (size_t i = 0; r >= 0 && i < sizeof(modes) / sizeof(*modes); i++) {
		int fd = backing_reopen(node.fd, modes[i] | O_NONBLOCK);

		if (fd != -EACCES && fd != -EROFS && fd != -EPERM &&
		    fd != -ETXTBSY)
			return fd;
	}
	return r < 0 ? r : -EBADF;
}

static int owner_entry(struct filesystem *fs, fuse_ino_t ino, uint64_t id,
		       struct lock_owner **ret)
{
	int fd;

	*ret = lock_owner_find(fs->locks, ino, id);
	if (*ret != NULL)
		return 0;
	fd = open_for_locks(fs, ino);
	if (fd < 0)
		return fd;
	*ret = lock_owner_add(fs->locks, ino, id, fd);
	return *ret != NULL ? 0 : -ENOLCK;
}

void op_getlk(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct flock *lock)
{
	struct filesystem *fs = filesystem_of(req);
	struct lock_owner *owner = NULL;
	int r = owner_entry(fs, ino, fi->lock_owner, &owner);

	lock->l_pid = 0; /* fcntl(2): what an OFD command wants */
	if (r == 0 && fcntl(lock_owner_fd(owner), F_OFD_GETLK, lock) < 0)
		r = -errno;
	/* The kernel knows our OFD locks as nobody's. */
	if (r == 0 && lock->l_pid < 0)
		lock->l_pid = lock_other_pid(fs->locks, ino, fi->lock_owner);
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
	struct lock_request request = { .lock = *lock };
	struct lock_owner *owner;
	int r;

	if (lock->l_type == F_UNLCK) {
		owner = lock_owner_find(fs->locks, ino, fi->lock_owner);
		if (owner == NULL) {
			reply_result(req, 0); /* it has none */
			return;
		}
	} else {
		r = owner_entry(fs, ino, fi->lock_owner, &owner);
		if (r < 0) {
			reply_result(req, r);
			return;
		}
		lock_owner_note(fs->locks, owner, fi->fh, lock->l_pid);
	}
	request.fd = lock_owner_fd(owner);
	request.lock.l_pid = 0;
	lock_and_reply(fs, req, &request, owner, sleep != 0);
}

void op_flock(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi, int op)
{
	struct filesystem *fs = filesystem_of(req);
	struct lock_request request = {
		.fd = handle_fd(fs->handles, fi->fh),
		.is_flock = true,
		.flock_op = op & ~LOCK_NB,
	};

	(void)ino;
	if (request.fd < 0)
		reply_result(req, request.fd);
	else
		lock_and_reply(fs, req, &request, NULL, (op & LOCK_NB) == 0);
}
