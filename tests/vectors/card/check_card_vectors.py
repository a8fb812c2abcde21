#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes secure_messaging.txt, card_store.txt and relay_frames.txt anew from docs/formats/apdu.md, card-store.md and card-relay.md, without
the library that the tests run: scrypt is Python's, single AES blocks and AES-CBC are the openssl program's, CMAC (RFC 4493)
and GCM (NIST SP 800-38D) are done here. Prints what differs and exits with 1 if anything does; --write writes the files.
"""
import hashlib
import pathlib
import subprocess
import sys

FOLDER = pathlib.Path(__file__).parent


def openssl(mode, key, data, *more):
    return subprocess.run(["openssl", "enc", f"-aes-{len(key) * 8}-{mode}", "-nopad", "-K", key.hex(), *more],
                          input=data, stdout=subprocess.PIPE, check=True).stdout


def aes_block(key, block):
    return openssl("ecb", key, block)


def aes_cbc(key, iv, plain):
    return openssl("cbc", key, plain, "-iv", iv.hex())


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def cmac(key, message):
    """RFC 4493."""
    def doubled(block):
        number = int.from_bytes(block, "big") << 1
        if number >> 128:
            number = (number & (1 << 128) - 1) ^ 0x87
        return number.to_bytes(16, "big")

    k1 = doubled(aes_block(key, bytes(16)))
    if message and len(message) % 16 == 0:
        message = message[:-16] + xor(message[-16:], k1)
    else:
        padded = message + b"\x80" + bytes(-(len(message) + 1) % 16)
        message = padded[:-16] + xor(padded[-16:], doubled(k1))
    return aes_cbc(key, bytes(16), message)[-16:]


def gcm(key, nonce, associated, plain):
    """NIST SP 800-38D, 7.1, with a nonce of 96 bits."""
    def multiplied(x, y):
        product = 0
        for i in range(128):
            if x >> (127 - i) & 1:
                product ^= y
            y = y >> 1 ^ (0xe1 << 120 if y & 1 else 0)
        return product

    def filled(data):
        return data + bytes(-len(data) % 16)

    count = (len(plain) + 15) // 16
    stream = openssl("ecb", key, b"".join(nonce + (i + 1).to_bytes(4, "big") for i in range(count + 1)))
    cipher_text = xor(plain, stream[16:])
    h = int.from_bytes(aes_block(key, bytes(16)), "big")
    hashed = filled(associated) + filled(cipher_text)
    hashed += (len(associated) * 8).to_bytes(8, "big") + (len(cipher_text) * 8).to_bytes(8, "big")
    y = 0
    for i in range(0, len(hashed), 16):
        y = multiplied(y ^ int.from_bytes(hashed[i:i + 16], "big"), h)
    return cipher_text, xor(y.to_bytes(16, "big"), stream[:16])


def tlv(tag, value):
    length = len(value)
    if length < 0x80:
        return bytes([tag, length]) + value
    if length < 0x100:
        return bytes([tag, 0x81, length]) + value
    return bytes([tag, 0x82]) + length.to_bytes(2, "big") + value


def padded(data):
    return data + b"\x80" + bytes(-(len(data) + 1) % 16)


def cryptogram(key, counter, data):
    if not data:
        return b""
    return tlv(0x87, b"\x01" + aes_cbc(key, aes_block(key, counter), padded(data)))


# What goes through the channel: header, data, Ne (0: none), response data, status word.
MESSAGES = [
    ("data both ways", "80300102", "000102030405060708090a0b0c0d0e0f10", 256, "c0c1c2c3c4", 0x9000),
    ("no data in the command", "80310000", "", 16, "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff", 0x9000),
    ("no data in the response", "80320305", "aa", 0, "", 0x9000),
    ("a status word alone", "80330000", "", 0, "", 0x6985),
    ("data of 240 bytes, whose cryptogram needs a length of two bytes", "80340000", "5a" * 240, 65536, "a5" * 256, 0x9000),
]


def secure_messaging():
    keys = {"command_encryption": bytes(range(0x00, 0x10)), "command_mac": bytes(range(0x10, 0x20)),
            "response_encryption": bytes(range(0x20, 0x30)), "response_mac": bytes(range(0x30, 0x40))}
    lines = ["# Secure messaging on one channel, message after message: see docs/formats/apdu.md.",
             "# Written by check_card_vectors.py. ne: 0 stands for none."]
    for number, (case, header, data, ne, answer, status) in enumerate(MESSAGES, 1):
        counter = number.to_bytes(16, "big")
        header, data, answer = bytes.fromhex(header), bytes.fromhex(data), bytes.fromhex(answer)
        secured = bytes([header[0] | 0x04]) + header[1:]
        objects = cryptogram(keys["command_encryption"], counter, data)
        if ne:
            objects += tlv(0x97, bytes([ne % 256]) if ne <= 256 else (ne % 65536).to_bytes(2, "big"))
        mac = cmac(keys["command_mac"], counter + secured + b"\x80" + bytes(11) + objects)
        status_word = status.to_bytes(2, "big")
        answer_objects = cryptogram(keys["response_encryption"], counter, answer) + tlv(0x99, status_word)
        answer_mac = cmac(keys["response_mac"], counter + answer_objects)
        lines += ["", f"case = {case}", f"counter = {number}"]
        lines += [f"{name} = {key.hex()}" for name, key in keys.items()]
        lines += [f"header = {header.hex()}", f"data = {data.hex()}", f"ne = {ne}",
                  f"command_iv = {aes_block(keys['command_encryption'], counter).hex()}",
                  f"protected_header = {secured.hex()}", f"protected_data = {(objects + tlv(0x8e, mac)).hex()}",
                  f"response_data = {answer.hex()}", f"response_status = {status_word.hex()}",
                  f"response_iv = {aes_block(keys['response_encryption'], counter).hex()}",
                  f"protected_response_data = {(answer_objects + tlv(0x8e, answer_mac)).hex()}"]
    return "\n".join(lines) + "\n"


def card_store():
    phrase, salt, nonce = b"correct horse battery staple", bytes(range(0x40, 0x60)), bytes(range(0xa0, 0xac))
    applets = [("smartpro-token", {1: bytes.fromhex("0102030405"), 0x0102: b"a second object"}), ("notebook", {})]
    header = b"CAS-CARD" + (1).to_bytes(2, "big") + bytes([4, 8, 1, 0]) + salt + (7).to_bytes(8, "big") + nonce
    header += bytes([len(applets)]) + b"".join(bytes([len(name)]) + name.encode() for name, _ in applets)
    objects = b"".join(
        len(kept).to_bytes(2, "big") + b"".join(
            number.to_bytes(2, "big") + len(value).to_bytes(2, "big") + value for number, value in sorted(kept.items()))
        for _, kept in applets)
    header += len(objects).to_bytes(4, "big")
    key = hashlib.scrypt(phrase, salt=salt, n=16, r=8, p=1, dklen=32)
    cipher_text, tag = gcm(key, nonce, header, objects)
    lines = ["# A card store, byte for byte: see docs/formats/card-store.md. Written by check_card_vectors.py.", "",
             f"pass_phrase = {phrase.decode()}", f"key = {key.hex()}", f"header = {header.hex()}", f"objects = {objects.hex()}",
             f"cipher_text = {cipher_text.hex()}", f"tag = {tag.hex()}", f"file = {(header + cipher_text + tag).hex()}"]
    return "\n".join(lines) + "\n"


def relay_frames():
    # case, type, first byte and its name, text; or type and payload.
    frames = [("hello of a client", 1, ("version", 1), ""), ("hello of a relay", 1, ("version", 1), "soft card /srv/cards/renderer.card"),
              ("connect", 2, b""), ("connected", 3, b"card in reader Virtual PCD 00 00"),
              ("a SELECT", 4, bytes.fromhex("00a4040006f06e6f74650100")), ("its answer", 5, bytes.fromhex("6f0284009000")),
              ("an extended command", 4, bytes.fromhex("80100000000100") + b"\x5a" * 256 + bytes.fromhex("0000")),
              ("wait", 6, b""), ("card present", 7, b""), ("card absent", 8, b"no card in reader Virtual PCD 00 00: insert it"),
              ("card reset", 9, b"another program reset the card"), ("another client has the card", 10, ("code", 1), "try again"),
              ("ping", 11, b"")]
    lines = ["# Frames of a card relay: see docs/formats/card-relay.md. Written by check_card_vectors.py."]
    for case, number, *content in frames:
        named = len(content) == 2
        payload = bytes([content[0][1]]) + content[1].encode() if named else content[0]
        lines += ["", f"case = {case}", f"type = {number}", f"payload = {payload.hex()}"]
        if named:
            lines += [f"{content[0][0]} = {content[0][1]}", f"text = {content[1]}"]
        lines += [f"frame = {(bytes([number]) + len(payload).to_bytes(4, 'big') + payload).hex()}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def main():
    wrong = False
    for name, text in (("secure_messaging.txt", secure_messaging()), ("card_store.txt", card_store()),
                       ("relay_frames.txt", relay_frames())):
        if sys.argv[1:] == ["--write"]:
            (FOLDER / name).write_text(text)
        elif (FOLDER / name).read_text() != text:
            print(f"{name} is not what its format's page gives")
            wrong = True
    sys.exit(wrong)


if __name__ == "__main__":
    main()
