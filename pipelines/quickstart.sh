#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Protects a clip and plays it, from nothing: installs what is missing, builds, makes a domain with two tokens, protects the clip, shows what a
# player without a token is told, plays and seeks with one, restores the clip and compares. The last line of a good run is "bit-exact".
#
# usage: pipelines/quickstart.sh [FILE]
#   FILE       any file to protect; without one, a few seconds of test picture and sound are encoded
#
# BUILD_DIR   where to build (default: build/ in the checkout). All that a run makes is in BUILD_DIR/quickstart, new each time.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case ${1:-} in
  -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
esac
[ $# -le 1 ] || { echo "quickstart.sh: one FILE at most; see --help" >&2; exit 2; }
original=
if [ $# -eq 1 ]; then
  [ -f "$1" ] && [ -r "$1" ] || { echo "quickstart.sh: cannot read the file $1" >&2; exit 2; }
  original=$(realpath -- "$1")
fi

program=quickstart.sh
source "$top/pipelines/environment.sh"
prepare quickstart smartpro cas-card cas-tmc cas-inspect
export CAS_HOME=$work/home

step "a root, this host, a domain, and its tokens, all in files below $CAS_HOME"
run cas-tmc root
run cas-tmc host --capabilities acquisition,renderer,management
run cas-card create home/cards/progenitor.card --progenitor
run cas-tmc domain create studio --progenitor home/cards/progenitor.card
for kind in acquisition renderer; do
  run cas-card create "home/cards/$kind.card"
  run cas-tmc enrol --domain studio --token "home/cards/$kind.card" --kind "$kind" --default
done
run cas-tmc list

step "what to protect"
if [ -z "$original" ]; then
  original=$work/clip.mp4
  echo "encoding ten seconds of H.264 and AAC in MP4, the index behind the content as recorders leave it"
  encode_clip "$original"
fi
ls -l -- "$original"
name=$(basename -- "$original")
protected=$work/$name.spro

step "protecting it: one element in front of the sink"
run gst-launch-1.0 -q filesrc location="$original" ! smartpro-scramble ! filesink location="$protected"

step "what anybody can tell of it, with no token"
run cas-inspect "$protected"

# A player and no screen or loudspeaker: the sinks take everything.
play=(gst-play-1.0 --no-interactive --videosink=fakesink --audiosink=fakesink)
# Plays, shows what the player says, and keeps it. gst-play-1.0 ends with 0 whatever happened.
played() { run "$@" 2>&1 | tr '\r' '\n' | grep -v -e '^ *$' -e latency | tee "$log"; }
expect_refusal() { grep -q "^error kind: $1" "$log" || fail "this should have been refused as $1"; }
# What decodes before the protection decodes behind it. Any other FILE need not be something that plays.
if "${play[@]}" "$original" >"$log" 2>&1 && ! grep -q '^ERROR' "$log"; then playable=true; else playable=false; fi

step "opening it with no token: refused"
echo '$ export CAS_CARD=soft:none.card'
CAS_CARD=soft:none.card played gst-launch-1.0 -q filesrc location="$protected" ! smartpro-descramble ! fakesink || true
expect_refusal not-found

step "opening it on a machine of another domain, which cas-tmc init sets up in one go: refused"
echo '$ export CAS_HOME=elsewhere'
echo '$ cas-tmc init elsewhere'
CAS_HOME=$work/elsewhere cas-tmc init elsewhere >"$log"
CAS_HOME=$work/elsewhere played gst-launch-1.0 -q filesrc location="$protected" ! smartpro-descramble ! fakesink || true
expect_refusal wrong-domain

if $playable; then
  step "playing it with a token of its domain: the player is told nothing of protection"
  played "${play[@]}" "$protected"
  ! grep -q '^ERROR' "$log" || fail "it does not play"
  grep -q 'end of play list' "$log" || fail "it does not play to the end"

  step "starting in the middle"
  played "${play[@]}" --start-position=5 "$protected"
  ! grep -q '^ERROR' "$log" || fail "it does not play from the middle"
fi

step "restoring it"
restored=$work/restored-$name
run gst-launch-1.0 -q filesrc location="$protected" ! smartpro-descramble ! filesink location="$restored"
run cmp "$original" "$restored" || fail "what came back is not what was protected"

step "what to try next"
cat <<END
  $(typed meson devenv -C "$build")    a shell in which all of this is found; in it:
  export $(typed "CAS_HOME=$CAS_HOME")
  gst-launch-1.0 filesrc location=FILE ! smartpro-scramble ! filesink location=FILE.spro
  $(typed gst-play-1.0 "$protected")
  gst-inspect-1.0 smartpro-scramble    usage rights, ciphers, key periods
  cas-tmc --help                       domains and tokens; cards in readers

bit-exact
END
