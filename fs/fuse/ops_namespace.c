/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "absent.h"
#include "idshift/backing.h"
#include "idshift/cleanup.h"
#include "judge.h"
#include "listing_habit.h"

/* The kernel sends a few thousand; others want the table too. */
#define FORGET_AT_ONCE ((size_t)128)

static int do_lookup(struct filesystem *fs, fuse_req_t req, fuse_ino_t parent,
		     const char *name, struct fuse_entry_param *entry)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	struct caller caller;
	int r;

	r = caller_of(fs, req, &caller);
	if (r == 0)
		r = node_acquire(fs->nodes, parent, &dir);
	if (r == 0)
		r = enter_child(fs, &caller, &dir, name, NULL, entry);
	if (r == 0 && !S_ISDIR(entry->attr.st_mode))
		listing_habit_looked_up(fs->habit, &dir);
	/* Node id 0: the kernel remembers that there is nothing. */
	if (r == -ENOENT && fs->config.negative_timeout > 0 &&
	    !is_narrow(fs, &dir) &&
	    (!fs->config.only_again || absent_again(fs->absent, &dir, name))) {
		entry->entry_timeout = fs->config.negative_timeout;
		r = 0;
	}
	return r;
}

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct filesystem *fs = filesystem_of(req);
	struct fuse_entry_param entry = { .ino = 0 };
	int r = do_lookup(fs, req, parent, name, &entry);

	reply_entered(req, r, &entry);
}

void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	node_forget(filesystem_of(req)->nodes, ino, nlookup);
	fuse_reply_none(req);
}

void op_forget_multi(fuse_req_t req, size_t count,
		     struct fuse_forget_data *forgets)
{
	struct filesystem *fs = filesystem_of(req);
	struct node_lookups some[FORGET_AT_ONCE];

	while (count > 0) {
		size_t n = count < FORGET_AT_ONCE ? count : FORGET_AT_ONCE;

		for (size_t i = 0; i < n; i++)
			some[i] = (struct node_lookups){
				.id = forgets[i].ino,
				.count = forgets[i].nlookup,
			};
		node_forget_all(fs->nodes, some, n);
		forgets += n;
		count -= n;
	}
	fuse_reply_none(req);
}

static int unlink_once(const struct node_ref *dir, const char *name, int flags)
{
	return unlinkat(dir->fd, name, flags) < 0 ? -errno : 0;
}

/*
 * What loses its name: whoever has it open goes on using it.  Without a
 * descriptor left, or memory, that would end: better keep the name.  Else the
 * name leads elsewhere by now.
 */
static int pin_victim(struct filesystem *fs, const struct node_ref *dir,
		      const char *name, struct node_ref *ret)
{
	int r = node_pin_name(fs->nodes, dir, name, ret);

	if (r == -EMFILE) {
		node_table_drop_idle(fs->nodes);
		r = node_pin_name(fs->nodes, dir, name, ret);
	}
	return r == -EMFILE || r == -ENFILE || r == -ENOMEM ? r : 0;
}

/*
 * In a sticky directory the kernel has judged by the owner of what it knows
 * under the name, if anything; natively no other can take its place meanwhile.
 * -ESTALE makes it look up the name, and judge, again (retry_estale()).
 */
static int check_sticky(struct filesystem *fs, const struct node_ref *dir,
			const char *name, const struct node_ref *known)
{
	struct statx stx;

	if (is_judged(fs) || !node_is_privileged(fs->nodes, dir->id) ||
	    backing_stat_child(dir->fd, name, &stx) < 0)
		return 0;
	return known->table != NULL && node_is(known, &stx) ? 0 : -ESTALE;
}

