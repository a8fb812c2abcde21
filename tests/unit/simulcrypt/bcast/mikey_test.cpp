// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/mikey.hpp"

#include <gtest/gtest.h>

#include "simulcrypt/bcast/smartcard_messages.hpp"
#include "support/result_matchers.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"

namespace cas::simulcrypt::bcast::mikey {
namespace {

using cas::test::hex;

const std::string hdr = "01 00 05 00 01020304 00 01";  // next is T
const std::string kemac_of_none = "00 01 0000 01" + std::string(40, '0');

// Laid out by hand after RFC 3830, 6.1, 6.2, 6.6, 6.7, 6.11, 6.15, and RFC 5410, figures 1 and 3.
TEST(Mikey, ReadsAMessageLaidOutByHand) {
  const Bytes bytes = hex(hdr +
                          "15 02 00000007"           // T, next EXT: COUNTER, 7
                          "15 05 0003 02 08 04"      // OMA BCAST, next EXT: STKM
                          "06 03 0005 00 03 00f110"  // Key ID, next ID: key domain
                          "06 00 0001 61"            // IDi "a", next ID
                          "0b 00 0002 6263"          // IDr "bc", next RAND
                          "01 10 101112131415161718191a1b1c1d1e1f"
                          "00 01 0003 aabbcc 01" +
                          std::string(40, '5'));
  const auto message = Message::parse(bytes);
  ASSERT_OK(message);
  EXPECT_EQ(message->csb_id, 0x01020304U);
  EXPECT_EQ(message->counter, 7U);
  ASSERT_EQ(message->extensions.size(), 2U);
  EXPECT_EQ(to_hex(*message->extension(oma_bcast)), "020804");
  EXPECT_EQ(to_hex(*message->extension(key_id)), "000300f110");
  EXPECT_EQ(as_text(*message->initiator), "a");
  EXPECT_EQ(as_text(*message->responder), "bc");
  EXPECT_EQ(message->rand.size(), 16U);
  EXPECT_EQ(to_hex(message->encrypted), "aabbcc");
  EXPECT_EQ(message->mac.size(), 20U);
  EXPECT_EQ(message->authenticated.size(), bytes.size() - 20);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(Message::parse(ByteView(bytes).first(size))) << size;
  }
}

TEST(Mikey, TakesAMapOfCryptoSessions) {
  ASSERT_OK(
      Message::parse(hex("01 00 05 80 00000001 01 00 00 11223344 00000003"
                         "01 02 00000001" +
                         kemac_of_none)));
  EXPECT_FAILS(Message::parse(hex("01 00 05 00 00000001 01 01"
                                  "01 02 00000001" +
                                  kemac_of_none)),
               ErrorKind::malformed);
}

TEST(Mikey, RefusesWhatIsNotSentHere) {
  const std::string t = "02 00000001";
  ASSERT_OK(Message::parse(hex(hdr + "01" + t + kemac_of_none)));
  const auto refused = [](const std::string& text, ErrorKind kind) { EXPECT_FAILS(Message::parse(hex(text)), kind); };
  refused("02 00 05 00 00000001 00 01 01" + t + kemac_of_none, ErrorKind::unsupported);      // version
  refused("01 02 05 00 00000001 00 01 01" + t + kemac_of_none, ErrorKind::unsupported);      // public key exchange
  refused("01 00 05 01 00000001 00 01 01" + t + kemac_of_none, ErrorKind::unsupported);      // PRF
  refused("01 00 05 00 00000001 00 02 01" + t + kemac_of_none, ErrorKind::unsupported);      // map type
  refused(hdr + "01 00 0000000100000000" + kemac_of_none, ErrorKind::unsupported);           // NTP-UTC
  refused(hdr + "01" + t + "00 00 0000 01" + std::string(40, '0'), ErrorKind::unsupported);  // NULL encryption
  refused(hdr + "01" + t + "00 01 0000 00", ErrorKind::unsupported);                         // NULL MAC
  refused(hdr + "0a" + t + "01 00 00 0000" + kemac_of_none, ErrorKind::unsupported);         // SP
  refused(hdr + "05" + t + "01" + t + kemac_of_none, ErrorKind::malformed);                  // two timestamps
  refused(hdr + "01" + t + "05 01 0000 01" + std::string(40, '0') + "00" + t, ErrorKind::malformed);
  refused(hdr + "01" + t + kemac_of_none + "00", ErrorKind::malformed);         // something behind it
  refused(hdr + "00" + t, ErrorKind::malformed);                                // no KEMAC
  refused("01 00 01 00 00000001 00 01" + kemac_of_none, ErrorKind::malformed);  // no timestamp
  refused("01 00 00 00 00000001 00 01", ErrorKind::malformed);
  refused(hdr + "06" + t + "01 00 0001 61" + kemac_of_none, ErrorKind::malformed);  // one identity
  refused(hdr + "06" + t + "06 00 0001 61 06 00 0001 61 01 00 0001 61" + kemac_of_none, ErrorKind::malformed);
  refused(hdr + "06" + t + "06 03 0001 61 01 00 0001 61" + kemac_of_none, ErrorKind::unsupported);
  refused(hdr + "06" + t + "06 00 0000 01 00 0001 61" + kemac_of_none, ErrorKind::malformed);
  refused(hdr + "0b" + t + "01 0f" + std::string(30, '0') + kemac_of_none, ErrorKind::malformed);  // short RAND
  refused(hdr + "0b" + t + "0b 10" + std::string(32, '0') + "01 10" + std::string(32, '0') + kemac_of_none,
          ErrorKind::malformed);
  refused(hdr + "15" + t + "15 05 0000 01 05 0000" + kemac_of_none, ErrorKind::malformed);  // an extension twice
  std::string many = hdr + "15" + t;
  for (int i = 0; i < 16; ++i) many += "15 " + to_hex(Bytes{static_cast<std::uint8_t>(0x40 + i)}) + " 0000";
  refused(many + "01 30 0000" + kemac_of_none, ErrorKind::malformed);
  EXPECT_FAILS(Message::parse(Bytes(max_message_size + 1)), ErrorKind::malformed);
}

struct Sealed {
  Keys keys;
  Bytes bytes;
};
Sealed sealed(std::vector<KeyData> data) {
  Sealed made;
  made.keys = *derive_keys(bcast::test::counted(0x10), 1, {});
  made.bytes = *seal({1, 2, {}, {}, {}, {}}, data, made.keys);
  return made;
}
KeyData key_of(KeyData::Type type) {
  return {type, bcast::test::counted(0), bcast::test::counted(0x40, 14), std::nullopt};
}

TEST(Mikey, CarriesUpToFourKeysOfEachType) {
  std::vector<KeyData> data;
  for (const auto type :
       {KeyData::Type::tgk, KeyData::Type::tgk_and_salt, KeyData::Type::tek, KeyData::Type::tek_and_salt}) {
    data.push_back(key_of(type));
  }
  data[1].interval = KeyData::Interval{3, 4};
  const Sealed made = sealed(std::move(data));
  const auto message = Message::parse(made.bytes);
  ASSERT_OK(message);
  const auto opened = open_kemac(*message, made.keys);
  ASSERT_OK(opened);
  ASSERT_EQ(opened->size(), 4U);
  EXPECT_EQ((*opened)[1].interval->to, 4U);
  EXPECT_EQ((*opened)[2].salt.size(), 0U);
  EXPECT_EQ((*opened)[3].salt.size(), 14U);
  std::vector<KeyData> five;
  EXPECT_FAILS(seal({1, 2, {}, {}, {}, {}}, five, made.keys), ErrorKind::invalid_argument);
  for (int i = 0; i < 5; ++i) five.push_back(key_of(KeyData::Type::tek));
  EXPECT_FAILS(seal({1, 2, {}, {}, {}, {}}, five, made.keys), ErrorKind::invalid_argument);
  five.resize(1);
  EXPECT_FAILS(seal({1, 2, as_bytes("a"), {}, {}, {}}, five, made.keys), ErrorKind::invalid_argument);
}

TEST(Mikey, VerifiesTheMacBeforeItLooksAtKeys) {
  std::vector<KeyData> data;
  data.push_back(key_of(KeyData::Type::tek));
  Sealed made = sealed(std::move(data));
  made.bytes.back() ^= 1;
  EXPECT_FAILS(open_kemac(*Message::parse(made.bytes), made.keys), ErrorKind::authentication_failed);
  made.bytes.back() ^= 1;
  EXPECT_FAILS(open_kemac(*Message::parse(made.bytes), *derive_keys(bcast::test::counted(0x10), 2, {})),
               ErrorKind::authentication_failed);
  ASSERT_OK(open_kemac(*Message::parse(made.bytes), made.keys));
}

TEST(Mikey, DerivesKeysFromKeysThatAreLongEnough) {
  EXPECT_FAILS(derive_keys(SecretBytes(15), 1, {}), ErrorKind::invalid_argument);
  EXPECT_FAILS(derive_keys(SecretBytes(33), 1, {}), ErrorKind::invalid_argument);
  const auto one = derive_keys(bcast::test::counted(0), 1, Bytes(16, 1));
  const auto other = derive_keys(bcast::test::counted(0), 1, Bytes(16, 2));
  EXPECT_NE(to_hex(one->encryption.reveal()), to_hex(other->encryption.reveal()));
}

// A message may be well-formed MIKEY, and still no key message.
TEST(SmartcardStkm, RefusesOtherMikeyMessages) {
  const auto stkm = [](const std::string& bcast, const std::string& ids, const std::string& csb = "00000001") {
    const auto extension = [](const std::string& type, const std::string& data) {
      const Bytes bytes = hex(data);
      return type + to_hex(Bytes{0, static_cast<std::uint8_t>(bytes.size())}) + to_hex(bytes);
    };
    return SmartcardStkm::parse(hex("01 00 05 00" + csb + "00 01 15 02 00000001" + "15" + extension("05", bcast) +
                                    "01" + extension("03", ids) + kemac_of_none));
  };
  const std::string ids = "000300f110 010400010002 02020007";
  ASSERT_OK(stkm("02 06 04", ids));
  EXPECT_FAILS(stkm("01 06 04", ids), ErrorKind::malformed);  // an LTKM
  EXPECT_FAILS(stkm("", ids), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 06", ids), ErrorKind::truncated);
  EXPECT_FAILS(stkm("02 0e 04", ids), ErrorKind::unsupported);  // traffic_protection_protocol 3
  EXPECT_FAILS(stkm("02 06 04 00", ids), ErrorKind::malformed);
  ASSERT_OK(stkm("02 26 04 00 01 0100", ids));
  EXPECT_FAILS(stkm("02 26 04 00 02 0100", ids), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 26 04 00 00", ids), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 06 04", "000300f110 010400010002"), ErrorKind::malformed);  // no TEK ID
  EXPECT_FAILS(stkm("02 06 04", "000300f110 02020007"), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 06 04", "010400010002 02020007"), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 06 04", ids + "02020008"), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 06 04", ids + "0300"), ErrorKind::malformed);
  EXPECT_FAILS(stkm("02 06 04", "0002f110 010400010002 02020007"), ErrorKind::malformed);
  const auto other = stkm("02 06 04", ids, "abcd0002");
  ASSERT_OK(other);
  EXPECT_EQ(other->head.stream, 2);
  EXPECT_EQ(other->head.instance, 0xabcd);
  EXPECT_FAILS(SmartcardStkm::parse(hex(hdr + "01 02 00000001" + kemac_of_none)), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::simulcrypt::bcast::mikey
