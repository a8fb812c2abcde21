// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-ecmg as the generator of OMA BCAST's key messages: both profiles, from the keys to a receiver.
#include <sys/stat.h>

#include <csignal>

#include "ca_program_test.hpp"
#include "simulcrypt/bcast/bcast_receiver.hpp"

namespace cas::test {
namespace {

namespace bcast = simulcrypt::bcast;

constexpr const char* digits = "000102030405060708090a0b0c0d0e0f";
constexpr const char* subscriber = "001@example.org";
constexpr bcast::KeyDomain key_domain{0x00, 0xf1, 0x10};
constexpr std::uint16_t stream = 1;

class CasEcmgBcast : public CaProgramTest {
 protected:
  CasEcmgBcast() {
    expect_done(bcast({"init", "drm.keys"}));
    expect_done(bcast(
        {"init", "sc.keys", "--super-cas-id", "0x00020001", "--key-domain", "00f110", "--bsm", "bsm@example.org"}));
    expect_done(bcast({"add", "sc.keys", "2", "--stream", "7", "--programme", "--key-period", "2h"}));
    expect_done(bcast({"subscribe", "sc.keys", subscriber, "--service", "1"}));
    write("key", digits);
  }
  Outcome bcast(const Arguments& arguments) {
    Arguments all{"bcast"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return ecmg_program(all);
  }
  /// `bcast ltkm` of the Smartcard Profile.
  Outcome ltkm(const Arguments& more) {
    Arguments all{"ltkm", "sc.keys", "--out", "new.ltkm"};
    all.insert(all.end(), more.begin(), more.end());
    return bcast(all);
  }
  void write(const std::string& name, const std::string& text) {
    EXPECT_TRUE(write_file_durably(folder() / name, as_bytes(text)).has_value());
  }
  Bytes read(const std::string& name) { return read_file(folder() / name, 1 << 20).value(); }
  static bcast::BcastReceiver receiver(const char* identity) {
    bcast::SmartcardSubscription own{key_domain, "bsm@example.org", identity, SecretBytes(16)};
    for (std::uint8_t i = 0; i < 16; ++i) own.smk.reveal_mutable()[i] = i;
    return bcast::BcastReceiver::create_smartcard(std::move(own), system_clock()).value();
  }
  static std::string open(Synchroniser& scs, std::uint32_t super_cas_id, std::uint16_t ecm_id = stream) {
    const std::string channel = scs.ask(ecmg::ChannelSetup{1, super_cas_id});
    return channel == "channel_status" ? scs.ask(ecmg::StreamSetup{1, 1, ecm_id, 100}) : channel;
  }
  static std::string ask_for_stkm(Synchroniser& scs, std::uint16_t cp) {
    ecmg::CwProvision provision;
    provision.channel_id = 1;
    provision.stream_id = 1;
    provision.cp_number = cp;
    provision.word_list[0] = {cp, tek()};
    provision.word_count = 1;
    provision.cp_duration = 100;
    return scs.ask(provision);
  }
  static const Bytes& tek() {
    static const Bytes bytes(30, 9);
    return bytes;
  }
};

TEST_F(CasEcmgBcast, ASubscriberOpensTheKeyMessagesOfTheSmartcardProfile) {
  expect_done(ltkm({"--subscriber", subscriber, "--smk", "file:key"}));
  const Bytes first = read("new.ltkm");
  struct stat status {};
  ASSERT_EQ(::stat((folder() / "new.ltkm").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  expect_done(ltkm({"--subscriber", subscriber, "--smk", "file:key", "--key", "next"}));
  auto terminal = receiver(subscriber);
  ASSERT_TRUE(terminal.take_ltkm(first).has_value());
  ASSERT_TRUE(terminal.take_ltkm(read("new.ltkm")).has_value());
  EXPECT_EQ(receiver("002@example.org").take_ltkm(first).error().kind, ErrorKind::not_found);

  start_ecmg({"--cas", "bcast", "--keys", "sc.keys"});
  Synchroniser scs(port);
  ASSERT_EQ(open(scs, 0x00020001), "stream_status");
  ASSERT_EQ(ask_for_stkm(scs, 6), "ECM_response");
  const auto taken = terminal.take_stkm(stream, scs.ecm());
  ASSERT_TRUE(taken.has_value()) << taken.error().message;
  EXPECT_EQ(to_hex(terminal.find_tek(stream, 6)->tek.material.reveal()), to_hex(tek()));

  // A service that is new, while it runs.
  expect_done(bcast({"add", "sc.keys", "3", "--stream", "9"}));
  ecmg->send(SIGHUP);
  ASSERT_TRUE(ecmg->wait_for_error_text("the keys were read: 6"));
  ASSERT_EQ(scs.ask(ecmg::StreamSetup{1, 2, 9, 100}), "stream_status");
}

TEST_F(CasEcmgBcast, AChannelIsOfTheProfileOfTheKeys) {
  start_ecmg({"--cas", "bcast", "--keys", "sc.keys"});
  Synchroniser drm(port), unknown(port), scs(port);
  EXPECT_EQ(open(drm, 0x00010001), "channel_error 0005");
  EXPECT_EQ(open(unknown, 0x00020001, 8), "stream_error 0012");
  ASSERT_EQ(scs.ask(ecmg::ChannelSetup{2, 0x00020001}), "channel_status");
  // The file of the other profile takes its place: what was there goes on.
  const Bytes good = read("sc.keys");
  std::filesystem::copy_file(folder() / "drm.keys", folder() / "sc.keys",
                             std::filesystem::copy_options::overwrite_existing);
  ecmg->send(SIGHUP);
  ASSERT_TRUE(ecmg->wait_for_error_text("another Super_CAS_id now"));
  EXPECT_EQ(scs.ask(ecmg::StreamSetup{2, 1, 7, 100}), "stream_status");
  ASSERT_TRUE(write_file_durably(folder() / "sc.keys", good).has_value());
  ecmg->send(SIGHUP);
  EXPECT_TRUE(ecmg->wait_for_error_text("the keys were read: 4"));
}

TEST_F(CasEcmgBcast, ListsWhatIsThereAndNoKey) {
  const Outcome text = bcast({"list", "sc.keys"});
  EXPECT_NE(text.out.find("  SEK 1 (00010001) from "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("  PEK 2 (00020002) from "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("subscriber 001@example.org: services 1\n"), std::string::npos) << text.out;
  const auto json = nlohmann::json::parse(bcast({"list", "sc.keys", "--json"}).out);
  EXPECT_EQ(json["profile"], "smartcard");
  EXPECT_EQ(json["key_domain"], "00f110");
  EXPECT_EQ(json["bsm"], "bsm@example.org");
  EXPECT_EQ(json["services"][1]["programme"], true);
  EXPECT_EQ(json["services"][1]["keys"][0]["number"], 1);
  EXPECT_EQ(json["subscribers"][0]["services"], nlohmann::json::array({1}));
  EXPECT_EQ(nlohmann::json::parse(bcast({"list", "drm.keys", "--json"}).out)["profile"], "drm");
}

TEST_F(CasEcmgBcast, TheProfilesAreKeptApart) {
  expect_failure(bcast({"init", "new", "--super-cas-id", "0x00030001"}), 2,
                 "begins with 0x0001 (DRM Profile) or 0x0002");
  expect_failure(bcast({"init", "new", "--super-cas-id", "0x00020001"}), 2, "there both are needed");
  expect_failure(bcast({"init", "new", "--key-domain", "00f110", "--bsm", "bsm@example.org"}), 2, "and nowhere else");
  expect_failure(bcast({"init", "new", "--super-cas-id", "0x00020001", "--key-domain", "00f1", "--bsm", "b"}), 2,
                 "--key-domain takes 6 hexadecimal digits");
  expect_failure(bcast({"init", "new", "--super-cas-id", "0x00020001", "--key-domain", "00f110"}), 2,
                 "the identity of a BSM has");
  EXPECT_FALSE(std::filesystem::exists(folder() / "new"));
  expect_failure(bcast({"add", "drm.keys", "2", "--programme"}), 2, "for the Smartcard Profile alone");
  expect_failure(bcast({"subscribe", "drm.keys", subscriber, "--service", "1"}), 2, "the file is of the DRM Profile");
  expect_failure(bcast({"ltkm", "drm.keys", "--out", "x", "--subscriber", subscriber, "--smk", "file:key"}), 2,
                 "drm.keys is of the DRM Profile");
  expect_failure(ltkm({"--domain-key", "file:key"}), 2, "sc.keys is of the Smartcard Profile");
  expect_failure(ltkm({"--device-id", "1", "--device-key", "file:key"}), 2, "sc.keys is of the Smartcard Profile");
  expect_failure(ltkm({}), 2, "give --subscriber and --smk");
  EXPECT_FALSE(std::filesystem::exists(folder() / "new.ltkm"));
}

TEST_F(CasEcmgBcast, RefusesLongTermKeyMessagesThatMayNotBe) {
  const Bytes before = read("sc.keys");
  const Arguments right{"--subscriber", subscriber, "--smk", "file:key"};
  const auto with = [&right](const Arguments& more) {
    Arguments all = right;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_failure(ltkm({"--subscriber", "002@example.org", "--smk", "file:key"}), 1, "there is no subscriber");
  expect_failure(ltkm(with({"--service", "2"})), 1, "has not subscribed to service 2");
  expect_failure(ltkm(with({"--service", "9"})), 1, "there is no service 9");
  expect_failure(ltkm(with({"--service", "1", "--service", "2"})), 2, "give --service once");
  expect_failure(ltkm(with({"--key", "9"})), 1, "service 1 has no key 9");
  expect_failure(ltkm(with({"--key", "first"})), 2, "--key takes now, next, or a key number");
  write("short", "00010203");
  write("long", std::string(66, '0'));
  write("longer", std::string(200, '0'));
  write("text", "my secret");
  expect_failure(ltkm({"--subscriber", subscriber, "--smk", "file:short"}), 2, "(SMK) has 16 to 32 bytes");
  expect_failure(ltkm({"--subscriber", subscriber, "--smk", "file:long"}), 2, "(SMK) has 16 to 32 bytes");
  expect_failure(ltkm({"--subscriber", subscriber, "--smk", "file:longer"}), 1, "file:longer");
  expect_failure(ltkm({"--subscriber", subscriber, "--smk", "file:text"}), 1, "file:text");
  expect_failure(ltkm({"--subscriber", subscriber, "--smk", "file:none"}), 1, "none");
  // Never as an argument, and what was given is not repeated.
  const Outcome given = ltkm({"--subscriber", subscriber, "--smk", digits});
  expect_failure(given, 2, "file:PATH");
  EXPECT_EQ(given.err.find(digits), std::string::npos) << given.err;
  EXPECT_FALSE(std::filesystem::exists(folder() / "new.ltkm"));
  EXPECT_EQ(to_hex(read("sc.keys")), to_hex(before));
  expect_done(bcast({"unsubscribe", "sc.keys", subscriber}));
  expect_failure(ltkm(right), 1, "there is no subscriber");
  expect_failure(bcast({"unsubscribe", "sc.keys", subscriber}), 1, "there is no subscriber");
  expect_failure(bcast({"subscribe", "sc.keys", subscriber}), 2, "say by --service");
}

}  // namespace
}  // namespace cas::test
