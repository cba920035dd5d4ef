/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the two parts of the kernel that is played: fuse_kernel.h. */
#ifndef FUSE_REQUESTS_H
#define FUSE_REQUESTS_H

#define FUSE_USE_VERSION 314

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KNOWN_MAX 64
#define NAME_ROOM 300
#define DATA_MAX 8192u
#define OFFSET_MAX ((uint64_t)1 << 40)

struct known_node {
	uint64_t id;
	uint64_t lookups;
	uint32_t mode;
};

struct known_handle {
	uint64_t fh;
	uint64_t node;
	uint32_t flags;
	bool dir;
};

struct kernel {
	const uint8_t *at;
	size_t left;
	struct known_node nodes[KNOWN_MAX];
	size_t node_count;
	struct known_handle handles[KNOWN_MAX];
	size_t handle_count;
	uint64_t unique;
	/* Of the request under way. */
	uint32_t opcode;
	uint64_t node;
	uint32_t flags;
	size_t handle;
};

/* A request: header, arguments, names and data, of just that size. */
struct request {
	char body[1024 + 2 * NAME_ROOM + DATA_MAX];
	size_t size;
};

extern struct kernel kernel;

/* From the input; zeros after its end. */
void take(void *to, size_t size);
uint8_t take_byte(void);

void put(struct request *request, const void *bytes, size_t size);
void send_request(struct fuse_session *session, struct request *request);

/* The next one that the input says. */
void next_request(struct fuse_session *session);

#endif
