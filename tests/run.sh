#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs what is missing, builds, and runs the tests. The last line says how it went: "N passed, N failed[, N skipped]".
#
# usage: tests/run.sh [PART...] [--werror]
#   --fast           the whole suite; what runs when no part is named
#   --sanitize       the suite again under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer (clang)
#   --fuzz SECONDS   each fuzz target for so long, from its corpus, under the same sanitizers (libFuzzer)
#   --valgrind       the unit and element tests under valgrind: no leak, no use of what was never set
#   --ci             the suite, the sanitizers and a short fuzzing, with warnings as errors: what continuous integration runs
#   --werror         warnings are errors
#
# BUILD_DIR    where to build (default: build/ in the checkout); --sanitize and --fuzz build beside it, in BUILD_DIR-sanitized
# MESON_TEST_ARGS   more arguments for `meson test` in the suite, for example "--suite unit"
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$(realpath -m -- "${BUILD_DIR:-$top/build}")
fast=false sanitize=false valgrind=false werror=false ci=false
fuzz_seconds=

usage() { sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; }

while [ $# -gt 0 ]; do
  case $1 in
    --fast) fast=true ;;
    --sanitize) sanitize=true ;;
    --fuzz)
      fuzz_seconds=${2:-}
      [[ $fuzz_seconds =~ ^[1-9][0-9]*$ ]] || { echo "run.sh: --fuzz takes a number of seconds" >&2; exit 2; }
      shift ;;
    --valgrind) valgrind=true ;;
    --ci) ci=true fast=true sanitize=true werror=true fuzz_seconds=5 ;;
    --werror) werror=true ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
  esac
  shift
done
$sanitize || $valgrind || [ -n "$fuzz_seconds" ] || fast=true

passed=0 failed=0 skipped=0
count() {  # count PASSED FAILED SKIPPED
  passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}
# However this ends, the last line is the count.
finish() {
  local status=$? tail=
  [ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
  [ "$skipped" -eq 0 ] || tail=", $skipped skipped"
  echo "$passed passed, $failed failed$tail"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ] || exit 1
}
trap finish EXIT
trap 'exit 130' INT TERM

step() { printf '\n== %s\n' "$*"; }

configure() {  # configure DIR option...: sets a build directory up, or brings the options of one that is there up to date
  local dir=$1
  shift
  if [ -f "$dir/build.ninja" ]; then
    meson configure "$dir" "$@"
  else
    meson setup "$dir" "$top" "$@"
  fi
}

suite() {  # suite DIR meson-test-argument...: builds and tests, and counts whatever happened
  local dir=$1 status=0 counts good bad left_out
  shift
  ninja -C "$dir"
  # Results of a run before this one must not stand in for a program that dies before it writes its own.
  find "$dir" -maxdepth 1 -name '*.xml' -delete
  rm -f "$dir"/meson-logs/testlog*
  meson test -C "$dir" --no-rebuild --print-errorlogs "$@" || status=$?
  counts=$(python3 "$top/tests/count_results.py" "$dir/meson-logs/testlog")
  read -r good bad left_out <<<"$counts"
  # A failure that no case shows, such as a test that meson could not start.
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  count "$good" "$bad" "$left_out"
}

read -r -a more_arguments <<<"${MESON_TEST_ARGS:-}"
level=test
if $valgrind || $sanitize || [ -n "$fuzz_seconds" ]; then level=ci; fi
"$top/tools/dev/install-deps.sh" "$level"
werror_option=-Dwerror=$werror

# Nobody debugs what continuous integration builds: without the information for it, the build takes three quarters of the time.
debug_options=() sanitized_debug_options=()
if $ci; then
  debug_options=(-Ddebug=false)
  sanitized_debug_options=(-Ddebug=false -Dcpp_args=-gline-tables-only)
fi

if $fast || $valgrind; then
  step "building in $build"
  configure "$build" "$werror_option" -Dcsa=enabled ${debug_options[@]+"${debug_options[@]}"}
fi

if $fast; then
  step "the suite"
  suite "$build" ${more_arguments[@]+"${more_arguments[@]}"}
