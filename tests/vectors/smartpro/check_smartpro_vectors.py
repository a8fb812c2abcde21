#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Computes secure_channel.txt, licence.txt, broadcast.txt, register.txt, revocation.txt and bridging.txt anew from docs/formats/smartpro-channel.md, smartpro-licence.md,
smartpro-broadcast.md, smartpro-token.md, smartpro-revocation.md and smartpro-bridging.md, without the library that the tests run: Diffie-Hellman, TLV, HKDF and KBKDF are done here, AES is the openssl program's. The
certificates were issued once. Prints what differs and exits with 1 if anything does; --write writes the files.
"""
import hashlib
import hmac
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(FOLDER.parent / "card"))
from check_card_vectors import cmac, openssl  # noqa: E402

INPUT = {
    "root": (
        "3082018a30820130a00302010202087ca8348df86447a8300a06082a8648ce3d04030230163114301206035504030c0b566563746f7220726f6f7430"
        "20170d3237303131343038303030305a180f32303637303131353030343830305a30163114301206035504030c0b566563746f7220726f6f74305930"
        "1306072a8648ce3d020106082a8648ce3d030107034200045af913bbe9154c9277d1ada6e571b9d26a8aac6afa199337614e76839631404a6b63c3f0"
        "3d79e2a0b7b91af3a1d53001eba100d62f63bd87086d45e822775e92a366306430120603551d130101ff040830060101ff020100300e0603551d0f01"
        "01ff040403020106301d0603551d0e041604143772863dca54378ce129bd18d064c297652f55d0301f0603551d230418301680143772863dca54378c"
        "e129bd18d064c297652f55d0300a06082a8648ce3d040302034800304502207d55e759f86dbde2e9d6ed7a2f1483f1a4d2150cd18da9b9c5de88a9ee"
        "41d6e5022100f8d6f298e81179a057757b519c858f56acb106aafc74f462d2225872b52bace2"),
    "host_certificate": (
        "30820429308203cfa003020102020816b5e498a60ed1cf300a06082a8648ce3d04030230163114301206035504030c0b566563746f7220726f6f7430"
        "1e170d3237303131343038303030305a170d3337303131343138313230305a30163114301206035504030c0b566563746f7220686f73743059301306"
        "072a8648ce3d020106082a8648ce3d030107034200040a69fd6c652fa7223327d0b7531e56b5f93d209e62f37880ae9c0ef64ef98d2f0d2865cea479"
        "ab49f91dd3fd4e6514d24d874fedcdbb27b9684aa5c07db777b3a382030530820301300c0603551d130101ff04023000300e0603551d0f0101ff0404"
        "03020308306b0603551d250101ff0461305f06156982b2d8ea8eed93cab0cbb5ccc5b595808dd4180306166982b2d8ea8eed93cab0cbb5ccc5b59580"
        "8dd418030106166982b2d8ea8eed93cab0cbb5ccc5b595808dd418030206166982b2d8ea8eed93cab0cbb5ccc5b595808dd4180305301d0603551d0e"
        "041604145851bb5b88284bb54af66e6b112d3b851a57ac2d301f0603551d230418301680143772863dca54378ce129bd18d064c297652f55d0308202"
        "320603551d4804820229308202253082011706092a864886f70d010301308201080282010100ffffffffffffffffadf85458a2bb4a9aafdc5620273d"
        "3cf1d8b9c583ce2d3695a9e13641146433fbcc939dce249b3ef97d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed08563"
        "65553ded1af3b557135e7f57c935984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8"
        "e3fbb96adab760d7f4681d4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff8e4f"
        "1232eef28183c3fe3b1b4c6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b423861285c97ffffffffffffffff020102038201"
        "06000282010100d632dd923635f4702800a9c7cba56910085887ab2d6769e9ca17e9306cdc6dc54ca8b0ca119b5c89105e4f56562e931183edb52c3a"
        "420a62faec1fc24df09efe4460e44c4a66378efa4a3f77b7ca07535fea46286c18ee8bb944eb3d92936a415c68c053b9113d59b221742db6e2a1eef6"
        "686cc71d5a0cf282b705ac3627caf1212e532dd33ef20b71ef4ad31ab92ba399fecaa7ddb47741d6680665abe34fde59c61a72c66c400eda3a13d547"
        "29ac3cbff48e283f7ca9d128a87f97e67a70af983fe76cf3f0514a0e56364742c491675f89b4ee05715a80135504298555ee932c678b58dc1717ef30"
        "f95e637c0dc96e478c8aa4d4770931681c6395032e9e7f300a06082a8648ce3d040302034800304502210089280464a975e89a277d1454536bcfe5c5"
        "225e5daf6a160b08116e94df04e72c02201c8317825d2da0dd6cadd7c498dd464cd80f94aeb778d90aff6f49b789851b97"),
    "token_certificate": (
        "308203e230820387a003020102020838f02db09f9d7efa300a06082a8648ce3d04030230163114301206035504030c0b566563746f7220726f6f7430"
        "1e170d3237303131343038303030305a170d3437303131353034323430305a30173115301306035504030c0c566563746f7220746f6b656e30593013"
        "06072a8648ce3d020106082a8648ce3d030107034200041048de50d46a47125810c67813dfd98ed753b6d27c6004dcbc92b549fc6a3aec2c2051d43c"
        "d5b7ef6ed518e433c7cbb77109a4e32123cb770bb5497f477036aea38202bc308202b8300c0603551d130101ff04023000300e0603551d0f0101ff04"
        "040302030830230603551d250101ff0419301706156982b2d8ea8eed93cab0cbb5ccc5b595808dd41801301d0603551d0e041604149c1de214004e55"
        "e629545dde402c3e0105166a83301f0603551d230418301680143772863dca54378ce129bd18d064c297652f55d0308202310603551d480482022830"
        "8202243082011706092a864886f70d010301308201080282010100ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1d8b9c583ce2d3695a9"
        "e13641146433fbcc939dce249b3ef97d2fe363630c75d8f681b202aec4617ad3df1ed5d5fd65612433f51f5f066ed0856365553ded1af3b557135e7f"
        "57c935984f0c70e0e68b77e2a689daf3efe8721df158a136ade73530acca4f483a797abc0ab182b324fb61d108a94bb2c8e3fbb96adab760d7f4681d"
        "4f42a3de394df4ae56ede76372bb190b07a7c8ee0a6d709e02fce1cdf7e2ecc03404cd28342f619172fe9ce98583ff8e4f1232eef28183c3fe3b1b4c"
        "6fad733bb5fcbc2ec22005c58ef1837d1683b2c6f34a26c1b2effa886b423861285c97ffffffffffffffff0201020382010500028201002cc383e68c"
        "79fade2580295f9c1162798dcb2bfe58854c143b5ea3e8d1b6dad28803cf9d1c8965e53931a830ca44e16a9f54a405e32ef72d55f576f36744738173"
        "66b1d934905b67d6370e93dafd36e2be2c0a51d6f8b892bcd4a177680b9abd226fff25e43c43b7acee20a21370d5c55e5223e07f12d5b37f3f49f7f0"
        "d66b2feaf499c25ff92d8fd7f96569458c92bc424d9a46b3471b61becd94e1a392231e53d16638fd2e953d06cf821424872a0ac71e13577957f76e3d"
        "733fdc7cc8e5ab6e82cd177c105e55e4b09de06b7277570c1ba621c0c89574254ecd4497991b345f5c3c0edab5fd501d0a47632ed71a23ef0dc30f83"
        "d82f015b1e424da6d112fc300a06082a8648ce3d0403020349003046022100ea3298c32210d4ca18df5b40f05d4b6371d8425cbaf7abc96b6fef4186"
        "6aaafd022100fe0729111cf8d829c54e610bc1b9d4f42bd3ee13ae89f2df3f780c5b1d507303"),
    "host_p256": (
        "a5abc209733e8fbcb889cda057d7b3686208eb3bac3b0d7a70a17a00ac4f19b2"),
    "host_ffdhe2048": (
        "f93eee1c2f14a00e9e0304d324909d81d66646167713ee863f630fa1d8194dc0"),
    "token_p256": (
        "688e088ffb2a0eb5ab7df737c4765bcc070a02c31e88ce069f064e61b56d1ea7"),
    "token_ffdhe2048": (
        "a60a77f28949f783f1e0d4fd7dcb5a05369ee6e2f15a7117939e68d662bca5d4"),
    "x_p256": (
        "8439aa8cfedae5351ad95052d95f021356fa10a7b6a99d5f393d74ac20c84d5b"),
    "y_p256": (
        "f2cd17cd733b837998a7ac7d249944a20865d98303765bee2228880d57c75ffc"),
    "x_ffdhe2048": (
        "a05e0981df8514f46d886552ab9b039825ca64a1bfc31c20ecad8383d5d04352"),
    "y_ffdhe2048": (
        "99f28d720ad367c688562d33da242d9df76e441ba0d6af6729cb3f202cc77539"),
}
INPUT = {name: bytes.fromhex(value) for name, value in INPUT.items()}
NOW = 1800000000


def tlv(tag, value):
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size]) if size < 0x100 else b"\x82" + size.to_bytes(2, "big")
    return bytes([tag]) + length + value


def number(value, width):
    return value.to_bytes(width, "big")


# --- Diffie-Hellman ---

P256_P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff
P256_G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
          0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)
FFDHE2048_P = int(
    "FFFFFFFFFFFFFFFFADF85458A2BB4A9AAFDC5620273D3CF1D8B9C583CE2D3695A9E13641146433FBCC939DCE249B3EF97D2FE363630C75D8"
    "F681B202AEC4617AD3DF1ED5D5FD65612433F51F5F066ED0856365553DED1AF3B557135E7F57C935984F0C70E0E68B77E2A689DAF3EFE872"
    "1DF158A136ADE73530ACCA4F483A797ABC0AB182B324FB61D108A94BB2C8E3FBB96ADAB760D7F4681D4F42A3DE394DF4AE56EDE76372BB19"
    "0B07A7C8EE0A6D709E02FCE1CDF7E2ECC03404CD28342F619172FE9CE98583FF8E4F1232EEF28183C3FE3B1B4C6FAD733BB5FCBC2EC22005"
    "C58EF1837D1683B2C6F34A26C1B2EFFA886B423861285C97FFFFFFFFFFFFFFFF", 16)


def p256_add(a, b):
    if a is None or b is None:
        return a or b
    (x1, y1), (x2, y2) = a, b
    if x1 == x2 and (y1 + y2) % P256_P == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P256_P) if a == b else (y2 - y1) * pow(x2 - x1, -1, P256_P)
    x3 = (slope * slope - x1 - x2) % P256_P
    return x3, (slope * (x1 - x3) - y1) % P256_P


def p256_times(scalar, point):
    result = None
    for bit in bin(scalar)[2:]:
        result = p256_add(result, result)
        if bit == "1":
            result = p256_add(result, point)
    return result


class P256:
    name, wire = "p256", 1

    @staticmethod
    def public(private):
        x, y = p256_times(int.from_bytes(private, "big"), P256_G)
        return b"\x04" + number(x, 32) + number(y, 32)

    @staticmethod
    def shared(private, public):
        point = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
        return number(p256_times(int.from_bytes(private, "big"), point)[0], 32)


class Ffdhe2048:
    name, wire = "ffdhe2048", 2

    @staticmethod
    def public(private):
        return number(pow(2, int.from_bytes(private, "big"), FFDHE2048_P), 256)

    @staticmethod
    def shared(private, public):
        return number(pow(int.from_bytes(public, "big"), int.from_bytes(private, "big"), FFDHE2048_P), 256)


# --- the channel ---

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def hkdf(secret, salt, info, size):
    """RFC 5869."""
    key, output, block = hmac.digest(salt, secret, "sha256"), b"", b""
    for i in range(1, size // 32 + 1):
        block = hmac.digest(key, block + info + bytes([i]), "sha256")
        output += block
    return output


def serial_number(certificate):
    """The INTEGER behind version [0] in TBSCertificate."""
    at = certificate.index(bytes.fromhex("a003020102")) + 5
    return certificate[at + 2:at + 2 + certificate[at + 1]].rjust(8, b"\0")


def channel(group):
    x, y = INPUT["x_" + group.name], INPUT["y_" + group.name]
    host, token = INPUT["host_" + group.name], INPUT["token_" + group.name]
    lists = tlv(0x84, number(3, 8)) + tlv(0x85, number(5, 8))
    message1 = (tlv(0x80, b"\1") + tlv(0x81, bytes([group.wire])) + tlv(0x82, INPUT["host_certificate"])
                + tlv(0x83, group.public(x)) + lists)
    before_hash = tlv(0x80, b"\1") + tlv(0x82, INPUT["token_certificate"]) + tlv(0x83, group.public(y)) + lists
    transcript = sha256(message1, before_hash)
    ephemeral, permanent = group.shared(x, group.public(y)), group.shared(host, group.public(token))
    assert ephemeral == group.shared(y, group.public(x)) and permanent == group.shared(token, group.public(host))
    answer = sha256(ephemeral, group.public(y), permanent, serial_number(INPUT["token_certificate"]),
                    b"SmartPRO SAC responder", transcript)
    proof = sha256(ephemeral, group.public(x), permanent, serial_number(INPUT["host_certificate"]),
                   b"SmartPRO SAC initiator", transcript)
    keys = hkdf(ephemeral + permanent, transcript, b"SmartPRO SAC session keys", 64)
    return {
        "suite": group.name, "now": str(NOW), "root": INPUT["root"],
        "host_certificate": INPUT["host_certificate"], "host_private": host, "x": x,
        "token_certificate": INPUT["token_certificate"], "token_private": token, "y": y,
        "message1": message1, "message2": before_hash + tlv(0x86, answer), "message3": tlv(0x86, proof),
        "command_encryption": keys[:16], "command_mac": keys[16:32],
        "response_encryption": keys[32:48], "response_mac": keys[48:],
    }


# --- licences and the register ---

def kbkdf(key, label, context, size):
    """NIST SP 800-108 in counter mode with CMAC."""
    output = b""
    for i in range(1, -(-size // 16) + 1):
        output += cmac(key, number(i, 4) + label + b"\0" + context + number(size * 8, 4))
    return output[:size]


def aes_ctr(key, data):
    return openssl("ctr", key, data, "-iv", bytes(16).hex())


def licence(name, rights):
    domain_key, control_word = bytes(range(32)), bytes(range(0xa0, 0xb0))
    vdid, content_id, licence_id = bytes(range(1, 9)), bytes([0xc1] * 16), bytes(range(0x30, 0x40))
    issuer, period, digest = 0x1122334455667788, 7, bytes(range(0x40, 0x60))
    clear = (tlv(0x80, b"\1") + tlv(0x81, vdid) + tlv(0x82, content_id) + tlv(0x83, licence_id) + tlv(0x84, number(issuer, 8))
             + tlv(0x85, b"\1") + tlv(0x86, number(period, 4)) + tlv(0x87, digest) + tlv(0xc8, rights))
    encryption = kbkdf(domain_key, b"SmartPRO LECM encryption", licence_id, 32)
    mac = kbkdf(domain_key, b"SmartPRO LECM MAC", licence_id, 32)
    body = clear + tlv(0x88, aes_ctr(encryption, tlv(0x80, control_word) + tlv(0x81, rights)))
    return {"case": name, "domain_key": domain_key, "control_word": control_word, "vdid": vdid, "content_id": content_id,
            "licence_id": licence_id, "issuer": number(issuer, 8), "key_period": str(period), "header_digest": digest,
            "rights": rights, "lecm": body + tlv(0x89, cmac(mac, body))}


def broadcast(name, super_cas_id, ecm_id, cp_number, control_word, rights=None, content_id=None):
    """An ECM, and the access criteria that ask for it."""
    domain_key, vdid, licence_id, issuer = bytes(range(32)), bytes(range(1, 9)), bytes(range(0x30, 0x40)), number(0x1122334455667788, 8)
    criteria = (tlv(0x80, content_id) if content_id else b"") + (tlv(0x81, rights) if rights else b"")
    digest = sha256(b"SmartPRO broadcast", number(super_cas_id, 4), number(ecm_id, 2))
    content_id, rights = content_id or digest[:16], rights or tlv(0x80, b"\1")
    clear = (tlv(0x80, b"\1") + tlv(0x81, vdid) + tlv(0x82, content_id) + tlv(0x83, licence_id) + tlv(0x84, issuer)
             + tlv(0x85, b"\x10") + tlv(0x86, number(cp_number, 4)) + tlv(0x87, digest) + tlv(0xc8, rights))
    encryption, mac = (kbkdf(domain_key, b"SmartPRO LECM " + use, licence_id, 32) for use in (b"encryption", b"MAC"))
    body = clear + tlv(0x88, aes_ctr(encryption, tlv(0x80, control_word) + tlv(0x81, rights)))
    behind = b"\1" + number(super_cas_id, 4) + number(ecm_id, 2) + number(cp_number, 2) + body + tlv(0x89, cmac(mac, body))
    return {"case": name, "super_cas_id": number(super_cas_id, 4), "ecm_id": number(ecm_id, 2), "cp_number": str(cp_number), "criteria": criteria,
            "domain_key": domain_key, "vdid": vdid, "licence_id": licence_id, "issuer": issuer, "control_word": control_word,
            "header_digest": digest, "content_id": content_id, "rights": rights,
            "ecm": bytes([0x80 + cp_number % 2]) + number(0x7000 + len(behind), 2) + behind}


def register():
    key, before, records = bytes(range(0x60, 0x80)), bytes(16), []
    cases = [(1, 3, NOW, bytes(8), 0), (2, 3, NOW + 1, bytes(8), 0), (5, 6, NOW + 2, bytes(range(0xa0, 0xa8)), 7), (12, 0, NOW + 3, bytes(8), 2)]
    for sequence, (event, kind, time, vdid, what) in enumerate(cases, start=1):
        plain = bytes([event]) + number(0x0102030405060708, 8) + bytes([kind]) + number(time, 8) + vdid + number(what, 8)
        head = number(sequence, 8) + aes_ctr(kbkdf(key, b"SmartPRO register encryption", number(sequence, 8), 32), plain)
        before = cmac(kbkdf(key, b"SmartPRO register MAC", b"", 32), before + head)
        records.append({"register_key": key, "sequence": str(sequence), "event": str(event), "token": number(0x0102030405060708, 8),
                        "kind": str(kind), "time": str(time), "vdid": vdid, "number": str(what), "record": head + before})
    return records


def tree(leaves):
    """The hash of RFC 6962, 2.1, and for each leaf the partners on its way up."""
    if len(leaves) == 1:
        return leaves[0], [[]]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, left_paths = tree(leaves[:split])
    right, right_paths = tree(leaves[split:])
    return sha256(b"\1", left, right), [path + [right] for path in left_paths] + [path + [left] for path in right_paths]


def absence(count):
    """A list of the numbers 1000, 1010, 1020, ..., and the proof that the number behind the one in its middle is not on it."""
    numbers = [1000 + 10 * i for i in range(count)]
    payload = [number(n, 8) for n in numbers]
    runs = [b"".join(payload[at:at + 33]) for at in range(0, count, 32)]
    middle = count // 2
    absent, run = (numbers[middle] + 1, middle // 32) if count else (7, 0)
    root, paths = tree([sha256(b"\0", leaf) for leaf in runs]) if count else (sha256(b""), [])
    proof = number(run, 4) + runs[run] + b"".join(paths[run]) if count else b""
    return {"count": str(count), "digest": sha256(*payload), "root": root, "absent": str(absent), "proof": proof}


# --- bridging ---

P256_N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551


def aes_block(key, block):
    return openssl("ecb", key, block)


def key_wrap(key, secret):
    """RFC 3394, 2.2.1."""
    head, blocks = b"\xa6" * 8, [secret[at:at + 8] for at in range(0, len(secret), 8)]
    for step in range(6 * len(blocks)):
        at = step % len(blocks)
        both = aes_block(key, head + blocks[at])
        head, blocks[at] = number(int.from_bytes(both[:8], "big") ^ (step + 1), 8), both[8:]
    return head + b"".join(blocks)


def sign(private, message):
    """ECDSA in DER, with a nonce that is nobody's secret."""
    digest = int.from_bytes(sha256(message), "big")
    nonce = int.from_bytes(sha256(b"nonce", message), "big") % P256_N
    r = p256_times(nonce, P256_G)[0] % P256_N
    s = pow(nonce, -1, P256_N) * (digest + r * private) % P256_N
    return tlv(0x30, b"".join(tlv(0x02, number(value, value.bit_length() // 8 + 1)) for value in (r, s)))


def bridging(direction):
    """A transfer licence for two simple bridges, or the first one's way back."""
    mkmb, mksb, transfer_key = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
    source, master, simple = b"\xa1" * 8, number(0x1001, 8), [(number(0x2001, 8), number(1, 4), b"\xb2" * 8), (number(0x2002, 8), number(9, 4), b"\xc3" * 8)]
    control_word, licence_id, issuer = b"\xaa" * 16, bytes([0x70 + direction] * 16), master if direction == 1 else simple[0][0]
    rights = tlv(0x80, b"\x0b") + tlv(0x84, b"\1" + b"\xb2" * 8)
    origins = b"\xe5" * 8 + number(5, 8) + source + master
    clear = (tlv(0x80, b"\1") + tlv(0x81, source) + tlv(0x82, b"\x11" * 16) + tlv(0x83, licence_id) + tlv(0x84, issuer) + tlv(0x85, b"\1")
             + tlv(0x86, number(3, 4)) + tlv(0x87, b"\x22" * 32) + tlv(0x8a, bytes([direction])) + tlv(0x8b, origins) + tlv(0xc8, rights))
    encryption, mac = (kbkdf(transfer_key, b"SmartPRO LECM " + use, licence_id, 32) for use in (b"encryption", b"MAC"))
    body = clear + tlv(0x88, aes_ctr(encryption, tlv(0x80, control_word) + tlv(0x81, rights)))
    lecm, cdis, first = body + tlv(0x89, cmac(mac, body)), [], {}
    label = b"SmartPRO CDI" if direction == 1 else b"SmartPRO return CDI"
    dkmb = aes_block(mkmb, master + bytes(8))
    for serial, index, destination in simple[:3 - direction]:
        dksb = aes_block(mksb, serial + index + bytes(4))
        kek = kbkdf(dkmb + dksb, label, licence_id + source + master + serial + index + destination, 32)
        cdis.append(tlv(0x80, serial) + tlv(0x81, index) + tlv(0x82, destination) + tlv(0x83, key_wrap(kek, transfer_key)))
        first = first or {"simple_bridge": serial, "index": index, "destination": destination, "dksb": dksb}
    signer = int.from_bytes(bytes(range(0x80, 0xa0)), "big")
    record = tlv(0x80, source) + tlv(0x81, first["simple_bridge"]) + tlv(0x82, first["index"]) + tlv(0x83, first["destination"])
    bits = bytes.fromhex("4040")
    header = tlv(0x80, source) + tlv(0x81, number(12, 8)) + tlv(0x82, number(10, 4)) + tlv(0x83, sha256(bits))
    header += tlv(0x86, sign(signer, b"SmartPRO authorisation mask" + header))
    return {"direction": str(direction), "mkmb": mkmb, "mksb": mksb, "source": source, "master_bridge": master, "dkmb": dkmb, **first,
            "transfer_key": transfer_key, "licence_id": licence_id, "issuer": issuer, "origins": origins, "rights": rights, "control_word": control_word,
            "cdi": cdis[0], "package": tlv(0x90, lecm) + b"".join(tlv(0x91, cdi) for cdi in cdis),
            "revocation_key": P256.public(number(signer, 32)), "record": record + tlv(0x86, sign(signer, b"SmartPRO bridge record" + record)),
            "mask_file": b"SPAM\1\0" + number(len(header), 2) + header + bits}


RIGHTS = tlv(0x80, b"\1") + tlv(0x82, number(NOW, 8)) + tlv(0x83, number(3, 4)) + tlv(0x85, number(2, 4))
FILES = {
    "secure_channel.txt": ("The channel between a host and a token: see docs/formats/smartpro-channel.md.", [channel(P256), channel(Ffdhe2048)]),
    "licence.txt": ("Licences: see docs/formats/smartpro-licence.md.",
                    [licence("render and process", tlv(0x80, b"\3")), licence("render three times, with HDCP, until a date", RIGHTS)]),
    "broadcast.txt": ("ECMs and access criteria of broadcast services: see docs/formats/smartpro-broadcast.md.",
                      [broadcast("a word of 8 bytes, nothing said", 0x4adc0001, 0x0203, 6, bytes(range(0xa0, 0xa8))),
                       broadcast("a word of 16 bytes, nothing said", 0x4adc0001, 0x0203, 7, bytes(range(0xa0, 0xb0))),
                       broadcast("a content of its own, three plays until a date", 0x4adc0001, 0xffff, 65535, bytes(range(0xa0, 0xb0)), RIGHTS, b"\xc1" * 16)]),
    "register.txt": ("A progenitor's register, record after record: see docs/formats/smartpro-token.md.", register()),
    "revocation.txt": ("What a revocation list's header says of 1000, 1010, 1020, ..., and a proof of absence: see docs/formats/smartpro-revocation.md.",
                       [absence(count) for count in (0, 1, 32, 33, 64, 65, 100, 224, 1000)]),
    "bridging.txt": ("Bridging out of a domain and back: see docs/formats/smartpro-bridging.md.", [bridging(1), bridging(2)]),
}


def main():
    different = False
    for name, (title, cases) in FILES.items():
        text = f"# {title}\n# Written by check_smartpro_vectors.py.\n"
        for case in cases:
            text += "\n" + "".join(f"{key} = {value.hex() if isinstance(value, bytes) else value}\n" for key, value in case.items())
        path = FOLDER / name
        if "--write" in sys.argv[1:]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{name} differs from what its page says")
            different = True
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
