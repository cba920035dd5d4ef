/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An intent as bytes, and what is to be done about one that is found. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "create_internal.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "intents_internal.h"

#define MAGIC UINT32_C(0x49445331)
#define SECOND_NS INT64_C(1000000000)

/*
 * From the intent to the last step it takes milliseconds.  An object that
 * changed later was changed by somebody else, who wins.
 */
#define WINDOW_NS (10 * SECOND_NS)

enum part {
	PART_SOURCE, /* backing_key() of the source's root */
	PART_PATH,   /* below it; the directory's of what is made */
	PART_NAME,   /* of what is made */
	PART_ACL,
	PART_DISK_ACL,
	PART_DEFAULT_ACL,
	PART_COUNT
};

/* The parts follow.  Of one machine and one build: not for others to read. */
struct head {
	uint64_t sum; /* of all that follows */
	uint32_t magic;
	uint32_t size; /* with the parts */
	uint32_t parts[PART_COUNT];
	/* Who may do it. */
	uint32_t acting_uid;
	uint8_t real_owners;
	/* What is to be done. */
	uint8_t disk_default_acl;
	uint8_t remove_disk_acl;
	/* The object, or the directory of what is made. */
	uint8_t same_dev; /* as the root's */
	uint64_t ino;
	int64_t birth;
	int64_t began;
	int64_t latest;
	struct view want; /* acl NULL */
	struct disk_owner before, after;
};

_Static_assert(offsetof(struct head, parts) == INTENT_HEAD_SIZE,
	       "what is struck out");

