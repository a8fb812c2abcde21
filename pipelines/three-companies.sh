#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Three companies share a film and nobody has it in clear who should not: a studio sends rushes to a grading house and to a dubbing house, the grading house
# grades them and sends them back, the dubbing house loses its bridge card and gets nothing any more.
# The last line of a good run is "three companies: done".
#
# usage: pipelines/three-companies.sh [--readers]
#   --readers   the cards are in PC/SC readers: pcscd with vsmartcard's vpcd runs with 11 virtual readers, on the ports in $VPCD_PORTS
#
# BUILD_DIR   where to build, when the programs and the plugin are not installed (default: build/ in the checkout). All that a run makes is in
#             BUILD_DIR/three-companies, new each time.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readers=false
case ${1:-} in
  -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
  --readers) readers=true ;;
  '') ;;
  *) echo "three-companies.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
esac

program=three-companies.sh
source "$top/pipelines/environment.sh"
prepare three-companies smartpro cas-card cas-tmc cas-inspect

# Runs something as one of the companies: each has a machine of its own, with its own folder of credentials, lists and defaults.
at() {  # at COMPANY COMMAND...
  local company=$1
  shift
  echo "$company\$ $(typed "$@")"
  CAS_HOME=$work/$company "$@"
}
# The same for what must be refused. The kind of refusal is in the program's output. (A sink that does not wait for its first buffer: gst-launch-1.0 may hang when an
# element fails while it waits for that.)
refused() {  # refused TEXT COMPANY COMMAND...
  local text=$1
  shift
  if at "$@" >"$log" 2>&1; then cat "$log" >&2; fail "this should have been refused ($text)"; fi
  head -n 1 "$log"
  grep -m1 -e "$text" "$log" || { cat "$log" >&2; fail "this was refused for another reason than '$text'"; }
}

