// SPDX-License-Identifier: LGPL-2.1-or-later
//
// ECMs in each form in which an ECMG may give them, good ones and others, and what receivers have of them.
#include "mpegts/section_packetiser.hpp"
#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

/// A section as it is, with so many bytes more.
Bytes padded(Bytes section, std::size_t size) {
  section.resize(size, 0xee);
  section[1] = static_cast<std::uint8_t>(0x70 | (size - 3) >> 8);
  section[2] = static_cast<std::uint8_t>(size - 3);
  return section;
}

/// An ECM as a section for each of its words, back to back.
Bytes in_sections(ByteView ecm, std::size_t size_of_each) {
  const std::size_t word_size = ecm[8];
  Bytes all;
  for (std::size_t word = 0; word < ecm[7]; ++word) {
    Bytes one = copy_of(ecm.first(9));
    const auto cp = static_cast<std::uint16_t>((ecm[5] << 8 | ecm[6]) + word);
    one[5] = static_cast<std::uint8_t>(cp >> 8);
    one[6] = static_cast<std::uint8_t>(cp);
    one[7] = 1;
    append(one, ecm.subspan(9 + word * word_size, word_size));
    append(all, padded(std::move(one), std::max(size_of_each, 9 + word_size)));
  }
  return all;
}

/// Packets as an ECMG makes them that does not know where they will go: of any PID, and any counter.
Bytes in_packets(ByteView sections, std::uint16_t cp_number) {
  mpegts::SectionPacketiser packetiser(static_cast<mpegts::Pid>(0x1ffe - cp_number % 7),
                                       static_cast<std::uint8_t>(cp_number * 5));
  Bytes packets;
  EXPECT_OK(packetiser.packetise_datagram(sections, packets));
  return packets;
}

/// A packet that has an adaptation field and no payload, which does not count.
Bytes packet_without_payload() {
  Bytes packet(mpegts::packet_size, 0xff);
  packet[0] = mpegts::sync_byte;
  packet[1] = 0x01;
  packet[2] = 0x23;
  packet[3] = 0x27;
  packet[4] = mpegts::max_payload_size - 1;
  packet[5] = 0;
  return packet;
}

using Dress = std::function<Bytes(std::uint16_t cp_number, Bytes ecm)>;

struct Form {
  const char* name;
  std::uint8_t section_tspkt_flag;
  std::size_t packets;  ///< Of each ECM.
  Dress dress;
};

const Form forms[] = {
    {"sections", 0, 1, nullptr},
    {"several_sections", 0, 1, [](std::uint16_t, Bytes ecm) { return in_sections(ecm, 0); }},
    {"several_packets", 0, 3, [](std::uint16_t, Bytes ecm) { return padded(std::move(ecm), 500); }},
    {"several_sections_in_several_packets", 0, 4, [](std::uint16_t, Bytes ecm) { return in_sections(ecm, 300); }},
    {"as_long_as_a_section_may_be", 0, 23, [](std::uint16_t, Bytes ecm) { return padded(std::move(ecm), 4096); }},
    {"packets", 1, 1, [](std::uint16_t cp, Bytes ecm) { return in_packets(ecm, cp); }},
    {"several_packets_from_the_ecmg", 1, 3,
     [](std::uint16_t cp, Bytes ecm) { return in_packets(padded(std::move(ecm), 500), cp); }},
    {"several_sections_in_packets_from_the_ecmg", 1, 4,
     [](std::uint16_t cp, Bytes ecm) { return in_packets(in_sections(ecm, 300), cp); }},
    {"packets_of_which_one_has_no_payload", 1, 2,
     [](std::uint16_t cp, Bytes ecm) {
       Bytes packets = in_packets(ecm, cp);
       append(packets, packet_without_payload());
       return packets;
     }},
};

class EcmForms : public ::testing::Test {
 protected:
  static constexpr mpegts::Pid video = 0x101;
  static constexpr std::uint64_t repetition = 200;  ///< ms

  EcmForms() { ecmg_.parameters.ecm_rep_period = repetition; }

