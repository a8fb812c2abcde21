// SPDX-License-Identifier: LGPL-2.1-or-later
//
// What simulcrypt-ecm-inserter takes for settings, and what it says of those that cannot be.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "simulcrypt_element_test.hpp"

namespace cas::test {
namespace {

/// Goes to a state, and gives the error that is posted when that fails.
std::optional<PostedError> error_on_the_way_to(GstState state, const PropertyList& properties) {
  const auto element = make_inserter(properties);
  const gst::ObjectPtr<GstBus> bus(gst_bus_new());
  gst_element_set_bus(element.get(), bus.get());
  std::optional<PostedError> error;
  if (gst_element_set_state(element.get(), state) == GST_STATE_CHANGE_FAILURE) {
    error = next_error(bus.get());
    EXPECT_TRUE(error) << "it fails and does not say why";
  }
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
  return error;
}

/// That NULL->READY is refused, with a sentence that has `says` in it.
void expect_settings_error(const PropertyList& properties, const std::string& says) {
  const auto error = error_on_the_way_to(GST_STATE_READY, properties);
  ASSERT_TRUE(error) << "taken, and not to be: " << says;
  EXPECT_EQ(error->domain, g_quark_to_string(GST_LIBRARY_ERROR)) << error->text;
  EXPECT_EQ(error->code, GST_LIBRARY_ERROR_SETTINGS) << error->text;
  EXPECT_NE(error->text.find(says), std::string::npos) << error->text;
}

class InserterSettings : public ::testing::Test {
 protected:
  std::string file(const std::string& text) {
    const auto path = folder_.path() / "head-end.toml";
    std::ofstream(path) << text;
    return path.string();
  }
  TemporaryFolder folder_;
};

TEST_F(InserterSettings, WithoutAnyAreGood) { EXPECT_FALSE(error_on_the_way_to(GST_STATE_READY, {})); }

TEST_F(InserterSettings, AreRefusedWithTheNameOfTheProperty) {
  expect_settings_error({{"access-criteria", "0102x3"}}, "'access-criteria'");
  expect_settings_error({{"access-criteria", "012"}}, "'access-criteria'");
  expect_settings_error({{"access-criteria", std::string(2 * 4096 + 2, '0')}}, "'access-criteria'");
  expect_settings_error({{"ecmg", "127.0.0.1:99999"}}, "'ecmg'");
  expect_settings_error({{"ecmg", "127.0.0.1:2000,"}}, "'ecmg'");
  expect_settings_error({{"ecmg", "[::1"}}, "'ecmg'");
  expect_settings_error({{"emm-listen", ":2001"}}, "'emm-listen'");
  expect_settings_error({{"emm-listen", "127.0.0.1:x"}}, "'emm-listen'");
  expect_settings_error({{"ecm-pid", "5"}}, "PID 5");
  expect_settings_error({{"bitrate", "5"}}, "bit rate");
  expect_settings_error({{"announce-content", "true"}}, "from upstream");
  expect_settings_error({{"announce-keys", "true"}}, "from upstream");
  EXPECT_FALSE(error_on_the_way_to(GST_STATE_READY, {{"announce-keys", "true"}, {"key-source", "upstream"}}));
}

TEST_F(InserterSettings, OfAFileAreRefusedWithItsName) {
  const std::string ecmg = "[[ecmg]]\nname = 'one'\nsuper_cas_id = 0x4a010001\naddresses = ['127.0.0.1:2000']\n";
  EXPECT_FALSE(error_on_the_way_to(GST_STATE_READY, {{"config", file("cipher = 'cissa'\n" + ecmg)}}));
  expect_settings_error({{"config", file("ciper = 'cissa'\n" + ecmg)}}, "head-end.toml");
  expect_settings_error({{"config", file("cipher = 'rot13'\n" + ecmg)}}, "csa2, cissa");
  expect_settings_error({{"config", file("cipher = 'cissa'\n")}}, "[[ecmg]]");
  expect_settings_error({{"config", file("cipher = = \n")}}, "head-end.toml");
  expect_settings_error({{"config", file("cipher = 'cissa'\n" + ecmg + "[[service]]\nid = 0\n")}}, "head-end.toml");
  expect_settings_error({{"config", file("cipher = 'cissa'\niv = '00'\n" + ecmg)}}, "32");
  expect_settings_error(
      {{"config", file("cipher = 'cissa'\n" + ecmg + "[[service]]\n[[service.system]]\necmg = 'two'\n")}}, "'two'");
  const std::string upstream = "key_source = 'upstream'\n" + ecmg;
  EXPECT_FALSE(error_on_the_way_to(GST_STATE_READY, {{"config", file(upstream)}}));
  expect_settings_error({{"config", file("key_source = 'downstream'\n" + ecmg)}}, "generated, upstream");
  expect_settings_error({{"config", file(upstream + "[[service]]\nword = 'component'\n")}}, "one word");
  const std::string announced = "[[service]]\n[[service.system]]\necmg = 'one'\nannounce_content = true\n";
  EXPECT_FALSE(error_on_the_way_to(GST_STATE_READY, {{"config", file(upstream + announced)}}));
  expect_settings_error({{"config", file(ecmg + announced)}}, "from upstream");
  const auto absent = error_on_the_way_to(GST_STATE_READY, {{"config", (folder_.path() / "none").string()}});
  ASSERT_TRUE(absent);
  EXPECT_EQ(absent->domain, g_quark_to_string(GST_RESOURCE_ERROR)) << absent->text;
  EXPECT_EQ(absent->code, GST_RESOURCE_ERROR_NOT_FOUND) << absent->text;
  EXPECT_NE(absent->text.find("none"), std::string::npos) << absent->text;
}

TEST_F(InserterSettings, OfKeysFromUpstreamAreForTransportStreams) {
  expect_settings_error({{"key-source", "upstream"}, {"sdp", "news.sdp"}}, "'sdp'");
  const std::string text =
      "key_source = 'upstream'\n[[ecmg]]\nname = 'one'\nsuper_cas_id = 0x00010001\naddresses = ['127.0.0.1:2000']\n";
  expect_settings_error({{"config", file(text)}, {"sdp", "news.sdp"}}, "'sdp'");
}

TEST_F(InserterSettings, AreRefusedWhereTheEmmPortIsInUse) {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&at), size), 0);
  ASSERT_EQ(::listen(socket, 1), 0);
  ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size), 0);
  const std::string address = "127.0.0.1:" + std::to_string(ntohs(at.sin_port));
  EXPECT_FALSE(error_on_the_way_to(GST_STATE_READY, {{"emm-listen", address}}));
  // An ECMG answers meanwhile: what it says finds nobody, and does no harm.
  PlainEcmgServer ecmg;
  for (int turn = 0; turn < 20; ++turn) {
    const auto error = error_on_the_way_to(GST_STATE_PAUSED, with(usual_properties(ecmg), {{"emm-listen", address}}));
    ASSERT_TRUE(error);
    EXPECT_EQ(error->domain, g_quark_to_string(GST_RESOURCE_ERROR)) << error->text;
    EXPECT_NE(error->text.find(std::to_string(ntohs(at.sin_port))), std::string::npos) << error->text;
  }
  ::close(socket);
}

