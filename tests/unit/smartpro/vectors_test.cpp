// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/constant_time.hpp"
#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_keys.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/broadcast_ecm.hpp"
#include "smartpro/domain_register.hpp"
#include "smartpro/licence.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_memory.hpp"
#include "smartpro/transfer_package.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/test_system.hpp"
#include "tests/support/vector_file.hpp"

// The files are computed by tests/vectors/smartpro/check_smartpro_vectors.py, from the pages alone.

namespace cas::smartpro {
namespace {

using test::value_or_throw;

/// Gives what it was given, once.
class ScriptedRandom final : public Random {
 public:
  explicit ScriptedRandom(Bytes script) : script_(std::move(script)) {}
  Status fill(MutableByteView out) override {
    if (out.size() != script_.size()) return fail_with_size(out.size());
    std::ranges::copy(script_, out.begin());
    return {};
  }

 private:
  static Status fail_with_size(std::size_t size) {
    return cas::fail(ErrorKind::internal, "asked for " + std::to_string(size) + " bytes");
  }
  Bytes script_;
};

std::uint64_t big_endian(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

TEST(SmartproVectors, SecureChannel) {
  test::for_each_vector("smartpro/secure_channel.txt", [](test::Vector& vector) {
    const auto group = vector.text("suite") == "p256" ? crypto::DhGroup::p256 : crypto::DhGroup::ffdhe2048;
    const auto root = value_or_throw(crypto::Certificate::from_der(vector.hex("root")));
    const auto host = value_or_throw(crypto::Certificate::from_der(vector.hex("host_certificate")));
    const auto token = value_or_throw(crypto::Certificate::from_der(vector.hex("token_certificate")));
    const auto host_key = value_or_throw(crypto::dh_key_pair_from_private(group, vector.secret("host_private")));
    const auto token_key = value_or_throw(crypto::dh_key_pair_from_private(group, vector.secret("token_private")));
    const auto now = static_cast<UnixSeconds>(vector.number("now"));
    const auto party = [&](const crypto::Certificate& certificate, const crypto::DhKeyPair& key) {
      const bool p256 = group == crypto::DhGroup::p256;
      return SacParty{&root, &certificate, p256 ? &key : nullptr, p256 ? nullptr : &key, now, {3, 5}};
    };
    ScriptedRandom x(vector.hex("x"));
    ScriptedRandom y(vector.hex("y"));
    SacInitiator initiator = value_or_throw(SacInitiator::start(party(host, host_key), group, x));
    EXPECT_EQ(to_hex(initiator.message1()), vector.text("message1"));
    SacResponder responder = value_or_throw(SacResponder::answer(party(token, token_key), initiator.message1(), y));
    EXPECT_EQ(to_hex(responder.message2()), vector.text("message2"));
    const Bytes message3 = value_or_throw(initiator.authenticate(responder.message2()));
    EXPECT_EQ(to_hex(message3), vector.text("message3"));
    const SacResult result = value_or_throw(responder.finish(message3));
    EXPECT_EQ(to_hex(result.keys.command_encryption.reveal()), vector.text("command_encryption"));
    EXPECT_EQ(to_hex(result.keys.command_mac.reveal()), vector.text("command_mac"));
    EXPECT_EQ(to_hex(result.keys.response_encryption.reveal()), vector.text("response_encryption"));
    EXPECT_EQ(to_hex(result.keys.response_mac.reveal()), vector.text("response_mac"));
  });
}

TEST(SmartproVectors, Licences) {
  test::for_each_vector("smartpro/licence.txt", [](test::Vector& vector) {
    vector.text("case");
    LicenceTerms terms;
    terms.vdid = to_array<Vdid>(vector.hex("vdid"));
    terms.content_id = to_array<ContentId>(vector.hex("content_id"));
    terms.licence_id = to_array<LicenceId>(vector.hex("licence_id"));
    for (const std::uint8_t byte : vector.hex("issuer")) terms.issuer = terms.issuer << 8 | byte;
    terms.key_period = static_cast<std::uint32_t>(vector.number("key_period"));
    terms.header_digest = to_array<HeaderDigest>(vector.hex("header_digest"));
    terms.rights = value_or_throw(UsageRights::parse(vector.hex("rights")));
    const SecretBytes domain_key = vector.secret("domain_key");
    const SecretBytes control_word = vector.secret("control_word");
    const Bytes lecm = vector.hex("lecm");
    EXPECT_EQ(to_hex(value_or_throw(seal_licence(domain_key, terms, control_word))), to_hex(lecm));
    const UnsealedLicence unsealed =
        value_or_throw(unseal_licence(domain_key, value_or_throw(LicenceView::parse(lecm))));
    EXPECT_TRUE(crypto::constant_time_equal(unsealed.control_word.reveal(), control_word.reveal()));
    EXPECT_EQ(unsealed.terms.rights, terms.rights);
  });
}

TEST(SmartproVectors, BroadcastEcms) {
  test::for_each_vector("smartpro/broadcast.txt", [](test::Vector& vector) {
    vector.text("case");
    const BroadcastPlace place{static_cast<std::uint32_t>(big_endian(vector.hex("super_cas_id"))),
                               static_cast<std::uint16_t>(big_endian(vector.hex("ecm_id")))};
    const auto cp_number = static_cast<std::uint16_t>(vector.number("cp_number"));
    const BroadcastCriteria criteria = value_or_throw(BroadcastCriteria::parse(vector.hex("criteria")));
    const LicenceRequest request = value_or_throw(broadcast_licence_request(place, cp_number, criteria));
    EXPECT_EQ(to_hex(request.header_digest), vector.text("header_digest"));
    EXPECT_EQ(to_hex(request.content_id), vector.text("content_id"));
    EXPECT_EQ(to_hex(request.rights.encode()), vector.text("rights"));
    LicenceTerms terms;
    terms.vdid = to_array<Vdid>(vector.hex("vdid"));
    terms.content_id = request.content_id;
    terms.licence_id = to_array<LicenceId>(vector.hex("licence_id"));
    terms.issuer = big_endian(vector.hex("issuer"));
    terms.cipher = request.cipher;
    terms.key_period = request.key_period;
    terms.header_digest = request.header_digest;
    terms.rights = request.rights;
    const SecretBytes domain_key = vector.secret("domain_key");
    const SecretBytes control_word = vector.secret("control_word");
    const Bytes lecm = value_or_throw(seal_licence(domain_key, terms, control_word));
    EXPECT_EQ(to_hex(value_or_throw(write_broadcast_ecm(place, cp_number, lecm))), vector.text("ecm"));
    const Bytes section = vector.hex("ecm");
    const BroadcastEcm ecm = value_or_throw(BroadcastEcm::parse(section));
    EXPECT_EQ(ecm.place, place);
    EXPECT_EQ(ecm.cp_number, cp_number);
    const UnsealedLicence unsealed = value_or_throw(unseal_licence(domain_key, ecm.licence));
    EXPECT_TRUE(crypto::constant_time_equal(unsealed.control_word.reveal(), control_word.reveal()));
  });
}

TEST(SmartproVectors, Register) {
  test::PlainAppletMemory memory;
  DomainRegister written(memory);
  DomainRegister read(memory);
  read.start_reading();
  test::for_each_vector("smartpro/register.txt", [&](test::Vector& vector) {
    value_or_throw(memory.write(object::register_key, vector.hex("register_key")));
    RegisterEntry entry;
    entry.event = static_cast<RegisterEvent>(vector.number("event"));
    for (const std::uint8_t byte : vector.hex("token")) entry.token = entry.token << 8 | byte;
    entry.kind = static_cast<TokenKind>(vector.number("kind"));
    entry.time = static_cast<UnixSeconds>(vector.number("time"));
    entry.vdid = to_array<Vdid>(vector.hex("vdid"));
    entry.number = vector.number("number");
    const Bytes record = vector.hex("record");
    EXPECT_EQ(to_hex(value_or_throw(written.add(entry))), to_hex(record));
    const RegisterEntry back = value_or_throw(read.read_next(record));
    EXPECT_EQ(back.sequence, vector.number("sequence"));
    EXPECT_EQ(back.token, entry.token);
    EXPECT_EQ(back.time, entry.time);
    EXPECT_EQ(back.vdid, entry.vdid);
    EXPECT_EQ(back.number, entry.number);
  });
  EXPECT_OK(read.finish_reading());
}

TEST(SmartproVectors, Bridging) {
  test::for_each_vector("smartpro/bridging.txt", [](test::Vector& vector) {
    const auto direction = static_cast<TransferDirection>(vector.number("direction"));
    const BridgeContext context{to_array<LicenceId>(vector.hex("licence_id")),
                                to_array<Vdid>(vector.hex("source")),
                                big_endian(vector.hex("master_bridge")),
                                big_endian(vector.hex("simple_bridge")),
                                static_cast<std::uint32_t>(big_endian(vector.hex("index"))),
                                to_array<Vdid>(vector.hex("destination"))};
    const SecretBytes dkmb = value_or_throw(master_bridge_key(vector.secret("mkmb"), context.master_bridge));
    const SecretBytes dksb =
        value_or_throw(simple_bridge_key(vector.secret("mksb"), context.simple_bridge, context.index));
    EXPECT_EQ(to_hex(dkmb.reveal()), vector.text("dkmb"));
    EXPECT_EQ(to_hex(dksb.reveal()), vector.text("dksb"));
    const SecretBytes transfer_key = vector.secret("transfer_key");
    const SecretBytes pair = value_or_throw(bridge_key(dkmb, dksb));
    const Cdi cdi{context.simple_bridge, context.index, context.destination,
                  value_or_throw(wrap_transfer_key(pair, context, direction, transfer_key))};
    EXPECT_EQ(to_hex(cdi.encode()), vector.text("cdi"));

    LicenceTerms terms;
    terms.vdid = context.source;
    terms.content_id.fill(0x11);
    terms.licence_id = context.licence_id;
    terms.issuer = big_endian(vector.hex("issuer"));
    terms.key_period = 3;
    terms.header_digest.fill(0x22);
    terms.rights = value_or_throw(UsageRights::parse(vector.hex("rights")));
    terms.transfer = direction;
    const Bytes origins = vector.hex("origins");
    for (std::size_t at = 0; at < origins.size(); at += 16)
      terms.origins.push_back(
          {to_array<Vdid>(ByteView(origins).subspan(at, 8)), big_endian(ByteView(origins).subspan(at + 8, 8))});
    const Bytes package_bytes = vector.hex("package");
    const TransferPackage package = value_or_throw(TransferPackage::parse(package_bytes));
    EXPECT_EQ(to_hex(package.encode()), to_hex(package_bytes));
    EXPECT_EQ(package.cdis.front(), cdi);
    EXPECT_EQ(to_hex(value_or_throw(seal_licence(transfer_key, terms, vector.secret("control_word")))),
              to_hex(package.lecm));

    const Bytes public_key = vector.hex("revocation_key");
    const BridgeRecord record = value_or_throw(BridgeRecord::parse_signed(vector.hex("record"), public_key));
    EXPECT_EQ(record, (BridgeRecord{context.source, context.simple_bridge, context.index, context.destination}));
    const Bytes file = vector.hex("mask_file");
    const AuthorisationMask mask = value_or_throw(AuthorisationMask::parse(file, public_key));
    EXPECT_EQ(mask.header.version, 12U);
    EXPECT_EQ(mask.header.bits, 10U);
    for (std::uint32_t index = 0; index < 20; ++index)
      EXPECT_EQ(mask.authorises(index), index == 1 || index == 9) << index;
    EXPECT_EQ(to_hex(mask.encode()), to_hex(file));
  });
}

}  // namespace
}  // namespace cas::smartpro