  void play(InserterHarness& inserter, double seconds) {
    const Bytes stream = multiplex_.seconds(seconds);
    append(sent_, stream);
    ASSERT_EQ(inserter.push_in_pieces(stream, 7 * mpegts::packet_size), GST_FLOW_OK);
    append(out_, inserter.output());
  }
  void end(InserterHarness& inserter) {
    ASSERT_TRUE(inserter.end());
    append(out_, inserter.output());
    receiver_.push(out_);
  }
  mpegts::Pid ecm_pid() {
    EXPECT_EQ(receiver_.ecm_pids.size(), 1U);
    return receiver_.ecm_pids.empty() ? mpegts::null_pid : *receiver_.ecm_pids.begin();
  }
  /// The numbers of the packets on the PID of the ECMs.
  std::vector<std::uint64_t> ecm_packets() {
    const mpegts::Pid pid = ecm_pid();
    std::vector<std::uint64_t> numbers;
    std::uint64_t number = 0;
    for (ByteView rest = out_; !rest.empty(); rest = rest.subspan(mpegts::packet_size), ++number)
      if (mpegts::pid_of(mpegts::PacketView(rest.data(), mpegts::packet_size)) == pid) numbers.push_back(number);
    return numbers;
  }
  /// Of the first group.
  guint64 counted(InserterHarness& inserter, const char* field) {
    const auto stats = inserter.stats();
    return uint64_of(item_of(item_of(stats.get(), "groups", 0), "ecm-streams", 0), field);
  }
  /// How many messages of that name are on the bus, which is empty then.
  static std::size_t messages(InserterHarness& inserter, const char* name,
                              const std::function<bool(const GstStructure*)>& wanted = nullptr) {
    std::size_t count = 0;
    while (GstMessage* message = gst_bus_pop_filtered(inserter.bus(), GST_MESSAGE_ELEMENT)) {
      const GstStructure* said = gst_message_get_structure(message);
      if (gst_structure_has_name(said, name) && (!wanted || wanted(said))) ++count;
      gst_message_unref(message);
    }
    return count;
  }

  PlainEcmgServer ecmg_;
  TestMultiplex multiplex_{{.bit_rate = 2'000'000, .null_per_mille = 200}};
  TestReceiver receiver_{mpegts::TsCipher::cissa, plain_ca_system_id};
  Bytes sent_, out_;
};

class GoodEcmForms : public EcmForms, public ::testing::WithParamInterface<Form> {};

TEST_P(GoodEcmForms, GoOutOnTimeAndOpenTheService) {
  ecmg_.parameters.section_tspkt_flag = GetParam().section_tspkt_flag;
  ecmg_.dress = GetParam().dress;
  InserterHarness inserter(usual_properties(ecmg_));
  play(inserter, 4.5);
  EXPECT_EQ(uint64_of(inserter.stats().get(), "constant-bit-rate"), 0U);
  end(inserter);
  expect_received(receiver_, sent_);
  EXPECT_EQ(receiver_.clear.count(ecm_pid()), 0U) << "something else than ECMs is on their PID";
  EXPECT_GT(receiver_.scrambled[video], 3000U);
  EXPECT_LT(receiver_.clock_error(video).first, 3);

  // All packets of an ECM in a row, and ECMs in the rhythm that the ECMG asks for, over the ends of periods too.
  const auto packets = ecm_packets();
  const std::size_t size = GetParam().packets;
  ASSERT_GE(packets.size(), 20 * size);
  ASSERT_EQ(packets.size() % size, 0U);
  const double distance = 2e6 / 8 / mpegts::packet_size * repetition / 1000;
  std::optional<std::uint64_t> last;
  for (std::size_t at = 0; at < packets.size(); at += size) {
    EXPECT_EQ(packets[at + size - 1], packets[at] + size - 1);
    // Where the stream has waited for an ECM, the one before is sent at the same moment: its period was still on.
    if (last && packets[at] == *last + size) continue;
    if (last) {
      EXPECT_NEAR(static_cast<double>(packets[at] - *last), distance, 1.01);
    }
    last = packets[at];
  }
  EXPECT_EQ(counted(inserter, "ecms-sent"), packets.size() / size);
  EXPECT_EQ(counted(inserter, "ecms-missing"), 0U);
  EXPECT_EQ(counted(inserter, "requests-refused"), 0U);
}

INSTANTIATE_TEST_SUITE_P(Ecms, GoodEcmForms, ::testing::ValuesIn(forms),
                         [](const auto& test) { return test.param.name; });

TEST_F(EcmForms, ThatAreEmptyMeanThatThereIsNothingToSend) {
  ecmg_.dress = [](std::uint16_t cp, Bytes ecm) { return cp == 2 ? Bytes() : ecm; };
  InserterHarness inserter(usual_properties(ecmg_));
  play(inserter, 4.5);
  end(inserter);
  // The word of 2 came with the ECM of 1, and no period waited.
  expect_received(receiver_, sent_);
  EXPECT_EQ(messages(inserter, "simulcrypt-period"), 5U);
  std::map<unsigned, int> seen;
  for (const auto& ecm : receiver_.ecms[ecm_pid()]) ++seen[ecm.cp_number];
  EXPECT_EQ(seen.count(2), 0U);
  // Once more, where the stream has waited for the next.
  for (const unsigned cp : {0U, 1U, 3U}) EXPECT_TRUE(seen[cp] == 5 || seen[cp] == 6) << cp << ": " << seen[cp];
  EXPECT_EQ(counted(inserter, "ecms-missing"), 0U);
  EXPECT_EQ(counted(inserter, "requests-refused"), 0U);
}

TEST_F(EcmForms, ThatAreKeyMessagesAreRefusedWithTheirEcmg) {
  ecmg_.parameters.section_tspkt_flag = simulcrypt::ecmg::binary_messages;
  InserterHarness inserter(with(usual_properties(ecmg_), {{"ecm-wait", "0"}}));
  const auto lost = inserter.wait_for_ecmg("lost");
  EXPECT_NE(text_of(lost.get(), "why").find("section_TSpkt_flag 2"), std::string::npos) << text_of(lost.get(), "why");
  play(inserter, 1);
  end(inserter);
  EXPECT_EQ(receiver_.scrambled.count(video), 0U);
  EXPECT_EQ(ecmg_.orders(), 0U);
}

