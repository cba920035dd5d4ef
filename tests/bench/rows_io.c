/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data: each part has a file of its own. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include <idshift/cleanup.h>

enum { MIB = 1 << 20 };
enum { PAGE = 4096 };
/* Counts are in MiB for the sequential rows; a part's file for the others. */
enum { RANDOM_SIZE = 8 * MIB };

static void data_path(const struct job *job, unsigned int part,
		      char ret_path[BENCH_PATH])
{
	(void)snprintf(ret_path, BENCH_PATH, "static/data/%s.%u.%u",
		       job->row->name, job->threads, part);
}

static int setup_data(const struct job *job, uint64_t size)
{
	int r = tree_make_dir(job, "static/data");

	for (unsigned int part = 0; r == 0 && part < PARTS; part++) {
		char path[BENCH_PATH];

		data_path(job, part, path);
		if (!tree_exists(job, path))
			r = tree_make_file(job, path, size);
	}
	return r;
}

static int setup_mib(const struct job *job)
{
	return setup_data(job, (uint64_t)job_part_count(job) * MIB);
}

static int setup_random(const struct job *job)
{
	return setup_data(job, RANDOM_SIZE);
}

static int setup_work(const struct job *job)
{
	char path[BENCH_PATH];

	tree_work(job, path);
	return tree_make_dir(job, path);
}

static int setup_work_files(const struct job *job)
{
	int r = setup_work(job);

	for (unsigned int part = 0; r == 0 && part < PARTS; part++) {
		char path[BENCH_PATH];

		tree_work_part(job, part, path);
		r = tree_make_file(job, path, RANDOM_SIZE);
	}
	return r;
}

static int open_data(const struct job *job, unsigned int part)
{
	char path[BENCH_PATH];

	data_path(job, part, path);
	return tree_open(job, path, O_RDONLY);
}

static int open_work(const struct job *job, unsigned int part, int flags)
{
	char path[BENCH_PATH];

	tree_work_part(job, part, path);
	return tree_open(job, path, flags);
}

/* A page of a file of RANDOM_SIZE: always the same order. */
static off_t random_offset(uint64_t *state)
{
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (off_t)((*state >> 33) % (RANDOM_SIZE / PAGE)) * PAGE;
}

static int work_read(const struct job *job, unsigned int part,
		     uint64_t *ret_ops)
{
	_cleanup_fd_ int fd = open_data(job, part);
	static _Thread_local char buffer[MIB];
	uint64_t total = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	while ((n = read(fd, buffer, MIB)) > 0)
		total += (uint64_t)n;
	*ret_ops = total / MIB;
	return n < 0 ? -errno : 0;
}

static int write_blocks(const struct job *job, unsigned int part, size_t block,
			uint64_t total)
{
	_cleanup_fd_ int fd = open_work(job, part, O_WRONLY | O_CREAT | O_EXCL);
	static const char buffer[MIB] = "data";

	if (fd < 0)
		return fd;
	for (uint64_t done = 0; done < total; done += block) {
		if (write(fd, buffer, block) < 0)
			return -errno;
	}
	return close(take_fd(&fd)) < 0 ? -errno : 0;
}

static int work_write(const struct job *job, unsigned int part,
		      uint64_t *ret_ops)
{
	*ret_ops = job_part_count(job);
	return write_blocks(job, part, MIB, *ret_ops * MIB);
}

static int work_small_write(const struct job *job, unsigned int part,
			    uint64_t *ret_ops)
{
	*ret_ops = job_part_count(job);
	return write_blocks(job, part, PAGE, *ret_ops * PAGE);
}

static int work_random_read(const struct job *job, unsigned int part,
			    uint64_t *ret_ops)
{
	_cleanup_fd_ int fd = open_data(job, part);
	uint64_t state = part + 1;
	char buffer[PAGE];

	if (fd < 0)
		return fd;
	*ret_ops = job_part_count(job);
	for (uint64_t i = 0; i < *ret_ops; i++) {
		if (pread(fd, buffer, PAGE, random_offset(&state)) < 0)
			return -errno;
	}
	return 0;
}

