#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes cissa.txt and aes_user_modes.txt anew from docs/formats/ts-scrambling.md, without the library that the tests run: AES-CBC and
AES-CTR are the openssl program's. Prints what differs and exits with 1 if anything does.
"""
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent


def openssl(mode, key, iv, data):
    return subprocess.run(["openssl", "enc", f"-aes-128-{mode}", "-nopad", "-K", key.hex(), "-iv", iv.hex()],
                          input=data, stdout=subprocess.PIPE, check=True).stdout


def groups(name):
    group = {}
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines() + [""]:
        if not line.strip():
            if group:
                yield group
            group = {}
        elif not line.startswith("#"):
            key, value = line.split("=", 1)
            group[key.strip()] = value.strip()


def cbc(word, iv, payload):
    whole = len(payload) - len(payload) % 16
    return openssl("cbc", word, iv, payload[:whole]) + payload[whole:]


def cissa(word, packet):
    start = 4 + (1 + packet[4] if packet[3] & 0x20 else 0)
    header = packet[:3] + bytes([packet[3] & 0x3F | 0x80]) + packet[4:start]
    return header + cbc(word, b"DVBTMCPTAESCISSA", packet[start:])


def main():
    differing = 0
    checked = 0

    def expect(group, computed):
        nonlocal differing, checked
        checked += 1
        if computed.hex() != group["scrambled"]:
            differing += 1
            print(f"{group['case']}: scrambled is {computed.hex()}")

    for group in groups("cissa.txt"):
        expect(group, cissa(bytes.fromhex(group["word"]), bytes.fromhex(group["clear"])))
    for group in groups("aes_user_modes.txt"):
        word, iv, clear = (bytes.fromhex(group[name]) for name in ("word", "iv", "clear"))
        expect(group, cbc(word, iv, clear) if group["cipher"] == "aes_128_cbc" else openssl("ctr", word, iv, clear))
    if checked == 0:
        sys.exit("there is no vector")
    sys.exit(1 if differing else 0)


main()