/// What is no ECM of the form that the ECMG has announced, or none that could be sent.
struct Garbage {
  const char* name;
  std::uint8_t section_tspkt_flag;
  Dress dress;
};

Bytes packet_with(std::size_t at, std::uint8_t value) {
  Bytes packet = packet_without_payload();
  packet[at] = value;
  return packet;
}

const Garbage garbage[] = {
    {"no_section", 0, [](std::uint16_t, Bytes) { return Bytes(50, 0xaa); }},
    {"less_than_a_header", 0, [](std::uint16_t, Bytes) { return Bytes(2, 0x80); }},
    {"cut_off", 0,
     [](std::uint16_t, Bytes ecm) {
       ecm.pop_back();
       return ecm;
     }},
    {"cut_off_in_the_second_section", 0,
     [](std::uint16_t, Bytes ecm) {
       Bytes sections = in_sections(ecm, 300);
       sections.pop_back();
       return sections;
     }},
    {"something_behind_the_section", 0,
     [](std::uint16_t, Bytes ecm) {
       ecm.push_back(0);
       return ecm;
     }},
    {"longer_than_a_section_may_be", 0, [](std::uint16_t, Bytes ecm) { return padded(std::move(ecm), 4097); }},
    {"stuffing", 0,
     [](std::uint16_t, Bytes ecm) {
       ecm[0] = 0xff;
       return ecm;
     }},
    {"a_section_where_packets_were_announced", 1, [](std::uint16_t, Bytes ecm) { return ecm; }},
    {"half_a_packet", 1, [](std::uint16_t, Bytes) { return Bytes(94, 0x47); }},
    {"no_sync_byte", 1, [](std::uint16_t, Bytes) { return packet_with(0, 0x48); }},
    {"transport_error", 1, [](std::uint16_t, Bytes) { return packet_with(1, 0x81); }},
    {"scrambled", 1, [](std::uint16_t, Bytes) { return packet_with(3, 0xa7); }},
    {"adaptation_field_too_long", 1, [](std::uint16_t, Bytes) { return packet_with(4, 200); }},
};

class BadEcmForms : public EcmForms, public ::testing::WithParamInterface<Garbage> {
 protected:
  BadEcmForms() { ecmg_.parameters.section_tspkt_flag = GetParam().section_tspkt_flag; }
  /// The ECM as it should be.
  static Bytes good(std::uint16_t cp, Bytes ecm) {
    return GetParam().section_tspkt_flag == 1 ? in_packets(ecm, cp) : ecm;
  }
};

TEST_P(BadEcmForms, AreAskedForAgain) {
  std::atomic<int> bad = 2;
  ecmg_.dress = [&](std::uint16_t cp, Bytes ecm) {
    if (cp != 2 || bad == 0) return good(cp, std::move(ecm));
    --bad;
    return GetParam().dress(cp, std::move(ecm));
  };
  InserterHarness inserter(usual_properties(ecmg_));
  play(inserter, 4.5);
  end(inserter);
  expect_received(receiver_, sent_);
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(counted(inserter, "requests-refused"), 2U);
  EXPECT_EQ(counted(inserter, "ecms-missing"), 0U);
  const auto misbehaved = messages(inserter, "simulcrypt-ecmg", [](const GstStructure* said) {
    return text_of(said, "state") == "misbehaved" && text_of(said, "why").find("form") != std::string::npos;
  });
  EXPECT_EQ(misbehaved, 2U);
}

TEST_P(BadEcmForms, DoNotTakeTheServiceFromReceivers) {
  ecmg_.dress = [&](std::uint16_t cp, Bytes ecm) {
    return cp < 2 ? good(cp, std::move(ecm)) : GetParam().dress(cp, std::move(ecm));
  };
  InserterHarness inserter(with(usual_properties(ecmg_), {{"ecm-wait", "0"}}));
  play(inserter, 0.2);
  for (int turn = 0; turn < 20'000 && counted(inserter, "requests-refused") < 2; ++turn) {
    play(inserter, 0.05);
    std::this_thread::yield();
  }
  play(inserter, 3);
  end(inserter);
  // The period before it goes on, with its ECMs.
  expect_received(receiver_, sent_);
  EXPECT_GT(receiver_.ecms[ecm_pid()].size(), 15U);
  for (const auto& ecm : receiver_.ecms[ecm_pid()]) EXPECT_LT(ecm.cp_number, 2U);
  EXPECT_EQ(messages(inserter, "simulcrypt-ecm-missing",
                     [](const GstStructure* said) { return text_of(said, "consequence") == "hold"; }),
            1U);
}

INSTANTIATE_TEST_SUITE_P(Ecms, BadEcmForms, ::testing::ValuesIn(garbage),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace cas::test
