// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/grammar.hpp"

#include <gtest/gtest.h>

#include <set>

#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/emmg_messages.hpp"
#include "support/result_matchers.hpp"

namespace cas::simulcrypt {
namespace {

using test::hex;

struct Piece {
  std::uint16_t tag;
  std::size_t size;
};

// A message of these parameters, each of zeros.
CheckedMessage checked(const Grammar& grammar, std::uint8_t version, std::uint16_t type,
                       const std::vector<Piece>& pieces) {
  static ByteQueue queue;
  queue.clear();
  MessageWriter writer(queue, version, type);
  for (const Piece& piece : pieces) writer.bytes(piece.tag, Bytes(piece.size));
  EXPECT_OK(writer.finish());
  const ByteView message = queue.view();
  return check(grammar, read_message_header(message), message.subspan(message_header_size));
}

// As few parameters as the rule allows, each as short as it allows.
std::vector<Piece> least(const MessageRule& rule) {
  std::vector<Piece> pieces;
  for (const ParameterRule& each : rule.parameters)
    for (std::size_t i = 0; i < each.least_count; ++i) pieces.push_back({each.tag, each.least_size});
  return pieces;
}

void expect_fault(const CheckedMessage& message, std::uint16_t status, std::optional<std::uint16_t> tag) {
  ASSERT_TRUE(message.fault);
  EXPECT_EQ(message.fault->error_status, status);
  EXPECT_EQ(message.fault->tag, tag);
}

void check_rule(const Grammar& grammar, const MessageRule& rule) {
  SCOPED_TRACE(rule.name);
  const auto of = [&](const std::vector<Piece>& pieces) {
    return checked(grammar, grammar.newest_version, rule.type, pieces);
  };
  EXPECT_FALSE(of(least(rule)).fault);
  auto reversed = least(rule);
  std::reverse(reversed.begin(), reversed.end());
  reversed.insert(reversed.begin(), {0x6fff, 3});
  EXPECT_FALSE(of(reversed).fault) << "in another order, and with a parameter that is not known";
  for (const ParameterRule& each : rule.parameters) {
    SCOPED_TRACE(parameter_name(grammar, each.tag));
    auto without = least(rule);
    std::erase_if(without, [&](const Piece& piece) { return piece.tag == each.tag; });
    if (each.least_count > 0)
      expect_fault(of(without), grammar.codes.missing_parameter, each.tag);
    else
      EXPECT_FALSE(of(without).fault);
    const auto with = [&](std::size_t size) {
      auto pieces = without;
      pieces.push_back({each.tag, size});
      return of(pieces);
    };
    EXPECT_FALSE(with(each.least_size).fault);
    if (each.least_size > 0) expect_fault(with(each.least_size - 1U), grammar.codes.inconsistent_length, each.tag);
    if (each.most_size < 0xffff) {
      EXPECT_FALSE(with(each.most_size).fault);
      expect_fault(with(each.most_size + 1U), grammar.codes.inconsistent_length, each.tag);
    }
    if (each.most_count < 0xffff) {
      auto often = without;
      for (std::size_t i = 0; i < each.most_count; ++i) often.push_back({each.tag, each.least_size});
      EXPECT_FALSE(of(often).fault);
      often.push_back({each.tag, each.least_size});
      expect_fault(of(often), grammar.codes.invalid_message, each.tag);
    }
  }
}

void check_grammar(const Grammar& grammar) {
  std::set<std::uint16_t> types;
  for (const MessageRule& rule : grammar.messages) {
    EXPECT_TRUE(types.insert(rule.type).second) << rule.name << " stands twice";
    EXPECT_LE(rule.parameters.size(), max_rules);
    check_rule(grammar, rule);
    for (const ParameterRule& each : rule.parameters)
      EXPECT_EQ(parameter_name(grammar, each.tag).find("parameter 0x"), std::string::npos) << each.tag;
    for (int version = 0; version < 256; ++version) {
      const auto message = checked(grammar, static_cast<std::uint8_t>(version), rule.type, least(rule));
      if (version >= grammar.oldest_version && version <= grammar.newest_version)
        EXPECT_FALSE(message.fault) << version;
      else
        expect_fault(message, grammar.codes.unsupported_version, {});
    }
  }
  for (std::uint32_t type = 0; type <= 0xffff; ++type) {
    const auto message = checked(grammar, grammar.newest_version, static_cast<std::uint16_t>(type), {});
    if (!types.contains(static_cast<std::uint16_t>(type)))
      expect_fault(message, grammar.codes.unknown_message_type, {});
    else
      EXPECT_NE(message.rule, nullptr);
  }
}

TEST(Grammar, EcmgAsksOfEachMessageWhatItsTableSays) { check_grammar(ecmg_grammar()); }
TEST(Grammar, EmmgAsksOfEachMessageWhatItsTableSays) { check_grammar(emmg_grammar()); }

TEST(Grammar, RefusesAMessageThatItsParametersDoNotFill) {
  const Bytes body = hex("000e 0002 00");
  const auto message = check(ecmg_grammar(), {3, ecmg::channel_test, 5}, body);
  expect_fault(message, 0x0001, {});
  EXPECT_FALSE(message.message);
  ASSERT_NE(message.rule, nullptr);
  EXPECT_STREQ(message.rule->name, "channel_test");
}

// TS 103 197, 5.6 and 6.2.6: the same words have other numbers on the other interface.
TEST(Grammar, EachInterfaceHasItsOwnErrors) {
  EXPECT_EQ(ecmg_grammar().codes.inconsistent_length, 0x000f);
  EXPECT_EQ(ecmg_grammar().codes.missing_parameter, 0x0010);
  EXPECT_EQ(emmg_grammar().codes.inconsistent_length, 0x000b);
  EXPECT_EQ(emmg_grammar().codes.missing_parameter, 0x000c);
  for (std::uint16_t code = 1; code <= 0x15; ++code)
    EXPECT_EQ(error_sentence(ecmg_grammar(), code).find("reserved"), std::string::npos) << code;
  for (std::uint16_t code = 1; code <= 0x14; ++code)
    EXPECT_EQ(error_sentence(emmg_grammar(), code).find("reserved"), std::string::npos) << code;
  EXPECT_EQ(error_sentence(ecmg_grammar(), 0x0008), "0x0008: too many channels on this ECMG");
  EXPECT_EQ(error_sentence(emmg_grammar(), 0x000f), "0x000f: the allocated bandwidth is exceeded");
  EXPECT_EQ(error_sentence(ecmg_grammar(), 0x0016), "0x0016: a reserved error");
  EXPECT_EQ(error_sentence(emmg_grammar(), 0x8000), "0x8000: an error that the peer's manual names");
  EXPECT_EQ(fault_sentence(ecmg_grammar(), {0x0010, ecmg::ecm_id}),
            "0x0010: a mandatory parameter is missing (ECM_id)");
}

TEST(Grammar, KnowsWhatAnOldVersionMayCarry) {
  EXPECT_TRUE(may_carry(ecmg_grammar(), 3, ecmg::cw_provision, ecmg::cw_encryption));
  EXPECT_FALSE(may_carry(ecmg_grammar(), 2, ecmg::cw_provision, ecmg::cw_encryption));
  EXPECT_TRUE(may_carry(ecmg_grammar(), 2, ecmg::stream_setup, ecmg::ecm_id));
  EXPECT_FALSE(may_carry(ecmg_grammar(), 3, ecmg::channel_test, ecmg::ecm_id));
  EXPECT_FALSE(may_carry(ecmg_grammar(), 3, 0x0999, ecmg::ecm_id));
}

TEST(Description, NeverHoldsAWord) {
  const Bytes word = hex("a1a2a3a4a5a6a7a8");
  ecmg::CwProvision provision;
  provision.channel_id = 7;
  provision.stream_id = 8;
  provision.cp_number = 65535;
  provision.word_list[0] = {65535, word};
  provision.word_count = 1;
  provision.cw_encryption = ByteView(word);
  provision.access_criteria = as_bytes("sport");
  ByteQueue out;
  ASSERT_OK(provision.write(out, 3));
  const auto message = MessageView::parse(out.view());
  ASSERT_OK(message);
  EXPECT_EQ(describe(ecmg_grammar(), *message),
            R"({"message": "CW_provision", "version": 3, "parameters": [{"ECM_channel_id": 7}, {"ECM_stream_id": 8}, )"
            R"({"CP_number": 65535}, {"CW_encryption": "8 bytes"}, )"
            R"({"CP_CW_combination": "crypto-period 65535, a word of 8 bytes"}, {"access_criteria": "73706f7274"}]})");
}

TEST(Description, IsShortAndPlainWhateverTheMessageHolds) {
  ByteQueue out;
  MessageWriter writer(out, 3, 0x0977);
  writer.bytes(0x0999, as_bytes("\"}\n")).u16(ecmg::delay_start, 0xff38).bytes(ecmg::ecm_datagram, Bytes(1000, 0x80));
  writer.u16(ecmg::error_status, 0x0007).bytes(ecmg::cp_cw_combination, hex("01")).u8(ecmg::ecm_id, 1);
  for (int i = 0; i < 100; ++i) writer.bytes(ecmg::access_criteria, {});
  ASSERT_OK(writer.finish());
  const auto message = MessageView::parse(out.view());
  ASSERT_OK(message);
  const std::string text = describe(ecmg_grammar(), *message);
  EXPECT_LT(text.size(), 1500U);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_NE(text.find(R"("message": "message 0x0977")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"({"parameter 0x0999": "3 bytes"})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"({"delay_start": -200})"), std::string::npos) << text;
  EXPECT_NE(text.find("8080... (1000 bytes)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"({"error_status": "0x0007: there is no such ECM_stream_id"})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"({"CP_CW_combination": "1 bytes"})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("left_out": 74})"), std::string::npos) << text;
}

}  // namespace
}  // namespace cas::simulcrypt
