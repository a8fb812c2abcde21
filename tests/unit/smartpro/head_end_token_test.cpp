// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "crypto/constant_time.hpp"
#include "smartpro/broadcast_ecm.hpp"
#include "smartpro/token_commands.hpp"
#include "tests/unit/smartpro/domain_management_fixture.hpp"

// Head-end tokens: what acquisition tokens do, and licences for control words from outside. Then what becomes of
// licences whose words scramble a transport stream.

namespace cas::smartpro {
namespace {

constexpr auto stream = ContentCipher::transport_stream;
constexpr auto gcm = ContentCipher::aes_128_gcm;

class HeadEnd : public DomainManagement {
 protected:
  BroadcastPlace place{0x4adc0001, 0x0203};
  BroadcastCriteria criteria;
  SecretBytes word = SecretBytes::copy_of(Bytes(8, 0xab));

  void SetUp() override { system.enrol("progenitor", "head end", TokenKind::head_end); }
  LicenceRequest request(std::uint16_t cp_number = 5) {
    return value_or_throw(broadcast_licence_request(place, cp_number, criteria));
  }
  LicenceRequest for_cipher(ContentCipher cipher) {
    LicenceRequest changed = request();
    changed.cipher = cipher;
    return changed;
  }
  Bytes ecm(std::uint16_t cp_number = 5) {
    const Bytes lecm = value_or_throw(system.session("head end")->wrap_control_word(request(cp_number), word));
    return value_or_throw(write_broadcast_ecm(place, cp_number, lecm));
  }
  Result<OpenedLicence> open(ByteView section, std::uint8_t play = 7, const std::string& token = "renderer") {
    CAS_TRY_ASSIGN(const BroadcastEcm parsed, BroadcastEcm::parse(section));
    return system.session(token)->open_licence(parsed.lecm, parsed.open_request({play}));
  }

  /// CREATE LICENCE as a host would give it that checks nothing; `word_size` nothing: no word.
  Result<SecretBytes> create(const std::string& token, std::uint64_t cipher, std::optional<std::size_t> word_size) {
    TlvWriter writer;
    writer.field(tag::create_content_id, ContentId{})
        .field(tag::create_header_digest, HeaderDigest{})
        .number(tag::create_cipher, cipher, 1)
        .number(tag::create_key_period, 5, 4)
        .field(tag::create_rights, UsageRights{}.encode());
    if (word_size) writer.field(tag::create_control_word, Bytes(*word_size, 0xab));
    const auto card = connected(token);
    return raw_channel(*card).command(ins::create_licence, writer.view());
  }
};

std::string said(const auto& result) { return result ? std::string() : result.error().message; }

TEST_F(HeadEnd, WrapsAWordThatARendererOpens) {
  for (const std::size_t size : {8, 16}) {
    word = SecretBytes::copy_of(Bytes(size, static_cast<std::uint8_t>(size)));
    const auto opened = open(ecm());
    ASSERT_OK(opened);
    EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), word.reveal()));
    EXPECT_EQ(opened->rights, criteria.rights);
    EXPECT_EQ(opened->content_id, to_array<ContentId>(value_or_throw(place.digest())));
  }
}

TEST_F(HeadEnd, WrapsWordsForFilesAsWell) {
  word = SecretBytes::copy_of(Bytes(16, 1));
  for (const ContentCipher cipher : {gcm, ContentCipher::aes_128_ctr}) {
    const LicenceRequest wanted = for_cipher(cipher);
    const Bytes lecm = value_or_throw(system.session("head end")->wrap_control_word(wanted, word));
    const auto opened =
        system.session("renderer")->open_licence(lecm, {wanted.header_digest, cipher, wanted.key_period, {7}});
    ASSERT_OK(opened);
    EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), word.reveal()));
  }
}

TEST_F(HeadEnd, DrawsWordsAsAnAcquisitionTokenDoes) {
  const LicenceRequest wanted = for_cipher(gcm);
  const auto made = system.session("head end")->create_licence(wanted);
  ASSERT_OK(made);
  const auto opened =
      system.session("renderer")->open_licence(made->lecm, {wanted.header_digest, gcm, wanted.key_period, {7}});
  ASSERT_OK(opened);
  EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), made->control_word.reveal()));
}

