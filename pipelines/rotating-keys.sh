#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A live service whose keys are those of a key server, on this machine, from nothing to air: two key servers with the same seeds, an ECMG, and an encoder whose
# transport stream is scrambled under a key that changes every two seconds. On the way the first key server is killed, and the stream goes on under the keys of
# the second one, which are the same. What was written is looked at packet by packet.
# The last line of a good run is "rotating-keys: on air".
#
# usage: pipelines/rotating-keys.sh
#
# BUILD_DIR   where to build, when the programs and the plugins are not installed (default: build/ in the checkout). All that a run makes is in
#             BUILD_DIR/rotating-keys, new each time.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
  -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
  '') ;;
  *) echo "rotating-keys.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
esac

program=rotating-keys.sh
source "$top/pipelines/environment.sh"
prepare rotating-keys simulcrypt,kex cas-kms cas-ecmg
export CAS_HOME=$work/home

step "two key servers: the second one has the seeds, the clients and the authority of the first"
run cas-kms init --folder kms-a
run cas-kms init --folder kms-b --join kms-a
for name in kms-a kms-b; do
  start "$name" cas-kms run --config "$name/cas-kms.toml" --listen 127.0.0.1:0 --port-file "$name.port"
done
for name in kms-a kms-b; do wait_until "$name" "the key server listens" test -s "$name.port"; done
first=https://127.0.0.1:$(cat kms-a.port)/cpix second=https://127.0.0.1:$(cat kms-b.port)/cpix
shows=(--authority kms-a/tls/ca.pem --certificate kms-a/credentials/encoder.pem --key kms-a/credentials/encoder.key)

step "what the first one can do"
run cas-kms ask "$first" --capabilities "${shows[@]}"

step "an ECMG, which makes ECMs for these keys"
run cas-ecmg init
start ecmg cas-ecmg run --listen 127.0.0.1:0 --port-file ecmg.port
wait_until ecmg "the ECMG listens" test -s ecmg.port

step "on air: an encoder, a multiplexer, the keys, the scrambler"
start air gst-launch-1.0 -m -e videotestsrc is-live=true pattern=ball num-buffers=275 ! video/x-raw,width=320,height=180,framerate=25/1 \
  ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=800 ! h264parse ! mpegtsmux alignment=7 bitrate=1500000 \
  ! kex-keysource kms-uris="$first,$second" tls-authority=kms-a/tls/ca.pem tls-certificate=kms-a/credentials/encoder.pem tls-key=kms-a/credentials/encoder.key \
    content-id=channel-1 period=2000000000 prefetch=2 timeout=500 \
  ! simulcrypt-ecm-inserter key-source=upstream cipher=cissa before-first-period=withheld ecmg="127.0.0.1:$(cat ecmg.port)" \
  ! filesink location=on-air.ts
periods() { grep -c 'kex-period,' air.log; }
on_air() { [ "$(periods)" -ge "$1" ]; }
wait_until air "two crypto-periods have begun" on_air 2

step "the first key server is killed in the middle of it"
{ kill -KILL "${running[kms-a]}" && ! wait "${running[kms-a]}"; } 2>/dev/null
unset 'running[kms-a]'
wait "${running[air]}" || { tail -n 20 air.log >&2; fail "the head-end did not end well"; }
unset 'running[air]'

step "what the bus has told"
grep -o '\(kex\|simulcrypt\)-[a-z-]*, .*' air.log | sed 's/;$//; s/([a-z0-9]*)//g'
on_air 5 || fail "there were only $(periods) crypto-periods"
grep -q 'kex-fail-over, ' air.log || fail "the second key server was never asked"
! grep -q 'kex-late-key, ' air.log || fail "a key was late"

step "the keys of the second server are those that were on the air"
last=$(sed -n 's/.*kex-period, period=(guint64)\([0-9]*\),.*/\1/p' air.log | tail -n 1)
for ((period = 0; period <= last; ++period)); do wanted+=(--period "$period"); done
run cas-kms ask "$second" --content channel-1 "${wanted[@]}" "${shows[@]}" | tee answer
sed -n 's/^period [0-9]*: //p' answer >of-the-server
sed -n 's/.*kex-period, .*key-id=(string)\([0-9a-f-]*\).*/\1/p' air.log >on-the-air
cmp of-the-server on-the-air || fail "the keys on the air are others"
end ecmg TERM
end kms-b TERM

step "what was written"
python3 - on-air.ts "$(wc -l <on-the-air)" <<'END' || fail "what was written is not what a head-end sends"
import sys

stream, periods = open(sys.argv[1], "rb").read(), int(sys.argv[2])
packets = [stream[at:at + 188] for at in range(0, len(stream) - 187, 188)]

def pid(packet):
    return (packet[1] & 0x1F) << 8 | packet[2]

# What is scrambled is the video.
scrambled = [packet for packet in packets if packet[3] & 0xC0]
words = 1 + sum(a[3] >> 6 != b[3] >> 6 for a, b in zip(scrambled, scrambled[1:]))
video = {pid(packet) for packet in scrambled}
clear = [packet for packet in packets if pid(packet) in video and packet[3] & 0x10 and not packet[3] & 0xC0]
print(f"{len(packets)} packets; video: {len(scrambled)} scrambled with {words} keys, {len(clear)} in the clear")
assert all(packet[0] == 0x47 for packet in packets), "a packet without its sync byte"
assert len(video) == 1 and not clear, "a packet of the video is in the clear"
assert words == periods, f"there were {periods} keys"
END

step "the audit log of the server that was killed, and that of the other"
for name in kms-a kms-b; do
  run cas-kms audit verify "$name/audit.log"
done

step "what to try next"
cat <<END
  $(typed meson devenv -C "$build")    a shell in which all of this is found
  gst-inspect-1.0 kex-keysource    servers, periods, what happens when a key is late
  cas-kms --help                   clients, seeds, stored keys

rotating-keys: on air
END
