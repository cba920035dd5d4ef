/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the source's file system can hold.  A nameless file tries it out. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "idshift/acl.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/records_side.h"

#include "doctor.h"
#include "target.h"

static void check_owner(struct doctor *doctor, const struct statx *stx)
{
	if (stx->stx_uid == doctor->uid || doctor->child_userns)
		doctor_ok(doctor, "source", "'%s' is yours", doctor->source);
	else if (group_member(stx->stx_gid) != 0)
		doctor_warn(doctor, "source",
			    "'%s' belongs to uid %u, in your group %u: only "
			    "what is yours can change owners and modes; for "
			    "the group not to be nobody in the container "
			    "mount with map=g:%u:ID",
			    doctor->source, stx->stx_uid, stx->stx_gid,
			    stx->stx_gid);
	else
		doctor_warn(doctor, "source",
			    "'%s' belongs to uid %u: only what is yours can "
			    "change owners and modes; have it given to you "
			    "with 'chown', or mount as its owner",
			    doctor->source, stx->stx_uid);
}

/* fd: a file of ours there; -1: there is none, so the directory is asked. */
static void check_xattrs(struct doctor *doctor, int dir, int fd)
{
	static const char what[] = "source: user xattrs";
	char byte;
	int r;

	if (fd >= 0)
		r = fsetxattr(fd, IDSHIFT_XATTR_PREFIX "doctor", "x", 1, 0) ==
				    0 ?
			    0 :
			    -errno;
	else
		r = (int)backing_getxattr(dir, OVERRIDE_STAT_XATTR, &byte, 1);
	if (r == -EOPNOTSUPP)
		doctor_warn(doctor, what,
			    "the file system has none: records are kept in "
			    "the state directory instead, for this machine "
			    "alone; a source on ext4, xfs or btrfs has them");
	else if (r < 0 && r != -ENODATA && r != -ERANGE)
		doctor_warn(doctor, what,
			    "can't be set: %s: see "
			    "user_xattr in mount(8)",
			    strerror(-r));
	else
		doctor_ok(doctor, what, "can be set");
}

static void check_acls(struct doctor *doctor, int dir)
{
	static const char what[] = "source: ACLs";
	char byte;
	ssize_t len = backing_getxattr(dir, ACL_XATTR_ACCESS, &byte, 1);

	if (len == -EOPNOTSUPP)
		doctor_warn(
			doctor, what,
			"the file system has none, nor has then the "
			"mount: mount it with the option acl, see mount(8)");
	else
		doctor_ok(doctor, what, "are there");
}

/* Is f_fsid the device's number, as the kernel's huge_encode_dev() has it? */
static bool is_named_by_device(int dir, const struct statx *stx)
{
	uint32_t major = stx->stx_dev_major, minor = stx->stx_dev_minor;
	uint32_t device =
		(minor & 0xff) | major << 8 | (minor & ~UINT32_C(0xff)) << 12;
	struct statfs info;
	uint32_t id[2];

	_Static_assert(sizeof(id) == sizeof(info.f_fsid), "two words");
	if (fstatfs(dir, &info) < 0)
		return false;
	memcpy(id, &info.f_fsid, sizeof(id));
	return id[0] == device && id[1] == 0;
}

static void check_key(struct doctor *doctor, int dir, const struct statx *stx)
{
	static const char what[] = "source: file handles";
	struct backing_key key;

	if (backing_key(dir, stx, &key) < 0)
		doctor_warn(doctor, what,
			    "neither handles nor birth times: owners of links "
			    "and fifos can't be recorded; use a source on "
			    "another file system");
	else if (is_named_by_device(dir, stx))
		doctor_ok(doctor, what,
			  "tell one file from another, while the device keeps "
			  "its number: owners of links and fifos go with it");
	else
		doctor_ok(doctor, what, "tell one file from another");
}

/* As fuse_backing_open() of the kernel has it. */
static void check_passthrough(struct doctor *doctor, int dir)
{
	static const char what[] = "source: passthrough";
	struct statfs info;

	if (doctor->uid != 0 || doctor->child_userns)
		doctor_ok(doctor, what,
			  "not for your mounts (root's only): data is copied");
	else if (fstatfs(dir, &info) == 0 &&
		 info.f_type == OVERLAYFS_SUPER_MAGIC)
		doctor_ok(doctor, what,
			  "not on a stacked file system: data is copied");
	else
		doctor_ok(doctor, what, "wherever the kernel has it");
}

void doctor_check_source(struct doctor *doctor)
{
	char reason[TARGET_REASON_MAX];
	struct statx stx;
	_cleanup_fd_ int dir = target_open_path(doctor->source, true, &stx);
	_cleanup_fd_ int fd = -1;

	if (dir < 0 || !S_ISDIR(stx.stx_mode)) {
		doctor_fail(doctor, "source", "'%s': %s: name a directory",
			    doctor->source, strerror(dir < 0 ? -dir : ENOTDIR));
		return;
	}
	if (target_is_in_mount(dir, reason)) {
		doctor_fail(doctor, "source", "'%s': %s", doctor->source,
			    reason);
		return;
	}
	check_owner(doctor, &stx);
	fd = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		doctor_ok(doctor, "source: O_TMPFILE", "is there");
	else if (errno == EOPNOTSUPP || errno == EISDIR)
		doctor_ok(doctor, "source: O_TMPFILE",
			  "is not there: new files get their record only just "
			  "after they appear");
	else
		doctor_warn(doctor, "source: O_TMPFILE",
			    "you can't create files there: %s: have its owner "
			    "let you, with chmod or setfacl",
			    strerror(errno));
	check_xattrs(doctor, dir, fd);
	check_acls(doctor, dir);
	check_key(doctor, dir, &stx);
	check_passthrough(doctor, dir);
}
