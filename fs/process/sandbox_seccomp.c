/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "idshift/passthrough_ioctl.h"

/* Newer than libseccomp 2.5; one number on all architectures. */
#define FCHMODAT2 452
#define GETXATTRAT 464
#define LISTXATTRAT 465

/* A name that an architecture doesn't have is left out by libseccomp. */
#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
	/*
	 * The source.  A filter can't see a path, and landlock has no say over
	 * attributes: what names a file by its path and has a form by
	 * descriptor isn't here, nor what the daemon has no use for.
	 */
	CALL(close), CALL(dup), CALL(dup2), CALL(dup3), CALL(flock),
	CALL(fstat), CALL(newfstatat), CALL(statx), CALL(fstat64),
	CALL(fstatat64), CALL(fstatfs), CALL(fstatfs64), CALL(readlinkat),
	CALL(getdents64), CALL(symlinkat), CALL(linkat), CALL(unlinkat),
	CALL(renameat), CALL(renameat2), CALL(fchownat), CALL(utimensat),
	CALL(utimensat_time64), CALL(truncate), CALL(truncate64),
	CALL(ftruncate), CALL(ftruncate64), CALL(fallocate), CALL(getxattr),
	CALL(lgetxattr), CALL(setxattr), CALL(fsetxattr), CALL(listxattr),
	CALL(removexattr), GETXATTRAT, LISTXATTRAT, CALL(name_to_handle_at),
	/* Data. */
	CALL(read), CALL(readv), CALL(pread64), CALL(preadv), CALL(preadv2),
	CALL(write), CALL(writev), CALL(pwrite64), CALL(pwritev),
	CALL(pwritev2), CALL(lseek), CALL(_llseek), CALL(copy_file_range),
	CALL(splice), CALL(tee), CALL(vmsplice), CALL(pipe), CALL(pipe2),
	CALL(fsync), CALL(fdatasync), CALL(sync_file_range), CALL(syncfs),
	CALL(fadvise64), CALL(fadvise64_64), CALL(readahead), CALL(poll),
	CALL(ppoll), CALL(ppoll_time64),
	/* Memory; mapping is further down. */
	CALL(brk), CALL(munmap), CALL(mremap), CALL(madvise), CALL(msync),
	/* Threads and signals within the process. */
	CALL(futex), CALL(futex_time64), CALL(futex_waitv),
	CALL(set_robust_list), CALL(rseq), CALL(gettid), CALL(sched_yield),
	CALL(sched_getaffinity), CALL(sched_getscheduler), CALL(getcpu),
	CALL(membarrier), CALL(rt_sigaction), CALL(rt_sigprocmask),
	CALL(rt_sigpending), CALL(rt_sigreturn), CALL(rt_sigsuspend),
	CALL(rt_sigtimedwait), CALL(sigaltstack), CALL(sigreturn),
	CALL(restart_syscall), CALL(wait4), CALL(waitid), CALL(exit),
	CALL(exit_group),
	/* Clocks and what the process is. */
	CALL(clock_gettime), CALL(clock_gettime64), CALL(clock_getres),
	CALL(clock_nanosleep), CALL(clock_nanosleep_time64), CALL(nanosleep),
	CALL(gettimeofday), CALL(time), CALL(getrandom), CALL(getpid),
	CALL(getppid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid),
	CALL(getresuid), CALL(getresgid), CALL(getuid32), CALL(geteuid32),
	CALL(getgid32), CALL(getegid32), CALL(uname), CALL(sysinfo)
};

/* With chown=disk; without, they'd do nothing. */
static const int for_owners[] = { CALL(setfsuid), CALL(setfsgid),
				  CALL(setfsuid32), CALL(setfsgid32) };

/*
 * What gives an object its mode, and where.  No mode of ours has setuid on
 * disk (view.h), so that nobody can be made to run as this user.
 */
static const struct {
	int call;
	unsigned int mode;
	mode_t never;
} with_mode[] = {
	{ CALL(openat), 3, S_ISUID | S_ISGID },
	{ CALL(mknodat), 2, S_ISUID | S_ISGID },
	{ CALL(mkdirat), 2, S_ISUID },
	{ CALL(chmod), 1, S_ISUID },
	{ CALL(fchmodat), 2, S_ISUID },
	{ FCHMODAT2, 2, S_ISUID },
};

/* Not to whom signals go. */
static const int fcntl_commands[] = {
	F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,	    F_SETFD,	  F_GETFL,
	F_SETFL,     F_GETLK,	      F_SETLK,	    F_SETLKW,	  F_OFD_GETLK,
	F_OFD_SETLK, F_OFD_SETLKW,    F_GETPIPE_SZ, F_SETPIPE_SZ, F_SETLEASE,
};

/* Nobody but an attacker makes these here. */
static const int hostile[] = { CALL(execve),
			       CALL(execveat),
			       CALL(ptrace),
			       CALL(process_vm_readv),
			       CALL(process_vm_writev),
			       CALL(pidfd_getfd),
			       CALL(kcmp),
			       CALL(mount),
			       CALL(umount2),
			       CALL(umount),
			       CALL(pivot_root),
			       CALL(chroot),
			       CALL(move_mount),
			       CALL(open_tree),
			       CALL(fsopen),
			       CALL(fsconfig),
			       CALL(fsmount),
			       CALL(fspick),
			       CALL(mount_setattr),
			       CALL(unshare),
			       CALL(setns),
			       CALL(bpf),
			       CALL(keyctl),
			       CALL(add_key),
			       CALL(request_key),
			       CALL(userfaultfd),
			       CALL(perf_event_open),
			       CALL(io_uring_setup),
			       CALL(open_by_handle_at),
			       CALL(init_module),
			       CALL(finit_module),
			       CALL(delete_module),
			       CALL(kexec_load),
			       CALL(kexec_file_load),
			       CALL(reboot),
			       CALL(swapon),
			       CALL(swapoff),
			       CALL(memfd_create),
			       CALL(memfd_secret),
			       CALL(listen),
			       CALL(accept),
			       CALL(accept4),
			       CALL(bind) };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* clone(2) has the flags first but on s390. */
