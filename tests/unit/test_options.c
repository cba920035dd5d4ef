/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "idshift/options.h"

#define ARGS_MAX 12

static int parse(const char *const *args, struct options *ret,
		 struct error *error)
{
	char *argv[ARGS_MAX + 2] = { (char *)"idshift-mount" };
	int argc = 1;

	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)args[argc - 1];
	return options_parse(argc, argv, ret, error);
}

#define PARSE(options, error, ...) \
	parse((const char *const[]){ __VA_ARGS__, NULL }, (options), (error))

struct refusal {
	const char *args[ARGS_MAX];
	int exit_code;
	const char *text;
};

#define SEE "; see idshift-mount --help"

static const struct refusal refusals[] = {
	{ { NULL }, 2, "SOURCE and MOUNTPOINT are missing" SEE },
	{ { "a", NULL }, 2, "MOUNTPOINT is missing" SEE },
	{ { "a", "b", "c", NULL }, 2, "operand 'c': one too many" SEE },
	{ { "--", "a", "-o", "c", NULL }, 2, "operand 'c': one too many" SEE },
	{ { "-o", "foo", "a", "b", NULL }, 2, "option 'foo': unknown" SEE },
	{ { "-o", "ro,foo=1", "a", "b", NULL },
	  2,
	  "option 'foo': unknown" SEE },
	{ { "--foo", "a", "b", NULL }, 2, "option 'foo': unknown" SEE },
	{ { "--foo=1", "a", "b", NULL }, 2, "option 'foo': unknown" SEE },
	{ { "-x", "a", "b", NULL }, 2, "option '-x': unknown" SEE },
	{ { "-fx", "a", "b", NULL }, 2, "option '-x': unknown" SEE },
	{ { "-o", "foreground", "a", "b", NULL },
	  2,
	  "option 'foreground': unknown" SEE },
	{ { "-o", "print-map", "a", "b", NULL },
	  2,
	  "option 'print-map': unknown" SEE },
	{ { "-o", "=5", "a", "b", NULL }, 2, "option '': unknown" SEE },
	{ { "a", "b", "-o", NULL }, 2, "option '-o': needs a value" },
	{ { "a", "b", "--map", NULL }, 2, "option 'map': needs a value" },
	{ { "-o", "map", "a", "b", NULL }, 2, "option 'map': needs a value" },
	{ { "--ro=1", "a", "b", NULL }, 2, "option 'ro': takes no value" },
	{ { "-o", "public=yes", "a", "b", NULL },
	  2,
	  "option 'public': takes no value" },
	{ { "-o", "state=", "a", "b", NULL },
	  2,
	  "option 'state': its value is empty" },
	{ { "-o", "cache=maybe", "a", "b", NULL },
	  2,
	  "cache 'maybe': must be auto, none or always" },
	{ { "-o", "chown=", "a", "b", NULL },
	  2,
	  "chown '': must be record, disk, ignore or deny" },
	{ { "-o", "locks=no", "a", "b", NULL },
	  2,
	  "locks 'no': must be host or local" },
	{ { "-o", "xattr=ro", "a", "b", NULL },
	  2,
	  "xattr 'ro': must be rw or none" },
	{ { "--passthrough=on", "a", "b", NULL },
	  EXIT_STATUS_USAGE,
	  "passthrough 'on': must be auto or off" },
	{ { "--sandbox", "yes", "a", "b", NULL },
	  2,
	  "sandbox 'yes': must be on or off" },
	{ { "-o", "threads=0", "a", "b", NULL },
	  2,
	  "threads '0': must be 1..256" },
	{ { "-o", "threads=257", "a", "b", NULL },
	  2,
	  "threads '257': must be 1..256" },
	{ { "-o", "threads=four", "a", "b", NULL },
	  2,
	  "threads 'four': must be 1..256" },
	{ { "-o", "max_fds=15", "a", "b", NULL },
	  2,
	  "max_fds '15': must be 16..1048576" },
	{ { "-o", "max_fds=1048577", "a", "b", NULL },
	  2,
	  "max_fds '1048577': must be 16..1048576" },
	{ { "-o", "attr_timeout=-1", "a", "b", NULL },
	  2,
	  "attr_timeout '-1': must be seconds, 0..31536000, such as 1 or 0.5" },
	{ { "-o", "entry_timeout=1.", "a", "b", NULL },
	  2,
	  "entry_timeout '1.': must be seconds, 0..31536000, such as 1 or "
	  "0.5" },
	{ { "-o", "entry_timeout=.5", "a", "b", NULL },
	  2,
	  "entry_timeout '.5': must be seconds, 0..31536000, such as 1 or "
	  "0.5" },
	{ { "-o", "negative_timeout=1e3", "a", "b", NULL },
	  2,
	  "negative_timeout '1e3': must be seconds, 0..31536000, such as 1 or "
	  "0.5" },
	{ { "-o", "negative_timeout=31536001", "a", "b", NULL },
	  2,
	  "negative_timeout '31536001': must be seconds, 0..31536000, such as "
	  "1 or 0.5" },
	{ { "--json", "a", "b", NULL },
	  2,
	  "option 'json': only with --print-map" },
	{ { "-o", "caller=1:2", "a", "b", NULL },
	  2,
	  "option 'caller': needs userns=host" },
	{ { "-o", "resume=file", "a", "b", NULL },
	  2,
	  "option 'resume': MOUNTPOINT must be a descriptor of the mount, "
	  "/dev/fd/N" },
	{ { "-o", "userns=nomap,uidmap=0:0:1", "a", "b", NULL },
	  2,
	  "userns 'nomap': not together with uidmap or gidmap" },
	{ { "-o", "map=u:0", "a", "b", NULL },
	  3,
	  "map 'u:0': must be u:DISK:CONTAINER[:COUNT]" },
	{ { "-o", "owner=5", "a", "b", NULL },
	  3,
	  "owner '5': must be U:G, two container ids" },
	{ { "-o", "unmapped=-1", "a", "b", NULL },
	  3,
	  "unmapped '-1': container id must be 0..4294967294" },
	{ { "-o", "caller=me", "a", "b", NULL },
	  3,
	  "caller 'me': must be UID:GID[:GROUP...], container ids" },
	{ { "-o", "userns=private", "a", "b", NULL },
	  3,
	  "userns 'private': must be auto, host, keep-id, nomap, pid:PID or "
	  "podman" },
	{ { "-o", "userns=keep-idx", "a", "b", NULL },
	  3,
	  "userns 'keep-idx': must be auto, host, keep-id, nomap, pid:PID or "
	  "podman" },
	{ { "-o", "userns=keep-id:x=1", "a", "b", NULL },
	  3,
	  "userns 'keep-id:x=1': must be keep-id[:uid=U,gid=G,size=S]" },
	/* Not escaped: two items, and the second is none of ours. */
	{ { "-o", "userns=keep-id:uid=1,gid=1", "a", "b", NULL },
	  2,
	  "option 'gid': unknown; if it is part of userns=, write its comma "
	  "as '\\,' or use --userns=VALUE" },
	{ { "-o", "userns=pid:0", "a", "b", NULL },
	  3,
	  "userns 'pid:0': pid must be 1..2147483647" },
	{ { "-o", "userns=pid:self", "a", "b", NULL },
	  3,
	  "userns 'pid:self': pid must be 1..2147483647" },
};

