/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/loop.h"

#define FUSE_USE_VERSION 314

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "idshift/clock.h"
#include "idshift/filesystem.h"
#include "idshift/one_cpu.h"
#include "ending.h"
#include "write_back.h"

/* See loop_threads(). */
#define THREADS_MIN 3u

/*
 * How often the watchdog looks while there are requests: often enough not to
 * leave others waiting, too seldom to be in anybody's way.
 */
#define TICK_NS INT64_C(2000000)
/* Ticks without a request after which it sleeps until the next. */
#define IDLE_TICKS 25
/* Ticks at each of which every reader was busy: one more may be worth it. */
#define SATURATED_TICKS 5
/* Busy readers that use less than 1 / so much of a CPU wait for the disk. */
#define WAITING_PART 4

/*
 * A reader stays awake for so long: where the next request comes from another
 * CPU, to be woken costs as much, and more on a virtual one.  Longer would
 * only be in the way of a caller who computes between his requests: the CPU
 * may be half of his own (a hyperthread).
 */
#define AWAKE_NS INT64_C(20000)
/* After so many times in vain it sleeps at once, until they come fast again. */
#define AWAKE_TRIES 16

/* The data of a write, and what comes before it. */
#define BUFFER_SIZE ((size_t)FILESYSTEM_MAX_WRITE + 4096)
/* So much of it keeps its memory: a multiple of all page sizes. */
#define BUFFER_KEPT ((size_t)65536)

struct worker {
	struct loop *loop;
	pthread_t id;
	struct fuse_buf buffer; /* outlives a thread cancelled in its read */
	size_t touched;		/* of the buffer, for the largest request */
	bool asleep;		/* a follower: its buffer isn't in use */
	int follows;		/* see one_cpu_follow() */
	bool alone;		/* no other reads, as it began to */
	unsigned int tries;	/* left, of staying awake */
};

/*
 * `reading` counts the threads that are in the kernel for a request, `wanted`
 * how many there should be able to be: a thread that comes back finds its
 * place taken when reading >= wanted, and sleeps.
 */
struct loop {
	struct fuse_session *session;
	unsigned int max_threads;
	unsigned int max_busy; /* readers that only compute: CPUs for them */
	bool stays_awake;      /* there are CPUs enough for the callers */
	pthread_mutex_t lock;
	pthread_cond_t follow; /* a follower is to become a reader */
	pthread_cond_t stir;   /* for the watchdog: requests again */
	unsigned int threads;
	unsigned int followers; /* asleep */
	unsigned int promoted;	/* woken, or being made, not yet reading */
	unsigned int reading;
	unsigned int wanted;
	bool watching; /* the watchdog is awake */
	bool finished;
	bool stopped; /* not told to end: there is nothing to serve */
	int error;
	struct write_back write_back;
	_Atomic unsigned long requests;
	struct one_cpu one_cpu;
	struct worker *workers; /* max_threads; the first `threads` run */
};

/* Nobody reads any more. */
static void finish(struct loop *loop)
{
	(void)pthread_mutex_lock(&loop->lock);
	loop->finished = true;
	(void)pthread_cond_broadcast(&loop->follow);
	(void)pthread_cond_broadcast(&loop->stir);
	(void)pthread_mutex_unlock(&loop->lock);
}

/* The mount is gone (0), or one can't go on: all is to end, in order. */
static void stop(struct loop *loop, int error)
{
	(void)pthread_mutex_lock(&loop->lock);
	loop->stopped = true;
	if (loop->error == 0)
		loop->error = error;
	(void)pthread_mutex_unlock(&loop->lock);
	ending_tell();
}

