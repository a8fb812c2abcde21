// SPDX-License-Identifier: LGPL-2.1-or-later
// Runs the program cas-inspect on files with real licences, whole and damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "protected_file_fixture.hpp"
#include "smartpro/transfer_package.hpp"
#include "support/result_matchers.hpp"

namespace cas::smartpro {
namespace {

using nlohmann::json;
using test::FileShape;
using test::make_protected;
using test::must;
using test::ProtectedFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto gcm = ContentCipher::aes_128_gcm;

struct Ran {
  int status = -1;
  std::string output;  ///< Standard output and error.

  [[nodiscard]] json as_json() const { return json::parse(output); }
};

struct CasInspect : testing::Test {
  CasInspect() {
    std::string pattern = std::filesystem::temp_directory_path() / "cas-inspect-XXXXXX";
    folder = ::mkdtemp(pattern.data());
  }
  ~CasInspect() override { std::filesystem::remove_all(folder); }

  [[nodiscard]] std::string write(ByteView bytes) const {
    const std::string path = folder / "file.spro";
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return path;
  }

  /// The shell is given no more than what a test wrote down.
  [[nodiscard]] static Ran run(const std::string& arguments, const std::string& before = "") {
    Ran ran;
    FILE* pipe = ::popen((before + "'" CAS_INSPECT "' " + arguments + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return ran;
    char piece[4096];
    while (const std::size_t count = std::fread(piece, 1, sizeof piece, pipe)) ran.output.append(piece, count);
    const int status = ::pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return ran;
  }

  std::filesystem::path folder;
};

TEST_F(CasInspect, TellsWhatAWholeFileIs) {
  const ProtectedFixture made = make_protected({gcm, 10'000, 1024, 4, true});
  const std::string path = write(made.file);
  const Ran ran = run("--json " + path);
  EXPECT_EQ(ran.status, 0) << ran.output;
  const json report = ran.as_json();
  EXPECT_EQ(report.at("sound"), true);
  EXPECT_EQ(report.at("format_version"), 1);
  EXPECT_EQ(report.at("file_size"), made.file.size());
  EXPECT_EQ(report.at("file_id"), to_hex(made.header.file_id));
  EXPECT_EQ(report.at("content_id"), to_hex(made.header.content_id));
  EXPECT_EQ(report.at("media_type"), "video/quicktime");
  EXPECT_EQ(report.at("cipher"), "aes-128-gcm");
  EXPECT_EQ(report.at("segment_size"), 1024);
  EXPECT_EQ(report.at("segments"), 10);
  EXPECT_EQ(report.at("period_segments"), 4);
  EXPECT_EQ(report.at("key_periods"), 3);
  EXPECT_EQ(report.at("content_size"), 10'000);
  EXPECT_EQ(report.at("stated_content_size"), 10'000);
  EXPECT_EQ(report.at("header_digest"), to_hex(must(made.header.digest())));
  EXPECT_EQ(report.at("licence_slots_checked"), 1);
  ASSERT_EQ(report.at("licences").size(), 1U);
  const json& licence = report.at("licences").at(0);
  EXPECT_EQ(licence.at("key_period"), 0);
  EXPECT_EQ(licence.at("slot_offset"), made.layout().slot_offset(0));
  EXPECT_EQ(licence.at("vdid"), "8f21c05e7712ab40");
  EXPECT_EQ(licence.at("issuer"), "00000000000003f2");
  EXPECT_EQ(licence.at("header_digest"), report.at("header_digest"));
  EXPECT_EQ(licence.at("rights").at("render"), true);
  EXPECT_THAT(report.at("problems"), IsEmpty());

  const Ran text = run(path);
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.output, HasSubstr("SmartPRO protected file, format version 1"));
  EXPECT_THAT(text.output, HasSubstr(to_hex(made.header.file_id)));
  EXPECT_THAT(text.output, HasSubstr("10000 bytes, as the header states"));
  EXPECT_THAT(text.output, HasSubstr("3, a new control word every 4 segments (4096 bytes of content)"));
}

TEST_F(CasInspect, TellsWhoseKeyItIs) {
  FileShape shape{gcm, 100};
  EXPECT_TRUE(run("--json " + write(make_protected(shape).file)).as_json().at("key_origin").is_null());
  const KeyId key_id = must(parse_key_id("a2b3c4d5-0001-4000-8000-0123456789ab"));
  shape.key_origin = KeyOrigin{key_id, "caf\xc3\xa9", UINT64_MAX};
  const std::string path = write(make_protected(shape).file);
  const Ran ran = run("--json " + path);
  EXPECT_EQ(ran.status, 0) << ran.output;
  const json report = ran.as_json();
  const json& origin = report.at("key_origin");
  EXPECT_EQ(origin.at("key_id"), "a2b3c4d5-0001-4000-8000-0123456789ab");
  EXPECT_EQ(origin.at("content_id"), "caf\xc3\xa9");
  EXPECT_EQ(origin.at("period_index"), UINT64_MAX);
  const Ran text = run(path);
  EXPECT_THAT(text.output, HasSubstr("  key id          a2b3c4d5-0001-4000-8000-0123456789ab\n"));
  EXPECT_THAT(text.output, HasSubstr("  key's content   caf\xc3\xa9\n"));
  EXPECT_THAT(text.output, HasSubstr("  key's period    18446744073709551615\n"));
  shape.key_origin = KeyOrigin{key_id, "", 0};
  EXPECT_THAT(run(write(make_protected(shape).file)).output, HasSubstr("  key's content   not named\n"));
}

TEST_F(CasInspect, ListsEveryLicence) {
  const ProtectedFixture made = make_protected({gcm, 10'000, 1024, 4});
  const Ran ran = run("--licences --json " + write(made.file));
  EXPECT_EQ(ran.status, 0) << ran.output;
  std::vector<int> periods;
  const json report = ran.as_json();
  for (const json& licence : report.at("licences")) periods.push_back(licence.at("key_period"));
  EXPECT_THAT(periods, ElementsAre(0, 1, 2));
}

TEST_F(CasInspect, ReadsTheStartOfAPipe) {
  const ProtectedFixture made = make_protected({gcm, 10'000, 1024, 4});
  const std::string path = write(made.file);
  const Ran ran = run("--json -", "cat " + path + " | ");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_TRUE(ran.as_json().at("content_size").is_null());
  EXPECT_EQ(ran.as_json().at("licences").size(), 1U);
  EXPECT_EQ(run("--verify-structure -", "cat " + path + " | ").status, 2);
  // A redirected file has a size and places.
  const Ran redirected = run("--json --verify-structure - < " + path);
  EXPECT_EQ(redirected.status, 0) << redirected.output;
  EXPECT_EQ(redirected.as_json().at("content_size"), 10'000);
}

TEST_F(CasInspect, FindsCutsBySize) {
  const ProtectedFixture stating = make_protected({gcm, 10'000, 1024, 4, true});
  const ProtectedFixture silent = make_protected({gcm, 10'000, 1024, 4});
  for (std::size_t size = 0; size < stating.file.size(); size += 97) {
    const Ran ran = run(write(ByteView(stating.file).first(size)));
    EXPECT_EQ(ran.status, 1) << size << ran.output;
  }
  const FileLayout layout = silent.layout();
  const Ran in_slot = run("--json " + write(ByteView(silent.file).first(layout.slot_offset(2) + 5)));
  EXPECT_EQ(in_slot.status, 1);
  EXPECT_THAT(in_slot.as_json().at("problems").at(0).get<std::string>(), HasSubstr("the file was cut"));
  EXPECT_EQ(in_slot.as_json().at("content_size"), 8192);
  const Ran in_tag = run(write(ByteView(silent.file).first(layout.segment_offset(9) + 15)));
  EXPECT_EQ(in_tag.status, 1);
  EXPECT_THAT(in_tag.output, HasSubstr("problem: the file was cut"));
  EXPECT_THAT(in_tag.output, HasSubstr("at most 9216 bytes are left"));

  Bytes longer = stating.file;
  longer.resize(longer.size() + 3);
  const Ran extended = run(write(longer));
  EXPECT_EQ(extended.status, 1);
  EXPECT_THAT(extended.output, HasSubstr("3 bytes that do not belong to the file"));
}

TEST_F(CasInspect, VerifyStructureLooksAtEverySlot) {
  const ProtectedFixture made = make_protected({gcm, 10'000, 1024, 4});
  const FileLayout layout = made.layout();
  const auto at = [](std::uint64_t offset) { return static_cast<std::ptrdiff_t>(offset); };

  Bytes padding = made.file;
  padding[layout.slot_offset(2) + layout.slot_size() - 1] = 1;
  EXPECT_EQ(run(write(padding)).status, 0) << "it was told to look at the first slot alone";
  const Ran found = run("--verify-structure --json " + write(padding));
  EXPECT_EQ(found.status, 1);
  EXPECT_EQ(found.as_json().at("licence_slots_checked"), 3);
  EXPECT_THAT(found.as_json().at("problems").at(0).get<std::string>(),
              HasSubstr("licence of key period 2: damaged licence slot"));

  Bytes exchanged = made.file;
  std::copy_n(made.file.begin() + at(layout.slot_offset(0)), layout.slot_size(),
              exchanged.begin() + at(layout.slot_offset(1)));
  const Ran wrong_period = run("--verify-structure " + write(exchanged));
  EXPECT_EQ(wrong_period.status, 1);
  EXPECT_THAT(wrong_period.output, HasSubstr("licence of key period 1 says that it is of key period 0"));
}

TEST_F(CasInspect, ComparesTheLicenceWithTheHeader) {
  ProtectedFixture made = make_protected({gcm, 100});
  Bytes changed = made.file;
  changed[preamble_size + 2] ^= 1;  // the file id
  const Ran ran = run(write(changed));
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.output, HasSubstr("another header digest"));

  Bytes no_licence = must(made.header.encode());
  append(no_licence, must(encode_licence_slot(Bytes(40, 0xe0), made.header.licence_slot_size)));
  append(no_licence, Bytes(116));
  const Ran unreadable = run("--json " + write(no_licence));
  EXPECT_EQ(unreadable.status, 1);
  EXPECT_EQ(unreadable.as_json().at("licences").at(0).at("readable"), false);
}

struct CasInspectTransfer : CasInspect {
  /// A file whose only slot holds a package for two simple bridges, or back from the second one.
  Bytes between_domains(TransferDirection direction) {
    ProtectedFixture made = make_protected({gcm, 100, min_segment_size, 0, false, 1024});
    LicenceTerms terms;
    terms.vdid.fill(0xa1);
    terms.content_id = made.header.content_id;
    terms.cipher = made.header.cipher;
    terms.header_digest = must(made.header.digest());
    terms.transfer = direction;
    terms.origins = {{{0xe5}, 5}, {terms.vdid, 0x1001}};
    TransferPackage package{must(seal_licence(made.domain_key, terms, made.control_words[0])),
                            {{0x2002, 9, {0xc3}, {}}}};
    if (direction == TransferDirection::to_simple_bridge)
      package.cdis.insert(package.cdis.begin(), {0x2001, 1, {0xb2}, {}});
    return with_slot(made, package.encode());
  }
  static Bytes with_slot(const ProtectedFixture& made, ByteView content) {
    Bytes file = must(made.header.encode());
    append(file, must(encode_licence_slot(content, made.header.licence_slot_size)));
    append(file, ByteView(made.file).subspan(file.size()));
    return file;
  }
};

TEST_F(CasInspectTransfer, TellsWhereAPackageGoes) {
  const std::string path = write(between_domains(TransferDirection::to_simple_bridge));
  const Ran ran = run("--json " + path);
  EXPECT_EQ(ran.status, 0) << ran.output;
  const json licence = ran.as_json().at("licences").at(0);
  EXPECT_EQ(licence.at("vdid"), "a1a1a1a1a1a1a1a1");
  EXPECT_EQ(licence.at("transfer").at("direction"), "to-simple-bridge");
  EXPECT_EQ(licence.at("transfer").at("destinations"),
            json::parse(R"([{"vdid": "b200000000000000", "simple_bridge": "0000000000002001", "index": 1},
                            {"vdid": "c300000000000000", "simple_bridge": "0000000000002002", "index": 9}])"));
  EXPECT_EQ(licence.at("origins"), json::parse(R"([{"vdid": "e500000000000000", "master_bridge": "0000000000000005"},
                                                   {"vdid": "a1a1a1a1a1a1a1a1", "master_bridge": "0000000000001001"}])"));
  const Ran text = run(path);
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.output, HasSubstr("transfer package of key period 0"));
  EXPECT_THAT(text.output, HasSubstr("out of that domain"));
  EXPECT_THAT(text.output,
              HasSubstr("came through    domain a1a1a1a1a1a1a1a1, sent by master bridge 0000000000001001"));
  EXPECT_THAT(text.output,
              HasSubstr("destination     domain c300000000000000, simple bridge 0000000000002002 with index 9"));
}

TEST_F(CasInspectTransfer, AndWhereItComesBackFrom) {
  const std::string path = write(between_domains(TransferDirection::to_master_bridge));
  EXPECT_EQ(run("--json " + path).as_json().at("licences").at(0).at("transfer").at("direction"), "to-master-bridge");
  const Ran text = run(path);
  EXPECT_THAT(text.output, HasSubstr("back to that domain"));
  EXPECT_THAT(text.output, HasSubstr("returned by     domain c300000000000000, simple bridge 0000000000002002"));
}

TEST_F(CasInspectTransfer, FindsDamage) {
  const ProtectedFixture made = make_protected({gcm, 100, min_segment_size, 0, false, 1024});
  EXPECT_TRUE(run("--json " + write(made.file)).as_json().at("licences").at(0).at("transfer").is_null());
  Bytes damaged = between_domains(TransferDirection::to_simple_bridge);
  const std::size_t first_tag = made.layout().slot_offset(0) + licence_slot_overhead;
  ASSERT_EQ(damaged[first_tag], 0x90);
  damaged[first_tag + 3] ^= 0x40;
  const Ran ran = run(write(damaged));
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.output, HasSubstr("cannot be read"));
  LicenceTerms terms;
  terms.content_id = made.header.content_id;
  terms.header_digest = must(made.header.digest());
  terms.transfer = TransferDirection::to_simple_bridge;
  const Ran alone = run(write(with_slot(made, must(seal_licence(made.domain_key, terms, made.control_words[0])))));
  EXPECT_EQ(alone.status, 1);
  EXPECT_THAT(alone.output, HasSubstr("transfer licence without a destination"));
}

TEST_F(CasInspect, TellsWhatIsNoProtectedFile) {
  const Ran text = run(write(as_bytes("RIFF....WAVE")));
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.output, HasSubstr("not a SmartPRO protected file"));
  const Ran empty = run("--json " + write({}));
  EXPECT_EQ(empty.status, 1);
  EXPECT_EQ(empty.as_json().at("error").at("kind"), "truncated");
  EXPECT_EQ(run(folder / "absent").status, 2);
  EXPECT_EQ(run(folder).status, 2);
  EXPECT_EQ(run("--json " + std::string(folder / "absent")).as_json().at("error").at("kind"), "not-found");
}

TEST_F(CasInspect, TeachesItsUse) {
  EXPECT_EQ(run("").status, 2);
  EXPECT_EQ(run("--no-such-option x").status, 2);
  const Ran help = run("--help");
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.output, HasSubstr("--verify-structure"));
  EXPECT_THAT(help.output, HasSubstr("Exit status"));
}

TEST_F(CasInspect, NeverReadsContent) {
  // A whole film's size, of which only the start is on the disk: 2^40 bytes of content would take an hour.
  const ProtectedFixture made = make_protected({gcm, 100});
  FileHeader header = made.header;
  header.segment_size = default_segment_size;
  header.plain_size = std::uint64_t{1} << 40;
  LicenceTerms terms;
  terms.content_id = header.content_id;
  terms.cipher = header.cipher;
  terms.header_digest = must(header.digest());
  Bytes start = must(header.encode());
  const std::uint64_t whole = must(FileLayout(header, start.size()).file_size(*header.plain_size));
  append(start, must(encode_licence_slot(must(seal_licence(made.domain_key, terms, made.control_words[0])),
                                         header.licence_slot_size)));
  const std::string path = write(start);
  std::filesystem::resize_file(path, whole);
  const Ran ran = run("--json --verify-structure " + path);
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_EQ(ran.as_json().at("content_size"), std::uint64_t{1} << 40);
}

}  // namespace
}  // namespace cas::smartpro
