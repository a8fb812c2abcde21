#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes key_messages.txt and srtp.txt anew from docs/formats/bcast.md, without the library that the tests run: AES is the openssl program's, HMAC is Python's.
Prints what differs and exits with 1 if anything does; --write writes them.
"""
import hashlib
import hmac
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent / "card"))
sys.dont_write_bytecode = True
from check_card_vectors import aes_block, aes_cbc, cmac, gcm, xor  # noqa: E402

TIME = 1800000000  # 2027-01-15 08:00:00 UTC
MJD_UTC = bytes.fromhex("efec080000")  # MJD 61,420
SEK, SAS, PEK, PAS = (bytes([0x10 * i + j for j in range(16)]) for i in range(1, 5))
TEK = bytes(range(0xa0, 0xa0 + 30))
NEXT = bytes(range(0xc0, 0xc0 + 30))


def number(value, size):
    return value.to_bytes(size, "big")


def sha1_mac(key, message):
    return hmac.new(key, message, hashlib.sha1).digest()


def kbkdf(key, label, size):
    """SP 800-108 in counter mode with AES-CMAC; no context."""
    out = b""
    for i in range(-(-size // 16)):
        out += cmac(key, number(i + 1, 4) + label + b"\0" + number(8 * size, 4))
    return out[:size]


def padded(plain):
    missing = 16 - len(plain) % 16
    return plain + bytes([missing]) * missing


def drm_stkm(selectors, index, teks, criteria, service, programme):
    key = PEK if programme else SEK
    indices = [index, index[:-2] + number((int.from_bytes(index[-2:], "big") + 1) & 0xffff, 2)][:len(teks)]
    encrypted = [aes_cbc(key, bytes(16), padded(tek)) for tek in teks]
    message = number(selectors, 2) + (b"" if selectors >> 5 & 7 == 0 else bytes([len(index)])) + b"".join(indices)
    message += bytes([len(encrypted[0])]) + b"".join(encrypted) + b"\x04" + MJD_UTC
    if criteria:
        message += b"\x00" + bytes([len(criteria)]) + b"".join(criteria)
    if programme and service:
        message += aes_block(SEK, PEK)
    if programme:
        message += number(0x22222222, 4)
        message += sha1_mac(kbkdf(PAS, b"OMA BCAST PAK", 20), message)[:12]
    if service:
        message += number(0x11111111, 4)
        message += sha1_mac(kbkdf(SAS, b"OMA BCAST SAK", 20), message)[:12]
    return message


def prf(key, label, size):
    """RFC 3830, 4.1.2, for keys of up to 256 bits."""
    a, out = label, b""
    while len(out) < size:
        a = sha1_mac(key, a)
        out += sha1_mac(key, a + label)
    return out[:size]


def mikey(key, csb, rand, counter, payloads, key_data):
    """payloads: pairs of type and what follows 'next payload'. KEMAC comes behind them."""
    encryption, authentication, salt = (prf(key, number(constant, 4) + b"\xff" + number(csb, 4) + rand, size)
                                        for constant, size in ((0x150533e1, 16), (0x2d22ac75, 20), (0x29b88916, 14)))
    iv = xor(salt, number(0, 2) + number(csb, 4) + number(counter, 8)) + bytes(2)
    stream = b"".join(aes_block(encryption, number(int.from_bytes(iv, "big") + i, 16)) for i in range(-(-len(key_data) // 16)))
    payloads = [(5, b"\x02" + number(counter, 4))] + payloads
    types = [payload[0] for payload in payloads] + [1]
    message = b"\x01\x00" + bytes([types[0]]) + b"\x00" + number(csb, 4) + b"\x00\x01"
    for following, (_, data) in zip(types[1:], payloads):
        message += bytes([following]) + data
    message += b"\x00\x01" + number(len(key_data), 2) + xor(key_data, stream) + b"\x01"
    return message + sha1_mac(authentication, message)


def extension(kind, data):
    return 21, bytes([kind]) + number(len(data), 2) + data


def identity(text):
    return 6, b"\x00" + number(len(text), 2) + text


def smartcard_stkm(flags, criteria, stream, service_key, tek_id, counter, tek):
    bcast = b"\x02" + bytes([flags]) + b"\x04" + (b"\x00" + bytes([len(criteria)]) + b"".join(criteria) if criteria else b"")
    ids = b"\x00\x03\x00\xf1\x10" + b"\x01\x04" + number(service_key, 4) + b"\x02\x02" + number(tek_id, 2)
    data = b"\x00\x30" + number(16, 2) + tek[:16] + number(len(tek) - 16, 2) + tek[16:]
    return mikey(SEK, stream, SAS, counter, [extension(5, bcast), extension(3, ids)], data)


def smartcard_ltkm(smk, service_key, counter):
    ids = b"\x00\x03\x00\xf1\x10" + b"\x01\x04" + number(service_key, 4)
    data = b"\x00\x02" + number(16, 2) + SEK + b"\x08" + number(TIME - 1000, 8) + b"\x08" + number(TIME + 1000, 8)
    payloads = [extension(5, b"\x01\x00"), extension(3, ids), identity(b"bsm@example.org"), identity(b"001010000000001@example.org"),
                (11, b"\x10" + SAS)]
    return mikey(smk, service_key, SAS, counter, payloads, data)


def key_wrap(key, plain):
    """RFC 3394, 2.2.1."""
    a, r = b"\xa6" * 8, [plain[i:i + 8] for i in range(0, len(plain), 8)]
    for j in range(6):
        for i in range(len(r)):
            block = aes_block(key, a + r[i])
            a, r[i] = xor(block[:8], number(len(r) * j + i + 1, 8)), block[8:]
    return a + b"".join(r)


def drm_ltkm(key, device, issue):
    wrapping = kbkdf(key, b"OMA BCAST LTKM wrap", 32)
    message = b"\x01" + (b"\x00" if device is None else b"\x01") + number(0x00010007, 4) + (b"" if device is None else number(device, 8))
    message += number(issue, 8) + b"\x02"
    for kind, extension_id, pair in ((0, 0x11111111, SEK + SAS), (1, 0x22222222, PEK + PAS)):
        message += bytes([kind]) + number(extension_id, 4) + number(TIME - 1000, 8) + number(TIME + 1000, 8) + key_wrap(wrapping, pair)
    return message + hmac.new(kbkdf(key, b"OMA BCAST LTKM authentication", 32), message, hashlib.sha256).digest()[:16]


def srtp(key, salt, header, payload, roc, mki, rate):
    """RFC 3711 with AES-CM and HMAC-SHA-1-80; RFC 4771, mode RCCm2, at `rate` (0: without)."""
    def derived(label, size):
        start = int.from_bytes(salt + bytes(2), "big") ^ label << 64
        return b"".join(aes_block(key, number(start + i, 16)) for i in range(-(-size // 16)))[:size]
    sequence = int.from_bytes(header[2:4], "big")
    iv = int.from_bytes(derived(2, 14) + bytes(2), "big") ^ int.from_bytes(header[8:12], "big") << 64 ^ (roc << 16 | sequence) << 16
    stream = b"".join(aes_block(derived(0, 16), number(iv + i, 16)) for i in range(-(-len(payload) // 16)))
    packet = header + xor(payload, stream)
    tag = sha1_mac(derived(1, 20), packet + number(roc, 4))
    return packet + mki + (number(roc, 4) + tag[:6] if rate and sequence % rate == 0 else tag[:10])


class File:
    def __init__(self, *head):
        self.lines = [f"# {line}" for line in head]

    def add(self, **fields):
        self.lines.append("")
        self.lines.extend(f"{name} = {value.hex() if isinstance(value, bytes) else value}".rstrip() for name, value in fields.items())

    def text(self):
        return "\n".join(self.lines) + "\n"


def key_messages():
    file = File("Key messages of OMA BCAST services: see docs/formats/bcast.md. Written by check_bcast_vectors.py.",
                "Times are 2027-01-15 08:00:00 UTC; keys as the script has them.")

    def add(kind, case, **fields):
        file.add(kind=kind, case=case, **fields)

    criteria = [b"\x01\x02\x0c\x00", b"\x80\x00"]
    for case, selectors, tek_id, teks, crit, service, programme in (
            ("SRTP, for a service", 0x0035, 7, [TEK], [], True, False),
            ("SRTP, for a service and a programme, next key, access criteria", 0x0d3f, 0xffff, [TEK, NEXT], criteria, True, True),
            ("SRTP, for a programme", 0x0036, 8, [TEK], [], False, True),
            ("IPsec, for a service", 0x0015, 9, [TEK + bytes(6)], [], True, False),
            ("ISMACryp, for a service", 0x0055, 10, [TEK[:24]], [], True, False)):
        index = number(0x00010000 + tek_id, 4) if selectors >> 5 & 7 == 0 else number(tek_id, 2)
        add("drm_stkm", case, tek_id=tek_id, tek=teks[0], next=b"".join(teks[1:]), protection=selectors >> 5 & 7,
            after_reception=selectors >> 10 & 3, criteria=b"".join(crit), service="yes" if service else "no",
            programme="yes" if programme else "no", message=drm_stkm(selectors, index, teks, crit, service, programme))
    for case, flags, crit, tek in (("SRTP", 0x06, [], TEK), ("SRTP with AES-GCM, access criteria", 0xa6, criteria, TEK[:28]),
                                   ("IPsec", 0x02, [], TEK + bytes(6))):
        add("smartcard_stkm", case, tek=tek, protection=flags >> 2 & 7, after_reception=flags >> 6, criteria=b"".join(crit),
            message=smartcard_stkm(flags, crit, 0x1234, 0x00010002, 7, 5, tek))
    smk = bytes(range(0x50, 0x60))
    add("smartcard_ltkm", "SEK", smk=smk, counter=9, message=smartcard_ltkm(smk, 0x00010002, 9))
    device = bytes(range(0x60, 0x70))
    add("drm_ltkm", "to all", key=device, device="all", issue=5, message=drm_ltkm(device, None, 5))
    add("drm_ltkm", "to a device", key=device, device=1122334455667788, issue=6, message=drm_ltkm(device, 1122334455667788, 6))
    parameter = b"\x01\x07" + bytes(range(12))
    nonce = parameter[2:12] + xor(parameter[12:], number(0x0102, 2))
    cipher_text, tag = gcm(SEK, nonce, parameter + number(0x0102, 2), TEK)
    add("cw_encryption", "a TEK", key=SEK, parameter=parameter, cp_number=0x0102, word=TEK, sealed=cipher_text + tag)
    return file.text()


def srtp_packets():
    file = File("SRTP packets with the TEK id as MKI: see docs/formats/bcast.md. Written by check_bcast_vectors.py.")
    payload = bytes(range(100))
    for case, sequence, roc, rate in (("RFC 3711 alone", 5, 0, 0), ("the ROC in the tag", 32, 3, 16), ("between two that carry it", 33, 3, 16)):
        header = bytes.fromhex("8060") + number(sequence, 2) + bytes.fromhex("0000200011223344")
        file.add(case=case, tek=TEK, tek_id=0x0102, roc=roc, rate=rate, packet=header + payload,
            protected=srtp(TEK[:16], TEK[16:], header, payload, roc, b"\x01\x02", rate))
    return file.text()


def main():
    status = 0
    for name, vectors in (("key_messages.txt", key_messages()), ("srtp.txt", srtp_packets())):
        file = FOLDER / name
        if sys.argv[1:] == ["--write"]:
            file.write_text(vectors)
        elif file.read_text() != vectors:
            print(f"{name} is not what its format's page gives")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
