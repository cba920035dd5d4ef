/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "intents_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "idshift/backing.h"
#include "idshift/clock.h"

#define MAGIC UINT32_C(0x49445332)

_Static_assert(offsetof(struct intent_head, parts) == INTENT_HEAD_SIZE,
	       "what is struck out");

/* FNV-1a: against writes cut short, not against anybody. */
static uint64_t sum_of(const char *buf, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = sizeof(sum); i < size; i++)
		sum = (sum ^ (unsigned char)buf[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static void sign(struct intent_head *head, char *buf)
{
	memcpy(buf, head, sizeof(*head));
	head->sum = sum_of(buf, head->size);
	memcpy(buf, &head->sum, sizeof(head->sum));
}

int64_t intent_ns(const struct statx_timestamp *time)
{
	return time->tv_sec * INTENT_SECOND_NS + time->tv_nsec;
}

/* As the kernel stamps files. */
static int64_t now_ns(void)
{
	return clock_ns(CLOCK_REALTIME_COARSE);
}

int64_t intent_birth(const struct statx *stx)
{
	return (stx->stx_mask & STATX_BTIME) != 0 ? intent_ns(&stx->stx_btime) :
						    0;
}

/*
 * Writing.
 */

static int append(struct intent_head *head, char *buf, enum intent_part part,
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

static int append_acl(struct intent_head *head, char *buf,
		      enum intent_part part, const struct acl *acl)
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

static int append_path(struct intent_head *head, char *buf, int root_fd, int fd)
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
	return append(head, buf, INTENT_PATH, path + above,
		      (size_t)(len - above) + 1);
}

ssize_t intent_encode(const struct records *records,
		      const struct intent_root *root, int path_fd,
		      const struct statx *stx, const struct intent *intent,
		      char buf[INTENT_SIZE_MAX])
{
	const char *name = intent->name != NULL ? intent->name : "";
	int64_t now = now_ns();
	struct intent_head head;
	int r;

	/* Its padding is summed too. */
	memset(&head, 0, sizeof(head));
	head.magic = MAGIC;
	head.size = sizeof(head);
	head.acting_uid = records->policy->acting.uid.value;
	head.real_owners = records->policy->real_owners;
	head.disk_default_acl = intent->disk_default_acl;
	head.default_acl_vouched = intent->default_acl_vouched;
	head.remove_disk_acl = intent->disk_acl.remove;
	head.knows_record = intent->old_record != NULL;
	head.same_dev = root->dev == backing_dev(stx);
	head.ino = stx->stx_ino;
	head.birth = intent_birth(stx);
	head.began = now;
	head.latest = now;
	head.want = intent->want;
	head.want.acl = NULL;
	head.before = intent->before;
	head.after = intent->after;
	r = append(&head, buf, INTENT_SOURCE, root->key.bytes, root->key.len);
	if (r == 0)
		r = append_path(&head, buf, root->fd, path_fd);
	if (r == 0)
		r = append(&head, buf, INTENT_NAME, name, strlen(name) + 1);
	if (r == 0)
		r = append_acl(&head, buf, INTENT_ACL, intent->want.acl);
	if (r == 0)
		r = append_acl(&head, buf, INTENT_DISK_ACL,
			       intent->disk_acl.set);
	if (r == 0)
		r = append_acl(&head, buf, INTENT_DEFAULT_ACL,
			       intent->default_acl);
	if (r == 0 && intent->old_record != NULL)
		r = append(&head, buf, INTENT_OLD_RECORD, intent->old_record,
			   intent->old_len);
	if (r == 0 && intent->old_record != NULL)
		r = append(&head, buf, INTENT_NEW_RECORD, intent->new_record,
			   intent->new_len);
	if (r < 0)
		return r;
	sign(&head, buf);
	return (ssize_t)head.size;
}

/*
 * Reading.
 */

const char *intent_part(const struct intent_head *head, const char *buf,
			enum intent_part part)
{
	const char *at = buf + sizeof(*head);

	for (int before = 0; before < (int)part; before++)
		at += head->parts[before];
	return at;
}

static bool is_text(const struct intent_head *head, const char *buf,
		    enum intent_part part)
{
	size_t size = head->parts[part];

	return size > 0 && intent_part(head, buf, part)[size - 1] == '\0';
}

bool intent_read(const char *buf, size_t size, struct intent_head *ret)
{
	struct intent_head head;
	size_t rest;

	if (size < sizeof(head))
		return false;
	memcpy(&head, buf, sizeof(head));
	if (head.magic != MAGIC || head.size < sizeof(head) ||
	    head.size > size || sum_of(buf, head.size) != head.sum)
		return false;
	rest = head.size - sizeof(head);
	for (int part = 0; part < INTENT_PARTS; part++) {
		if (head.parts[part] > rest)
			return false;
		rest -= head.parts[part];
	}
	if (rest > 0 || !is_text(&head, buf, INTENT_PATH) ||
	    !is_text(&head, buf, INTENT_NAME))
		return false;
	*ret = head;
	return true;
}

int intent_read_acl(const struct intent_head *head, const char *buf,
		    enum intent_part part, struct acl **ret)
{
	int r;

	*ret = NULL;
	if (head->parts[part] == 0)
		return 0;
	r = acl_parse(intent_part(head, buf, part), head->parts[part], ret);
	return r == 0 && *ret != NULL ? acl_validate(*ret) : r;
}

enum intent_fate intent_judge(const struct records *records,
			      const struct intent_root *root, const char *buf,
			      size_t size)
{
	const struct view_policy *policy = records->policy;
	const struct backing_key *key = &root->key;
	struct intent_head head;

	if (!intent_read(buf, size, &head))
		return INTENT_DONE;
	if (head.acting_uid != policy->acting.uid.value ||
	    (head.real_owners != 0) != policy->real_owners ||
	    key->len != head.parts[INTENT_SOURCE] ||
	    memcmp(key->bytes, intent_part(&head, buf, INTENT_SOURCE),
		   key->len) != 0)
		return INTENT_FOREIGN;
	return INTENT_TRY;
}

void intent_mark(char *buf, size_t size, int64_t latest)
{
	struct intent_head head;

	if (!intent_read(buf, size, &head))
		return;
	head.latest = latest;
	sign(&head, buf);
}