fi

if $valgrind; then
  step "unit and element tests under valgrind"
  ninja -C "$build"
  # What meson's environment has for the element tests; GLib's slices hide what leaks.
  export GST_REGISTRY=$build/tests/elements/registry-valgrind.bin GST_PLUGIN_PATH=$build/plugins/smartpro G_SLICE=always-malloc
  # Left out: what takes long by design (Slow in its name), and codecs and HTTP sources, which are not ours.
  for program in "$build"/tests/unit/*/*_tests "$build"/tests/elements/*_tests; do
    [ -x "$program" ] || continue
    if valgrind --quiet --leak-check=full --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite --error-exitcode=9 \
      --num-callers=30 --suppressions="$top/tests/valgrind.supp" "$program" --gtest_brief=1 --gtest_filter='-*Slow*:*Playback*:*Http*'; then
      echo "ok   valgrind $(basename "$program")"
      count 1 0 0
    else
      echo "bad  valgrind $(basename "$program")"
      count 0 1 0
    fi
  done
  unset GST_REGISTRY GST_PLUGIN_PATH G_SLICE
fi

# One build for both: with clang it takes half the time that g++ takes for the sanitizers alone.
sanitized=$build-sanitized
if $sanitize || [ -n "$fuzz_seconds" ]; then
  step "building with the sanitizers in $sanitized"
  if [ ! -f "$sanitized/build.ninja" ]; then export CC=clang CXX=clang++; fi
  configure "$sanitized" "$werror_option" -Doptimization=1 -Dfuzz=enabled -Db_sanitize=address,undefined -Db_lundef=false \
    -Dbench=disabled -Dcsa=enabled ${sanitized_debug_options[@]+"${sanitized_debug_options[@]}"}
  unset CC CXX
  export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export LSAN_OPTIONS="suppressions='$top/tests/lsan.supp':print_suppressions=0"
fi

if $sanitize; then
  step "the suite under the sanitizers"
  # GStreamer's scanner and gst-launch are not built with the sanitizer and cannot load plugins that are: what runs them
  # (suite end-to-end) stays with the run above, and plugins are loaded in the tests' own processes.
  export GST_REGISTRY_FORK=no
  suite "$sanitized" --timeout-multiplier 4 --no-suite end-to-end --no-suite install --no-suite docs \
    ${more_arguments[@]+"${more_arguments[@]}"}
  unset GST_REGISTRY_FORK
fi

fuzz_one() {  # fuzz_one PROGRAM: a line that says how it went, and what was found where it is bad
  local name found seeds=()
  name=$(basename "$1")
  found=$sanitized/found/$name
  mkdir -p "$found/corpus" "$found/crashes"
  [ -d "$top/tests/fuzz/corpus/${name#fuzz_}" ] && seeds=("$top/tests/fuzz/corpus/${name#fuzz_}")
  if "$1" -max_total_time="$fuzz_seconds" -timeout=10 \
    -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 -artifact_prefix="$found/crashes/" \
    "$found/corpus" ${seeds[@]+"${seeds[@]}"} >"$found/log" 2>&1; then
    echo "ok   $name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$found/log") runs"
  else
    echo "bad  $name: the input that does it is in $found/crashes"
    tail -n 40 "$found/log"
  fi
}

if [ -n "$fuzz_seconds" ]; then
  step "fuzzing, $fuzz_seconds s a target, one for each processor at a time"
  ninja -C "$sanitized" fuzz
  verdicts=$sanitized/found/verdicts
  rm -rf "$verdicts"
  mkdir -p "$verdicts"
  for program in "$sanitized"/tests/fuzz/fuzz_*; do
    [ -f "$program" ] && [ -x "$program" ] || continue
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    fuzz_one "$program" >"$verdicts/$(basename "$program")" &
  done
  wait
  cat "$verdicts"/*
  count "$(grep -c '^ok   ' <(cat "$verdicts"/*))" "$(grep -c '^bad  ' <(cat "$verdicts"/*))" 0
fi
exit 0
