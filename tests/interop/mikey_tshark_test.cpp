// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What somebody else's reader makes of our key messages of the Smartcard Profile: Wireshark's MIKEY dissector.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "base/writer.hpp"
#include "simulcrypt/bcast/smartcard_messages.hpp"
#include "support/result_matchers.hpp"
#include "support/temporary_folder.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"

namespace cas::simulcrypt::bcast {
namespace {

constexpr std::uint16_t port = 2269;  // in the capture only: nothing is opened

// A capture of raw IPv4 with one UDP datagram; the dissector does not need checksums.
Bytes capture_of(ByteView payload) {
  const auto size = static_cast<std::uint32_t>(28 + payload.size());
  ByteWriter out;
  out.u32(0xa1b2c3d4).u16(2).u16(4).u32(0).u32(0).u32(0x40000).u32(101);  // LINKTYPE_RAW
  out.u32(1'800'000'000).u32(0).u32(size).u32(size);
  out.u8(0x45).u8(0).u16(static_cast<std::uint16_t>(size)).u32(0).u8(64).u8(17).u16(0);
  out.u32(0x0a000001).u32(0x0a000001);
  out.u16(port).u16(port).u16(static_cast<std::uint16_t>(8 + payload.size())).u16(0).bytes(payload);
  return out.take();
}

std::string dissected(ByteView message) {
  const cas::test::TemporaryFolder folder;
  const auto path = folder.path() / "mikey.pcap";
  std::ofstream(path, std::ios::binary) << as_text(capture_of(message));
  std::string command = "tshark -r '" + path.string() + "' -T fields -E separator=/s -E occurrence=a -E aggregator=,";
  for (const char* field : {"mikey.version", "mikey.type", "mikey.csb_id", "mikey.t.ts_type", "mikey.ext.type",
                            "mikey.ext.data", "mikey.id.data", "mikey.rand.data", "mikey.kemac.encr_alg",
                            "mikey.kemac.key_data_len", "mikey.kemac.mac_alg", "_ws.malformed"}) {
    command += std::string(" -e ") + field;
  }
  command += " 2>/dev/null";
  std::FILE* const output = popen(command.c_str(), "r");
  if (output == nullptr) return {};
  std::string line;
  std::array<char, 4096> buffer;
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), output) != nullptr) line += buffer.data();
  pclose(output);
  while (line.ends_with('\n') || line.ends_with(' ')) line.pop_back();
  return line;
}

class MikeyDissection : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("tshark --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "tshark is not installed";
  }
};

TEST_F(MikeyDissection, OfAShortTermKeyMessageIsWhatWasWritten) {
  const SmartcardStkmHead head{0x1234, test::key_domain, 0x00010002, 7, 0, TrafficProtection::srtp, true, 4, {}};
  const SecretBytes tek = test::counted(0xa0, 30);
  const auto message = seal_smartcard_stkm(head, 5, test::service_key(0x00010002), tek.reveal());
  ASSERT_OK(message);
  EXPECT_EQ(dissected(*message), "1 0 0x00001234 2 5,3 020604,000300f11001040001000202020007   1 36 1");
}

TEST_F(MikeyDissection, OfALongTermKeyMessageIsWhatWasWritten) {
  const auto message = seal_smartcard_ltkm(test::subscription(), 9, test::service_key(0x00010002));
  ASSERT_OK(message);
  EXPECT_EQ(dissected(*message),
            "1 0 0x00010002 2 5,3 0100,000300f110010400010002 bsm@example.org,001010000000001@example.org "
            "202122232425262728292a2b2c2d2e2f 1 38 1");
}

}  // namespace
}  // namespace cas::simulcrypt::bcast
