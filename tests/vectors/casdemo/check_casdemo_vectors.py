#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes casdemo.txt anew from docs/formats/casdemo.md, without the library that the tests run: single AES blocks are the openssl
program's, GCM is that of ../card/check_card_vectors.py. Prints what differs and exits with 1 if anything does; --write writes the file.
"""
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "card"))
sys.dont_write_bytecode = True
from check_card_vectors import gcm  # noqa: E402


def number(value, size):
    return value.to_bytes(size, "big")


def section(table_id, head, key, nonce, plain):
    """Head and nonce are associated data, and so is the section header, with the length of it all."""
    length = len(head) + len(nonce) + len(plain) + 16
    associated = bytes([table_id]) + number(0x7000 | length, 2) + head + nonce
    cipher_text, tag = gcm(key, nonce, associated, plain)
    return associated + cipher_text + tag


def criteria(product, age, regions):
    return number(product, 2) + bytes([age, len(regions)]) + b"".join(number(region, 2) for region in sorted(regions))


def ecm(key, nonce, period, first, time, key_id, access, words):
    head = (bytes([1, len(words), len(words[0])]) + number(period, 2) + number(first, 2) + number(time, 8) + number(key_id, 2)
            + bytes([len(access)]) + access)
    return section(0x80 | period & 1, head, key, nonce, b"".join(words))


def command(tag, value):
    return bytes([tag, len(value)]) + value


def emm(key, nonce, table_id, address, issue, commands):
    return section(table_id, address + b"\x01" + number(issue, 8), key, nonce, commands)


def vectors():
    entitlement, card, group, system = (bytes.fromhex(c * 32) for c in "1234")
    words = [bytes(range(0x10 * i, 0x10 * i + 16)) for i in range(1, 5)]
    lines = ["# ECMs and EMMs of the demonstration system: see docs/formats/casdemo.md. Written by check_casdemo_vectors.py."]
    ecms = [("one word of CSA2", 6, 6, 1800000000, 2, criteria(0x0101, 0, []), [words[0][:8]]),
            ("two words of CISSA, with a blackout", 65535, 65535, 1800000010, 3, criteria(0x0101, 12, [7, 300]), words[:2]),
            ("the most there can be", 7, 65534, 1800000020, 65535, criteria(65535, 18, range(1, 9)), words)]
    for index, (case, period, first, time, key_id, access, given) in enumerate(ecms):
        nonce = bytes.fromhex("a0a1a2a3a4a5a6a7") + number(index, 4)
        lines += ["", "kind = ecm", f"case = {case}", f"key = {entitlement.hex()}", f"key_id = {key_id}", f"nonce = {nonce.hex()}",
                  f"crypto_period = {period}", f"first_word = {first}", f"time = {time}", f"criteria = {access.hex()}",
                  f"word_size = {len(given[0])}", f"words = {b''.join(given).hex()}",
                  f"section = {ecm(entitlement, nonce, period, first, time, key_id, access, given).hex()}"]
    grant = command(1, number(0x0101, 2) + number(2, 2) + number(1800000000, 8) + number(1802592000, 8) + entitlement)
    withdraw = command(2, number(0x0102, 2))
    personalise = command(3, number(7, 2) + number(0x01020304, 4) + group + number(5, 4) + system)
    emms = [("a key to all", system, 0x82, b"", 1, grant), ("a key for one product and another withdrawn, to a group", group, 0x83,
             number(0x01020304, 4), 2, grant + withdraw), ("all commands to a card", card, 0x84, number(0x1122334455667788, 8),
             2 ** 63, personalise + grant + withdraw)]
    for index, (case, key, table_id, address, issue, commands) in enumerate(emms):
        nonce = bytes.fromhex("b0b1b2b3b4b5b6b7") + number(index, 4)
        lines += ["", "kind = emm", f"case = {case}", f"key = {key.hex()}", f"table_id = {table_id}", f"address = {address.hex()}",
                  f"issue = {number(issue, 8).hex()}", f"nonce = {nonce.hex()}", f"commands = {commands.hex()}",
                  f"section = {emm(key, nonce, table_id, address, issue, commands).hex()}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main():
    file = FOLDER / "casdemo.txt"
    if sys.argv[1:] == ["--write"]:
        file.write_text(vectors())
        return 0
    if file.read_text() == vectors():
        return 0
    print(f"{file.name} is not what its format's page gives")
    return 1


if __name__ == "__main__":
    sys.exit(main())
