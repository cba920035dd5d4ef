#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1200
# The races of make check for longer; RACE_SECONDS: how long (600).
export RACE_SECONDS=${RACE_SECONDS-600}
exec bash "$(dirname "$0")/../integration/test_races.sh"
