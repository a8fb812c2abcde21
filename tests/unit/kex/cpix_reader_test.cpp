// SPDX-License-Identifier: LGPL-2.1-or-later
#include "kex/cpix_reader.hpp"

#include <gtest/gtest.h>

#include "cpix_text.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::kex {
namespace {

using test::value_or_throw;

CpixDocument read(const std::string& text) { return value_or_throw(read_cpix(as_bytes(text))); }
std::string request() { return vector_text("speke2-request.xml"); }
std::string answer() { return vector_text("speke1-answer.xml"); }

/// Refused with this kind, and a sentence that has `field`.
void expect_refused(const std::string& text, ErrorKind kind, const std::string& field) {
  const auto result = read_cpix(as_bytes(text));
  ASSERT_FALSE(result.has_value()) << field;
  EXPECT_STREQ(error_kind_name(result.error().kind), error_kind_name(kind)) << result.error().message;
  EXPECT_NE(result.error().message.find(field), std::string::npos) << result.error().message;
}

TEST(CpixReader, ReadsARequestOfSpeke2) {
  const CpixDocument document = read(request());
  EXPECT_EQ(document.content(), "abc123");
  EXPECT_EQ(document.version, "2.3");
  ASSERT_EQ(document.keys.size(), 2U);
  EXPECT_EQ(document.keys[0].kid.text(), "98ee5596-cd3e-a20d-163a-e382420c6eff");
  EXPECT_EQ(document.keys[0].scheme, "cbcs");
  EXPECT_TRUE(document.keys[0].value.empty());
  ASSERT_TRUE(document.keys[0].explicit_iv.has_value());
  EXPECT_EQ(to_hex(*document.keys[0].explicit_iv), "3858f62230ac3c915f300c664312c63f");
  ASSERT_EQ(document.systems.size(), 2U);
  EXPECT_EQ(document.systems[0].system_id, common_system);
  EXPECT_EQ(document.systems[0].pssh, "");
  ASSERT_EQ(document.systems[0].hls_signalling.size(), 2U);
  EXPECT_EQ(document.systems[0].hls_signalling[1].playlist, "master");
  EXPECT_FALSE(document.systems[1].content_protection_data.has_value());
  ASSERT_EQ(document.periods.size(), 1U);
  EXPECT_EQ(document.periods[0].index, 11425U);
  ASSERT_EQ(document.rules.size(), 2U);
  EXPECT_EQ(document.rules[0].track_type, "SD+HD1");
  ASSERT_EQ(document.rules[0].filters.size(), 2U);
  EXPECT_EQ(document.rules[0].filters[1].kind, CpixFilter::Kind::video);
  EXPECT_EQ(document.rules[0].filters[1].range.most, 2073600U);
  EXPECT_EQ(document.rules[0].filters[1].hdr, false);
  EXPECT_EQ(document.rules[1].filters[1].range.most, 2U);
  EXPECT_TRUE(document.rules[1].usable());
}

TEST(CpixReader, ReadsAnAnswerWithOddPrefixesAndForeignElements) {
  const CpixDocument document = read(answer());
  EXPECT_EQ(document.content(), "5E99137A-BD6C-4ECC-A24D-A3EE04B4E011");
  ASSERT_EQ(document.keys.size(), 1U);
  EXPECT_EQ(document.keys[0].kid.text(), "6c5f5206-7d98-4808-84d8-94f132c1e9fe");
  EXPECT_EQ(to_hex(document.keys[0].value.reveal()), "00bccfd5a39326fcdfaa0f48d7693657");
  EXPECT_EQ(document.systems[0].key_format_versions, "MQ==");
  ASSERT_EQ(document.periods.size(), 1U);
  EXPECT_EQ(format_date_time(*document.periods[0].start), "2026-11-30T11:00:00.5Z");
  EXPECT_EQ(*document.periods[0].end - *document.periods[0].start, std::chrono::seconds(10));
  const CpixUsageRule& rule = document.rules.at(0);
  EXPECT_EQ(rule.filters.at(1).range, (CpixFilter::Range{100000, 5000000}));
  EXPECT_EQ(rule.filters.at(2).text, "rendition-3");
}

TEST(CpixReader, ARuleWithAFilterThatIsNotKnownIsUnusable) {
  EXPECT_FALSE(read(answer()).rules.at(0).usable());
  EXPECT_FALSE(read(with(request(), "<cpix:VideoFilter maxPixels=\"2073600\" hdr=\"false\"/>", "<cpix:SmellFilter/>"))
                   .rules.at(0)
                   .usable());
}

TEST(CpixReader, ReadsUtf16) {
  const std::string text = with(answer(), "<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"UTF-16\"?>");
  const auto document = read_cpix(as_utf16(text));
  ASSERT_OK(document);
  EXPECT_EQ(document->keys.size(), 1U);
}

TEST(CpixReader, ReadsCdataAndWhatEntitiesOfXmlStandFor) {
  const CpixDocument document =
      read(with(with(answer(), "id=\"5E99137A-BD6C-4ECC-A24D-A3EE04B4E011\"", "id=\"a&amp;b &#x263A;\""),
                "aHR0cHM6Ly9leGFtcGxlLmNvbS9rZXk=", "<![CDATA[aHR0cHM6Ly9leGFtcGxlLmNvbS9rZXk=]]>"));
  EXPECT_EQ(document.content(), "a&b \xe2\x98\xba");
  EXPECT_EQ(document.systems[0].uri_ext_x_key, "aHR0cHM6Ly9leGFtcGxlLmNvbS9rZXk=");
}

TEST(CpixReader, OurOwnAttributesAndAuxiliaryData) {
  const std::string own = with(
      with(with(request(), "<cpix:CPIX ",
                "<cpix:CPIX xmlns:k=\"urn:gst-plugins-cas:kex:1\" k:time=\"2026-11-30T12:00:00Z\" "),
           "intendedTrackType=\"SD+HD1\"", "intendedTrackType=\"SD+HD1\" k:representation=\"5M\""),
      "</cpix:CPIX>",
      "<k:Auxiliary name=\"rating\" value=\"12\"/>"
      "<k:Auxiliary kid=\"53abdba2-f210-43cb-bc90-f18f9a890a02\" name=\"output\" value=\"hdcp-2.2\"/></cpix:CPIX>");
  const CpixDocument document = read(own);
  EXPECT_EQ(format_date_time(*document.time), "2026-11-30T12:00:00Z");
  EXPECT_EQ(document.rules[0].representation, "5M");
  ASSERT_EQ(document.auxiliary.size(), 2U);
  EXPECT_EQ(document.auxiliary[0].value, "12");
  EXPECT_EQ(document.auxiliary[1].kid, document.keys[1].kid);
}

// ------------------------------------------------------------------------------------------------------------- refusals

TEST(CpixReader, RefusesEntityBombs) {
  const std::string bomb =
      "<?xml version=\"1.0\"?><!DOCTYPE CPIX [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">"
      "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]>"
      "<CPIX xmlns=\"urn:dashif:org:cpix\" contentId=\"&c;\"/>";
  expect_refused(bomb, ErrorKind::refused, "document type declaration");
}

TEST(CpixReader, RefusesExternalEntities) {
  for (const char* declaration :
       {"<!DOCTYPE CPIX [<!ENTITY x SYSTEM \"file:///etc/hostname\">]>",
        "<!DOCTYPE CPIX SYSTEM \"http://127.0.0.1:9/x.dtd\">", "<!DOCTYPE CPIX PUBLIC \"a\" \"file:///etc/hostname\">",
        "<!DOCTYPE CPIX [<!ENTITY % p SYSTEM \"file:///etc/hostname\"> %p;]>", "<!DOCTYPE CPIX>"})
    expect_refused(std::string(declaration) + "<CPIX xmlns=\"urn:dashif:org:cpix\" contentId=\"&x;\"/>",
                   ErrorKind::refused, "document type declaration");
}

TEST(CpixReader, RefusesWhatIsNotCpix) {
  for (const char* text :
       {"", "x", "<a>", "<a></b>", "<CPIX xmlns=\"urn:dashif:org:cpix\">", "\xff\xfe", "<CPIX a=\"1\" a=\"2\"/>"})
    EXPECT_FAILS(read_cpix(as_bytes(text)), ErrorKind::malformed);
  expect_refused("<CPIX/>", ErrorKind::malformed, "not a CPIX document");
  expect_refused("<CPIX xmlns=\"urn:mpeg:dash\"/>", ErrorKind::malformed, "not a CPIX document");
  expect_refused(with(request(), "version=\"2.3\"", "version=\"3.0\""), ErrorKind::unsupported, "@version");
}

TEST(CpixReader, ListsComeInTheOrderOfTheSchema) {
  const std::string wrong = "<CPIX xmlns=\"urn:dashif:org:cpix\"><DRMSystemList/><ContentKeyList/></CPIX>";
  expect_refused(wrong, ErrorKind::malformed, "the order is");
  expect_refused("<CPIX xmlns=\"urn:dashif:org:cpix\"><ContentKeyList/><ContentKeyList/></CPIX>", ErrorKind::malformed,
                 "ContentKeyList");
}

TEST(CpixReader, NamesTheFieldThatIsWrong) {
  const std::string kid = "kid=\"98ee5596-cd3e-a20d-163a-e382420c6eff\" explicitIV";
  expect_refused(with(request(), kid, "kid=\"98ee5596\" explicitIV"), ErrorKind::malformed, "ContentKey/@kid");
  expect_refused(with(request(), kid, "explicitIV"), ErrorKind::malformed, "ContentKey/@kid");
  expect_refused(with(request(), "OFj2IjCsPJFfMAxmQxLGPw==", "OFj2"), ErrorKind::malformed, "ContentKey/@explicitIV");
  expect_refused(with(request(), "=\"cbcs\"", "=\"rot13\""), ErrorKind::unsupported, "@commonEncryptionScheme");
  expect_refused(with(request(), "systemId=\"1077efec-c0b2-4d02-ace3-3c1e52e2fb4b\"", ""), ErrorKind::malformed,
                 "DRMSystem/@systemId");
  expect_refused(with(request(), "index=\"11425\"", "index=\"-1\""), ErrorKind::malformed, "ContentKeyPeriod/@index");
  expect_refused(with(request(), "index=\"11425\"", "index=\"18446744073709551616\""), ErrorKind::malformed, "@index");
  expect_refused(with(request(), "<cpix:ContentKeyPeriod id=", "<cpix:ContentKeyPeriod ide="), ErrorKind::malformed,
                 "@id");
  expect_refused(with(request(), "maxPixels=\"2073600\"", "minPixels=\"9\" maxPixels=\"8\""), ErrorKind::malformed,
                 "@minPixels");
  expect_refused(with(request(), "hdr=\"false\"", "hdr=\"no\""), ErrorKind::malformed, "@hdr");
  expect_refused(with(answer(), "end=\"2026-11-30T11:00:10.5Z\"", "end=\"2026-11-30T11:00:00.5Z\""),
                 ErrorKind::malformed, "@end");
  expect_refused(with(answer(), "+01:00", ""), ErrorKind::malformed, "@start");
  expect_refused(with(answer(), "MQ==", "MQ="), ErrorKind::malformed, "KeyFormatVersions");
}

TEST(CpixReader, NeverTellsAKey) {
  const auto result = read_cpix(as_bytes(with(answer(), "qg9I12k2Vw==", "qg9I12k2Vw=")));
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message.find("qg9I"), std::string::npos);
  EXPECT_NE(result.error().message.find("line 9: PlainValue"), std::string::npos) << result.error().message;
}