TEST_F(HeadEnd, AnswersWithTheLicenceAlone) {
  const SecretBytes answer = value_or_throw(create("head end", 16, 8));
  const TlvFields fields = value_or_throw(TlvFields::parse(answer.reveal(), "answer"));
  ASSERT_EQ(fields.all().size(), 1U);
  EXPECT_EQ(fields.all()[0].tag, tag::created_lecm);
  EXPECT_EQ(value_or_throw(TlvFields::parse(value_or_throw(create("head end", 1, {})).reveal(), "answer")).all().size(),
            2U);
}

TEST_F(HeadEnd, OtherTokensTakeNoWordFromOutside) {
  system.enrol("progenitor", "worker", TokenKind::processing);
  system.make_token("blank");
  for (const char* token : {"acquisition", "renderer", "worker", "progenitor", "blank"}) {
    SCOPED_TRACE(token);
    EXPECT_FAILS(system.session(token)->wrap_control_word(request(), word), ErrorKind::refused);
    EXPECT_FAILS(create(token, 16, 8), ErrorKind::refused);
    EXPECT_FAILS(create(token, 1, 16), ErrorKind::refused);
  }
  EXPECT_OK(create("acquisition", 1, {}));
}

TEST_F(HeadEnd, TakesWordsOfASizeForTheCipherAlone) {
  const auto session = system.session("head end");
  for (std::size_t size = 0; size <= 33; ++size) {
    SCOPED_TRACE(size);
    const SecretBytes some = SecretBytes::copy_of(Bytes(size, 1));
    for (const ContentCipher cipher : {gcm, ContentCipher::aes_128_ctr, stream}) {
      const bool fits = size == 16 || (size == 8 && cipher == stream);
      EXPECT_EQ(session->wrap_control_word(for_cipher(cipher), some).has_value(), fits);
    }
  }
  EXPECT_FAILS(session->wrap_control_word(for_cipher(gcm), word), ErrorKind::invalid_argument);
  for (const std::size_t size : {0, 7, 9, 15, 17, 32})
    EXPECT_FAILS(create("head end", 16, size), ErrorKind::authentication_failed);
  for (const std::uint64_t cipher : {1, 2})
    for (const std::size_t size : {0, 8, 15, 17}) {
      EXPECT_FAILS(create("head end", cipher, size), ErrorKind::authentication_failed);
    }
}

TEST_F(HeadEnd, DrawsNoWordForAStream) {
  for (const char* token : {"head end", "acquisition"}) {
    EXPECT_FAILS(create(token, 16, {}), ErrorKind::authentication_failed);
    EXPECT_FAILS(system.session(token)->create_licence(request()), ErrorKind::invalid_argument);
  }
  EXPECT_FAILS(create("head end", 3, 16), ErrorKind::authentication_failed);  // no such cipher
}

TEST_F(HeadEnd, IsForAHostMadeForAcquisition) {
  for (const char* capability : {"renderer", "processing", "bridge", "management"}) {
    TokenSession other(system.card("head end"), system.make_host(capability), system.channel_options());
    EXPECT_FAILS(other.wrap_control_word(request(), word), ErrorKind::refused);
  }
  TokenSession own(system.card("head end"), system.make_host("acquisition"), system.channel_options());
  EXPECT_OK(own.wrap_control_word(request(), word));
}

TEST_F(HeadEnd, OpensNoLicences) {
  EXPECT_FAILS(open(ecm(), 7, "head end"), ErrorKind::refused);
  EXPECT_FAILS(open(ecm(), 7, "acquisition"), ErrorKind::refused);
}

TEST_F(HeadEnd, RefusalsAreSentences) {
  EXPECT_EQ(said(system.session("acquisition")->wrap_control_word(request(), word)),
            "the token takes no control words from outside: insert a head-end token");
  EXPECT_EQ(said(system.session("renderer")->create_licence(for_cipher(gcm))),
            "the token cannot make licences for clear content: insert an acquisition token");
  EXPECT_EQ(said(system.session("head end")->wrap_control_word(for_cipher(gcm), word)),
            "a control word of 8 bytes is none for aes-128-gcm");
}