static void test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *c = &refusals[i];
		struct options options = { .threads = 77 };
		struct error error = { 0 };

		print_message("%s\n", c->text);
		assert_int_equal(parse(c->args, &options, &error), -EINVAL);
		assert_string_equal(error.text, c->text);
		assert_int_equal(error.exit_code, c->exit_code);
		assert_int_equal(options.threads, 77);
	}
}

static void test_defaults(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(PARSE(&o, &error, "src", "mnt"), 0);
	assert_int_equal(o.action, ACTION_MOUNT);
	assert_string_equal(o.source, "src");
	assert_string_equal(o.mountpoint, "mnt");
	assert_false(o.foreground || o.debug || o.json || o.read_only);
	assert_false(o.public_mount || o.noexec || o.has_owner || o.has_caller);
	assert_int_equal(o.userns, USERNS_AUTO);
	assert_null(o.userns_text);
	assert_int_equal(o.unmapped.value, ID_NONE);
	assert_int_equal(o.chown, CHOWN_RECORD);
	assert_int_equal(o.cache, CACHE_AUTO);
	assert_int_equal(o.xattr, XATTR_MODE_RW);
	assert_int_equal(o.locks, LOCKS_HOST);
	assert_int_equal(o.sandbox, SWITCH_ON);
	assert_int_equal(o.passthrough, SWITCH_ON);
	assert_true(o.attr_timeout == 1.0 && o.entry_timeout == 1.0 &&
		    o.negative_timeout == 0.1);
	assert_int_equal(o.threads, 10);
	assert_int_equal(o.max_fds, 0);
	assert_int_equal(o.map.count + o.uidmap.count + o.gidmap.count, 0);
	assert_null(o.state);
	options_destroy(&o);
}