/* Wait for a place among the readers; false at the end. */
static bool become_reader(struct worker *worker, bool promoted)
{
	struct loop *loop = worker->loop;
	bool go;

	(void)pthread_mutex_lock(&loop->lock);
	if (promoted)
		loop->promoted--;
	while (!promoted && !loop->finished &&
	       loop->reading + loop->promoted >= loop->wanted) {
		loop->followers++;
		worker->asleep = true;
		(void)pthread_cond_wait(&loop->follow, &loop->lock);
		worker->asleep = false;
		loop->followers--;
		if (loop->promoted > 0) {
			loop->promoted--;
			break;
		}
	}
	worker->alone = loop->reading++ == 0;
	go = !loop->finished;
	(void)pthread_mutex_unlock(&loop->lock);
	return go;
}

/* Out of the kernel with a request, or for good. */
static void leave_reading(struct loop *loop)
{
	(void)pthread_mutex_lock(&loop->lock);
	loop->reading--;
	if (!loop->watching) {
		loop->watching = true;
		(void)pthread_cond_signal(&loop->stir);
	}
	(void)pthread_mutex_unlock(&loop->lock);
}

/* As libfuse would, but for splice(2): to copy costs less.  -errno. */
static ssize_t read_request(struct worker *worker)
{
	struct fuse_buf *buffer = &worker->buffer;
	ssize_t got = read(fuse_session_fd(worker->loop->session), buffer->mem,
			   BUFFER_SIZE);

	if (got < 0)
		return -errno;
	if ((size_t)got < sizeof(struct fuse_in_header))
		return -EIO;
	buffer->size = (size_t)got;
	if (buffer->size > worker->touched)
		worker->touched = buffer->size;
	return got;
}

/*
 * The device doesn't block: who stays awake asks it again and again, and has
 * the request with the call that finds it.  Only here may a thread be
 * cancelled, when it has no request at hand.
 */
static ssize_t receive(struct worker *worker)
{
	struct pollfd device = {
		.fd = fuse_session_fd(worker->loop->session),
		.events = POLLIN,
	};
	bool shares = one_cpu_follow(&worker->loop->one_cpu, &worker->follows);
	bool awake = worker->loop->stays_awake && !shares && worker->alone &&
		     worker->tries > 0;
	int64_t started = clock_ns(CLOCK_MONOTONIC), passed = 0;
	ssize_t got;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	while ((got = read_request(worker)) == -EAGAIN) {
		if (awake && passed < AWAKE_NS)
			(void)sched_yield();
		else
			(void)poll(&device, 1, -1);
		passed = clock_ns(CLOCK_MONOTONIC) - started;
	}
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	if (shares)
		(void)one_cpu_follow(&worker->loop->one_cpu, &worker->follows);
	if (passed < 2 * AWAKE_NS)
		worker->tries = AWAKE_TRIES;
	else if (worker->tries > 0)
		worker->tries--;
	return got;
}

static void answer(struct worker *worker)
{
	struct loop *loop = worker->loop;
	bool written_back = write_back_begin(
		&loop->write_back, worker->buffer.mem, worker->buffer.size);

	fuse_session_process_buf(loop->session, &worker->buffer);
	if (written_back)
		write_back_done(&loop->write_back);
}

static void *serve(void *data)
{
	struct worker *worker = data;
	struct loop *loop = worker->loop;
	bool promoted = true;

	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	while (become_reader(worker, promoted)) {
		ssize_t got;

		promoted = false;
		got = receive(worker);
		leave_reading(loop);
		/* ENOENT: who asked has gone. */
		if (got == -EINTR || got == -ENOENT)
			continue;
		if (got < 0) {
			stop(loop, got == -ENODEV ? 0 : (int)got);
			break;
		}
		atomic_fetch_add_explicit(&loop->requests, 1,
					  memory_order_relaxed);
		answer(worker);
	}
	return NULL;
}

