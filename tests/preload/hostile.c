/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LD_PRELOAD for the daemon: looking up the name "hostile:WHAT" makes the
 * thread that serves the request do what an attacker who has taken it over
 * would.  EUCLEAN: it could; else the error that it met.
 *
 *   HOSTILE_VICTIM     a process of the same user, outside
 *   HOSTILE_DIR        a directory of the same user, outside of the source,
 *                      with a file "secret"
 *   HOSTILE_KERNEL=old landlock and seccomp answer as if they weren't there
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <seccomp.h>

#define PREFIX "hostile:"

typedef int openat_fn(int dir, const char *path, int flags, ...);
typedef int statx_fn(int dir, const char *path, int flags, unsigned int mask,
		     struct statx *ret);
typedef long syscall_fn(long number, ...);

static _Thread_local int source_dir;

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static long raw(long number, long a, long b, long c, long d)
{
	syscall_fn *real = (syscall_fn *)next("syscall");

	return real(number, a, b, c, d, 0L, 0L);
}

static const char *outside(const char *name)
{
	static _Thread_local char paths[2][4096];
	static _Thread_local unsigned int turn;
	char *path = paths[turn++ % 2];
	const char *dir = getenv("HOSTILE_DIR");

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", dir != NULL ? dir : "/",
		       name);
	return path;
}

static pid_t victim(void)
{
	const char *text = getenv("HOSTILE_VICTIM");

	return text != NULL ? (pid_t)strtol(text, NULL, 10) : getppid();
}

static long open_outside(const char *path, int flags)
{
	openat_fn *real = (openat_fn *)next("openat64");

	return real(AT_FDCWD, path, flags | O_CLOEXEC, 0600);
}

static long open_of_victim(const char *name, int flags)
{
	char path[64];
	long fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)victim(), name);
	fd = open_outside(path, flags);
	return fd < 0 ? fd : read((int)fd, path, 1);
}

static long connect_outside(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", "/dev/log");
	return connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0 &&
			       errno != ENOENT ?
		       -1 :
		       0;
}

static long fork_and_wait(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0);
}

static long new_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : 0;
}

static long changed_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long read_memory(void)
{
	char byte;
	struct iovec mine = { &byte, 1 }, other = { &byte, 1 };

	return process_vm_readv(victim(), &mine, 1, &other, 1, 0);
}

static long execute(void)
{
	char name[] = "true", *argv[] = { name, NULL };

	return execve("/bin/true", argv, NULL);
}

/* /proc/PID/NAME of the process that unmounts. */
static const char *of_watcher(const char *name)
{
	static _Thread_local char path[64];
	char text[32] = "0";
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/children",
		       (int)getpid());
	fd = (int)open_outside(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	(void)snprintf(path, sizeof(path), "/proc/%ld/%s",
		       strtol(text, NULL, 10), name);
	return path;
}

static int pipe_end(void)
{
	int ends[2] = { -1, -1 };

	return pipe2(ends, O_CLOEXEC) < 0 ? -1 : ends[0];
}

/* Below the source, where creating is allowed. */
static long create_here(mode_t mode)
{
	return ((openat_fn *)next("openat64"))(source_dir, "made-by-attack",
					       O_CREAT | O_EXCL | O_WRONLY,
					       mode);
}

static long signal_by_fcntl(void)
{
	return fcntl(pipe_end(), F_SETOWN, victim());
}

static long thread_in_namespace(void)
{
	/* Wrong for the kernel as well, but only the filter says ENOSYS. */
	return raw(SYS_clone,
		   CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
			   CLONE_THREAD | CLONE_NEWUSER,
		   0, 0, 0);
}

