/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Linux 6.9 added to linux/fuse.h for passthrough, under names of our
 * own: the headers may be older than the kernel.
 */
#ifndef IDSHIFT_PASSTHROUGH_IOCTL_H
#define IDSHIFT_PASSTHROUGH_IOCTL_H

#include <linux/ioctl.h>
#include <stdint.h>

/* struct fuse_backing_map */
struct passthrough_backing {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

/* FUSE_DEV_IOC_BACKING_OPEN and _CLOSE. */
#define PASSTHROUGH_IOC_OPEN _IOW(229, 1, struct passthrough_backing)
#define PASSTHROUGH_IOC_CLOSE _IOW(229, 2, uint32_t)

/* FUSE_PASSTHROUGH, in flags2 of INIT. */
#define PASSTHROUGH_INIT_FLAG2 (UINT32_C(1) << 5)
/* FOPEN_PASSTHROUGH */
#define PASSTHROUGH_OPEN_FLAG (UINT32_C(1) << 7)

#endif