TEST_F(InserterSettings, ComeBackAsTheyWereSet) {
  const PropertyList properties = {{"ecmg", "192.0.2.1:2000,[2001:db8::1]:2000"},
                                   {"super-cas-id", "1"},
                                   {"channel-id", "7"},
                                   {"access-criteria", "0102"},
                                   {"ecm-pid", "1792"},
                                   {"service", "Channel 1"},
                                   {"components", "audio-video"},
                                   {"cipher", "aes-128-ctr"},
                                   {"csa2-checksum", "false"},
                                   {"key-source", "upstream"},
                                   {"announce-content", "true"},
                                   {"announce-keys", "true"},
                                   {"crypto-period", "5000"},
                                   {"clear-lead", "3"},
                                   {"without-ecm", "go-on"},
                                   {"before-first-period", "withheld"},
                                   {"scramble", "false"},
                                   {"emm-listen", "127.0.0.1:0"},
                                   {"emm-bandwidth", "17"},
                                   {"bitrate", "5000000"},
                                   {"clock-bitrate", "4000000"},
                                   {"ecm-wait", "9"},
                                   {"config", "/etc/none.toml"}};
  const auto element = make_inserter(properties);
  for (const auto& [name, text] : properties) {
    GValue value = G_VALUE_INIT;
    g_object_get_property(G_OBJECT(element.get()), name.c_str(), &value);
    GValue expected = G_VALUE_INIT;
    g_value_init(&expected, G_VALUE_TYPE(&value));
    if (G_VALUE_HOLDS_STRING(&value)) {
      EXPECT_EQ(g_value_get_string(&value), text) << name;
    } else {
      ASSERT_TRUE(gst_value_deserialize(&expected, text.c_str())) << name;
      EXPECT_EQ(gst_value_compare(&value, &expected), GST_VALUE_EQUAL) << name;
    }
    g_value_unset(&value);
    g_value_unset(&expected);
  }
}