#if defined(__s390__)
#define CLONE_FLAGS SCMP_A1
#else
#define CLONE_FLAGS SCMP_A0
#endif

#define THREAD_FLAGS (CLONE_THREAD | CLONE_VM | CLONE_FS | CLONE_FILES)
#define NAMESPACE_FLAGS                                                \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | \
	 CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE |  \
	 CLONE_VFORK)

static int add(scmp_filter_ctx filter, uint32_t action, int call,
	       unsigned int count, const struct scmp_arg_cmp *args)
{
	int r = seccomp_rule_add_array(filter, action, call, count, args);

	/* Not on this architecture. */
	return r == -EDOM ? 0 : r;
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const int *calls,
		   size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = add(filter, action, calls[i], 0, NULL);
	return r;
}

/* Calls that are allowed with some arguments. */
static int add_conditional(scmp_filter_ctx filter)
{
	const struct {
		int call;
		unsigned int count;
		struct scmp_arg_cmp args[2];
	} rules[] = {
		/* No new code. */
		{ CALL(mmap),
		  1,
		  { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		{ CALL(mmap2),
		  1,
		  { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		{ CALL(mprotect),
		  1,
		  { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		/*
		 * Threads, not processes, nor namespaces.  The flags of
		 * clone3(2) are out of reach: told ENOSYS, the C library takes
		 * this one.
		 */
		{ CALL(clone),
		  1,
		  { CLONE_FLAGS(SCMP_CMP_MASKED_EQ,
				THREAD_FLAGS | NAMESPACE_FLAGS,
				THREAD_FLAGS) } },
		/* pthread_kill(3), raise(3) */
		{ CALL(tgkill),
		  1,
		  { SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0) } },
		/* Its own thread's. */
		{ CALL(sched_setaffinity), 1, { SCMP_A0(SCMP_CMP_EQ, 0, 0) } },
		/* Own limits, read only. */
		{ CALL(prlimit64),
		  2,
		  { SCMP_A0(SCMP_CMP_EQ, 0, 0), SCMP_A2(SCMP_CMP_EQ, 0, 0) } },
		/* To whom the socket was connected: syslog, sd_notify. */
		{ CALL(sendto), 1, { SCMP_A4(SCMP_CMP_EQ, 0, 0) } },
		/* The C library before 2.31 sends by this one. */
		{ CALL(send), 0, { { 0 } } },
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(rules); i++)
		r = add(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].count,
			rules[i].args);
	return r;
}

static int add_modes(scmp_filter_ctx filter, bool real_owners)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(with_mode); i++) {
		const struct scmp_arg_cmp not_setuid = {
			.arg = with_mode[i].mode,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = with_mode[i].never,
			.datum_b = 0,
		};

		r = add(filter, SCMP_ACT_ALLOW, with_mode[i].call,
			real_owners ? 0 : 1, &not_setuid);
	}
	return r;
}

static int add_fcntl(scmp_filter_ctx filter)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(fcntl_commands); i++) {
		const struct scmp_arg_cmp command =
			SCMP_A1_32(SCMP_CMP_EQ, (uint32_t)fcntl_commands[i], 0);

		r = add(filter, SCMP_ACT_ALLOW, CALL(fcntl), 1, &command);
		if (r == 0)
			r = add(filter, SCMP_ACT_ALLOW, CALL(fcntl64), 1,
				&command);
	}
	return r;
}

/* Passthrough; of the mount's own /dev/fuse alone. */
static int add_passthrough(scmp_filter_ctx filter, int fd)
{
	static const uint32_t requests[] = { PASSTHROUGH_IOC_OPEN,
					     PASSTHROUGH_IOC_CLOSE };
	int r = 0;

	for (size_t i = 0; r == 0 && i < COUNT(requests); i++) {
		const struct scmp_arg_cmp args[] = {
			SCMP_A0_32(SCMP_CMP_EQ, (uint32_t)fd, 0),
			SCMP_A1_32(SCMP_CMP_EQ, requests[i], 0),
		};

		r = add(filter, SCMP_ACT_ALLOW, CALL(ioctl), COUNT(args), args);
	}
	return r;
}

static int fill(scmp_filter_ctx filter, const struct sandbox *sandbox)
{
	int r;

	/* Of another architecture, where numbers mean other calls. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH,
			     SCMP_ACT_KILL_PROCESS);
	/* A tree instead of a list: the list is long. */
	if (r == 0)
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (r == 0 && sandbox->real_owners)
		r = add_all(filter, SCMP_ACT_ALLOW, for_owners,
			    COUNT(for_owners));
	if (r == 0)
		r = add_modes(filter, sandbox->real_owners);
	if (r == 0)
		r = add_fcntl(filter);
	if (r == 0)
		r = add_all(filter, SCMP_ACT_KILL_PROCESS, hostile,
			    COUNT(hostile));
	if (r == 0 && sandbox->passthrough_fd >= 0)
		r = add_passthrough(filter, sandbox->passthrough_fd);
	return r == 0 ? add_conditional(filter) : r;
}

int sandbox_seccomp(const struct sandbox *sandbox)
{
	/*
	 * As from a kernel that doesn't have the call: the C library tries
	 * new ones first, and falls back on this error alone.
	 */
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int r;

	if (filter == NULL)
		return -ENOMEM;
	r = fill(filter, sandbox);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
