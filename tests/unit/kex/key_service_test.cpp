// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/key_service.hpp"

#include <gtest/gtest.h>

#include "cpix_text.hpp"
#include "crypto/base64.hpp"
#include "kex/capabilities.hpp"
#include "kex/cpix_encryption.hpp"
#include "kex/cpix_reader.hpp"
#include "kex/cpix_writer.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

class KeyServiceTest : public testing::Test {
 protected:
  static KeyService make(std::vector<DrmSystemSettings> systems = {}) {
    return {value_or_throw(DrmSignalling::create(std::move(systems))),
            {{{"abc*"}, "rating", "FSK 12"}, {{"xyz*"}, "rating", "FSK 18"}},
            {}};
  }
  static KeyDerivation derivation() {
    std::vector<Seed> seeds(1);
    seeds[0].value = SecretBytes(seed_size);
    return value_or_throw(KeyDerivation::create(std::move(seeds)));
  }
  static CpixDocument read(const std::string& text) { return value_or_throw(read_cpix(as_bytes(text))); }
  static std::string request() { return vector_text("speke2-request.xml"); }

  Result<CpixDocument> answer(const std::string& text) {
    CAS_TRY_ASSIGN(CpixDocument document, read_cpix(as_bytes(text)));
    CAS_TRY_ASSIGN(KeyPlan plan, service.plan(std::move(document)));
    CAS_TRY_ASSIGN(auto keys, derive_keys(derivation(), plan));
    return service.answer(std::move(plan), std::move(keys), random);
  }
  void expect_refused(const std::string& text, ErrorKind kind, const std::string& field) {
    const auto result = answer(text);
    ASSERT_FALSE(result.has_value()) << field;
    EXPECT_STREQ(error_kind_name(result.error().kind), error_kind_name(kind)) << result.error().message;
    EXPECT_NE(result.error().message.find(field), std::string::npos) << result.error().message;
  }

  test::SeededRandom random{3};
  KeyService service = make();
};

TEST_F(KeyServiceTest, R5_2_1_KeysAreMadeOnDemand) {
  const CpixDocument document = value_or_throw(answer(request()));
  ASSERT_EQ(document.keys.size(), 2U);
  for (const CpixContentKey& key : document.keys) {
    EXPECT_EQ(key.value.size(), content_key_size);
    EXPECT_TRUE(key.explicit_iv.has_value());
    EXPECT_EQ(key.scheme, "cbcs");
  }
  EXPECT_NE(document.keys[0].kid, document.keys[1].kid);
}

// Key ids of the request were the scrambler's own: they are replaced in all places alike.
TEST_F(KeyServiceTest, KeyIdsAreReplacedEverywhere) {
  const CpixDocument document = value_or_throw(answer(request()));
  EXPECT_EQ(document.rules[0].kid, document.keys[0].kid);
  EXPECT_EQ(document.rules[1].kid, document.keys[1].kid);
  EXPECT_EQ(document.systems[0].kid, document.keys[0].kid);
  EXPECT_EQ(document.systems[1].kid, document.keys[1].kid);
  EXPECT_OK(read_cpix(value_or_throw(write_cpix(document)).reveal()));
}

// 5.1.2: nothing but the request decides about the answer.
TEST_F(KeyServiceTest, R5_1_2_ARepeatedRequestHasTheSameAnswer) {
  const CpixDocument once = value_or_throw(answer(request()));
  const std::string other_ids = with(
      with(with(request(), "98ee5596-cd3e-a20d", "98ee5596-0000-a20d"), "98ee5596-cd3e-a20d", "98ee5596-0000-a20d"),
      "98ee5596-cd3e-a20d", "98ee5596-0000-a20d");
  for (const std::string& text : {request(), other_ids}) {
    const CpixDocument again = value_or_throw(answer(text));
    EXPECT_EQ(as_text(value_or_throw(write_cpix(once)).reveal()), as_text(value_or_throw(write_cpix(again)).reveal()));
  }
}

