/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be done about an intent that is found. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "create_internal.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "idshift/clock.h"
#include "idshift/turns.h"
#include "intents_bytes.h"

/*
 * From the intent to the last step it takes milliseconds.  An object that
 * changed later was changed by somebody else, who wins.
 */
#define WINDOW_NS (10 * INTENT_SECOND_NS)

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

/*
 * The path fd of what a name below a directory leads to, without links on the
 * way.  An object of the source's own file system is in no mount: what is
 * mounted there now might be a mount of ours, which nobody serves yet.
 */
static int open_below(int dir_fd, const char *path, bool same_dev)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   (same_dev ? RESOLVE_NO_XDEV : 0),
	};
	long fd;

	if (path[0] == '\0')
		return result(fcntl(dir_fd, F_DUPFD_CLOEXEC, 0));
	fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
	return result((int)fd);
}

static bool is_object(const struct intent_head *head,
		      const struct intent_root *root, const struct statx *stx)
{
	return stx->stx_ino == head->ino && intent_birth(stx) == head->birth &&
	       (backing_dev(stx) == root->dev) == (head->same_dev != 0);
}

/* Every bit is as before or as after; or the owner's r and w were lent. */
static bool is_on_the_way(mode_t now, mode_t before, mode_t after)
{
	mode_t odd = (now ^ before) & (now ^ after) & 0777;

	return (odd & ~(now & (S_IRUSR | S_IWUSR))) == 0;
}

/*
 * One of the modes that records_change() goes through.  An ACL on disk changes
 * the mode along, in more ways.
 */
static bool is_mode_of_change(const struct intent_head *head, mode_t now)
{
	const mode_t after = head->after.mode & 0777;
	const mode_t before[] = {
		head->before.mode & 0777,
		(head->before.mode | S_IRUSR | S_IWUSR) & 0777,
	};

	now &= 0777;
	if (head->parts[INTENT_DISK_ACL] > 0 || head->remove_disk_acl != 0)
		return is_on_the_way(now, before[0], after);
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++) {
		if (now == before[i] || now == (before[i] & (after | S_IRWXU)))
			return true;
	}
	return now == after;
}

/* Is the object where our steps left it? */
static bool is_under_way(const struct intent_head *head,
			 const struct statx *now)
{
	const struct disk_owner *before = &head->before, *after = &head->after;

	return (now->stx_mode & S_IFMT) == (head->want.mode & S_IFMT) &&
	       (now->stx_uid == before->uid.value ||
		now->stx_uid == after->uid.value) &&
	       (now->stx_gid == before->gid.value ||
		now->stx_gid == after->gid.value) &&
	       intent_ns(&now->stx_ctime) - head->latest <= WINDOW_NS &&
	       (S_ISLNK(now->stx_mode) ||
		is_mode_of_change(head, now->stx_mode));
}

static bool is_part(const struct intent_head *head, const char *buf,
		    enum intent_part part, const struct recorded *now)
{
	return now->len == head->parts[part] &&
	       memcmp(now->text, intent_part(head, buf, part), now->len) == 0;
}

/* Has nobody recorded anything else since? */
static bool is_record_of_change(const struct records *records,
				const struct intent_head *head, const char *buf,
				int fd, const struct statx *stx)
{
	_cleanup_recorded_ struct recorded now = { .acl = NULL };

	if (head->knows_record == 0 ||
	    recorded_read(records, fd, stx, 0, false, &now) < 0)
		return true;
	return is_part(head, buf, INTENT_OLD_RECORD, &now) ||
	       is_part(head, buf, INTENT_NEW_RECORD, &now);
}

/* Is it what we made, and as far as we came with it? */
static bool is_made(const struct records *records,
		    const struct intent_head *head, int fd,
		    const struct statx *now)
{
	_cleanup_recorded_ struct recorded recorded = { .acl = NULL };
	struct statx like = *now;
	int64_t birth = intent_birth(now);

	/* Its group and, under a default ACL, its mode were the source's. */
	like.stx_gid = head->after.gid.value;
	if (head->disk_default_acl != 0)
		like.stx_mode =
			(__u16)((now->stx_mode & S_IFMT) | head->after.mode);
	if (!is_under_way(head, &like) ||
	    intent_ns(&now->stx_ctime) < head->began ||
	    (birth != 0 && birth < head->began))
		return false;
	if (recorded_read(records, fd, now, 0, true, &recorded) < 0)
		return false;
	return recorded.len == 0 ||
	       (container_id_equal(recorded.view.uid, head->want.uid) &&
		container_id_equal(recorded.view.gid, head->want.gid));
}

