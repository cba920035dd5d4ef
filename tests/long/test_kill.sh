#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# test_kill, with a kill before every call and not only before changes.
# time-limit: 1800
export KILL_ALL=1
exec bash "$(dirname "$0")/../integration/test_kill.sh"