TEST_F(KeyServiceTest, R5_2_3_OneKeyForContentOnDemandAndManyForLive) {
  const CpixDocument vod = value_or_throw(answer(R"(
    <CPIX xmlns="urn:dashif:org:cpix" id="movie"><ContentKeyList>
    <ContentKey kid="98ee5596-cd3e-420d-963a-e382420c6eff"/></ContentKeyList></CPIX>)"));
  EXPECT_EQ(vod.keys.size(), 1U);
  const CpixDocument live = value_or_throw(answer(request()));
  EXPECT_NE(to_hex(vod.keys[0].value.reveal()), to_hex(live.keys[0].value.reveal()));
}

TEST_F(KeyServiceTest, R5_2_4_KeysRotateByPeriod) {
  const CpixDocument now = value_or_throw(answer(request()));
  const CpixDocument next = value_or_throw(answer(with(request(), "index=\"11425\"", "index=\"11426\"")));
  EXPECT_NE(now.keys[0].kid, next.keys[0].kid);
  EXPECT_NE(to_hex(now.keys[0].value.reveal()), to_hex(next.keys[0].value.reveal()));
}

// 5.4.4.
TEST_F(KeyServiceTest, R5_4_4_RatingsAndOutputProtectionComeBesideTheKeys) {
  const CpixDocument document = value_or_throw(answer(request()));
  ASSERT_EQ(document.auxiliary.size(), 1U);
  EXPECT_EQ(document.auxiliary[0].value, "FSK 12");
}

TEST_F(KeyServiceTest, R5_4_5_ASystemsOwnDataComesWithTheKey) {
  service = make({{.system_id = value_or_throw(Uuid::parse("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")),
                   .name = "Example",
                   .pssh_version = 0,
                   .pssh_data = {1, 2, 3},
                   .super_cas_id = 0xff5300ff,
                   .key_uri = "https://licences.example/{content}/{kid}",
                   .key_format = "urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"}});
  const std::string common = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b\">\n      <cpix:PSSH/>\n      <cpix:ContentP";
  const CpixDocument document = value_or_throw(
      answer(with(with(request(), common, with(common, common.substr(0, 36), "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")),
                  "contentId=\"abc123\"", "contentId=\"abc 1/2\"")));
  const CpixDrmSystem& system = document.systems[0];
  EXPECT_EQ(system.super_cas_id, 0xff5300ffU);
  // size, "pssh", version 0, system, size of the data, data
  EXPECT_EQ(*system.pssh, "AAAAI3Bzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAMBAgM=");
  const auto uri = "https://licences.example/abc%201%2f2/" + document.keys[0].kid.text();
  const auto hls = value_or_throw(crypto::from_base64(system.hls_signalling[0].data, 1000));
  EXPECT_EQ(as_text(hls),
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"" + uri +
                "\",KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\",KEYFORMATVERSIONS=\"1\"\n");
  EXPECT_TRUE(as_text(value_or_throw(crypto::from_base64(system.hls_signalling[1].data, 1000)))
                  .starts_with("#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,"));
  // The common system's box has the key id.
  const auto common_box = value_or_throw(crypto::from_base64(*document.systems[1].pssh, 100));
  EXPECT_EQ(to_hex(common_box),
            "00000034"
            "70737368"
            "01000000"
            "1077efecc0b24d02ace33c1e52e2fb4b"
            "00000001" +
                to_hex(document.keys[1].kid.bytes) + "00000000");
}

TEST_F(KeyServiceTest, NamesWhatItCannotDo) {
  expect_refused(with(request(), "1077efec", "2077efec"), ErrorKind::unsupported, "DRMSystem/@systemId");
  expect_refused(with(request(), "<cpix:VideoFilter", "<cpix:OdourFilter x=\"1\"/><cpix:VideoFilter"),
                 ErrorKind::unsupported, "filter");
  expect_refused(with(request(), " contentId=\"abc123\"", ""), ErrorKind::invalid_argument, "contentId");
  expect_refused(with(request(), "contentId=\"abc123\"", "contentId=\"" + std::string(257, 'a') + "\""),
                 ErrorKind::invalid_argument, "contentId");
  expect_refused(with(request(), "contentId=\"abc123\"", "contentId=\"a&#10;b\""), ErrorKind::invalid_argument,
                 "contentId");
  expect_refused(with(request(), "STEREO_AUDIO", "SD+HD1"), ErrorKind::malformed, "same tracks and period");
  // The time of a period with a number is no part of a name: these two are the same.
  std::string same = with(request(), "STEREO_AUDIO", "SD+HD1");
  same = with(
      same, "</cpix:ContentKeyPeriodList>",
      "<cpix:ContentKeyPeriod id=\"b\" index=\"11425\" start=\"2026-11-30T00:00:00Z\"/></cpix:ContentKeyPeriodList>");
  const std::string filter = "keyPeriod_e64248f6-f307-4b99-aa67-b35a78253622\"/>\n      <cpix:AudioFilter";
  expect_refused(with(same, filter, "b\"/><cpix:AudioFilter"), ErrorKind::malformed, "same tracks and period");
  expect_refused(with(request(), " index=\"11425\"", ""), ErrorKind::malformed, "ContentKeyPeriod");
  expect_refused("<CPIX xmlns=\"urn:dashif:org:cpix\" contentId=\"a\"/>", ErrorKind::malformed, "ContentKeyList");
  expect_refused(vector_text("speke1-answer.xml"), ErrorKind::unsupported, "filter");
}

TEST_F(KeyServiceTest, ARequestBringsNoKeys) {
  CpixDocument document = read(request());
  document.keys[0].value = SecretBytes(16);
  EXPECT_FAILS(service.plan(std::move(document)), ErrorKind::invalid_argument);
}

TEST_F(KeyServiceTest, LimitsTheKeysOfARequest) {
  KeyService small(value_or_throw(DrmSignalling::create({})), {}, {.keys = 1});
  EXPECT_FAILS(small.plan(read(request())), ErrorKind::exhausted);
  CpixDocument much = read(request());
  for (int i = 0; i < 5; ++i) much.auxiliary.push_back({{}, "note", std::string(1000, 'x')});
  EXPECT_FAILS(service.plan(std::move(much)), ErrorKind::exhausted);
}

TEST_F(KeyServiceTest, LimitsTheSizeOfAnAnswer) {
  service = {value_or_throw(DrmSignalling::create({})), {}, {.signalling = 100}};
  expect_refused(request(), ErrorKind::exhausted, "DRMSystemList");
}

TEST_F(KeyServiceTest, WhatARequestBringsBesideComesBack) {
  const CpixDocument document = value_or_throw(answer(with(
      with(request(), "<cpix:CPIX ", "<cpix:CPIX xmlns:k=\"urn:gst-plugins-cas:kex:1\" "), "</cpix:CPIX>",
      "<k:Auxiliary kid=\"53abdba2-f210-43cb-bc90-f18f9a890a02\" name=\"output\" value=\"hdcp-2.2\"/></cpix:CPIX>")));
  ASSERT_EQ(document.auxiliary.size(), 2U);
  EXPECT_EQ(document.auxiliary[1], (CpixAuxiliary{document.keys[1].kid, "output", "hdcp-2.2"}));
}

// Per-bit-rate keys: by our own attribute, by a label, or by a range of bit rates.
TEST_F(KeyServiceTest, EachBitRateMayHaveAKeyOfItsOwn) {
  const auto name = [&](const std::string& text) {
    return value_or_throw(service.plan(read(text))).wanted[0].name.representation;
  };
  EXPECT_EQ(name(request()), "");
  const std::string filter = "<cpix:VideoFilter maxPixels";
  EXPECT_EQ(name(with(request(), filter, "<cpix:LabelFilter label=\"low\"/>" + filter)), "low");
  EXPECT_EQ(name(with(request(), filter, "<cpix:BitrateFilter minBitrate=\"1000\"/>" + filter)), "bit/s 1000-");
  EXPECT_EQ(name(with(request(), "intendedTrackType=\"SD+HD1\"",
                      "xmlns:k=\"urn:gst-plugins-cas:kex:1\" k:representation=\"5M\" intendedTrackType=\"SD+HD1\"")),
            "5M");
  EXPECT_FAILS(service.plan(read(
                   with(request(), filter, "<cpix:LabelFilter label=\"a\"/><cpix:LabelFilter label=\"b\"/>" + filter))),
               ErrorKind::unsupported);
}

TEST_F(KeyServiceTest, SeveralKeysWithoutRulesAreToldApartByTheirIds) {
  const std::string text = R"(<CPIX xmlns="urn:dashif:org:cpix" id="movie"><ContentKeyList>
    <ContentKey kid="98ee5596-cd3e-420d-963a-e382420c6eff"/><ContentKey kid="98ee5596-cd3e-420d-963a-e382420c6e00"/>
    </ContentKeyList></CPIX>)";
  const CpixDocument document = value_or_throw(answer(text));
  EXPECT_NE(document.keys[0].kid, document.keys[1].kid);
}

