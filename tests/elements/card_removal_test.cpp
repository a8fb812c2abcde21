// SPDX-License-Identifier: LGPL-2.1-or-later
// A card that is pulled while content plays.
#include <gst/cas/card_session.hpp>

#include <condition_variable>
#include <future>
#include <mutex>

#include "element_test.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {
namespace {

/// A card in a reader, which a test pulls and puts back.
class PullableCard final : public card::Card {
 public:
  explicit PullableCard(std::shared_ptr<card::Card> card) : card_(std::move(card)) {}

  void pull() {
    const std::lock_guard lock(mutex_);
    present_ = false;
    card_->disconnect();
  }
  void insert() {
    const std::lock_guard lock(mutex_);
    present_ = true;
    changed_.notify_all();
  }

  Status connect() override {
    const std::lock_guard lock(mutex_);
    return present_ ? card_->connect() : absent();
  }
  void disconnect() override { card_->disconnect(); }
  Status wait_for_card(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    if (changed_.wait(lock, stop, [this] { return present_; })) return {};
    return fail(ErrorKind::cancelled, "nobody waits for a card any more");
  }
  Result<card::ResponseApdu> transmit(const card::CommandApdu& command) override {
    const std::lock_guard lock(mutex_);
    if (!present_) return absent();
    return card_->transmit(command);
  }
  std::string description() const override { return "the card that is pulled"; }

 private:
  static tl::unexpected<Error> absent() {
    return fail(ErrorKind::card_absent, "there is no card in the reader: put it back");
  }

  std::shared_ptr<card::Card> card_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool present_ = true;
};

constexpr std::size_t segment = 1024;

/// Four segments with a licence each, and a descrambler with a card that can be pulled.
class CardRemoval : public testing::Test {
 protected:
  CardRemoval()
      : card(std::make_shared<PullableCard>(usual_system().card("renderer"))),
        file(protect(content, {{"segment-size", "1024"}, {"key-period", "1"}})) {
    const auto header = value_or_throw(smartpro::ReadHeader::parse(file));
    half = static_cast<std::size_t>(smartpro::FileLayout(header.header, header.body_offset).slot_offset(2)) + 1;
  }