# Where a card is: in a file, or in a reader.
declare -A place
serving=()
put_back() { [ ${#serving[@]} -eq 0 ] || kill "${serving[@]}" 2>/dev/null || true; }
trap put_back EXIT
read -r -a ports <<<"${VPCD_PORTS:-}"
make_card() {  # make_card COMPANY NAME [--progenitor]
  local card=$1/cards/$2.card
  at "$1" cas-card create "$card" --name "$1 $2" --root root "${@:3}" >"$log"
  place[$1/$2]=$card
  $readers || return 0
  # The first reader that has a card which it had not before.
  local port=${ports[${#serving[@]}]:?"VPCD_PORTS has no port for card number $((${#serving[@]} + 1))"}
  cas-card serve "$card" --vpcd "127.0.0.1:$port" >/dev/null &
  serving+=($!)
  place[$1/$2]=$(wait_for_reader "$1 $2") || fail "no reader shows the card $1 $2"
}
# The URI of the reader that holds the card of that name.
wait_for_reader() {  # wait_for_reader NAME
  local uri attempt
  for attempt in {1..100}; do
    uri=$(cas-card list --json 2>/dev/null | python3 -c 'import json, sys
for reader in json.load(sys.stdin)["readers"]:
    if (reader.get("token") or {}).get("name") == sys.argv[1]: print(reader["uri"])' "$1") || true
    [ -z "$uri" ] || { printf '%s\n' "$uri"; return; }
  done
  return 1
}
uri_of() {  # uri_of COMPANY/NAME: for elements, which take URIs
  case ${place[$1]} in
    *:*) printf '%s\n' "${place[$1]}" ;;
    *) printf 'soft:%s?pin-source=file:%s.pin\n' "${place[$1]}" "${place[$1]}" ;;
  esac
}
member() {  # member COMPANY NAME KIND [OPTION...]: makes a card and enrols it
  make_card "$1" "$2"
  at "$1" cas-tmc enrol --token "${place[$1/$2]}" --kind "$3" "${@:4}" >"$log"
}

step "one root, of an organisation that all three trust, certifies hosts and cards; it belongs to no domain"
run cas-tmc root root --name "Film Security Council" >"$log"
for company in studio grading dubbing; do
  at "$company" cas-tmc host --capabilities all --name "host of $company" --root root >"$log"
done

step "each company founds its domain, and enrols its cards"
for company in studio grading dubbing; do
  make_card "$company" progenitor --progenitor
  at "$company" cas-tmc domain create "$company" --progenitor "${place[$company/progenitor]}" >"$log"
done
member studio camera acquisition --default
member studio screen renderer --default
member studio bridge master-bridge --default
member grading bridge simple-bridge --default
member grading station processing --default
member grading screen renderer --default
member dubbing bridge simple-bridge --default
member dubbing screen renderer --default

step "the partners' bridge cards come to the studio once, and are registered"
# (Cards that stay at home are registered over a relay: see cas-card relay.)
at studio cas-tmc bridge register --token "${place[grading/bridge]}"
at studio cas-tmc bridge register --token "${place[dubbing/bridge]}"
at studio cas-tmc publish --to studio/bridging
bridges=studio/domains/studio/bridges

step "the studio protects its rushes: who has them may play and process them, and they may go over one bridge"
encode_clip rushes.mp4
at studio gst-launch-1.0 -q filesrc location=rushes.mp4 \
  ! smartpro-scramble usage-rights="rights,render=true,process=true,bridge=true,bridge-hops=1" ! filesink location=rushes.spro

step "it sends them to both partners in one file; the content stays scrambled, and no key of either partner is at the studio"
at studio gst-launch-1.0 -q filesrc location=rushes.spro \
  ! lecm-bridge mode=master destinations="$bridges/1.bridge,$bridges/2.bridge" ! filesink location=sent.spro
cas-inspect sent.spro
refused "between two domains" studio gst-launch-1.0 -q filesrc location=sent.spro ! smartpro-descramble ! fakesink async=false

step "each partner takes its own out of it"
for company in grading dubbing; do
  at "$company" gst-launch-1.0 -q filesrc location=sent.spro ! lecm-bridge mode=simple ! filesink location="$company/rushes.spro"
  at "$company" gst-launch-1.0 -q filesrc location="$company/rushes.spro" ! smartpro-descramble card="$(uri_of "$company/screen")" ! filesink location="$company/rushes.mp4"
  cmp rushes.mp4 "$company/rushes.mp4" || fail "$company does not have what the studio has sent"
done
# What one partner has is of no use to the other.
refused "wrong-domain" dubbing gst-launch-1.0 -q filesrc location=grading/rushes.spro ! smartpro-descramble ! fakesink async=false

step "the grading station takes the colour out; what it makes is the same work, under rights no wider than it got"
at grading gst-launch-1.0 -q -e filesrc location=grading/rushes.spro ! smartpro-descramble card="$(uri_of grading/station)" ! qtdemux name=demux \
  demux.video_0 ! queue ! h264parse ! avdec_h264 ! videoconvert ! videobalance saturation=0 ! videoconvert ! x264enc speed-preset=ultrafast tune=zerolatency ! queue ! mux. \
  demux.audio_0 ! queue ! aacparse ! queue ! mux. \
  matroskamux streamable=true name=mux ! tee name=split ! queue ! smartpro-scramble licence-from=grading/rushes.spro ! filesink location=grading/graded.spro \
  split. ! queue ! filesink location=graded.mkv
# It cannot make protected content of its own.
refused "processing" grading gst-launch-1.0 -q filesrc location=rushes.mp4 ! smartpro-scramble card="$(uri_of grading/station)" ! fakesink async=false

step "and sends it back: the one way out of a simple bridge"
at grading gst-launch-1.0 -q filesrc location=grading/graded.spro ! lecm-bridge mode=simple direction=back ! filesink location=returned.spro
at studio gst-launch-1.0 -q filesrc location=returned.spro \
  ! lecm-bridge mode=master direction=back destinations="$bridges/1.bridge" ! filesink location=studio/graded.spro
at studio gst-launch-1.0 -q filesrc location=studio/graded.spro ! smartpro-descramble ! filesink location=studio/graded.mkv
cmp graded.mkv studio/graded.mkv || fail "the studio does not have what the grading house has sent back"

step "the dubbing house loses its bridge card: the studio bars it, and nothing goes there any more"
at studio cas-tmc bridge bar 2
at studio cas-tmc publish --to studio/bridging >"$log"
refused "revoked" studio gst-launch-1.0 -q filesrc location=studio/graded.spro \
  ! lecm-bridge mode=master destinations="$bridges/1.bridge,$bridges/2.bridge" ! fakesink async=false
at studio gst-launch-1.0 -q filesrc location=studio/graded.spro ! lecm-bridge mode=master destinations="$bridges/1.bridge" ! filesink location=again.spro
at grading gst-launch-1.0 -q filesrc location=again.spro ! lecm-bridge mode=simple ! smartpro-descramble card="$(uri_of grading/screen)" ! filesink location=again.mkv
cmp graded.mkv again.mkv || fail "the grading house does not have what the studio has sent again"
refused "refused" dubbing gst-launch-1.0 -q filesrc location=again.spro ! lecm-bridge mode=simple ! fakesink async=false

step "at a glance"
at studio cas-tmc status

echo
echo "three companies: done"
