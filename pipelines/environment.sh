# SPDX-License-Identifier: LGPL-2.1-or-later
# What the scripts here have in common; to be sourced by them, with $program set to the script's name and $top to the checkout.
# shellcheck shell=bash

step() { printf '\n== %s\n' "$*"; }
# Words as one would type them.
typed() {
  local word line=
  for word; do
    case $word in
      *[!A-Za-z0-9_./:=,+@%!-]* | '') line+=" '${word//\'/\'\\\'\'}'" ;;
      *) line+=" $word" ;;
    esac
  done
  printf '%s\n' "${line# }"
}
# Shows a command, and runs it.
run() { echo "$ $(typed "$@")"; "$@"; }
fail() { echo "$program: $*" >&2; exit 1; }
# Runs something long; its output is shown when it fails.
quietly() {
  "$@" >"$log" 2>&1 && return
  tail -n 40 "$log" >&2
  fail "failed: $* (all of it: $log)"
}

# What runs beside this script, by name; it ends with it.
declare -A running=()
trap '[ ${#running[@]} -eq 0 ] || kill -KILL "${running[@]}" 2>/dev/null || true' EXIT
start() {  # start NAME COMMAND...: its output goes to NAME.log
  local name=$1
  shift
  echo "$ $(typed "$@") &"
  : >"$name.log"
  "$@" >"$name.log" 2>&1 &
  running[$name]=$!
}
# Waits for something that NAME is to bring about.
wait_until() {  # wait_until NAME WHAT COMMAND...
  local name=$1 what=$2
  shift 2
  for _ in {1..300}; do
    "$@" && return
    kill -0 "${running[$name]}" 2>/dev/null || break
    sleep 0.1
  done
  "$@" && return
  tail -n 20 "$name.log" >&2
  fail "$what: not so; see $work/$name.log"
}
# Ends NAME, which has to end well.
end() {  # end NAME SIGNAL
  kill "-$2" "${running[$1]}"
  wait "${running[$1]}" || { tail -n 20 "$1.log" >&2; fail "$1 did not end well"; }
  unset "running[$1]"
}

# Installs what is missing, builds, and sets $build, $work (a folder for this run, new and empty) and $log. Where the programs and the plugins are found
# already (installed, or in meson devenv), nothing is built.
prepare() {  # prepare NAME PLUGIN[,PLUGIN...] PROGRAM...
  local name=$1 found=true program_name plugin plugins
  IFS=, read -r -a plugins <<<"$2"
  shift 2
  build=${BUILD_DIR:-$top/build}
  # In a checkout of somebody else, the build goes among one's own files.
  if [ -z "${BUILD_DIR:-}" ] && ! { mkdir -p "$build" && [ -w "$build" ] && { [ ! -e "$build/build.ninja" ] || [ -O "$build/build.ninja" ]; }; } 2>/dev/null; then
    build=${XDG_CACHE_HOME:-$HOME/.cache}/gst-plugins-cas/build
  fi
  build=$(realpath -m -- "$build")
  mkdir -p "$build"
  log=$build/$name.log
  work=$build/$name
  for program_name; do command -v "$program_name" >/dev/null || found=false; done
  # Not --exists, which asks for a plugin of GStreamer's own version.
  for plugin in "${plugins[@]}"; do gst-inspect-1.0 --plugin "$plugin" >/dev/null 2>&1 || found=false; done
  if ! $found; then
    step "installing what is missing"
    "$top/tools/dev/install-deps.sh" run
    step "building in $build"
    [ -f "$build/build.ninja" ] || quietly meson setup "$build" "$top" -Dcsa=enabled
    quietly meson compile -C "$build" "$@" "${plugins[@]/#/gst}"
    # What an installed version needs none of: where the programs and the plugins are.
    for program_name; do PATH=$build/tools/$program_name:$build/pipelines/apps/${program_name#cas-}:$PATH; done
    for plugin in "${plugins[@]}"; do GST_PLUGIN_PATH=$build/plugins/$plugin${GST_PLUGIN_PATH:+:$GST_PLUGIN_PATH}; done
    export PATH GST_PLUGIN_PATH
    export GST_REGISTRY=$build/$name-registry.bin
  fi
  unset CAS_CARD
  rm -rf -- "$work"
  mkdir -p "$work"
  cd "$work"
}

# Ten seconds of H.264 and AAC in MP4, the index behind the content as recorders leave it.
encode_clip() {  # encode_clip FILE
  quietly gst-launch-1.0 -e \
    videotestsrc num-buffers=250 pattern=ball ! video/x-raw,format=I420,width=320,height=180,framerate=25/1 \
    ! x264enc key-int-max=25 speed-preset=ultrafast ! h264parse ! queue ! mux. \
    audiotestsrc num-buffers=430 wave=ticks ! audio/x-raw,rate=44100,channels=2 ! avenc_aac ! aacparse ! queue ! mux. \
    mp4mux name=mux ! filesink location="$1"
}
