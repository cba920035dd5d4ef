/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef FUSE_KERNEL_H
#define FUSE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

struct filesystem;

/* Play the kernel that makes of the input a session of requests. */
void fuse_kernel_run(struct filesystem *fs, const uint8_t *data, size_t size);

#endif