static int do_unlink(struct filesystem *fs, fuse_req_t req, fuse_ino_t parent,
		     const char *name, int flags)
{
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	_cleanup_node_ struct node_ref victim = NODE_REF_NONE;
	struct caller caller;
	int r;

	r = caller_of(fs, req, &caller);
	if (r == 0)
		r = node_acquire(fs->nodes, parent, &dir);
	if (r < 0)
		return r;
	if (!backing_name_ok(name))
		return -EINVAL;
	r = pin_victim(fs, &dir, name, &victim);
	if (r == 0)
		r = judge_delete(fs, &caller, &dir, name, &victim,
				 flags != 0 ? "rmdir" : "unlink");
	if (r == 0)
		r = check_sticky(fs, &dir, name, &victim);
	if (r < 0)
		return r;
	r = unlink_once(&dir, name, flags);
	if (r == -EACCES &&
	    widen(fs, &caller, &dir, ACCESS_WRITE | ACCESS_EXEC))
		r = unlink_once(&dir, name, flags);
	if (r == 0)
		node_name_removed(fs->nodes, &dir, name);
	return judge_disk(fs, r, flags != 0 ? "rmdir" : "unlink", &dir, name);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_result(req, do_unlink(filesystem_of(req), req, parent, name, 0));
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	reply_result(req, do_unlink(filesystem_of(req), req, parent, name,
				    AT_REMOVEDIR));
}

struct move {
	struct node_ref from;
	struct node_ref to;
	const char *name;
	const char *new_name;
	unsigned int flags;
};

static int rename_once(const struct move *move)
{
	if (renameat2(move->from.fd, move->name, move->to.fd, move->new_name,
		      move->flags) < 0)
		return -errno;
	return 0;
}

static int rename_widened(struct filesystem *fs, const struct caller *caller,
			  const struct move *move)
{
	unsigned int wanted = ACCESS_WRITE | ACCESS_EXEC;
	int r = rename_once(move);

	if (r == -EACCES && widen(fs, caller, &move->from, wanted) &&
	    widen(fs, caller, &move->to, wanted))
		r = rename_once(move);
	return r;
}

/*
 * RENAME_WHITEOUT leaves a character device 0:0 by the old name, which is the
 * caller's as if he had made it (mknod(2)).  If that can't be kept, it shows as
 * ours: better than to say that nothing was renamed.
 */
static void own_whiteout(const struct filesystem *fs,
			 const struct caller *caller,
			 const struct node_ref *dir, const char *name)
{
	_cleanup_fd_ int fd = backing_open_child(dir->fd, name);
	struct statx dir_stx, stx;
	struct view dir_view, want;

	if (fd < 0 || backing_stat(fd, &stx) < 0 || !S_ISCHR(stx.stx_mode) ||
	    stx.stx_rdev_major != 0 || stx.stx_rdev_minor != 0 ||
	    node_view(fs, dir, &dir_stx, &dir_view) < 0)
		return;
	want = view_of_new(caller, &dir_view, stx.stx_mode);
	(void)records_apply(&fs->records, fd, &stx, 0, &want);
}

static void whiteout_made(const struct filesystem *fs,
			  const struct caller *caller, const struct move *move,
			  bool moved)
{
	struct statx stx;

	if (moved)
		own_whiteout(fs, caller, &move->from, move->name);
	/* ext4 may have made one and taken it away: that moved its times. */
	else if (backing_stat(move->from.fd, &stx) == 0)
		refresh(fs, &move->from, &stx);
}

