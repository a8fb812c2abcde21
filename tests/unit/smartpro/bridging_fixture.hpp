// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "base/tlv.hpp"
#include "base/writer.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/master_bridge.hpp"
#include "smartpro/simple_bridge.hpp"
#include "smartpro/token_commands.hpp"
#include "smartpro/transfer_package.hpp"
#include "tests/support/applet_memory.hpp"
#include "tests/support/bridge_domain.hpp"
#include "tests/support/result_matchers.hpp"

// Two pairs of bridges and what a host says to them, for the tests of bridge tokens.

namespace cas::smartpro {

using test::BridgeDomain;
using test::PlainAppletMemory;
using test::value_or_throw;

inline constexpr SerialNumber master_serial = 0x1001;
inline constexpr SerialNumber simple_serial = 0x2001;
inline constexpr SerialNumber other_simple_serial = 0x2002;
inline constexpr std::uint64_t now = 1'800'000'000;

inline UsageRights bridgeable(std::uint8_t hops = 2) {
  UsageRights rights;
  rights.bridge = true;
  rights.bridge_hops = hops;
  rights.play_count = 5;
  return rights;
}

/// What a host says of the content; a test changes what it lies about.
struct Claim {
  HeaderDigest digest = test::bridged_digest();
  std::uint64_t cipher = 1;
  std::uint32_t period = 3;
  std::uint64_t time = now;

  void write(TlvWriter& writer, TlvTag first) const {
    writer.field(first, digest)
        .number(static_cast<TlvTag>(first + 1), cipher, 1)
        .number(static_cast<TlvTag>(first + 2), period, 4);
    writer.number(static_cast<TlvTag>(first + 3), time, 8);
  }
};

inline Bytes numbers(const std::vector<SerialNumber>& all) {
  ByteWriter writer;
  for (const SerialNumber number : all) writer.u64(number);
  return writer.take();
}

/// The bytes of what a token answers with: a package.
inline TransferPackage package_of(ByteView answer) {
  const TlvFields fields = value_or_throw(TlvFields::parse(answer, "answer"));
  TransferPackage package;
  package.lecm = copy_of(value_or_throw(fields.required(tag::converted_lecm)));
  for (const TlvField& field : fields.all())
    if (field.tag == tag::converted_cdi) package.cdis.push_back(value_or_throw(Cdi::parse(field.value)));
  return package;
}

inline Bytes licence_of(ByteView answer) {
  const TlvFields fields = value_or_throw(TlvFields::parse(answer, "answer"));
  EXPECT_EQ(fields.all().size(), 1U);
  return copy_of(value_or_throw(fields.required(tag::converted_lecm)));
}

/// Source domain with a master bridge, destination domain with a simple bridge that is registered in the source, and
/// another pair in a third domain.
class Bridging : public testing::Test {
 protected:
  BridgeDomain source{0xa1};
  BridgeDomain destination{0xb2};
  BridgeDomain third{0xc3};
  test::SeededRandom random{11};
  PlainAppletMemory master_memory, simple_memory, other_memory;
  MasterBridge master{master_memory, random, master_serial};
  SimpleBridge simple{simple_memory, random, simple_serial};
  SimpleBridge other{other_memory, random, other_simple_serial};  // In the third domain, registered in the source.
  BridgeRecord record, other_record;

  void SetUp() override {
    source.activate(master_memory, TokenKind::master_bridge, master_serial);
    destination.activate(simple_memory, TokenKind::simple_bridge, simple_serial);
    third.activate(other_memory, TokenKind::simple_bridge, other_simple_serial);
    record = source.register_bridge(simple_serial, destination.vdid);
    other_record = source.register_bridge(other_simple_serial, third.vdid);
    value_or_throw(simple.register_bridge(source.registration(record), source.progenitor));
    value_or_throw(other.register_bridge(source.registration(other_record), source.progenitor));
    value_or_throw(master.update_mask(source.mask().signed_header));
    admit();
  }
  void admit() {
    value_or_throw(master.admit_bridge(source.sign(record)));
    value_or_throw(master.admit_bridge(source.sign(other_record)));
    value_or_throw(master.show_mask(show_mask_last_part, source.mask_bits));
  }

  Result<Bytes> send(ByteView lecm, const std::vector<SerialNumber>& to, const Claim& claim = {},
                     const std::optional<UsageRights>& rights = {}) {
    TlvWriter writer;
    writer.field(tag::outgoing_lecm, lecm);
    claim.write(writer, tag::outgoing_content);
    if (rights) writer.field(tag::outgoing_rights, rights->encode());
    return master.send_licence(writer.field(tag::outgoing_destinations, numbers(to)).take());
  }
  Result<Bytes> give_back(SimpleBridge& bridge, ByteView lecm, const Claim& claim = {},
                          const std::optional<UsageRights>& rights = {}) {
    TlvWriter writer;
    writer.field(tag::outgoing_lecm, lecm);
    claim.write(writer, tag::outgoing_content);
    if (rights) writer.field(tag::outgoing_rights, rights->encode());
    return bridge.return_licence(writer.view());
  }
  static Bytes incoming(ByteView lecm, const Cdi& cdi, const Claim& claim = {}) {
    TlvWriter writer;
    writer.field(tag::incoming_lecm, lecm).field(tag::incoming_cdi, cdi.encode());
    claim.write(writer, tag::incoming_content);
    return writer.take();
  }

  /// A package for both simple bridges.
  TransferPackage sent(const UsageRights& rights = bridgeable()) {
    return package_of(value_or_throw(send(source.licence(rights), {simple_serial, other_simple_serial})));
  }
  Bytes received(const UsageRights& rights = bridgeable()) {
    const TransferPackage package = sent(rights);
    return licence_of(value_or_throw(simple.receive_licence(incoming(package.lecm, package.cdis[0]))));
  }
  TransferPackage given_back() { return package_of(value_or_throw(give_back(simple, received()))); }
  static bool has_control_word(const UnsealedLicence& licence) {
    return crypto::constant_time_equal(licence.control_word.reveal(), test::bridged_control_word().reveal());
  }
};

}  // namespace cas::smartpro
