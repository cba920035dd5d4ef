/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ending.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>

/* A handler has no other way to it. */
static sem_t told;

void ending_tell(void)
{
	(void)sem_post(&told);
}

void ending_wait(void)
{
	while (sem_wait(&told) < 0 && errno == EINTR)
		;
}

static void handle_signal(int signal)
{
	int saved = errno;

	(void)signal;
	ending_tell();
	errno = saved;
}

static int handle(int signal, void (*handler)(int))
{
	const struct sigaction action = { .sa_handler = handler };
	struct sigaction old;

	if (sigaction(signal, NULL, &old) < 0)
		return -errno;
	if (old.sa_handler != SIG_DFL)
		return 0;
	return sigaction(signal, &action, NULL) < 0 ? -errno : 0;
}

int ending_begin(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGTERM };
	int r = sem_init(&told, 0, 0) < 0 ? -errno : 0;
	sigset_t unblocked;

	(void)sigemptyset(&unblocked);
	for (size_t i = 0; r == 0 && i < sizeof(signals) / sizeof(signals[0]);
	     i++) {
		(void)sigaddset(&unblocked, signals[i]);
		r = handle(signals[i], handle_signal);
	}
	if (r == 0)
		r = handle(SIGPIPE, SIG_IGN);
	/* Who opens what is leased makes the kernel send it (fcntl(2)). */
	if (r == 0)
		r = handle(SIGIO, SIG_IGN);
	/* A parent that waits for them by sigwait(3) leaves them blocked. */
	return r < 0 ? r : -pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
}