TEST_F(KeyServiceTest, R5_3_2_KeysOfTheScramblerAreTaken) {
  CpixDocument document = read(request());
  for (CpixContentKey& key : document.keys) key.value = SecretBytes(16);
  KeyPlan plan = value_or_throw(service.plan_push(std::move(document)));
  ASSERT_EQ(plan.wanted.size(), 2U);
  EXPECT_EQ(plan.wanted[0].name.track_type, "SD+HD1");
  std::vector<KeyMaterial> keys;
  for (const KeyProposal& wanted : plan.wanted) keys.push_back(wanted.key.clone());
  const CpixDocument answered = value_or_throw(service.answer_push(std::move(plan), keys));
  EXPECT_TRUE(answered.keys[0].value.empty());
  EXPECT_FALSE(answered.systems[0].pssh->empty());
  document = read(request());
  EXPECT_FAILS(service.plan_push(std::move(document)), ErrorKind::malformed);
  document = read(with(request(), "STEREO_AUDIO", "SD+HD1"));
  for (CpixContentKey& key : document.keys) key.value = SecretBytes(16);
  EXPECT_FAILS(service.plan_push(std::move(document)), ErrorKind::malformed);
}

TEST(Capabilities, R5_2_5_SayWhichAlgorithmsAndKeysThereAre) {
  Capabilities from;
  from.server = "cas-kms 1";
  from.keys = "stored";
  from.protocols = {{"CPIX", "2.3"}, {"SPEKE", "2.0"}};
  from.operations = {"ask", "push"};
  from.deliveries = {"clear", "encrypted"};
  from.algorithms = {{"cenc", "128"}, {"cbcs", "128"}};
  from.authentication = {"mutual-TLS", "Digest"};
  from.systems = {{common_system, "W3C Common PSSH"}};
  from.limits = {{"keys", "200"}};
  const auto read = read_capabilities(value_or_throw(write_capabilities(from)));
  ASSERT_OK(read);
  EXPECT_EQ(*read, from);
  EXPECT_TRUE(read->can("push"));
  EXPECT_FALSE(read->can("fly"));
}