/* Everything once, by -o and by long options. */
static void check_all(const struct options *o)
{
	assert_string_equal(o->source, "src");
	assert_string_equal(o->mountpoint, "mnt");
	assert_int_equal(o->userns, USERNS_HOST);
	assert_int_equal(o->map.count, 2);
	assert_string_equal(o->map.items[0], "u:sergio:1000");
	assert_string_equal(o->map.items[1], "g:shared:2000");
	assert_true(o->has_owner);
	assert_int_equal(o->owner_uid.value, 1);
	assert_int_equal(o->owner_gid.value, 2);
	assert_int_equal(o->unmapped.value, 9);
	assert_string_equal(o->state, "/s,t\\");
	assert_string_equal(o->trace, "t");
	assert_string_equal(o->run_as, "bob");
	assert_true(o->public_mount && o->read_only);
	assert_int_equal(o->cache, CACHE_ALWAYS);
	assert_true(o->attr_timeout == 0.25 && o->entry_timeout == 7.0 &&
		    o->negative_timeout == 86400.0);
	assert_int_equal(o->threads, 256);
	assert_int_equal(o->max_fds, 16);
	assert_int_equal(o->xattr, XATTR_MODE_NONE);
	assert_int_equal(o->chown, CHOWN_DENY);
	assert_int_equal(o->locks, LOCKS_LOCAL);
	assert_int_equal(o->sandbox, SWITCH_OFF);
	assert_int_equal(o->passthrough, SWITCH_OFF);
	assert_true(o->has_caller);
	assert_int_equal(o->caller.uid.value, 5);
	assert_int_equal(o->caller.gid.value, 6);
	assert_int_equal(o->caller.group_count, 2);
}

static void test_all(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(
		PARSE(&o, &error, "src", "mnt", "-o",
		      "userns=host,map=u:sergio:1000,map=g:shared:2000,"
		      "owner=1:2,unmapped=9,state=/s\\,t\\\\,trace=t,"
		      "run-as=bob,public,ro,cache=always,attr_timeout=0.25,"
		      "entry_timeout=7,threads=256,max_fds=16,xattr=none,"
		      "chown=deny,locks=local,sandbox=off,passthrough=off,"
		      "caller=5:6:7:8"),
		0);
	check_all(&o);
	options_destroy(&o);
	assert_int_equal(
		parse((const char *const[]){ "--userns=host",
					     "--map=u:sergio:1000", "--owner",
					     "1:2", "--unmapped", "9",
					     "--state=/s,t\\", "--run-as=bob",
					     "-otrace=t,cache=always,public",
					     "-oro,threads=256,max_fds=16,"
					     "attr_timeout=0.250,chown=deny,"
					     "entry_timeout=7.000,xattr=none,"
					     "locks=local,sandbox=off,"
					     "passthrough=off,"
					     "map=g:shared:2000,"
					     "caller=5:6:8:7",
					     "src", "mnt", NULL },
		      &o, &error),
		0);
	check_all(&o);
	options_destroy(&o);
}