static int do_rename(struct filesystem *fs, fuse_req_t req, fuse_ino_t parent,
		     fuse_ino_t newparent, struct move *move)
{
	_cleanup_node_ struct node_ref source = NODE_REF_NONE;
	_cleanup_node_ struct node_ref target = NODE_REF_NONE;
	const struct judged_rename judged = {
		.from = &move->from,
		.name = move->name,
		.source = &source,
		.to = &move->to,
		.new_name = move->new_name,
		.target = &target,
		.exchange = (move->flags & RENAME_EXCHANGE) != 0,
	};
	struct caller caller;
	int r;

	if (!backing_name_ok(move->name) || !backing_name_ok(move->new_name))
		return -EINVAL;
	r = caller_of(fs, req, &caller);
	if (r == 0 && (move->flags & RENAME_WHITEOUT) != 0 &&
	    !container_id_is_mapped(caller.uid))
		r = -EOVERFLOW; /* as to who makes a file (chown=disk) */
	if (r == 0)
		r = node_acquire(fs->nodes, parent, &move->from);
	if (r == 0)
		r = node_acquire(fs->nodes, newparent, &move->to);
	if (r == 0)
		r = pin_victim(fs, &move->from, move->name, &source);
	if (r == 0)
		r = pin_victim(fs, &move->to, move->new_name, &target);
	if (r == 0)
		r = judge_rename(fs, &caller, &judged);
	if (r == 0)
		r = check_sticky(fs, &move->from, move->name, &source);
	if (r == 0)
		r = check_sticky(fs, &move->to, move->new_name, &target);
	if (r < 0)
		return r;
	r = rename_widened(fs, &caller, move);
	if (r == 0)
		node_renamed(fs->nodes, &move->from, move->name, &move->to,
			     move->new_name, &source,
			     judged.exchange ? &target : NULL);
	if ((move->flags & RENAME_WHITEOUT) != 0)
		whiteout_made(fs, &caller, move, r == 0);
	return judge_disk(fs, r, "rename", &move->from, move->name);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
	       fuse_ino_t newparent, const char *newname, unsigned int flags)
{
	struct move move = {
		.from = NODE_REF_NONE,
		.to = NODE_REF_NONE,
		.name = name,
		.new_name = newname,
		.flags = flags,
	};
	int r = do_rename(filesystem_of(req), req, parent, newparent, &move);

	node_release(&move.from);
	node_release(&move.to);
	reply_result(req, r);
}

/* A new name that can't be given out: as if it had never been. */
static void undo_link(const struct node_ref *node, const struct node_ref *dir,
		      const char *name)
{
	struct statx stx;

	if (backing_stat_child(dir->fd, name, &stx) == 0 && node_is(node, &stx))
		(void)unlinkat(dir->fd, name, 0);
}

static int do_link(struct filesystem *fs, fuse_req_t req, fuse_ino_t ino,
		   fuse_ino_t newparent, const char *newname,
		   struct fuse_entry_param *entry)
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	_cleanup_node_ struct node_ref dir = NODE_REF_NONE;
	struct caller caller;
	int r;

	if (!backing_name_ok(newname))
		return -EINVAL;
	r = caller_of(fs, req, &caller);
	if (r == 0)
		r = node_acquire(fs->nodes, ino, &node);
	if (r == 0)
		r = node_acquire(fs->nodes, newparent, &dir);
	if (r == 0)
		r = judge_link(fs, &caller, &node);
	if (r == 0)
		r = judge_create(fs, &caller, &dir, newname, "link");
	if (r < 0)
		return r;
	r = backing_link(node.fd, dir.fd, newname);
	if (r == -EACCES &&
	    widen(fs, &caller, &dir, ACCESS_WRITE | ACCESS_EXEC))
		r = backing_link(node.fd, dir.fd, newname);
	r = judge_disk(fs, r, "link", &dir, newname);
	if (r < 0)
		return r;
	r = enter_child(fs, &caller, &dir, newname, NULL, entry);
	if (r < 0)
		undo_link(&node, &dir, newname);
	return r;
}

void op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
	     const char *newname)
{
	struct fuse_entry_param entry = { .ino = 0 };
	int r = do_link(filesystem_of(req), req, ino, newparent, newname,
			&entry);

	reply_entered(req, r, &entry);
}

static int do_readlink(struct filesystem *fs, fuse_ino_t ino,
		       char target[PATH_MAX + 1])
{
	_cleanup_node_ struct node_ref node = NODE_REF_NONE;
	ssize_t len;
	int r = node_acquire(fs->nodes, ino, &node);

	if (r < 0)
		return r;
	len = readlinkat(node.fd, "", target, PATH_MAX + 1);
	if (len < 0)
		return -errno;
	if (len > PATH_MAX)
		return -ENAMETOOLONG;
	target[len] = '\0';
	return 0;
}

void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	char target[PATH_MAX + 1];
	int r = do_readlink(filesystem_of(req), ino, target);

	if (r < 0)
		reply_result(req, r);
	else
		(void)fuse_reply_readlink(req, target);
}
