#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Measures, in a release build of its own, and prints one line a figure: bench NAME FIELD VALUE UNIT
#
# usage: tests/bench/run.sh [--json] GROUP
#   GROUP    smartpro, mpegts, service, simulcrypt, cas-ecmg, kex, dcas, or all
#   --json   the same figures as a JSON array
#
# Lines that end in "ratio" compare candidates that ran in turns in one process (median of nine): they may be compared between
# machines, the others only within one run. BUILD_DIR: where to build (default: build-bench/ in the checkout).
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$(realpath -m -- "${BUILD_DIR:-$top/build-bench}")
json=false group=
while [ $# -gt 0 ]; do
  case $1 in
    --json) json=true ;;
    -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) echo "bench/run.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
    *) group=$1 ;;
  esac
  shift
done
[[ $group =~ ^[a-z-]+$ ]] || { echo "bench/run.sh: name a group; see --help" >&2; exit 2; }

{
  "$top/tools/dev/install-deps.sh" test
  options=(-Dbuildtype=release -Db_ndebug=true -Dbench=enabled -Dcsa=enabled)
  if [ -f "$build/build.ninja" ]; then meson configure "$build" "${options[@]}"; else meson setup "$build" "$top" "${options[@]}"; fi
  # The group's programs, the plugins that they load, and the programs that they run; not the tests.
  wanted=bench_${group}[a-z_]*
  [ "$group" = all ] && wanted='bench_[^:/]*'
  mapfile -t targets < <(ninja -C "$build" -t targets all |
    sed -nE "s#^(tests/bench/$wanted|plugins/[^:]*\\.so|tools/cas-ecmg/cas-ecmg|tools/cas-kms/cas-kms): .*LINKER.*#\\1#p")
  ninja -C "$build" "${targets[@]}"
} >&2

programs=()
for program in "$build"/tests/bench/bench_*; do
  [ -f "$program" ] && [ -x "$program" ] || continue
  name=$(basename "$program")
  if [ "$group" = all ] || [[ $name == bench_$group || $name == bench_${group}_* ]]; then programs+=("$program"); fi
done
[ ${#programs[@]} -gt 0 ] || { echo "bench/run.sh: no benchmark belongs to the group '$group'" >&2; exit 2; }

# What `meson devenv` sets; not the command itself, which says of itself on standard output.
environment=$(meson devenv -C "$build" --dump | grep -E '^(export )?[A-Za-z_][A-Za-z0-9_]*(=.*)?$')
measure() (
  set +u
  eval "$environment"
  for program in "${programs[@]}"; do "$program"; done
)

if $json; then
  measure | python3 -c '
import json, sys
rows = [line.split() for line in sys.stdin if line.startswith("bench ")]
json.dump([{"name": r[1], "field": r[2], "value": float(r[3]), "unit": r[4]} for r in rows], sys.stdout, indent=1)
print()'
else
  measure
fi