/* Pages of its own, so that some can be given back. */
static void *buffer_make(void)
{
	void *mem = mmap(NULL, BUFFER_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static void buffer_free(void *mem)
{
	if (mem != NULL)
		(void)munmap(mem, BUFFER_SIZE);
}

/* With the lock held: what large requests left behind in sleepers' buffers. */
static void buffers_give_back(struct loop *loop)
{
	for (unsigned int i = 0; i < loop->threads; i++) {
		struct worker *worker = &loop->workers[i];

		if (!worker->asleep || worker->touched <= BUFFER_KEPT)
			continue;
		(void)madvise((char *)worker->buffer.mem + BUFFER_KEPT,
			      BUFFER_SIZE - BUFFER_KEPT, MADV_DONTNEED);
		worker->touched = 0;
	}
}

static int start_worker(struct loop *loop)
{
	struct worker *worker = &loop->workers[loop->threads];
	int r;

	worker->loop = loop;
	worker->follows =
		one_cpu_is_on(&loop->one_cpu) ? ONE_CPU_UNKNOWN : ONE_CPU_NONE;
	if (worker->buffer.mem == NULL)
		worker->buffer.mem = buffer_make();
	if (worker->buffer.mem == NULL)
		return -ENOMEM;
	loop->promoted++;
	r = pthread_create(&worker->id, NULL, serve, worker);
	if (r == 0)
		loop->threads++;
	else
		loop->promoted--;
	return -r;
}

/* With the lock held: one more reader, from the followers or anew. */
static void promote(struct loop *loop)
{
	if (loop->followers > loop->promoted) {
		loop->promoted++;
		(void)pthread_cond_signal(&loop->follow);
	} else if (loop->threads < loop->max_threads) {
		(void)start_worker(loop);
	}
}

struct watch {
	unsigned long seen; /* requests at the last tick */
	unsigned int quiet;
	unsigned int saturated; /* ticks without an idle reader, */
	int64_t since;		/* from here on, */
	int64_t used;		/* with this much of CPU time by then */
};

/* What requests have used, not the watchdog itself: it may stay awake. */
static int64_t cpu_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID) -
	       clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/*
 * All readers were busy for a while: another helps where they wait for the
 * disk, or have CPUs left that their callers don't need.
 */
static bool is_worth_more(const struct loop *loop, const struct watch *watch)
{
	int64_t passed = clock_ns(CLOCK_MONOTONIC) - watch->since;

	if (loop->wanted >= loop->max_threads)
		return false;
	return loop->wanted < loop->max_busy ||
	       (cpu_ns() - watch->used) * WAITING_PART <
		       passed * (int64_t)loop->wanted;
}

/* Requests are being answered, and no reader is idle. */
static void look_busy(struct loop *loop, struct watch *watch)
{
	if (watch->saturated++ == 0) {
		watch->since = clock_ns(CLOCK_MONOTONIC);
		watch->used = cpu_ns();
	}
	if (watch->saturated <= SATURATED_TICKS)
		return;
	watch->saturated = 0;
	if (is_worth_more(loop, watch)) {
		loop->wanted++;
		promote(loop);
	}
}

/* One look, with the lock held; false when there is nothing to watch. */
static bool look(struct loop *loop, struct watch *watch)
{
	unsigned long requests = atomic_load(&loop->requests);
	bool moved = requests != watch->seen;
	bool idle = loop->reading + loop->promoted > 0;

	watch->seen = requests;
	watch->quiet = moved || !idle ? 0 : watch->quiet + 1;
	if (idle) {
		watch->saturated = 0;
		/* Back to one reader, a tick at a time. */
		if (loop->wanted > 1)
			loop->wanted--;
	} else if (moved) {
		look_busy(loop, watch);
	} else {
		/* Stuck in one request; so may be the next. */
		if (loop->wanted < loop->max_threads)
			loop->wanted++;
		promote(loop);
	}
	return watch->quiet < IDLE_TICKS;
}

static void *watchdog(void *data)
{
	struct loop *loop = data;
	struct watch watch = { 0 };

	(void)pthread_mutex_lock(&loop->lock);
	while (!loop->finished) {
		if (!look(loop, &watch)) {
			buffers_give_back(loop);
			watch.quiet = 0;
			loop->watching = false;
			while (!loop->watching && !loop->finished)
				(void)pthread_cond_wait(&loop->stir,
							&loop->lock);
		}
		(void)pthread_mutex_unlock(&loop->lock);
		one_cpu_tick(&loop->one_cpu, &loop->requests, TICK_NS);
		/* Asleep it would let its CPU idle; it is a short while. */
		while (pthread_mutex_trylock(&loop->lock) != 0)
			(void)sched_yield();
	}
	(void)pthread_mutex_unlock(&loop->lock);
	return NULL;
}

/* Threads that are in the kernel for a request end with it or by a signal. */
static void join_all(struct loop *loop)
{
	for (unsigned int i = 0; i < loop->threads; i++) {
		(void)pthread_cancel(loop->workers[i].id);
		(void)pthread_join(loop->workers[i].id, NULL);
	}
}

static int start(struct loop *loop, pthread_t *ret_watchdog)
{
	sigset_t all, old;
	int r;

	/* Signals are the main thread's. */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = start_worker(loop);
	if (r == 0) {
		r = -pthread_create(ret_watchdog, NULL, watchdog, loop);
		if (r < 0) {
			finish(loop);
			join_all(loop);
		}
	}
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static unsigned int cpu_count(void)
{
	cpu_set_t cpus;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	return (unsigned int)CPU_COUNT(&cpus);
}

/* Another may have the device after us: its flags are to be as before. */
static int make_nonblocking(int fd, int *ret_flags)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	*ret_flags = flags;
	return 0;
}

static bool is_stopped(struct loop *loop)
{
	bool stopped;

	(void)pthread_mutex_lock(&loop->lock);
	stopped = loop->stopped;
	(void)pthread_mutex_unlock(&loop->lock);
	return stopped;
}

/* Until it ends; all is served meanwhile. */
static void attend(struct loop *loop, const struct loop_ending *ending)
{
	ending_wait();
	if (!is_stopped(loop)) {
		ending->flush(ending->data);
		write_back_wait(&loop->write_back);
	}
	ending->end_waiting(ending->data);
}

unsigned int loop_threads(unsigned int asked_for)
{
	return asked_for < THREADS_MIN ? THREADS_MIN : asked_for;
}

int loop_run(struct fuse_session *session, unsigned int max_threads,
	     const struct loop_ending *ending)
{
	unsigned int cpus = cpu_count();
	struct loop loop = {
		.session = session,
		.max_threads = loop_threads(max_threads),
		.max_busy = cpus > 3 ? cpus / 2 : 1,
		/* On one alone it would keep the callers from it. */
		.stays_awake = cpus > 1,
		.wanted = 1,
		.watching = true,
	};
	pthread_t dog;
	int flags = 0;
	int r;

	loop.workers = calloc(loop.max_threads, sizeof(*loop.workers));
	if (loop.workers == NULL)
		return -ENOMEM;
	r = make_nonblocking(fuse_session_fd(session), &flags);
	if (r < 0) {
		free(loop.workers);
		return r;
	}
	one_cpu_init(&loop.one_cpu, getpid());
	(void)pthread_mutex_init(&loop.lock, NULL);
	(void)pthread_cond_init(&loop.follow, NULL);
	(void)pthread_cond_init(&loop.stir, NULL);
	r = start(&loop, &dog);
	if (r == 0) {
		attend(&loop, ending);
		finish(&loop);
		(void)pthread_join(dog, NULL);
		join_all(&loop);
		r = loop.error;
	}
	(void)pthread_cond_destroy(&loop.stir);
	(void)pthread_cond_destroy(&loop.follow);
	(void)pthread_mutex_destroy(&loop.lock);
	for (unsigned int i = 0; i < loop.max_threads; i++)
		buffer_free(loop.workers[i].buffer.mem);
	free(loop.workers);
	(void)fcntl(fuse_session_fd(session), F_SETFL, flags);
	return r;
}