static long attack(const char *what)
{
	const char *secret = outside("secret");
	const unsigned long all[] = { ~0UL };

#define IF(name) if (strcmp(what, name) == 0)
	IF("shadow") return open_outside("/etc/shadow", O_RDONLY);
	IF("passwd") return open_outside("/etc/passwd", O_RDONLY);
	IF("read") return open_outside(secret, O_RDONLY);
	IF("write") return open_outside(secret, O_WRONLY);
	IF("truncate") return truncate(secret, 0);
	IF("create") return open_outside(outside("new"), O_CREAT | O_WRONLY);
	IF("tmpfile") return open_outside(outside("."), O_TMPFILE | O_RDWR);
	IF("list") return open_outside(outside("."), O_RDONLY | O_DIRECTORY);
	IF("mkdir") return mkdirat(AT_FDCWD, outside("newdir"), 0700);
	IF("mkfifo") return mkfifo(outside("newfifo"), 0600);
	IF("symlink") return symlinkat("x", AT_FDCWD, outside("newlink"));
	IF("unlink") return unlinkat(AT_FDCWD, secret, 0);
	IF("link")
	return linkat(AT_FDCWD, secret, AT_FDCWD, outside("newlink2"), 0);
	IF("rename")
	return renameat2(AT_FDCWD, secret, AT_FDCWD, outside("renamed"), 0);
	IF("device") return open_outside("/dev/fuse", O_RDWR);
	IF("environ") return open_of_victim("environ", O_RDONLY);
	IF("memory") return open_of_victim("mem", O_RDWR);
	IF("socket") return connect_outside();
	IF("fork") return fork_and_wait();
	IF("kill") return kill(victim(), 0);
	IF("code") return new_code();
	IF("mprotect") return changed_code();
	IF("setuid") return raw(SYS_setresuid, -1, -1, -1, 0);
	IF("prctl") return raw(SYS_prctl, 38, 1, 0, 0);
	IF("personality") return raw(SYS_personality, 0xffffffffL, 0, 0, 0);
	/* What a path names: a filter can't see it. */
	IF("proc-root") return open_outside("/proc/self/root/etc/passwd", 0);
	IF("proc-cwd") return open_of_victim("cwd/.", O_RDONLY);
	IF("proc-exe") return open_of_victim("exe", O_RDONLY);
	IF("proc-maps") return open_of_victim("maps", O_RDONLY);
	IF("proc-fd") return open_of_victim("fd/0", O_RDONLY);
	IF("proc-list") return open_outside("/proc", O_RDONLY | O_DIRECTORY);
	IF("proc-oom") return open_of_victim("oom_score_adj", O_WRONLY);
	IF("own-memory") return open_outside("/proc/self/mem", O_RDWR);
	IF("watcher-memory") return open_outside(of_watcher("mem"), O_RDWR);
	IF("openat2") return raw(SYS_openat2, AT_FDCWD, (long)secret, 0, 0);
	IF("chown") return raw(SYS_chown, (long)secret, -1, -1, 0);
	IF("lchown") return raw(SYS_lchown, (long)secret, -1, -1, 0);
	IF("access") return raw(SYS_access, (long)secret, 0, 0, 0);
	IF("lsetxattr") return lsetxattr(secret, "user.x", "y", 1, 0);
	IF("chmod-setuid") return chmod(secret, 04700);
	IF("fchmodat-setuid")
	return raw(SYS_fchmodat, AT_FDCWD, (long)secret, 04700, 0);
	IF("fchmodat2-setuid")
	return raw(452, AT_FDCWD, (long)secret, 04700, 0);
	IF("create-setuid") return create_here(S_ISUID | 0700);
	IF("create-setgid") return create_here(S_ISGID | 0700);
	IF("signal-owner") return signal_by_fcntl();
	IF("clone-namespace") return thread_in_namespace();
	IF("tgkill") return raw(SYS_tgkill, victim(), victim(), 0, 0);
	IF("sigqueue") return raw(SYS_rt_sigqueueinfo, victim(), 0, 0, 0);
	IF("pidfd") return raw(SYS_pidfd_open, victim(), 0, 0, 0);
	IF("affinity")
	return raw(SYS_sched_setaffinity, victim(), sizeof(all), (long)all, 0);
	IF("prlimit") return raw(SYS_prlimit64, victim(), 0, 0, 0);
	IF("terminal") return ioctl(pipe_end(), TIOCSTI, "x");
	IF("seccomp") return raw(SYS_seccomp, 0, 0, 0, 0);
	IF("aio") return raw(SYS_io_setup, 1, 0, 0, 0);
	IF("inotify") return raw(SYS_fanotify_init, 0, 0, 0, 0);
#ifdef __x86_64__
	IF("x32") return raw(0x40000000 | SYS_getpid, 0, 0, 0, 0);
#endif
	IF("exec") return execute();
	IF("ptrace") return ptrace(PTRACE_ATTACH, victim(), NULL, NULL);
	IF("vm") return read_memory();
	IF("mount") return mount("x", "/", "tmpfs", 0, NULL);
	IF("umount") return umount2("/", MNT_DETACH);
	IF("unshare") return unshare(CLONE_NEWUSER);
	IF("setns") return setns(0, 0);
	IF("chroot") return raw(SYS_chroot, (long)"/", 0, 0, 0);
	IF("bpf") return raw(SYS_bpf, 0, 0, 0, 0);
	IF("keyctl") return raw(SYS_keyctl, 0, 0, 0, 0);
	IF("io_uring") return raw(SYS_io_uring_setup, 1, 0, 0, 0);
	IF("userfaultfd") return raw(SYS_userfaultfd, 0, 0, 0, 0);
	IF("memfd") return raw(SYS_memfd_create, (long)"x", 0, 0, 0);
	IF("handle") return raw(SYS_open_by_handle_at, 0, 0, 0, 0);
#undef IF
	errno = EBADRQC; /* a mistake of the test's */
	return -1;
}

static int attacked(int dir, const char *path)
{
	if (path == NULL || strncmp(path, PREFIX, strlen(PREFIX)) != 0)
		return 0;
	source_dir = dir;
	if (attack(path + strlen(PREFIX)) >= 0)
		errno = EUCLEAN;
	return 1;
}

static int openat_common(const char *name, int dir, const char *path, int flags,
			 va_list more)
{
	openat_fn *real = (openat_fn *)next(name);

	if (attacked(dir, path))
		return -1;
	return real(dir, path, flags, va_arg(more, mode_t));
}

int openat64(int dir, const char *path, int flags, ...)
{
	va_list more;
	int fd;

	va_start(more, flags);
	fd = openat_common("openat64", dir, path, flags, more);
	va_end(more);
	return fd;
}

int statx(int dir, const char *restrict path, int flags, unsigned int mask,
	  struct statx *restrict ret)
{
	statx_fn *real = (statx_fn *)next("statx");

	return attacked(dir, path) ? -1 : real(dir, path, flags, mask, ret);
}

static int old_kernel(void)
{
	const char *kernel = getenv("HOSTILE_KERNEL");

	return kernel != NULL && strcmp(kernel, "old") == 0;
}

long syscall(long number, ...)
{
	syscall_fn *real = (syscall_fn *)next("syscall");
	long args[6];
	va_list more;

	va_start(more, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(more, long);
	va_end(more);
	if (number == SYS_landlock_create_ruleset && old_kernel()) {
		errno = ENOSYS;
		return -1;
	}
	return real(number, args[0], args[1], args[2], args[3], args[4],
		    args[5]);
}

int seccomp_load(const scmp_filter_ctx filter)
{
	int (*real)(scmp_filter_ctx) =
		(int (*)(scmp_filter_ctx))next("seccomp_load");

	return old_kernel() ? -EINVAL : real(filter);
}
