#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes protected_files.json again from docs/formats/smartpro-file.md, without the library that wrote it.

Everything is done in Python, from SHA-256 (Python's) and AES (the openssl program): CMAC (RFC 4493, in
../card/check_card_vectors.py), the key derivation (NIST SP 800-108, counter mode), CTR and GCM (NIST SP 800-38A and
800-38D), and the file's layout.
Prints what differs and exits with 1 if anything does.
"""
import hashlib
import json
import pathlib
import subprocess
import sys
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "card"))
from check_card_vectors import cmac, xor  # noqa: E402


def aes_blocks(key, blocks):
    """Encrypts each block of 16 bytes by itself."""
    if not blocks:
        return b""
    return subprocess.run(["openssl", "enc", "-aes-128-ecb", "-nopad", "-K", key.hex()],
                          input=blocks, stdout=subprocess.PIPE, check=True).stdout


def derive(control_word, label, context, size):
    """SP 800-108, 4.1: counter (4 bytes) || label || 0 || context || size in bits (4 bytes); one block is enough."""
    fixed = label.encode() + b"\0" + context + (8 * size).to_bytes(4, "big")
    return cmac(control_word, (1).to_bytes(4, "big") + fixed)[:size]


def key_stream(key, first_block, size):
    """SP 800-38A, 6.5: counter blocks from `first_block` on."""
    count = -(-size // 16)
    blocks = b"".join(((first_block + i) % (1 << 128)).to_bytes(16, "big") for i in range(count))
    return aes_blocks(key, blocks)[:size]


def gcm_seal(key, nonce, associated, plain):
    """SP 800-38D, 7.1, with a nonce of 96 bits."""
    def times_h(number):
        product, factor = 0, h
        for bit in range(127, -1, -1):
            if number >> bit & 1:
                product ^= factor
            factor = factor >> 1 ^ (0xe1 << 120 if factor & 1 else 0)
        return product

    h = int.from_bytes(aes_blocks(key, bytes(16)), "big")
    first = int.from_bytes(nonce + (1).to_bytes(4, "big"), "big")
    cipher_text = xor(plain, key_stream(key, first + 1, len(plain)))
    hashed = associated + bytes(-len(associated) % 16) + cipher_text + bytes(-len(cipher_text) % 16)
    hashed += (8 * len(associated)).to_bytes(8, "big") + (8 * len(cipher_text)).to_bytes(8, "big")
    state = 0
    for i in range(0, len(hashed), 16):
        state = times_h(state ^ int.from_bytes(hashed[i:i + 16], "big"))
    return cipher_text + xor(state.to_bytes(16, "big"), key_stream(key, first, 16))


def field(tag, value):
    assert len(value) < 128
    return bytes([tag, len(value)]) + value


def compute(vector):
    """The file and all that is on the way to it."""
    gcm = vector["cipher"] == "aes-128-gcm"
    cipher_number = {"aes-128-gcm": 1, "aes-128-ctr": 2}[vector["cipher"]]
    file_id = bytes.fromhex(vector["file_id"])
    segment_size, period_segments = vector["segment_size"], vector["period_segments"]
    slot_size = vector["licence_slot_size"]
    content = bytes(i * 7 % 251 for i in range(vector["content_size"]))

    header = (field(0x80, file_id) + field(0x81, bytes.fromhex(vector["content_id"])) + field(0x82, bytes([cipher_number]))
              + field(0x83, segment_size.to_bytes(4, "big")) + field(0x84, period_segments.to_bytes(4, "big")))
    if vector["media_type"]:
        header += field(0xc0, vector["media_type"].encode())
    if vector["stated_size"] is not None:
        header += field(0xc1, vector["stated_size"].to_bytes(8, "big"))
    if origin := vector.get("key_origin"):
        header += field(0xc2, field(0x80, uuid.UUID(origin["key_id"]).bytes) + field(0x81, origin["content_id"].encode())
                        + field(0x82, origin["period_index"].to_bytes(8, "big")))
    preamble = (b"\x89SPRO\r\n\x1a" + (1).to_bytes(2, "big") + bytes(2) + len(header).to_bytes(4, "big")
                + slot_size.to_bytes(4, "big") + bytes(12))
    result = {"preamble_and_header": (preamble + header).hex(),
              "header_digest": hashlib.sha256((1).to_bytes(2, "big") + header).hexdigest(),
              "content_keys": [], "counter_ivs": []}

    file = preamble + header
    segments = max(1, -(-len(content) // segment_size))
    for segment in range(segments):
        period = segment // period_segments if period_segments else 0
        first_of_period = period * period_segments
        if segment == first_of_period:
            control_word = bytes.fromhex(vector["control_words"][period])
            licence = bytes.fromhex(vector["licences"][period])
            context = file_id + period.to_bytes(4, "big") + bytes([cipher_number])
            key = derive(control_word, "SmartPRO content", context, 16)
            iv = derive(control_word, "SmartPRO counter", context, 8)
            result["content_keys"].append(key.hex())
            if not gcm:
                result["counter_ivs"].append(iv.hex())
            slot = slot_size.to_bytes(4, "big") + len(licence).to_bytes(4, "big") + licence
            file += slot + bytes(slot_size - len(slot))
        plain = content[segment * segment_size:(segment + 1) * segment_size]
        if gcm:
            last = b"\x01" if segment == segments - 1 else b"\x00"
            file += gcm_seal(key, segment.to_bytes(12, "big"), last, plain)
        else:
            block = (segment - first_of_period) * segment_size // 16
            file += xor(plain, key_stream(key, int.from_bytes(iv + block.to_bytes(8, "big"), "big"), len(plain)))
    result["file"] = file.hex()
    return result


def main():
    path = pathlib.Path(__file__).with_name("protected_files.json")
    vectors = json.loads(path.read_text())["files"]
    differences = 0
    for vector in vectors:
        for name, value in compute(vector).items():
            expected = "".join(vector[name]) if name == "file" else vector[name]
            if value != expected:
                print(f"{vector['name']}: {name} differs:\n  in the file  {expected}\n  computed     {value}")
                differences += 1
    print(f"{len(vectors)} protected files computed, {differences} differences")
    return 1 if differences or not vectors else 0


if __name__ == "__main__":
    sys.exit(main())
