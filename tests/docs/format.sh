#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fails when a source file of the repository is not laid out as .clang-format says; tells where.
#
# usage: tests/docs/format.sh CLANG_FORMAT SOURCE_DIR
set -eu
cd "$2"
git -c safe.directory="$2" ls-files -z '*.cpp' '*.hpp' | xargs -0 -n 40 "$1" --dry-run -Werror