TEST_F(HeadEnd, SaysWhatItIs) {
  const TokenInfo info = value_or_throw(system.session("head end")->info());
  EXPECT_EQ(info.kind, TokenKind::head_end);
  EXPECT_STREQ(token_kind_name(info.kind), "head-end");
  EXPECT_EQ(value_or_throw(parse_token_kind("head-end")), TokenKind::head_end);
  EXPECT_EQ(entries().back().kind, TokenKind::head_end);
  EXPECT_EQ(value_or_throw(parse_content_cipher("transport-stream")), stream);
}

// --------------------------------------------------------------------------------------------------------------
// Licences of a stream

TEST_F(HeadEnd, ALicenceIsForItsPlaceAlone) {
  const Bytes section = ecm(5);
  const BroadcastEcm parsed = value_or_throw(BroadcastEcm::parse(section));
  const auto open_for = [&](const BroadcastPlace& other, std::uint32_t period, ContentCipher cipher) {
    // A licence that was carried to another place: past the host, which compares the digest, to the token.
    TlvWriter writer;
    writer.field(tag::open_lecm, parsed.lecm)
        .field(tag::open_header_digest, value_or_throw(other.digest()))
        .number(tag::open_cipher, static_cast<std::uint64_t>(cipher), 1)
        .number(tag::open_key_period, period, 4)
        .number(tag::open_time, 1, 8)
        .field(tag::open_play_id, std::array<std::uint8_t, 16>{});
    const auto card = connected("renderer");
    return raw_channel(*card).command(ins::open_licence, writer.view());
  };
  EXPECT_OK(open_for(place, 5, stream));
  EXPECT_FAILS(open_for(place, 6, stream), ErrorKind::authentication_failed);
  EXPECT_FAILS(open_for(place, 5 + 65536, stream), ErrorKind::authentication_failed);
  EXPECT_FAILS(open_for({place.super_cas_id + 1, place.ecm_id}, 5, stream), ErrorKind::authentication_failed);
  EXPECT_FAILS(open_for({place.super_cas_id, 0x0204}, 5, stream), ErrorKind::authentication_failed);
  EXPECT_FAILS(open_for(place, 5, gcm), ErrorKind::authentication_failed);
}

TEST_F(HeadEnd, AFileReaderRefusesALicenceOfAStream) {
  // Even one that was made for the file's header, with a word of the file's size.
  word = SecretBytes::copy_of(Bytes(16, 1));
  LicenceRequest wanted = request();
  const Bytes lecm = value_or_throw(system.session("head end")->wrap_control_word(wanted, word));
  for (const ContentCipher cipher : {gcm, ContentCipher::aes_128_ctr})
    EXPECT_FAILS(system.session("renderer")->open_licence(lecm, {wanted.header_digest, cipher, wanted.key_period, {7}}),
                 ErrorKind::authentication_failed);
}

TEST_F(HeadEnd, AnotherDomainsTokenOpensNone) {
  system.found_domain("other");
  system.enrol("other", "stranger", TokenKind::renderer);
  EXPECT_FAILS(open(ecm(), 7, "stranger"), ErrorKind::wrong_domain);
}

TEST_F(HeadEnd, ChangedBytesAreFound) {
  const Bytes section = ecm();
  ASSERT_OK(open(section));
  const auto session = system.session("renderer");
  for (std::size_t at = 0; at < section.size(); ++at) {
    Bytes changed = section;
    changed[at] ^= static_cast<std::uint8_t>(1U << at % 8);
    const auto parsed = BroadcastEcm::parse(changed);
    if (!parsed || at == 1) continue;  // reserved bits of the section's head
    EXPECT_FALSE(session->open_licence(parsed->lecm, parsed->open_request({7})).has_value()) << at;
  }
}

TEST_F(HeadEnd, ARendererKeepsToTheRights) {
  criteria.rights.render = false;
  criteria.rights.process = true;
  EXPECT_FAILS(open(ecm()), ErrorKind::refused);
  system.enrol("progenitor", "worker", TokenKind::processing);
  EXPECT_OK(open(ecm(), 7, "worker"));
  criteria = {};
  EXPECT_FAILS(open(ecm(), 7, "worker"), ErrorKind::refused);
  EXPECT_OK(open(ecm()));
}

