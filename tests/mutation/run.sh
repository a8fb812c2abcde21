#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Shows that the tests would notice: each patch here takes one security check out of lib/ or plugins/, and the test that it
# names must fail then.
#
# usage: tests/mutation/run.sh [--list | --check] [PATCH...]
#   --list   what each patch takes out, and which test must notice
#   --check  only whether each patch still applies to the tree: seconds, and part of the suite
#   PATCH    names of patches, with or without .patch; all otherwise
#
# A patch starts with two comment lines, then the change as `git diff` writes it:
#   # removes: the check that a length takes the fewest bytes
#   # test: base Tlv.RefusesLengthsInMoreBytesThanTheyNeed
# The test is the name that `meson test` knows, and for a GoogleTest program a filter of its cases.
#
# Works on a copy of the tree (what git knows of, with changes that are not committed), built in a temporary folder.
# The last line is "N passed, N failed": a patch passes when the unpatched tree passes its test and the patched one does not.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
die() { echo "mutation/run.sh: $*" >&2; exit 2; }
field() { sed -n "s/^# $2: *//p" "$1" | head -n 1; }  # field PATCH removes|test

list=false check=false
patches=()
while [ $# -gt 0 ]; do
  case $1 in
    --list) list=true ;;
    --check) check=true ;;
    -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    -*) die "unknown option '$1'; see --help" ;;
    *)
      patch=$here/$(basename "$1" .patch).patch
      [ -f "$patch" ] || die "there is no patch '$1'; --list names them"
      patches+=("$patch") ;;
  esac
  shift
done
if [ ${#patches[@]} -eq 0 ]; then
  for patch in "$here"/*.patch; do [ -f "$patch" ] && patches+=("$patch"); done
fi
[ ${#patches[@]} -gt 0 ] || die "there are no patches"
for patch in "${patches[@]}"; do
  [ -n "$(field "$patch" removes)" ] && [ -n "$(field "$patch" test)" ] || die "$patch lacks its '# removes:' or '# test:' line"
done

if $list; then
  for patch in "${patches[@]}"; do
    printf '%-40s %s\n%-40s noticed by: %s\n' "$(basename "$patch" .patch)" "$(field "$patch" removes)" '' "$(field "$patch" test)"
  done
  exit 0
fi

if $check; then
  outdated=0
  for patch in "${patches[@]}"; do
    # Outside of a repository too: a tarball has its tests.
    if ! message=$(cd "$top" && GIT_CEILING_DIRECTORIES=$(dirname "$top") git -c safe.directory="$top" apply --check --recount -C1 "$patch" 2>&1); then
      printf 'bad  %s: does not apply, bring it up to date\n%s\n' "$(basename "$patch" .patch)" "$message"
      outdated=$((outdated + 1))
    fi
  done
  echo "$((${#patches[@]} - outdated)) passed, $outdated failed"
  [ "$outdated" -eq 0 ]
  exit
fi

"$top/tools/dev/install-deps.sh" test
work=$(mktemp -d "${TMPDIR:-/tmp}/cas-mutation.XXXXXX")
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/tree"
(cd "$top" && git -c safe.directory="$top" ls-files -z --cached --others --exclude-standard |
  while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
  tar --null --files-from=- -cf -) | tar -C "$work/tree" -xf -
meson setup "$work/build" "$work/tree" -Dbuildtype=debug -Dbench=disabled -Dcsa=enabled >"$work/setup.log" || { cat "$work/setup.log"; exit 1; }

# run_test PATCH: 0 when the test passes, 1 when it fails, 2 when it did not build or there is no such test
run_test() {
  local name filter arguments=() status=0 outcome
  read -r name filter <<<"$(field "$1" test)"
  [ -z "$filter" ] || arguments=(--test-args="--gtest_filter=$filter")
  rm -f "$work"/build/meson-logs/testlog* "$work"/build/*.xml
  meson test -C "$work/build" "$name" ${arguments[@]+"${arguments[@]}"} >"$work/test.log" 2>&1 || status=$?
  [ -f "$work/build/meson-logs/testlog.json" ] || return 2
  outcome=$(python3 "$here/outcome.py" "$work/build/meson-logs/testlog.json") || return 2
  case $outcome in
    passed) [ "$status" -eq 0 ] && return 0 || return 2 ;;
    failed) return 1 ;;
    *) return 2 ;;
  esac
}

killed=0 survived=0 passed=0 failed=0
bad() {  # bad PATCH WHY
  echo "bad  $1: $2"
  failed=$((failed + 1))
}
for patch in "${patches[@]}"; do
  name=$(basename "$patch" .patch)
  status=0
  run_test "$patch" || status=$?
  if [ "$status" -ne 0 ]; then
    bad "$name" "its test does not pass on the tree as it is: $(field "$patch" test)"
    tail -n 20 "$work/test.log" | sed 's/^/    /'
    continue
  fi
  if ! (cd "$work/tree" && git apply --recount -C1 "$patch") 2>"$work/apply.log"; then
    bad "$name" "does not apply: bring it up to date"
    sed 's/^/    /' "$work/apply.log"
    continue
  fi
  status=0
  run_test "$patch" || status=$?
  (cd "$work/tree" && git apply --recount -C1 --reverse "$patch")
  case $status in
    0)
      survived=$((survived + 1))
      bad "$name" "survived: $(field "$patch" test) does not notice that $(field "$patch" removes) is gone" ;;
    1)
      killed=$((killed + 1)) passed=$((passed + 1))
      echo "ok   $name" ;;
    *)
      bad "$name" "the patched tree does not build"
      tail -n 20 "$work/test.log" | sed 's/^/    /' ;;
  esac
done

echo "$killed killed, $survived survived"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
