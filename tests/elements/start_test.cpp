// SPDX-License-Identifier: LGPL-2.1-or-later
// What is local and missing fails NULL->READY, in both elements.
#include <gst/base/gsttypefindhelper.h>
#include <gst/cas/card_session.hpp>

#include "element_test.hpp"
#include "smartpro/protected_file.hpp"

namespace cas::test {
namespace {

class Start : public testing::TestWithParam<const char*> {
 protected:
  Start() { usual_system(); }

  static void expect_failure(const char* factory, const std::string& card, const std::string& host, GQuark domain,
                             int code, const char* kind) {
    const auto element = make_element(factory, {{"card", card}, {"host", host}});
    const gst::ObjectPtr<GstBus> bus(gst_bus_new());
    gst_element_set_bus(element.get(), bus.get());
    EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    EXPECT_POSTED(bus.get(), domain, code, kind);
    gst_element_set_bus(element.get(), nullptr);
    gst_element_set_state(element.get(), GST_STATE_NULL);
  }
  static bool is_scramble() { return std::string(GetParam()) == "smartpro-scramble"; }
  static std::string right_card() { return usual_system().uri(is_scramble() ? "acquisition" : "renderer"); }
  static std::string wrong_card() { return usual_system().uri(is_scramble() ? "renderer" : "acquisition"); }
  static std::string host() { return usual_system().host_folder().string(); }
};

TEST_P(Start, FailsWithoutTheCard) {
  expect_failure(GetParam(), "soft:" + (usual_system().folder() / "none.card").string() + "?pin-source=file:/dev/null",
                 host(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "not-found");
}

TEST_P(Start, FailsWithoutCredentials) {
  expect_failure(GetParam(), right_card(), (usual_system().folder() / "nowhere").string(), GST_RESOURCE_ERROR,
                 GST_RESOURCE_ERROR_NOT_FOUND, "not-found");
}

TEST_P(Start, FailsWithAWrongPassPhrase) {
  const auto pin = write_file("wrong.pin", as_bytes("not this one"));
  if (!std::filesystem::exists(usual_system().card_file("locked"))) usual_system().make_token("locked");
  usual_system().release_cards();
  expect_failure(GetParam(), "soft:" + usual_system().card_file("locked").string() + "?pin-source=file:" + pin.string(),
                 host(), GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, "permission-denied");
}

TEST_P(Start, FailsWithATokenOfAnotherKind) {
  expect_failure(GetParam(), wrong_card(), host(), GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS, "invalid-argument");
}

TEST_P(Start, FailsWithACardUriOfNoKind) {
  expect_failure(GetParam(), "magnetic-stripe:", host(), GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS,
                 "invalid-argument");
}

TEST_P(Start, WorksAgainOnceTheCardIsNamed) {
  const auto element = make_element(GetParam(), {{"card", wrong_card()}});
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(element.get(), GST_STATE_NULL);
  g_object_set(element.get(), "card", right_card().c_str(), nullptr);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

TEST_P(Start, WorksWithTheClassicSuite) {
  const auto element = make_element(GetParam(), {{"suite", "ffdhe2048"}});
  EXPECT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

INSTANTIATE_TEST_SUITE_P(Elements, Start, testing::Values("smartpro-scramble", "smartpro-descramble"),
                         [](const auto& test) {
                           return std::string(test.param) == "smartpro-scramble" ? "Scramble" : "Descramble";
                         });

// --- The context in which a pipeline shares a card ---

gst::CardSessionPtr session_of(GstElement* element) {
  const gst::ContextPtr context(gst_element_get_context(element, GST_CAS_CARD_SESSION_CONTEXT_TYPE));
  return gst::CardSessionPtr(context ? gst_cas_context_get_card_session(context.get()) : nullptr);
}

class CardContext : public testing::Test {
 protected:
  CardContext() { usual_system(); }
};

TEST_F(CardContext, IsSharedInAPipeline) {
  Pipeline pipeline(
      "fakesrc num-buffers=0 ! application/x-smartpro ! smartpro-descramble name=one ! fakesink "
      "fakesrc num-buffers=0 ! application/x-smartpro ! smartpro-descramble name=two ! fakesink "
      "fakesrc num-buffers=0 ! smartpro-scramble name=other ! fakesink");
  ASSERT_TRUE(pipeline.set_state(GST_STATE_READY));
  const auto one = session_of(pipeline.child("one").get());
  const auto two = session_of(pipeline.child("two").get());
  const auto other = session_of(pipeline.child("other").get());
  ASSERT_TRUE(one && two && other);
  EXPECT_EQ(one.get(), two.get());
  EXPECT_NE(one.get(), other.get()) << "an acquisition card is another card";
}

TEST_F(CardContext, OfAnApplicationIsUsed) {
  GError* error = nullptr;
  const gst::CardSessionPtr session(gst_cas_card_session_open(usual_system().uri("renderer").c_str(),
                                                              usual_system().host_folder().c_str(), nullptr,
                                                              GST_CAS_SUITE_P256, &error));
  ASSERT_TRUE(session) << error->message;
  const gst::ContextPtr context(gst_cas_context_new_card_session(session.get(), TRUE));
  const auto element = make_element("smartpro-descramble");
  gst_element_set_context(element.get(), context.get());
  ASSERT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_EQ(session_of(element.get()).get(), session.get());
  gst_element_set_state(element.get(), GST_STATE_NULL);

  // Not for an element that asks for another card.
  if (!std::filesystem::exists(usual_system().card_file("second-renderer")))
    usual_system().enrol("progenitor", "second-renderer", smartpro::TokenKind::renderer);
  g_object_set(element.get(), "card", usual_system().uri("second-renderer").c_str(), nullptr);
  ASSERT_EQ(gst_element_set_state(element.get(), GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
  EXPECT_NE(session_of(element.get()).get(), session.get());
  gst_element_set_state(element.get(), GST_STATE_NULL);
}

TEST_F(CardContext, CannotBeOpenedWithoutACard) {
  GError* error = nullptr;
  EXPECT_EQ(gst_cas_card_session_open("soft:/nowhere/none.card", usual_system().host_folder().c_str(), nullptr,
                                      GST_CAS_SUITE_P256, &error),
            nullptr);
  ASSERT_NE(error, nullptr);
  EXPECT_TRUE(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND) ||
              g_error_matches(error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS))
      << error->message;
  g_error_free(error);
}

TEST_F(CardContext, AnswersQueriesOfTheNeighbours) {
  ElementHarness descramble("smartpro-descramble");
  const gst::QueryPtr query(gst_query_new_context(GST_CAS_CARD_SESSION_CONTEXT_TYPE));
  ASSERT_TRUE(gst_pad_peer_query((*descramble)->sinkpad, query.get()));
  GstContext* context = nullptr;
  gst_query_parse_context(query.get(), &context);
  ASSERT_NE(context, nullptr);
  EXPECT_TRUE(gst::CardSessionPtr(gst_cas_context_get_card_session(context)));
}

// --- Registration ---

TEST(Typefind, KnowsProtectedFiles) {
  usual_system();
  const Bytes file = protect(noise(1000));
  GstTypeFindProbability probability{};
  const gst::CapsPtr caps(gst_type_find_helper_for_data(nullptr, file.data(), file.size(), &probability));
  ASSERT_TRUE(caps);
  EXPECT_TRUE(gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "application/x-smartpro"));
  EXPECT_EQ(probability, GST_TYPE_FIND_MAXIMUM);
}

TEST(Typefind, LeavesOtherDataAlone) {
  Bytes almost(smartpro::protected_file_magic.begin(), smartpro::protected_file_magic.end());
  almost[5] ^= 1;
  append(almost, noise(100));
  for (const std::size_t size : {std::size_t{3}, std::size_t{7}, almost.size()}) {
    const gst::CapsPtr caps(gst_type_find_helper_for_data(nullptr, almost.data(), size, nullptr));
    const bool taken = caps && gst_structure_has_name(gst_caps_get_structure(caps.get(), 0), "application/x-smartpro");
    EXPECT_FALSE(taken);
  }
}

TEST(Typefind, LeadsToTheDescrambler) {
  GList* factories = gst_element_factory_list_get_elements(GST_ELEMENT_FACTORY_TYPE_DECRYPTOR, GST_RANK_MARGINAL);
  bool found = false;
  for (GList* item = factories; item != nullptr; item = item->next) {
    auto* factory = GST_ELEMENT_FACTORY(item->data);
    if (std::string(GST_OBJECT_NAME(factory)) != "smartpro-descramble") continue;
    found = true;
    EXPECT_FALSE(gst_element_factory_list_is_type(factory, GST_ELEMENT_FACTORY_TYPE_DECODER));
  }
  gst_plugin_feature_list_free(factories);
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace cas::test
