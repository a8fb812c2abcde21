#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A DVB SimulCrypt head-end on this machine, from nothing to air: a CA system with a card, two ECMGs of which one stands in for the other, an EMMG, and a live
# encoder whose service goes out scrambled over UDP. On the way the first ECMG dies. What was received is looked at packet by packet.
# The last line of a good run is "head-end: on air".
#
# usage: pipelines/head-end.sh
#
# BUILD_DIR   where to build, when the programs and the plugin are not installed (default: build/ in the checkout). All that a run makes is in
#             BUILD_DIR/head-end, new each time.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
  -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
  '') ;;
  *) echo "head-end.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
esac

program=head-end.sh
source "$top/pipelines/environment.sh"
prepare head-end simulcrypt cas-ecmg cas-emmg
export CAS_HOME=$work/home

step "a CA system with product 1, and a card that is entitled to it"
run cas-ecmg init
run cas-emmg card add --name "living room"
run cas-emmg grant 1 --card 1

step "two ECMGs of this system: the second one stands in for the first"
for name in primary back-up; do
  start "$name" cas-ecmg run --listen 127.0.0.1:0 --port-file "$name.port"
done
for name in primary back-up; do wait_until "$name" "the ECMG listens" test -s "$name.port"; done
primary=127.0.0.1:$(cat primary.port) back_up=127.0.0.1:$(cat back-up.port)

step "somebody who receives"
start receiver gst-launch-1.0 -v udpsrc address=127.0.0.1 port=0 buffer-size=4000000 ! filesink location=received.ts
# Port 0 is a free one, which the element tells.
receiver_port() { port=$(sed -n 's/.*udpsrc0: port = \([1-9][0-9]*\)$/\1/p' receiver.log | tail -n 1); [ -n "$port" ]; }
wait_until receiver "the receiver listens" receiver_port

step "the head-end: encoder, multiplexer with null packets to spare, inserter, UDP"
start air gst-launch-1.0 -m -e videotestsrc is-live=true pattern=ball num-buffers=250 ! video/x-raw,width=320,height=180,framerate=25/1 \
  ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=800 ! h264parse ! mpegtsmux alignment=7 bitrate=1500000 \
  ! simulcrypt-ecm-inserter ecmg="$primary,$back_up" cipher=cissa crypto-period=2000 before-first-period=withheld emm-listen=127.0.0.1:0 \
  ! udpsink host=127.0.0.1 port="$port"
emm_port() { emms=$(sed -n 's/.*simulcrypt-data, state=(string)listening, who=(string)\([^,;]*\).*/\1/p' air.log | tail -n 1); [ -n "$emms" ]; }
wait_until air "the inserter listens for EMMs" emm_port

step "the EMMG brings it the card's entitlement"
start emmg cas-emmg run --mux "$emms"

step "on air: crypto-periods of two seconds"
periods() { grep -c 'simulcrypt-period,' air.log; }
on_air() { [ "$(periods)" -ge "$1" ]; }
wait_until air "two crypto-periods have begun" on_air 2

step "the first ECMG dies in the middle of it"
{ kill -KILL "${running[primary]}" && ! wait "${running[primary]}"; } 2>/dev/null
unset 'running[primary]'
wait "${running[air]}" || { tail -n 20 air.log >&2; fail "the head-end did not end well"; }
unset 'running[air]'
end emmg TERM
end back-up TERM
end receiver INT

step "what the bus of the head-end has told"
grep -o 'simulcrypt-[a-z-]*, .*' air.log | sed 's/;$//; s/([a-z0-9]*)//g'
on_air 4 || fail "there were only $(periods) crypto-periods"
grep -q "simulcrypt-ecmg, .*state=(string)connected, address=(string)$back_up" air.log || fail "the back-up ECMG was never asked"

step "what was received"
python3 - received.ts <<'END' || fail "what was received is not what a head-end sends"
import collections, sys

stream = open(sys.argv[1], "rb").read()
packets = [stream[at:at + 188] for at in range(0, len(stream) - 187, 188)]

def number(two_bytes, bits):
    return int.from_bytes(two_bytes, "big") & ((1 << bits) - 1)

def payload(packet):
    return packet[4 + (1 + packet[4] if packet[3] & 0x20 else 0):] if packet[3] & 0x10 else b""

def sections(pid):
    """As far as they stand in the packet that they begin in: all of PSI here, and the beginnings of ECMs and EMMs."""
    for packet in packets:
        if (packet[1] << 8 | packet[2]) & 0x5FFF == 0x4000 | pid and (body := payload(packet)):
            section = body[1 + body[0]:]
            yield section[:3 + number(section[1:3], 12)]

def descriptors(loop):
    while len(loop) >= 2:
        yield loop[0], loop[2:2 + loop[1]]
        loop = loop[2 + loop[1]:]

pmt = list(sections(number(next(s for s in sections(0) if number(s[8:10], 16))[10:12], 13)))[-1]
program = dict(descriptors(pmt[12:12 + number(pmt[10:12], 12)]))
video = number(pmt[12 + number(pmt[10:12], 12):][1:3], 13)
ecms = collections.Counter(section[0] for section in sections(number(program[0x09][2:4], 13)))
cat = list(sections(1))[-1]
emms = collections.Counter(section[0] for section in sections(number(dict(descriptors(cat[8:-4]))[0x09][2:4], 13)))
scrambling = [packet[3] >> 6 for packet in packets if number(packet[1:3], 13) == video and payload(packet)]
words = 1 + sum(a != b for a, b in zip(scrambling, scrambling[1:]))

print(f"{len(packets)} packets; CA system {program[0x09][:2].hex()}, scrambling mode {program[0x65].hex()}")
print(f"video: {sum(map(bool, scrambling))} packets scrambled with {words} control words, {scrambling.count(0)} in the clear")
print(f"ECMs: {ecms[0x80]} even, {ecms[0x81]} odd; EMMs: {sum(emms.values())}")
assert all(packet[0] == 0x47 for packet in packets), "a packet without its sync byte"
assert all(scrambling), "a packet of the video is in the clear"
assert words >= 4 and ecms[0x80] and ecms[0x81] and emms[0x84], "words, ECMs or EMMs are missing"
END

step "what to try next"
cat <<END
  $(typed meson devenv -C "$build")    a shell in which all of this is found; in it:
  export $(typed "CAS_HOME=$CAS_HOME")
  gst-inspect-1.0 simulcrypt-ecm-inserter    services, ciphers, policies, a configuration file
  cas-emmg card export 1 card1.identity      what a receiver needs to be that card

head-end: on air
END
