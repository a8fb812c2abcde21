#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# usage: tests/install/run.sh BUILD_DIR SOURCE_DIR
#
# Installs into a folder, and uses it as somebody else's project would: each header compiles by itself, and a program
# finds the library through pkg-config. The same program is built against the uninstalled library in `meson devenv`.
set -euo pipefail
build=$1 source=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/cas-install.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
unset PKG_CONFIG_PATH LD_LIBRARY_PATH
compiler=${CXX:-c++}

DESTDIR=$work/image meson install -C "$build" --quiet >"$work/install.log" 2>&1 || { cat "$work/install.log"; exit 1; }
found=$(find "$work/image" -name 'cas-1.0.pc' -print -quit)
[ -n "$found" ] || { echo "no cas-1.0.pc was installed"; exit 1; }
export PKG_CONFIG_PATH=${found%/*} PKG_CONFIG_SYSROOT_DIR=$work/image
read -r -a compile <<<"$(pkg-config --cflags cas-1.0)"
read -r -a link <<<"$(pkg-config --libs cas-1.0)"
library_dir=$(dirname "$(find "$work/image" -name 'libcas-1.0.so.0' -print -quit)")

# Headers, each by itself.
includes=$(find "$work/image" -type d -path '*/include/cas-1.0' -print -quit)
(cd "$includes" && find . -name '*.hpp' -printf '%P\n' | sort) >"$work/headers"
[ -s "$work/headers" ] || { echo "no header was installed"; exit 1; }
check_header() { printf '#include <%s>\n' "$1" | "${@:2}" -std=c++20 -Wall -Wextra -fsyntax-only -x c++ - || { echo "bad header: $1"; exit 255; }; }
export -f check_header
xargs -a "$work/headers" -P 2 -I {} bash -c 'check_header "$@"' - {} "$compiler" "${compile[@]}"

# A program against the installed library.
"$compiler" -std=c++20 "${compile[@]}" "$source/tests/install/consumer.cpp" -o "$work/installed" "${link[@]}"
LD_LIBRARY_PATH=$library_dir "$work/installed"

# The same against the build directory.
unset PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
# pkg-config escapes blanks in paths for a shell that reads its words once more.
# shellcheck disable=SC2016
meson devenv -C "$build" bash -euc '
  eval "\"\$1\" -std=c++20 $(pkg-config --cflags cas-1.0) \"\$2\" -o \"\$3\" $(pkg-config --libs cas-1.0)"
  "$3"' - "$compiler" "$source/tests/install/consumer.cpp" "$work/uninstalled"
echo "$(wc -l <"$work/headers") headers compile by themselves; the program works installed and uninstalled"