static void test_fstab_noise(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(
		PARSE(&o, &error, "src", "mnt", "-o",
		      "rw,nosuid,nodev,dev,suid,noexec,exec,noatime,relatime,"
		      "defaults,nofail,_netdev,noauto,auto,user,users,owner,"
		      "group,x-systemd.automount,x-gvfs-show,X-mount.mkdir,"
		      "comment=a,user=sergio,allow_other,default_permissions,"
		      "silent,loud,iversion,noiversion,mand,nomand,"
		      ","),
		0);
	assert_false(o.read_only || o.has_owner || o.noexec || o.public_mount);
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "src", "mnt", "-o",
			       "owner,ro,noexec,owner=3:4"),
			 0);
	assert_true(o.read_only && o.has_owner && o.noexec);
	assert_int_equal(o.owner_uid.value, 3);
	options_destroy(&o);
}

static void test_last_counts(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(PARSE(&o, &error, "src", "mnt", "-o",
			       "ro,state=a,userns=nomap,caller=1:1:3", "-o",
			       "rw,state=b,userns=host,caller=2:2"),
			 0);
	assert_false(o.read_only);
	assert_string_equal(o.state, "b");
	assert_int_equal(o.userns, USERNS_HOST);
	assert_int_equal(o.caller.uid.value, 2);
	assert_int_equal(o.caller.group_count, 0);
	options_destroy(&o);
}

static void test_commas(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(PARSE(&o, &error, "-o",
			       "userns=keep-id:uid=5\\,gid=6\\,size=7,ro", "a",
			       "b"),
			 0);
	assert_int_equal(o.userns, USERNS_KEEP_ID);
	assert_true(o.keep_id.has_uid && o.keep_id.has_gid && o.read_only);
	assert_int_equal(o.keep_id.uid, 5);
	assert_int_equal(o.keep_id.gid, 6);
	assert_int_equal(o.keep_id.size, 7);
	assert_string_equal(o.userns_text, "keep-id:uid=5,gid=6,size=7");
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "--userns", "keep-id:uid=5,gid=6",
			       "--uidmap=0:0:1,1:1:1", "a", "b"),
			 -EINVAL);
	assert_int_equal(PARSE(&o, &error, "--uidmap=0:0:1,1:1:1", "--gidmap",
			       "+g5:@6", "--uidmap", "2:2", "a", "b"),
			 0);
	assert_int_equal(o.uidmap.count, 2);
	assert_string_equal(o.uidmap.items[0], "0:0:1,1:1:1");
	assert_string_equal(o.uidmap.items[1], "2:2");
	assert_string_equal(o.gidmap.items[0], "+g5:@6");
	options_destroy(&o);
	/* A backslash before anything else is itself. */
	assert_int_equal(PARSE(&o, &error, "-o", "state=a\\b\\", "a", "b"), 0);
	assert_string_equal(o.state, "a\\b\\");
	options_destroy(&o);
}

static void test_actions(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(PARSE(&o, &error, "--print-map", "--json"), 0);
	assert_int_equal(o.action, ACTION_PRINT_MAP);
	assert_true(o.json);
	assert_null(o.source);
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "-h", "--whatever"), 0);
	assert_int_equal(o.action, ACTION_HELP);
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "a", "--version"), 0);
	assert_int_equal(o.action, ACTION_VERSION);
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "-fV"), 0);
	assert_int_equal(o.action, ACTION_VERSION);
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "-d", "a", "b"), 0);
	assert_true(o.debug && o.foreground);
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "-foro", "--", "-a", "-"), 0);
	assert_true(o.foreground && o.read_only);
	assert_string_equal(o.source, "-a");
	assert_string_equal(o.mountpoint, "-");
	options_destroy(&o);
	assert_int_equal(PARSE(&o, &error, "--foreground", "a", "b"), 0);
	assert_true(o.foreground && !o.debug);
	options_destroy(&o);
}

static void test_timeouts(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(PARSE(&o, &error, "-ocache=none,attr_timeout=0.000001",
			       "a", "b"),
			 0);
	assert_true(o.attr_timeout == 0.000001);
	assert_true(o.entry_timeout == 0.0 && o.negative_timeout == 0.0);
	options_destroy(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_fstab_noise),
		cmocka_unit_test(test_last_counts),
		cmocka_unit_test(test_commas),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