TEST(Capabilities, OtherDocumentsAreRefused) {
  EXPECT_FAILS(read_capabilities(as_bytes("<a/>")), ErrorKind::malformed);
  EXPECT_FAILS(read_capabilities(as_bytes("<Capabilities xmlns=\"urn:gst-plugins-cas:kex:1\" version=\"2\"/>")),
               ErrorKind::unsupported);
  EXPECT_FAILS(read_capabilities(as_bytes("<!DOCTYPE a><a/>")), ErrorKind::refused);
  EXPECT_FAILS(
      read_capabilities(as_bytes(
          "<Capabilities xmlns=\"urn:gst-plugins-cas:kex:1\" version=\"1\"><System systemId=\"1\"/></Capabilities>")),
      ErrorKind::malformed);
}

TEST(DrmSignalling, RefusesSettingsThatSayNothing) {
  EXPECT_FAILS(DrmSignalling::create({{.system_id = common_system, .pssh_version = 0}}), ErrorKind::invalid_argument);
  EXPECT_FAILS(DrmSignalling::create({{.system_id = common_system}, {.system_id = common_system}}),
               ErrorKind::invalid_argument);
  EXPECT_FAILS(DrmSignalling::create({{.system_id = common_system, .key_uri = "a\"b"}}), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::kex