TEST_F(HeadEnd, ARendererKeepsToTheWindow) {
  criteria.rights.not_before = system.clock.now() + 10;
  criteria.rights.not_after = system.clock.now() + 20;
  const Bytes section = ecm();
  EXPECT_FAILS(open(section), ErrorKind::expired);
  system.clock.advance(std::chrono::seconds(10));
  EXPECT_OK(open(section));
  system.clock.advance(std::chrono::seconds(10));
  EXPECT_FAILS(open(section), ErrorKind::expired);
}

TEST_F(HeadEnd, APlayIsAStayWithTheServiceHoweverManyCryptoPeriods) {
  criteria.rights.play_count = 2;
  std::uint8_t play = 0;
  for (const std::uint32_t left : {1U, 0U}) {
    ++play;
    for (std::uint16_t cp_number = 10; cp_number < 14; ++cp_number)
      EXPECT_EQ(value_or_throw(open(ecm(cp_number), play)).plays_left, left);
  }
  EXPECT_FAILS(open(ecm(14), 3), ErrorKind::used_up);
  place.ecm_id = 1;  // another service
  EXPECT_OK(open(ecm(14), 3));
}

TEST_F(HeadEnd, ARevokedTokenWrapsNothing) {
  value_or_throw(revoke(serial("head end"), empty_list()));
  EXPECT_FAILS(system.session("head end")->wrap_control_word(request(), word), ErrorKind::revoked);
  EXPECT_OK(system.session("acquisition")->create_licence(for_cipher(gcm)));
}

TEST_F(HeadEnd, ADeactivatedTokenWrapsNothing) {
  value_or_throw(session().deactivate(*system.card("head end"), register_file()));
  EXPECT_FAILS(system.session("head end")->wrap_control_word(request(), word), ErrorKind::refused);
  system.enrol("progenitor", "head end", TokenKind::acquisition);
  EXPECT_FAILS(system.session("head end")->wrap_control_word(request(), word), ErrorKind::refused);
}

TEST_F(HeadEnd, AProcessingTokenProtectsContentOfAStreamInAFile) {
  criteria = {ContentId{0xc1}, {}};  // processing allowed
  const Bytes section = ecm();
  const BroadcastEcm parsed = value_or_throw(BroadcastEcm::parse(section));
  system.enrol("progenitor", "worker", TokenKind::processing);
  ContentAtHand file;
  file.header_digest.fill(0x44);
  const CreatedLicence made = value_or_throw(system.session("worker")->reissue_licence(parsed.lecm, file, {}));
  EXPECT_EQ(made.control_word.size(), 16U);
  const auto opened = system.session("renderer")->open_licence(made.lecm, {file.header_digest, gcm, 0, {7}});
  ASSERT_OK(opened);
  EXPECT_EQ(opened->content_id, ContentId{0xc1});
  EXPECT_EQ(opened->rights, criteria.rights);
  // But makes no licence of a stream: what it protects is a file.
  file.cipher = stream;
  EXPECT_FAILS(system.session("worker")->reissue_licence(parsed.lecm, file, {}), ErrorKind::authentication_failed);
  criteria = {};
  const Bytes not_to_be_processed = ecm();
  EXPECT_FAILS(system.session("worker")->reissue_licence(value_or_throw(BroadcastEcm::parse(not_to_be_processed)).lecm,
                                                         {file.header_digest, gcm, 0}, {}),
               ErrorKind::refused);
}

TEST_F(HeadEnd, IsIssuedAnewUnderTheKeyAfterARoll) {
  const Bytes section = ecm();
  const BroadcastEcm parsed = value_or_throw(BroadcastEcm::parse(section));
  value_or_throw(session().roll(register_file()));
  const Bytes anew = value_or_throw(session().reissue_old_licence(parsed.lecm));
  value_or_throw(session().deactivate(*system.card("renderer"), register_file()));
  system.enrol("progenitor", "renderer", TokenKind::renderer);
  EXPECT_FAILS(open(section), ErrorKind::authentication_failed);
  const auto opened = open(value_or_throw(write_broadcast_ecm(place, 5, anew)));
  ASSERT_OK(opened);
  EXPECT_TRUE(crypto::constant_time_equal(opened->control_word.reveal(), word.reveal()));
}

}  // namespace
}  // namespace cas::smartpro