/* What is gone, or another by now, is nothing to be done about. */
static int nothing_or(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EXDEV ? 0 :
									     r;
}

/* What we are about to do moves the object's times once more. */
static int mark_as_tried(const struct intent_place *place)
{
	ssize_t n;

	intent_mark(place->buf, place->size, clock_ns(CLOCK_REALTIME_COARSE));
	n = pwrite(place->fd, place->buf, place->size, place->offset);
	if (n < 0)
		return -errno;
	return (size_t)n == place->size ? 0 : -EIO;
}

static int redo_creation(const struct records *records,
			 struct intent_head *head,
			 const struct intent_place *place, int dir_fd)
{
	const char *buf = place->buf;
	_cleanup_acl_ struct acl *acl = NULL, *default_acl = NULL;
	const char *name = intent_part(head, buf, INTENT_NAME);
	_cleanup_fd_ int fd = open_below(dir_fd, name, head->same_dev != 0);
	struct statx stx;
	int r;

	if (fd < 0)
		return nothing_or(fd);
	r = backing_stat(fd, &stx);
	if (r < 0 || !is_made(records, head, fd, &stx))
		return r;
	r = intent_read_acl(head, buf, INTENT_ACL, &acl);
	if (r == 0)
		r = intent_read_acl(head, buf, INTENT_DEFAULT_ACL,
				    &default_acl);
	if (r == 0)
		r = mark_as_tried(place);
	head->want.acl = acl;
	return r < 0 ? r :
		       creation_complete(
			       records, fd, &stx, 0,
			       head->disk_default_acl != 0, default_acl,
			       head->default_acl_vouched != 0, &head->want);
}

/* In the object's turn: another daemon may change it, too. */
static int redo_change(const struct records *records, struct intent_head *head,
		       const struct intent_place *place, int fd)
{
	_cleanup_acl_ struct acl *acl = NULL, *disk_acl = NULL;
	struct disk_acl_change disk_change = {
		.remove = head->remove_disk_acl != 0
	};
	struct statx stx;
	int r = backing_stat(fd, &stx);

	if (r < 0 || !is_under_way(head, &stx) ||
	    !is_record_of_change(records, head, place->buf, fd, &stx))
		return r;
	r = intent_read_acl(head, place->buf, INTENT_ACL, &acl);
	if (r == 0)
		r = intent_read_acl(head, place->buf, INTENT_DISK_ACL,
				    &disk_acl);
	if (r == 0)
		r = mark_as_tried(place);
	if (r < 0)
		return r;
	head->want.acl = acl;
	disk_change.set = disk_acl;
	return records_change(records, fd, &stx, 0, &head->want, acl == NULL,
			      &disk_change);
}

int intent_redo(const struct records *records, const struct intent_root *root,
		const struct intent_place *place)
{
	/* This one is still there until it is done. */
	const struct records plain = { .policy = records->policy,
				       .db = records->db };
	_cleanup_fd_ int fd = -1;
	struct intent_head head;
	struct statx stx;
	enum turn turn;
	uint64_t key;
	int r;

	if (!intent_read(place->buf, place->size, &head))
		return 0;
	fd = open_below(root->fd, intent_part(&head, place->buf, INTENT_PATH),
			head.same_dev != 0);
	if (fd < 0)
		return nothing_or(fd);
	r = backing_stat(fd, &stx);
	if (r < 0 || !is_object(&head, root, &stx))
		return r;
	if (intent_part(&head, place->buf, INTENT_NAME)[0] != '\0')
		return redo_creation(&plain, &head, place, fd);
	key = turns_key(backing_dev(&stx), stx.stx_ino);
	turn = turn_begin(records->turns, key);
	r = redo_change(&plain, &head, place, fd);
	turn_end(records->turns, key, turn);
	return r;
}
