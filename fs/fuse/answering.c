/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answering.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define STACK_SIZE ((size_t)256 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_left = PTHREAD_COND_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static unsigned int count;
static bool stopped;

int answering_start(void *(*run)(void *), void *data, int wake)
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

void answering_begin(void)
{
	(void)pthread_mutex_lock(&lock);
	while (stopped)
		(void)pthread_cond_wait(&never, &lock);
	count++;
	(void)pthread_mutex_unlock(&lock);
}

void answering_end(void)
{
	(void)pthread_mutex_lock(&lock);
	if (--count == 0)
		(void)pthread_cond_signal(&none_left);
	(void)pthread_mutex_unlock(&lock);
}

void answering_stop(void)
{
	(void)pthread_mutex_lock(&lock);
	stopped = true;
	while (count > 0)
		(void)pthread_cond_wait(&none_left, &lock);
	(void)pthread_mutex_unlock(&lock);
}