/* FNV-1a: against writes cut short, not against anybody. */
static uint64_t sum_of(const char *buf, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = sizeof(sum); i < size; i++)
		sum = (sum ^ (unsigned char)buf[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void sign(struct head *head, char *buf)
{
	memcpy(buf, head, sizeof(*head));
	head->sum = sum_of(buf, head->size);
	memcpy(buf, &head->sum, sizeof(head->sum));
}

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int64_t to_ns(const struct statx_timestamp *time)
{
	return time->tv_sec * SECOND_NS + time->tv_nsec;
}

/* As the kernel stamps files. */
static int64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int64_t birth_of(const struct statx *stx)
{
	return (stx->stx_mask & STATX_BTIME) != 0 ? to_ns(&stx->stx_btime) : 0;
}

/*
 * Writing.
 */

static int append(struct head *head, char *buf, enum part part,
		  const void *bytes, size_t size)
{
	if (size > INTENT_SIZE_MAX - head->size)
		return -ENAMETOOLONG;
	if (size > 0)
		memcpy(buf + head->size, bytes, size);
	head->parts[part] = (uint32_t)size;
	head->size += (uint32_t)size;
	return 0;
}

static int append_acl(struct head *head, char *buf, enum part part,
		      const struct acl *acl)
{
	size_t size = acl != NULL ? acl_blob_size(acl) : 0;
	int r;

	if (size > INTENT_SIZE_MAX - head->size)
		return -ENAMETOOLONG;
	if (acl != NULL) {
		r = acl_format(acl, buf + head->size, size);
		if (r < 0)
			return r;
	}
	head->parts[part] = (uint32_t)size;
	head->size += (uint32_t)size;
	return 0;
}

static ssize_t path_of(int fd, char path[PATH_MAX])
{
	char link[32];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlinkat(AT_FDCWD, link, path, PATH_MAX);
	if (len < 0)
		return -errno;
	return len < PATH_MAX ? len : -ENAMETOOLONG;
}

static int append_path(struct head *head, char *buf, int root_fd, int fd)
{
	char root[PATH_MAX], path[PATH_MAX];
	ssize_t above = path_of(root_fd, root), len = path_of(fd, path);

	if (above < 0 || len < 0)
		return above < 0 ? (int)above : (int)len;
	if (above == 1)
		above = 0; /* "/" */
	if (len < above || memcmp(path, root, (size_t)above) != 0 ||
	    (len > above && path[above] != '/'))
		return -EXDEV;
	if (len > above)
		above++;
	path[len] = '\0';
	return append(head, buf, PART_PATH, path + above,
		      (size_t)(len - above) + 1);
}

ssize_t intent_encode(const struct records *records,
		      const struct intent_root *root, int path_fd,
		      const struct statx *stx, const struct intent *intent,
		      char buf[INTENT_SIZE_MAX])
{
	const char *name = intent->name != NULL ? intent->name : "";
	int64_t now = now_ns();
	struct head head;
	int r;

	/* Its padding is summed too. */
	memset(&head, 0, sizeof(head));
	head.magic = MAGIC;
	head.size = sizeof(head);
	head.acting_uid = records->policy->acting.uid.value;
	head.real_owners = records->policy->real_owners;
	head.disk_default_acl = intent->disk_default_acl;
	head.remove_disk_acl = intent->disk_acl.remove;
	head.same_dev = root->dev == backing_dev(stx);
	head.ino = stx->stx_ino;
	head.birth = birth_of(stx);
	head.began = now;
	head.latest = now;
	head.want = intent->want;
	head.want.acl = NULL;
	head.before = intent->before;
	head.after = intent->after;
	r = append(&head, buf, PART_SOURCE, root->key.bytes, root->key.len);
	if (r == 0)
		r = append_path(&head, buf, root->fd, path_fd);
	if (r == 0)
		r = append(&head, buf, PART_NAME, name, strlen(name) + 1);
	if (r == 0)
		r = append_acl(&head, buf, PART_ACL, intent->want.acl);
	if (r == 0)
		r = append_acl(&head, buf, PART_DISK_ACL, intent->disk_acl.set);
	if (r == 0)
		r = append_acl(&head, buf, PART_DEFAULT_ACL,
			       intent->default_acl);
	if (r < 0)
		return r;
	sign(&head, buf);
	return (ssize_t)head.size;
}

/*
 * Reading.
 */

static const char *part_of(const struct head *head, const char *buf,
			   enum part part)
{
	const char *at = buf + sizeof(*head);

	for (int before = 0; before < (int)part; before++)
		at += head->parts[before];
	return at;
}

static bool is_text(const struct head *head, const char *buf, enum part part)
{
	size_t size = head->parts[part];

	return size > 0 && part_of(head, buf, part)[size - 1] == '\0';
}

static bool read_head(const char *buf, size_t size, struct head *ret)
{
	struct head head;
	size_t rest;

	if (size < sizeof(head))
		return false;
	memcpy(&head, buf, sizeof(head));
	if (head.magic != MAGIC || head.size < sizeof(head) ||
	    head.size > size || sum_of(buf, head.size) != head.sum)
		return false;
	rest = head.size - sizeof(head);
	for (int part = 0; part < PART_COUNT; part++) {
		if (head.parts[part] > rest)
			return false;
		rest -= head.parts[part];
	}
	if (rest > 0 || !is_text(&head, buf, PART_PATH) ||
	    !is_text(&head, buf, PART_NAME))
		return false;
	*ret = head;
	return true;
}

static int read_acl(const struct head *head, const char *buf, enum part part,
		    struct acl **ret)
{
	int r;

	*ret = NULL;
	if (head->parts[part] == 0)
		return 0;
	r = acl_parse(part_of(head, buf, part), head->parts[part], ret);
	return r == 0 && *ret != NULL ? acl_validate(*ret) : r;
}

enum intent_fate intent_judge(const struct records *records,
			      const struct intent_root *root, const char *buf,
			      size_t size)
{
	const struct view_policy *policy = records->policy;
	const struct backing_key *key = &root->key;
	struct head head;

	if (!read_head(buf, size, &head))
		return INTENT_DONE;
	if (head.acting_uid != policy->acting.uid.value ||
	    (head.real_owners != 0) != policy->real_owners ||
	    key->len != head.parts[PART_SOURCE] ||
	    memcmp(key->bytes, part_of(&head, buf, PART_SOURCE), key->len) != 0)
		return INTENT_FOREIGN;
	return INTENT_TRY;
}

void intent_mark(char *buf, size_t size)
{
	struct head head;

	if (!read_head(buf, size, &head))
		return;
	head.latest = now_ns();
	sign(&head, buf);
}

/*
 * Doing the rest.
 */

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

static bool is_object(const struct head *head, const struct intent_root *root,
		      const struct statx *stx)
{
	return stx->stx_ino == head->ino && birth_of(stx) == head->birth &&
	       (backing_dev(stx) == root->dev) == (head->same_dev != 0);
}

/* Every bit is as before or as after; or the owner's r and w were lent. */
static bool is_on_the_way(mode_t now, mode_t before, mode_t after)
{
	mode_t odd = (now ^ before) & (now ^ after) & 0777;

	return (odd & ~(now & (S_IRUSR | S_IWUSR))) == 0;
}

/* Is the object where our steps left it? */
static bool is_under_way(const struct head *head, const struct statx *now)
{
	const struct disk_owner *before = &head->before, *after = &head->after;

	return (now->stx_mode & S_IFMT) == (head->want.mode & S_IFMT) &&
	       (now->stx_uid == before->uid.value ||
		now->stx_uid == after->uid.value) &&
	       (now->stx_gid == before->gid.value ||
		now->stx_gid == after->gid.value) &&
	       to_ns(&now->stx_ctime) - head->latest <= WINDOW_NS &&
	       (S_ISLNK(now->stx_mode) ||
		is_on_the_way(now->stx_mode, before->mode, after->mode));
}

/* Is it what we made, and as far as we came with it? */
static bool is_made(const struct records *records, const struct head *head,
		    int fd, const struct statx *now)
{
	_cleanup_recorded_ struct recorded recorded = { .acl = NULL };
	struct statx like = *now;
	int64_t birth = birth_of(now);

	/* Its group and, under a default ACL, its mode were the source's. */
	like.stx_gid = head->after.gid.value;
	if (head->disk_default_acl != 0)
		like.stx_mode =
			(__u16)((now->stx_mode & S_IFMT) | head->after.mode);
	if (!is_under_way(head, &like) ||
	    to_ns(&now->stx_ctime) < head->began ||
	    (birth != 0 && birth < head->began))
		return false;
	if (recorded_read(records, fd, now, true, &recorded) < 0)
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

static int redo_creation(const struct records *records, const struct head *head,
			 const char *buf, int dir_fd, struct view *want)
{
	_cleanup_acl_ struct acl *default_acl = NULL;
	const char *name = part_of(head, buf, PART_NAME);
	_cleanup_fd_ int fd = open_below(dir_fd, name, head->same_dev != 0);
	struct statx stx;
	int r;

	if (fd < 0)
		return nothing_or(fd);
	r = backing_stat(fd, &stx);
	if (r < 0 || !is_made(records, head, fd, &stx))
		return r;
	r = read_acl(head, buf, PART_DEFAULT_ACL, &default_acl);
	return r < 0 ? r :
		       creation_complete(records, fd, &stx,
					 head->disk_default_acl != 0,
					 default_acl, want);
}

int intent_redo(const struct records *records, const struct intent_root *root,
		const char *buf, size_t size)
{
	/* This one is still there until it is done. */
	const struct records plain = { .policy = records->policy,
				       .db = records->db };
	_cleanup_acl_ struct acl *acl = NULL, *disk_acl = NULL;
	struct disk_acl_change disk_change = { .set = NULL };
	_cleanup_fd_ int fd = -1;
	struct head head;
	struct statx stx;
	int r;

	if (!read_head(buf, size, &head))
		return 0;
	fd = open_below(root->fd, part_of(&head, buf, PART_PATH),
			head.same_dev != 0);
	if (fd < 0)
		return nothing_or(fd);
	r = backing_stat(fd, &stx);
	if (r < 0 || !is_object(&head, root, &stx))
		return r;
	r = read_acl(&head, buf, PART_ACL, &acl);
	if (r == 0)
		r = read_acl(&head, buf, PART_DISK_ACL, &disk_acl);
	if (r < 0)
		return r;
	head.want.acl = acl;
	if (part_of(&head, buf, PART_NAME)[0] != '\0')
		return redo_creation(&plain, &head, buf, fd, &head.want);
	if (!is_under_way(&head, &stx))
		return 0;
	disk_change.set = disk_acl;
	disk_change.remove = head.remove_disk_acl != 0;
	return records_change(&plain, fd, &stx, &head.want, acl == NULL,
			      &disk_change);
}
