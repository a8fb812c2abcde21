// SPDX-License-Identifier: LGPL-2.1-or-later
// Long term key messages on their way through EMMG <-> MUX (14.1.1.3.4 and 14.1.1.3.5 of OMA BCAST).
#include <gtest/gtest.h>

#include "simulcrypt/bcast/bcast_receiver.hpp"
#include "simulcrypt/bcast/ltkm_generator.hpp"
#include "simulcrypt/emmg_client.hpp"
#include "simulcrypt/mux_server.hpp"
#include "support/result_matchers.hpp"
#include "unit/simulcrypt/bcast/keys.hpp"
#include "unit/simulcrypt/emmg_events.hpp"
#include "unit/simulcrypt/wire.hpp"

namespace cas::simulcrypt::bcast {
namespace {

struct Sink final : DataSink {
  tl::expected<void, emmg::Error> open_channel(const emmg::ChannelId&, std::uint8_t) override { return {}; }
  tl::expected<DataStreamGrant, emmg::Error> open_stream(const DataStreamOrder&) override { return DataStreamGrant{}; }
  void close_stream(std::uint64_t) override {}
  std::uint16_t allocate_bandwidth(std::uint64_t, std::uint16_t wanted) override { return wanted; }
  void take_datagram(std::uint64_t, ByteView datagram) override { datagrams.push_back(copy_of(datagram)); }
  std::vector<Bytes> datagrams;
};

class LtkmProvision : public ::testing::Test {
 protected:
  // The generator's client, set up as one of `client_id`; false: the multiplexer refused it.
  bool open(std::uint32_t client_id) {
    EmmgClientSettings settings;
    settings.channel = {client_id, 1};
    settings.section_tspkt_flag = emmg::binary_messages;
    session.emplace(server, now);
    client.emplace(settings, events);
    client->start(now);
    pump();
    return client->is_open();
  }
  void pump() {
    while (!client->output().empty() || !session->output().empty()) {
      const Bytes up = simulcrypt::test::take_output(*client);
      session->receive(up, now);
      const Bytes down = simulcrypt::test::take_output(*session);
      client->receive(down, now);
    }
  }
  static MuxServerSettings settings() {
    MuxServerSettings made;
    made.binary_messages = true;
    return made;
  }

  Instant now{std::chrono::hours(1)};
  Sink sink;
  MuxServer server{settings(), sink};
  simulcrypt::test::EmmgEvents events;
  std::optional<MuxSession> session;
  std::optional<EmmgClient> client;
};

TEST_F(LtkmProvision, BringsKeysToReceivers) {
  constexpr std::uint32_t bsm = 0x00010007;
  cas::test::ManualClock clock(test::time);
  std::vector<DrmRecipient> recipients;
  recipients.push_back({std::nullopt, test::counted(0x60)});
  std::vector<ServiceKey> keys;
  keys.push_back(test::service_key());
  auto generator = DrmLtkmGenerator::create(bsm, clock);
  ASSERT_OK(generator);
  const auto ltkm = generator->make(recipients[0], keys);
  ASSERT_OK(ltkm);

  ASSERT_TRUE(open(bsm));
  ASSERT_OK(client->open_stream(1, 9, emmg::emm, now));
  pump();
  const ByteView datagrams[] = {*ltkm};
  ASSERT_OK(client->provide(1, datagrams));
  pump();
  ASSERT_EQ(sink.datagrams.size(), 1U);
  auto receiver = BcastReceiver::create_drm(bsm, std::move(recipients), clock);
  ASSERT_OK(receiver->take_ltkm(sink.datagrams[0]));
  EXPECT_EQ(receiver->key_count(), 1U);
}

TEST_F(LtkmProvision, IsRefusedToTheSmartcardProfile) { EXPECT_FALSE(open(0x00020007)); }

}  // namespace
}  // namespace cas::simulcrypt::bcast
