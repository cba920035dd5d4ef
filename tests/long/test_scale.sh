#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# time-limit: 1500
# A million files, and a directory of a million.
export IDSHIFT_SCALE_FILES=${IDSHIFT_SCALE_FILES:-1000000}
exec "$(dirname "$0")/../integration/test_scale.sh"
