/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/thread.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#define STACK_SIZE ((size_t)256 * 1024)

int thread_start(void *(*run)(void *), void *data, int wake)
{
	pthread_attr_t attr;
	sigset_t others, old;
	pthread_t thread;
	int r;

	(void)sigfillset(&others);
	if (wake != 0)
		(void)sigdelset(&others, wake);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
	(void)pthread_sigmask(SIG_SETMASK, &others, &old);
	r = pthread_create(&thread, &attr, run, data);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	return -r;
}
