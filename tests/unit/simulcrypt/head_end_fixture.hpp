// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simulcrypt/head_end.hpp"
#include "support/plain_ecmg.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"
#include "support/test_multiplex.hpp"
#include "support/test_receiver.hpp"

namespace cas::simulcrypt::test {

using cas::test::PlainEcmg;
using cas::test::SeededRandom;
using cas::test::TestMultiplex;
using cas::test::TestReceiver;
using mpegts::Pid;

struct RecordingListener final : HeadEndListener {
  void period_began(const GroupName& group, std::uint16_t cp_number, const ContentKey* key, std::uint64_t packet,
                    StreamTime) override {
    periods.push_back({group, cp_number, packet, key == nullptr ? "" : key->key_id});
  }
  void went_clear(const GroupName&, std::uint64_t, StreamTime) override { ++clears; }
  void ecm_missing(const GroupName&, const std::string& system, std::uint16_t, WithoutEcm) override {
    ++missing[system];
  }
  void service_found(std::uint16_t id, const std::string& name, const std::vector<GroupStream>& ecms) override {
    found[id] = name;
    ecm_streams[id] = ecms.size();
  }
  void service_gone(std::uint16_t id) override { found.erase(id); }
  void problem(const std::string& what) override { problems.push_back(what); }

  struct Period {
    GroupName group;
    std::uint16_t cp_number = 0;
    std::uint64_t packet = 0;
    std::string key_id;
  };
  std::vector<Period> periods;
  int clears = 0;
  std::map<std::string, int> missing;
  std::map<std::uint16_t, std::string> found;
  std::map<std::uint16_t, std::size_t> ecm_streams;
  std::vector<std::string> problems;
};

class HeadEndTest : public testing::Test {
 protected:
  static constexpr std::uint16_t ca_system_id = 0x4a01;

  HeadEndTest() {
    settings.cipher = mpegts::TsCipher::cissa;
    settings.systems.push_back({"first", ca_system_id, first});
    ServiceSettings service;
    service.period = std::chrono::seconds(1);
    service.systems.push_back({.system = "first"});
    settings.services.push_back(service);
  }
  CaUse& add_system(const std::string& name, std::uint16_t id, std::shared_ptr<PlainEcmg> ecmg) {
    settings.systems.push_back({name, id, std::move(ecmg)});
    return settings.services[0].systems.emplace_back(CaUse{.system = name});
  }
  void start() { head_end = cas::test::value_or_throw(HeadEnd::create(settings, listener, random)); }

  /// Sends a stream through in runs of `run` packets, into the receiver.
  void send(Bytes stream, std::size_t run = 200) {
    if (!head_end) start();
    cas::append(original, stream);
    MutableByteView rest(stream);
    while (!rest.empty()) {
      const MutableByteView now = rest.first(std::min(rest.size(), run * mpegts::packet_size));
      rest = rest.subspan(now.size());
      const auto out = head_end->process(now);
      ASSERT_OK(out);
      out_packets += out->size() / mpegts::packet_size;
      receiver.push(*out);
    }
  }
  void finish() { receiver.push(head_end->finish()); }

  /// The payloads of a PID as they were sent and as they have come out.
  void expect_received(Pid pid) {
    Bytes sent;
    for (ByteView rest = original; !rest.empty(); rest = rest.subspan(mpegts::packet_size)) {
      const mpegts::PacketView packet(rest.data(), mpegts::packet_size);
      if (mpegts::pid_of(packet) == pid) cas::append(sent, mpegts::payload_of(packet));
    }
    EXPECT_EQ(sent.size(), receiver.payloads[pid].size()) << "PID " << pid;
    EXPECT_TRUE(sent == receiver.payloads[pid]) << "PID " << pid;
  }

  std::shared_ptr<PlainEcmg> first = std::make_shared<PlainEcmg>();
  HeadEndSettings settings;
  RecordingListener listener;
  SeededRandom random{7};
  std::unique_ptr<HeadEnd> head_end;
  TestReceiver receiver{mpegts::TsCipher::cissa, ca_system_id};
  Bytes original;
  std::uint64_t out_packets = 0;
};

}  // namespace cas::simulcrypt::test
