#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A service of OMA BCAST on this machine, from nothing to a receiver: service keys and an ECMG that makes short term key messages of them, a live encoder whose
# RTP packets go out as SRTP, and a receiver that has nothing but the session description, a key of its own and a long term key message. What it has
# opened is held against what was encoded, and what was on the air is looked at.
# The last line of a good run is "bcast-rtp: received".
#
# usage: pipelines/bcast-rtp.sh [--profile drm|smartcard]
#
# --profile   drm (default): the key is that of a broadcast domain, and the message is for all that have it.
#             smartcard: the key is that of a subscription, the messages are for its subscriber alone, and key messages are MIKEY.
# BUILD_DIR   where to build, when the programs and the plugin are not installed (default: build/ in the checkout). All that a run makes is in
#             BUILD_DIR/bcast-rtp, new each time.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
profile=drm
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    --profile) profile=${2:-}; shift ;;
    --profile=*) profile=${1#*=} ;;
    *) echo "bcast-rtp.sh: unknown option '$1'; see --help" >&2; exit 2 ;;
  esac
  shift || break
done
case $profile in
  drm | smartcard) ;;
  *) echo "bcast-rtp.sh: --profile takes drm or smartcard" >&2; exit 2 ;;
esac

program=bcast-rtp.sh
source "$top/pipelines/environment.sh"
prepare bcast-rtp simulcrypt cas-ecmg cas-bcast-receiver

# What the two profiles have each in its own way: the Super_CAS_id and the name of the key management in the session description, keys and long term key messages,
# what the receiver is told, and when key messages go out. Those of the Smartcard Profile have the key of one crypto-period: it is on the air before the period is.
if [ "$profile" = drm ]; then
  super_cas_id=0x00010001 kmstype=oma-bcast-drm-pki
  step "the keys of a service, and a message with them for all that have the domain's key"
  run cas-ecmg bcast init news.keys
  (umask 077 && openssl rand -hex 16 >domain.key)
  run cas-ecmg bcast ltkm news.keys --domain-key file:domain.key --out news.ltkm
  receives=(--bsm 00010001 --domain-key file:domain.key --ltkm news.ltkm)
  asks=()
else
  super_cas_id=0x00020001 kmstype=oma-bcast-gba_u-mbms
  step "the keys of a service, and messages with that of now and the next one for a subscriber"
  run cas-ecmg bcast init news.keys --super-cas-id "$super_cas_id" --key-domain 00f110 --bsm bsm@example.org
  run cas-ecmg bcast subscribe news.keys 001@example.org --service 1
  (umask 077 && openssl rand -hex 32 >smk)
  run cas-ecmg bcast ltkm news.keys --subscriber 001@example.org --smk file:smk --out now.ltkm
  run cas-ecmg bcast ltkm news.keys --subscriber 001@example.org --smk file:smk --key next --out next.ltkm
  receives=(--bsm bsm@example.org --smk file:smk --subscriber 001@example.org --key-domain 00f110 --ltkm now.ltkm --ltkm next.ltkm)
  asks=(--delay-start=-500)
fi

step "how the service is described"
# Two ports that nobody has now.
read -r media_port key_port < <(python3 -c '
import socket
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
for each in sockets: each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))')
cat >news.sdp <<END_OF_SDP
v=0
o=- 1 1 IN IP4 127.0.0.1
s=News
c=IN IP4 127.0.0.1
t=0 0
a=bcastversion:1.0
m=video $media_port RTP/SAVP 33
a=rtpmap:33 MP2T/90000
a=stkmstream:1
a=SRTPAuthentication:3
a=SRTPROCTxRate:16
m=data $key_port UDP vnd.oma.bcast.stkm
a=fmtp:vnd.oma.bcast.stkm streamid=1; kmstype=$kmstype
END_OF_SDP
cat news.sdp

step "the ECMG"
start ecmg cas-ecmg run --cas bcast --keys news.keys --listen 127.0.0.1:0 --port-file ecmg.port "${asks[@]}"
wait_until ecmg "the ECMG listens" test -s ecmg.port

step "somebody who receives"
start receiver cas-bcast-receiver news.sdp "${receives[@]}" --output received.ts
wait_until receiver "the receiver has its service keys" grep -q 'service keys: ' receiver.log

step "the head-end: encoder, RTP, inserter, UDP; what goes in and out of it is kept too"
start air gst-launch-1.0 -m -e videotestsrc is-live=true pattern=ball num-buffers=200 ! video/x-raw,width=320,height=180,framerate=25/1 \
  ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 bitrate=800 ! h264parse ! mpegtsmux alignment=7 \
  ! tee name=clear ! queue ! rtpmp2tpay \
  ! simulcrypt-ecm-inserter sdp=news.sdp ecmg=127.0.0.1:"$(cat ecmg.port)" super-cas-id="$super_cas_id" crypto-period=2000 before-first-period=withheld \
  ! tee name=air ! queue ! udpsink host=127.0.0.1 port="$media_port" \
  clear. ! queue ! filesink location=sent.ts air. ! queue ! filesink location=air.srtp
wait "${running[air]}" || { tail -n 20 air.log >&2; fail "the head-end did not end well"; }
unset 'running[air]'
opened() { grep -q ': TEK [3-9]' receiver.log; }
wait_until receiver "the receiver has got the TEKs" opened
end receiver INT
end ecmg TERM

step "what they have told"
grep -o 'simulcrypt-[a-z-]*, .*' air.log | sed 's/;$//; s/([a-z0-9]*)//g'
cat receiver.log
periods=$(grep -c 'simulcrypt-period,' air.log)
[ "$periods" -ge 4 ] || fail "there were only $periods crypto-periods"

step "what was received"
python3 - sent.ts air.srtp received.ts <<'END' || fail "what was received is not what was sent"
import sys

sent, air, received = (open(name, "rb").read() for name in sys.argv[1:])

def packets(stream):
    return [stream[at:at + 188] for at in range(0, len(stream) - 187, 188)]

in_clear = sum(packet in air for packet in packets(sent))
print(f"{len(packets(sent))} transport packets were encoded, {len(packets(received))} were received; {in_clear} were on the air in the clear")
assert len(received) % 188 == 0 and len(packets(received)) > len(packets(sent)) / 2, "too few packets were received"
assert received in sent, "something else was received than was sent"
assert sent.endswith(received), "the end is missing"
assert in_clear == 0, "packets went out in the clear"
END

step "what to try next"
cat <<END
  $(typed meson devenv -C "$build")    a shell in which all of this is found; in it:
  cas-ecmg bcast --help                      services, their keys, long term key messages for one receiver
  cas-bcast-receiver --help                  play it: without --output
  gst-inspect-1.0 simulcrypt-ecm-inserter    sdp, sdp-media, ltkm-address

bcast-rtp: received
END