static int random_writes(const struct job *job, unsigned int part, bool sync,
			 uint64_t *ret_ops)
{
	_cleanup_fd_ int fd = open_work(job, part, O_WRONLY);
	static const char buffer[PAGE] = "data";
	uint64_t state = part + 1;

	if (fd < 0)
		return fd;
	*ret_ops = job_part_count(job);
	for (uint64_t i = 0; i < *ret_ops; i++) {
		if (pwrite(fd, buffer, PAGE, random_offset(&state)) < 0)
			return -errno;
		if (sync && fdatasync(fd) < 0)
			return -errno;
	}
	return close(take_fd(&fd)) < 0 ? -errno : 0;
}

static int work_random_write(const struct job *job, unsigned int part,
			     uint64_t *ret_ops)
{
	return random_writes(job, part, false, ret_ops);
}

static int work_fsync(const struct job *job, unsigned int part,
		      uint64_t *ret_ops)
{
	return random_writes(job, part, true, ret_ops);
}

static int work_mmap_read(const struct job *job, unsigned int part,
			  uint64_t *ret_ops)
{
	_cleanup_fd_ int fd = open_data(job, part);
	uint64_t state = part + 1;
	unsigned int sum = 0;
	const volatile char *map;

	if (fd < 0)
		return fd;
	map = mmap(NULL, RANDOM_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	*ret_ops = job_part_count(job);
	for (uint64_t i = 0; i < *ret_ops; i++)
		sum += (unsigned char)map[random_offset(&state)];
	(void)munmap((void *)(uintptr_t)map, RANDOM_SIZE);
	return sum == UINT32_MAX ? -EIO : 0;
}

static int work_mmap_write(const struct job *job, unsigned int part,
			   uint64_t *ret_ops)
{
	_cleanup_fd_ int fd = open_work(job, part, O_RDWR);
	uint64_t state = part + 1;
	char *map;
	int r;

	if (fd < 0)
		return fd;
	map = mmap(NULL, RANDOM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		   0);
	if (map == MAP_FAILED)
		return -errno;
	*ret_ops = job_part_count(job);
	for (uint64_t i = 0; i < *ret_ops; i++)
		map[random_offset(&state)] = 'x';
	r = msync(map, RANDOM_SIZE, MS_SYNC) < 0 ? -errno : 0;
	(void)munmap(map, RANDOM_SIZE);
	return r;
}

#define IO .kind = "io", .parallel = true, .parts = PARTS
const struct row io_rows[] = {
	{ .name = "seq-read",
	  IO,
	  .unit = "MiB",
	  .count = 64,
	  .setup = setup_mib,
	  .work = work_read },
	{ .name = "seq-write",
	  IO,
	  .unit = "MiB",
	  .count = 64,
	  .setup = setup_work,
	  .work = work_write },
	{ .name = "write-4k",
	  IO,
	  .unit = "op",
	  .count = 4000,
	  .setup = setup_work,
	  .work = work_small_write },
	{ .name = "random-read",
	  IO,
	  .unit = "op",
	  .count = 4000,
	  .setup = setup_random,
	  .work = work_random_read },
	{ .name = "random-write",
	  IO,
	  .unit = "op",
	  .count = 4000,
	  .setup = setup_work_files,
	  .work = work_random_write },
	{ .name = "mmap-read",
	  IO,
	  .unit = "op",
	  .count = 4000,
	  .setup = setup_random,
	  .work = work_mmap_read },
	{ .name = "mmap-write",
	  IO,
	  .unit = "op",
	  .count = 4000,
	  .setup = setup_work_files,
	  .work = work_mmap_write },
	{ .name = "fsync",
	  IO,
	  .unit = "op",
	  .count = 200,
	  .setup = setup_work_files,
	  .work = work_fsync },
	{ .name = NULL },
};