TEST(CpixReader, RefersToWhatIsThere) {
  expect_refused(with(request(), "periodId=\"keyPeriod_e", "periodId=\"keyPeriod_f"), ErrorKind::malformed, "periodId");
  expect_refused(with(request(), "ContentKeyUsageRule kid=\"98", "ContentKeyUsageRule kid=\"99"), ErrorKind::malformed,
                 "ContentKeyUsageRule/@kid");
  expect_refused(with(request(), "DRMSystem kid=\"98", "DRMSystem kid=\"99"), ErrorKind::malformed, "DRMSystem/@kid");
  expect_refused(with(request(), "kid=\"53abdba2-f210-43cb-bc90-f18f9a890a02\" explicitIV",
                      "kid=\"98ee5596-cd3e-a20d-163a-e382420c6eff\" explicitIV"),
                 ErrorKind::malformed, "twice");
}

TEST(CpixReader, LimitsWhatItTakes) {
  CpixLimits limits;
  limits.size = request().size() - 1;
  EXPECT_FAILS(read_cpix(as_bytes(request()), limits), ErrorKind::exhausted);
  limits = {};
  limits.entries = 1;
  EXPECT_FAILS(read_cpix(as_bytes(request()), limits), ErrorKind::exhausted);
  EXPECT_FAILS(read_cpix(as_bytes("<CPIX xmlns='urn:dashif:org:cpix'><ContentKeyPeriodList><ContentKeyPeriod id='a'/>"
                                  "<ContentKeyPeriod id='b'/></ContentKeyPeriodList></CPIX>"),
                         limits),
               ErrorKind::exhausted);
  limits = {};
  limits.text = 35;
  EXPECT_FAILS(read_cpix(as_bytes(request()), limits), ErrorKind::exhausted);
  limits = {};
  limits.key = 15;
  EXPECT_FAILS(read_cpix(as_bytes(answer()), limits), ErrorKind::exhausted);
  limits = {};
  limits.signalling = 4;
  EXPECT_FAILS(read_cpix(as_bytes(answer()), limits), ErrorKind::exhausted);
  // A time that grows with the square of what stands in one tag would hold others up.
  for (const char* more : {" a%u=''", " xmlns:a%u='u'"}) {
    std::string many = "<CPIX xmlns='urn:dashif:org:cpix'";
    for (unsigned i = 0; many.size() < 100'000; ++i) {
      char attribute[40];
      std::snprintf(attribute, sizeof attribute, more, i);
      many += attribute;
    }
    EXPECT_FAILS(read_cpix(as_bytes(many + "/>")), ErrorKind::exhausted);
  }
  std::string prefixes = "<CPIX xmlns='urn:dashif:org:cpix'>";
  for (int i = 0; i < 65; ++i) prefixes += "<a xmlns:p" + std::to_string(i) + "='u'>";
  EXPECT_FAILS(read_cpix(as_bytes(prefixes)), ErrorKind::exhausted);
  EXPECT_FAILS(read_cpix(as_bytes("<CPIX xmlns='urn:dashif:org:cpix'><!--" + std::string(20'000, 'a') + "--></CPIX>")),
               ErrorKind::exhausted);
  // Many small ones are fine, and so is much text.
  std::string plenty = "<CPIX xmlns='urn:dashif:org:cpix' contentId='a'>";
  for (int i = 0; i < 1'000; ++i) plenty += "<a xmlns:p='u'><!--" + std::string(100, 'a') + "--></a>";
  EXPECT_OK(read_cpix(as_bytes(plenty + "</CPIX>")));
  std::string text = request();
  EXPECT_OK(read_cpix(as_bytes(with(text, "<cpix:PSSH/>", "<cpix:PSSH>" + std::string(87'380, 'A') + "</cpix:PSSH>"))));
  EXPECT_FAILS(
      read_cpix(as_bytes(with(text, "<cpix:PSSH/>", "<cpix:PSSH>" + std::string(87'384, 'A') + "</cpix:PSSH>"))),
      ErrorKind::exhausted);
  std::string deep = "<CPIX xmlns=\"urn:dashif:org:cpix\">";
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_FAILS(read_cpix(as_bytes(deep)), ErrorKind::malformed);
}

}  // namespace
}  // namespace cas::kex