/// Sets access criteria from within the start, when the port of EMMs is told.
GstBusSyncReply set_while_it_starts(GstBus*, GstMessage* message, gpointer element) {
  const GstStructure* said = gst_message_get_structure(message);
  if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT && gst_structure_has_name(said, "simulcrypt-data") &&
      text_of(said, "state") == "listening")
    set_property(GST_ELEMENT(element), "access-criteria", "0b0c");
  return GST_BUS_PASS;
}

TEST_F(InserterSettings, ThatAreMadeWhileItStartsCount) {
  PlainEcmgServer ecmg;
  const auto element =
      make_inserter(with(usual_properties(ecmg), {{"access-criteria", "01"}, {"emm-listen", "127.0.0.1:0"}}));
  const gst::ObjectPtr<GstBus> bus(gst_bus_new());
  gst_bus_set_sync_handler(bus.get(), set_while_it_starts, element.get(), nullptr);
  gst_element_set_bus(element.get(), bus.get());
  HarnessPtr harness(gst_harness_new_with_element(element.get(), "sink", "src"));
  gst_harness_set_src_caps_str(harness.get(), transport_stream_caps);
  const Bytes stream = TestMultiplex({.bit_rate = 2'000'000}).seconds(1);
  ASSERT_EQ(gst_harness_push(harness.get(), gst_buffer_new_memdup(stream.data(), stream.size())), GST_FLOW_OK);
  EXPECT_EQ(to_hex(ecmg.criteria()), "0b0c");
  harness.reset();
  gst_element_set_state(element.get(), GST_STATE_NULL);
  gst_element_set_bus(element.get(), nullptr);
}

TEST_F(InserterSettings, AreKeptWhilePlayingButForThoseThatMayChange) {
  PlainEcmgServer ecmg;
  InserterHarness inserter(usual_properties(ecmg));
  const PropertyList changes = {
      {"ecmg", "192.0.2.1:2000"}, {"super-cas-id", "1"},    {"crypto-period", "777"},
      {"cipher", "csa2"},         {"ecm-pid", "900"},       {"emm-listen", "127.0.0.1:0"},
      {"bitrate", "5000000"},     {"ecm-wait", "1"},        {"without-ecm", "stop"},
      {"service", "5"},           {"clear-lead", "5"},      {"before-first-period", "withheld"},
      {"key-source", "upstream"}, {"announce-keys", "true"}};
  for (const auto& [name, value] : changes) {
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(inserter.element()), name.c_str());
    ASSERT_NE(spec, nullptr);
    EXPECT_EQ(spec->flags & GST_PARAM_MUTABLE_PLAYING, 0) << name;
    g_test_expect_message(nullptr, G_LOG_LEVEL_WARNING, ("*" + name + "*READY*").c_str());
    set_property(inserter.element(), name, value);
    g_test_assert_expected_messages();
  }
  guint period = 0;
  g_object_get(inserter.element(), "crypto-period", &period, nullptr);
  EXPECT_EQ(period, 1000U);
  for (const char* name : {"config", "access-criteria", "scramble", "emm-bandwidth"}) {
    GParamSpec* spec = g_object_class_find_property(G_OBJECT_GET_CLASS(inserter.element()), name);
    EXPECT_NE(spec->flags & GST_PARAM_MUTABLE_PLAYING, 0) << name;
  }
}

}  // namespace
}  // namespace cas::test