  void give_session(GstElement* to) {
    auto token =
        std::make_unique<smartpro::TokenSession>(card, usual_system().host(), smartpro::TokenSession::Options{});
    const gst::CardSessionPtr session =
        value_or_throw(gst::wrap_token_session(std::move(token), {"test:", "test", "", crypto::DhGroup::p256}));
    const gst::ContextPtr context(gst_cas_context_new_card_session(session.get(), TRUE));
    gst_element_set_context(to, context.get());
  }
  HarnessPtr harness(const char* policy = "wait") {
    element = make_element("smartpro-descramble", {{"card-removal-policy", policy}});
    give_session(element.get());
    bus.reset(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    HarnessPtr made(gst_harness_new_with_element(element.get(), "sink", "src"));
    gst_harness_push_event(made.get(), gst_event_new_stream_start("test"));
    GstSegment bytes;
    gst_segment_init(&bytes, GST_FORMAT_BYTES);
    gst_harness_push_event(made.get(), gst_event_new_segment(&bytes));
    return made;
  }
  static GstFlowReturn push(GstHarness* to, ByteView bytes) {
    return gst_harness_push(to, gst_buffer_new_memdup(bytes.data(), bytes.size()));
  }
  void wait_until_card_is_missed() {
    while (GstMessage* message = gst_bus_timed_pop_filtered(bus.get(), 60 * GST_SECOND, GST_MESSAGE_ELEMENT)) {
      const bool missed = gst_structure_has_name(gst_message_get_structure(message), "cas-card-needed");
      gst_message_unref(message);
      if (missed) return;
    }
    FAIL() << "no message cas-card-needed";
  }
  static std::size_t output_size(GstHarness* from) {
    std::size_t size = 0;
    while (GstBuffer* pulled = gst_harness_try_pull(from)) {
      size += gst_buffer_get_size(pulled);
      gst_buffer_unref(pulled);
    }
    return size;
  }
  ~CardRemoval() override {
    if (element) gst_element_set_bus(element.get(), nullptr);
  }

  Bytes content = noise(4 * segment);
  std::shared_ptr<PullableCard> card;
  Bytes file;
  std::size_t half = 0;  // Two segments, and the byte that shows that they are not the last.
  gst::ObjectPtr<GstElement> element;
  gst::ObjectPtr<GstBus> bus;
};

TEST_F(CardRemoval, GoesOnWhileTheKeyIsThere) {
  const Bytes one_period = protect(content, {{"segment-size", "1024"}});
  const auto to = harness();
  ASSERT_EQ(push(to.get(), ByteView(one_period).first(one_period.size() - 2 * segment)), GST_FLOW_OK);
  card->pull();
  ASSERT_EQ(push(to.get(), ByteView(one_period).last(2 * segment)), GST_FLOW_OK);
  ASSERT_TRUE(gst_harness_push_event(to.get(), gst_event_new_eos()));
  EXPECT_EQ(output_size(to.get()), content.size());
}

TEST_F(CardRemoval, WaitsAtTheNextKeyPeriodUntilTheCardIsBack) {
  const auto to = harness();
  ASSERT_EQ(push(to.get(), ByteView(file).first(half)), GST_FLOW_OK);
  card->pull();
  auto rest = std::async(std::launch::async, [&] { return push(to.get(), ByteView(file).subspan(half)); });
  wait_until_card_is_missed();
  EXPECT_EQ(output_size(to.get()), 2 * segment) << "what was there before is delivered";
  card->insert();
  EXPECT_EQ(rest.get(), GST_FLOW_OK);
  EXPECT_TRUE(next_element_message(bus.get(), "cas-card-returned"));
  ASSERT_TRUE(gst_harness_push_event(to.get(), gst_event_new_eos()));
  EXPECT_EQ(output_size(to.get()), 2 * segment);
}

TEST_F(CardRemoval, StopsWaitingForAFlush) {
  const auto to = harness();
  ASSERT_EQ(push(to.get(), ByteView(file).first(half)), GST_FLOW_OK);
  card->pull();
  auto rest = std::async(std::launch::async, [&] { return push(to.get(), ByteView(file).subspan(half)); });
  wait_until_card_is_missed();
  gst_harness_push_event(to.get(), gst_event_new_flush_start());
  EXPECT_EQ(rest.get(), GST_FLOW_FLUSHING);
  gst_harness_push_event(to.get(), gst_event_new_flush_stop(TRUE));
  EXPECT_FALSE(next_error(bus.get()).has_value());

  // And waits again afterwards.
  GstSegment bytes;
  gst_segment_init(&bytes, GST_FORMAT_BYTES);
  gst_harness_push_event(to.get(), gst_event_new_segment(&bytes));
  output_size(to.get());
  auto again = std::async(std::launch::async, [&] { return push(to.get(), file); });
  wait_until_card_is_missed();
  card->insert();
  EXPECT_EQ(again.get(), GST_FLOW_OK);
  ASSERT_TRUE(gst_harness_push_event(to.get(), gst_event_new_eos()));
  EXPECT_EQ(output_size(to.get()), content.size());
}

TEST_F(CardRemoval, StopsWaitingOnTheWayToReady) {
  const auto to = harness();
  ASSERT_EQ(push(to.get(), ByteView(file).first(half)), GST_FLOW_OK);
  card->pull();
  auto rest = std::async(std::launch::async, [&] { return push(to.get(), ByteView(file).subspan(half)); });
  wait_until_card_is_missed();
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(rest.get(), GST_FLOW_FLUSHING);
}

TEST_F(CardRemoval, StopsWaitingOnTheWayToReadyInPullMode) {
  const auto path = write_file("pulled-card.spro", file);
  for (const std::string downstream : {"fakesink", "decodebin ! fakesink"}) {
    card->insert();
    Pipeline pipeline("filesrc location=" + path.string() + " ! smartpro-descramble name=d ! " + downstream);
    give_session(pipeline.element());
    ASSERT_TRUE(pipeline.set_state(GST_STATE_READY));
    card->pull();
    ASSERT_TRUE(pipeline.set_state(GST_STATE_PAUSED));
    ASSERT_TRUE(pipeline.wait_for_element_message("cas-card-needed"));
    EXPECT_TRUE(pipeline.reach(GST_STATE_READY));
  }
}

TEST_F(CardRemoval, IsAnErrorWhenTheApplicationWantsThat) {
  const auto to = harness("stop");
  ASSERT_EQ(push(to.get(), ByteView(file).first(half)), GST_FLOW_OK);
  card->pull();
  EXPECT_EQ(push(to.get(), ByteView(file).subspan(half)), GST_FLOW_ERROR);
  EXPECT_POSTED(bus.get(), GST_STREAM_ERROR, GST_STREAM_ERROR_DECRYPT_NOKEY, "card-absent");
  EXPECT_EQ(output_size(to.get()), 2 * segment);
}

}  // namespace
}  // namespace cas::test
