/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "answering.h"

#include <pthread.h>
#include <stdbool.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t none_left = PTHREAD_COND_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static unsigned int count;
static bool stopped;

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
