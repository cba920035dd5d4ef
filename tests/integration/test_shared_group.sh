#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Two users, each with a mount and containers of their own, work on one
# setgid directory of a group that both are in: container group 2000.
. "$(dirname "$0")/lib.sh"
need_root
need_allow_other
need_podman
user_add maria 1600 10001 shared
user_add stranger 1700 400000

project=$T/project
install -d -o sergio -g shared -m 2775 "$project"
for user in sergio maria; do
	mount_fs "$user" "$project" "$T/home/$user/work" \
		-o map=g:shared:2000 || exit 1
done

in_work() { # USER [PODMAN-OPTION...] -- COMMAND...
	local user=$1
	shift
	container "$user" -v "$T/home/$user/work:/work" "$@"
}

is "the group shows as 2000 inside" \
	"$(in_work sergio -- stat -c '%u:%g %a' /work)" "0:2000 2775"
is "and the colleague's directory too" \
	"$(in_work maria -- stat -c '%u:%g %a' /work)" "65534:2000 2775"

# A member by --group-add, and one who logs in, which re-initialises groups.
ok "a member creates" in_work sergio --user 1000:1000 --group-add 2000 -- \
	sh -c 'umask 002; echo member >/work/member; mkdir /work/dir'
ok "who logs in by su creates" in_work sergio -- \
	su app -c 'umask 002; echo login >/work/dir/login'
is "files are mine, in the shared group" \
	"$(cd "$project" && stat -c '%U:%G %a' member dir dir/login)" \
	$'sergio:shared 664\nsergio:shared 2775\nsergio:shared 664'
is "inside they are uid 1000's, group 2000" \
	"$(in_work sergio -- stat -c %u:%g /work/member /work/dir/login | uniq)" \
	1000:2000
ok "the colleague's member writes them" in_work maria -- \
	su mate -c 'umask 002; echo maria >>/work/member && echo new >/work/dir/hers'
is "hers are hers on disk" "$(stat -c '%U:%G %a' "$project/dir/hers")" \
	"maria:shared 664"
is "what she wrote arrives" "$(as sergio cat "$project/member")" \
	$'member\nmaria'
ok "my container's login writes hers" in_work sergio -- \
	su app -c 'echo sergio >>/work/dir/hers'
is "her container sees its own owner" \
	"$(in_work maria -- stat -c %u:%g /work/dir/hers)" 1001:2000
is "mine sees somebody of group 2000" \
	"$(in_work sergio -- stat -c %u:%g /work/dir/hers)" 65534:2000
ok "colleagues on the host work on them" as maria \
	sh -c "echo host >>'$project/dir/login' && rm '$project/member'"
ok "the plain file she removed is gone inside" wait_for 5 \
	in_work sergio -- sh -c '! test -e /work/member'

# chgrp to the group is real, so that a private file becomes shared.
ok "a private directory" in_work sergio -- su app -c '
	mkdir -m 755 /tmp/x && echo own >/tmp/x/f && cp -r /tmp/x /work/own &&
	chgrp 1000 /work/own /work/own/f && chmod 640 /work/own/f'
is "is not in the group inside" \
	"$(in_work sergio -- stat -c %u:%g /work/own/f)" 1000:1000
fails 1 "the colleague can't read it" as maria cat "$project/own/f"
ok "chgrp 2000" in_work sergio -- su app -c 'chgrp 2000 /work/own/f'
is "is done on disk" "$(stat -c '%U:%G %a' "$project/own/f")" \
	"sergio:shared 640"
is "the colleague reads it" "$(as maria cat "$project/own/f")" own

# Who isn't in the group has what others have.
fails 2 "no member: no write" in_work sergio --user 1001:1001 -- \
	sh -c 'echo x >>/work/dir/login'
ok "no member: read" in_work sergio --user 1001:1001 -- \
	cat /work/dir/login
fails 2 "a stranger on the host can't write" as stranger \
	sh -c "echo x >>'$project/dir/login'"
for user in sergio maria; do
	ok "unmount $user" as "$user" fusermount3 -u "$T/home/$user/work"
done
