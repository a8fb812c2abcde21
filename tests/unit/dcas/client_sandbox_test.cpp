// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_sandbox.hpp"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

class Sandbox : public testing::Test {
 protected:
  Result<std::unique_ptr<ClientSandbox>> start(std::string_view source) {
    std::vector<ClientPrimitive> primitives = byte_primitives();
    primitives.push_back({"clock", [this](auto) -> Result<ClientValue> { return std::int64_t{clock.now()}; }});
    primitives.push_back({"wait", [this](auto) -> Result<ClientValue> {
                            clock.advance(std::chrono::seconds(1));
                            return ClientValue();
                          }});
    primitives.push_back({"refuse", [](auto) -> Result<ClientValue> {
                            return fail(ErrorKind::wrong_domain, "the licence is of another domain");
                          }});
    primitives.push_back({"collapse", [](auto) -> Result<ClientValue> { throw std::bad_alloc(); }});
    primitives.push_back({"again", [this](auto) -> Result<ClientValue> {
                            CAS_TRY_ASSIGN(auto values, running->call("f", {}));
                            return std::move(values.at(0));
                          }});
    return ClientSandbox::start(as_bytes(source), std::move(primitives), limits, clock);
  }
  /// What a program says that stands within `function f(a, b, c) ... end`.
  Result<std::vector<ClientValue>> run(const std::string& body, std::vector<ClientArgument> arguments = {}) {
    CAS_TRY_ASSIGN(auto sandbox, start("function f(a, b, c) " + body + " end"));
    return sandbox->call("f", arguments);
  }
  std::int64_t number(const std::string& body, std::vector<ClientArgument> arguments = {}) {
    return std::get<std::int64_t>(value_or_throw(run(body, std::move(arguments))).at(0));
  }
  std::string text(const std::string& body, std::vector<ClientArgument> arguments = {}) {
    const auto values = value_or_throw(run(body, std::move(arguments)));
    return as_text(std::get<SecretBytes>(values.at(0)).reveal());
  }
  /// The program is stopped, for this reason, and stays so.
  void expect_stopped(const std::string& source, const std::string& reason) {
    const auto sandbox = value_or_throw(start(source));
    const auto outcome = sandbox->call("f", {});
    ASSERT_FALSE(outcome.has_value()) << source;
    EXPECT_STREQ(error_kind_name(outcome.error().kind), error_kind_name(ErrorKind::exhausted))
        << outcome.error().message;
    EXPECT_NE(outcome.error().message.find(reason), std::string::npos) << outcome.error().message;
    EXPECT_TRUE(sandbox->is_stopped());
    EXPECT_FAILS(sandbox->call("f", {}), ErrorKind::cancelled);
    EXPECT_FALSE(sandbox->has("f"));
  }

  test::ManualClock clock;
  SandboxLimits limits{64 * 1024, 256 * 1024, 300'000, std::chrono::milliseconds(2'500)};
  ClientSandbox* running = nullptr;
};

TEST_F(Sandbox, RunsWhatItIsGiven) {
  EXPECT_EQ(number("return a + b * 2", {std::int64_t{1}, std::int64_t{20}}), 41);
  EXPECT_EQ(text("return b .. a", {ByteView(as_bytes("x")), ByteView(as_bytes("yz"))}), "yzx");
  EXPECT_EQ(number("return #a", {ByteView(as_bytes(std::string_view("\0\xff\n", 3)))}), 3);
  EXPECT_EQ(number("return clock()"), clock.now());
  const auto values = value_or_throw(run("return nil, a, not a, {} == nil", {true}));
  ASSERT_EQ(values.size(), 4U);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(values[0]));
  EXPECT_TRUE(std::get<bool>(values[1]));
  EXPECT_FALSE(std::get<bool>(values[2]));
  EXPECT_EQ(value_or_throw(run("")).size(), 0U);
}

TEST_F(Sandbox, KeepsItsGlobals) {
  const auto sandbox = value_or_throw(start("n = 0 function f() n = n + 1 return n end"));
  EXPECT_TRUE(sandbox->has("f"));
  EXPECT_FALSE(sandbox->has("n"));
  for (std::int64_t turn = 1; turn < 4; ++turn)
    EXPECT_EQ(std::get<std::int64_t>(value_or_throw(sandbox->call("f", {})).at(0)), turn);
  EXPECT_FAILS(sandbox->call("g", {}), ErrorKind::not_found);
  EXPECT_FAILS(sandbox->call("n", {}), ErrorKind::not_found);
}

TEST_F(Sandbox, LooksIntoBytes) {
  const Bytes bytes = test::hex("01 02 fe ff 80");
  const auto given = [&] { return std::vector<ClientArgument>{ByteView(bytes)}; };
  EXPECT_EQ(number("return u8(a, 2)", given()), 0xfe);
  EXPECT_EQ(number("return u16(a, 0)", given()), 0x0102);
  EXPECT_EQ(number("return u32(a, 1)", given()), 0x02feff80);
  EXPECT_EQ(text("return cut(a, 3, 2)", given()), "\xff\x80");
  EXPECT_EQ(text("return cut(a, 5, 0)", given()), "");
  EXPECT_EQ(text("return pack(258, 3)"), std::string("\0\1\2", 3));
  EXPECT_EQ(text("return pack(-1, 8)"), "\xff\xff\xff\xff\xff\xff\xff\xff");
  for (const char* outside : {"return u8(a, 5)", "return u8(a, -1)", "return u32(a, 2)", "return cut(a, 4, 2)",
                              "return cut(a, 6, 0)", "return cut(a, 1, 9223372036854775807)"})
    EXPECT_FAILS(run(outside, given()), ErrorKind::truncated);
  for (const char* wrong :
       {"return u8(a)", "return u8(1, 1)", "return u8(a, a)", "return cut(a, 0, -1)", "return pack(256, 1)",
        "return pack(-1, 4)", "return pack(1, 0)", "return pack(1, 9)", "return pack(a, 1)", "return u8(a, 0.5)",
        "return u8({}, 0)", "return u8(u8, 0)", "return pack(1,2,3,4,5,6,7,8,9)"})
    EXPECT_FAILS(run(wrong, given()), ErrorKind::malformed);
}

// No library at all: neither functions, nor methods of texts, nor a way to make metatables, or to catch errors.
TEST_F(Sandbox, HasNothingButItsPrimitives) {
  for (const char* name :
       {"print",        "io",           "os",       "require",  "package",  "debug",  "load",
        "loadstring",   "loadfile",     "dofile",   "pcall",    "xpcall",   "error",  "assert",
        "setmetatable", "getmetatable", "rawget",   "rawset",   "rawequal", "rawlen", "collectgarbage",
        "coroutine",    "string",       "table",    "math",     "utf8",     "select", "next",
        "pairs",        "ipairs",       "tostring", "tonumber", "type",     "_G",     "warn"})
    EXPECT_EQ(number(std::string("if ") + name + " == nil then return 1 else return 0 end"), 1) << name;
  for (const char* body : {"return ('x'):rep(1000000000)", "return (''):format()", "return ('a').b", "return 'a' + 1",
                           "return #1", "return {} .. 'a'", "return {} < {}", "local x <close> = {}"})
    EXPECT_FAILS(run(body), ErrorKind::malformed);
  // Names that primitives have are the client's own to lose, and not the host's.
  EXPECT_FAILS(run("u8 = nil return u8('a', 0)"), ErrorKind::malformed);
}

TEST_F(Sandbox, TakesNoCompiledCode) {
  EXPECT_FAILS(start("\x1bLua\x54"), ErrorKind::malformed);
  // A whole and valid one, of "x = 1": as `luac` of version 5.4 makes it on a 64-bit machine.
  const Bytes compiled = test::hex(
      "1b4c7561540019930d0a1a0a040808785600000000000000000000002877400180808000010283510000000f800001460001"
      "0182048278030100000000000000810100008080808080");
  const auto refused = ClientSandbox::start(compiled, {}, limits, clock);
  EXPECT_FAILS(refused, ErrorKind::malformed);
  EXPECT_NE(refused.error().message.find("compiled"), std::string::npos) << refused.error().message;
}

TEST_F(Sandbox, EndsWhatDoesNotEnd) {
  expect_stopped("function f() while true do end end", "computes");
  expect_stopped("function f() ::again:: goto again end", "computes");
  expect_stopped("function f() return f() end", "computes");  // a tail call takes no memory
  expect_stopped("function f() for i = 1, 1 << 62 do end end", "computes");
  expect_stopped("function f() while true do clock() end end", "computes");
  EXPECT_FAILS(start("while true do end"), ErrorKind::exhausted);
  EXPECT_OK(run("for i = 1, 50000 do end"));
}

TEST_F(Sandbox, EndsWhatTakesTooMuchMemory) {
  expect_stopped("function f() local t = {} for i = 1, 1 << 40 do t[i] = i end end", "memory");
  expect_stopped("function f() local s = 'x' while true do s = s .. s end end", "memory");
  expect_stopped("function f() local t = {} while true do t = {t} end end", "memory");
  EXPECT_FAILS(start("local s = 'x' for i = 1, 100 do s = s .. s end"), ErrorKind::exhausted);
  limits.memory = 4096;
  EXPECT_FAILS(start("x = 1"), ErrorKind::exhausted);  // not even Lua itself
}

TEST_F(Sandbox, EndsWhatGoesTooDeep) {
  expect_stopped("function f() return 1 + f() end", "memory");
  // Of the parser, and of the C stack.
  std::string deep = "x = ";
  for (int i = 0; i < 10'000; ++i) deep += "(";
  EXPECT_FAILS(start(deep), ErrorKind::malformed);
  deep = "x = ";
  for (int i = 0; i < 10'000; ++i) deep += "{";
  EXPECT_FAILS(start(deep), ErrorKind::malformed);
}

// Texts that are copied again and again stay small, and take long.
TEST_F(Sandbox, CountsWhatIsCopied) {
  expect_stopped(
      "s = '0123456789abcdef' for i = 1, 11 do s = s .. s end function f() for i = 1, 200 do t = s .. i end end",
      "computes");
  expect_stopped(
      "s = '0123456789abcdef' for i = 1, 11 do s = s .. s end function f() for i = 1, 200 do cut(s, 0, 1) end end",
      "computes");
}

TEST_F(Sandbox, EndsWhatTakesTooLong) {
  expect_stopped("function f() while true do wait() end end", "longer");
  EXPECT_OK(run("wait() wait() for i = 1, 5000 do end"));
}

// A client that keeps all that it is ever shown.
TEST_F(Sandbox, WhatIsKeptOverCallsCounts) {
  const auto sandbox = value_or_throw(start("all = {} function f(a) all[#all + 1] = a end"));
  Bytes section(1024);
  std::size_t calls = 0;
  Status status;
  while (status && calls < 1000) {
    section[0] = static_cast<std::uint8_t>(calls);
    section[1] = static_cast<std::uint8_t>(calls++ >> 8);
    const ClientArgument argument = ByteView(section);
    status = sandbox->call("f", {&argument, 1}).map([](const auto&) {});
    EXPECT_LE(sandbox->memory(), limits.memory);
  }
  EXPECT_FAILS(status, ErrorKind::exhausted);
  EXPECT_GT(calls, 100U);
  EXPECT_TRUE(sandbox->is_stopped());
}

TEST_F(Sandbox, WhatIsNotKeptIsReleased) {
  const auto sandbox = value_or_throw(start("function f(a) return a .. a end"));
  const Bytes section(4096);
  const ClientArgument argument = ByteView(section);
  ASSERT_OK(sandbox->call("f", {&argument, 1}));
  const std::size_t after_one = sandbox->memory();
  for (int i = 0; i < 200; ++i) ASSERT_OK(sandbox->call("f", {&argument, 1}));
  EXPECT_LE(sandbox->memory(), after_one + 1024);
}

TEST_F(Sandbox, ErrorsOfTheHostComeThrough) {
  const auto sandbox =
      value_or_throw(start("function f() refuse() end function g() return 7 end function h() collapse() end"));
  EXPECT_FAILS(sandbox->call("f", {}), ErrorKind::wrong_domain);
  EXPECT_FALSE(sandbox->is_stopped());
  EXPECT_OK(sandbox->call("g", {}));
  EXPECT_FAILS(sandbox->call("h", {}), ErrorKind::exhausted);
  EXPECT_OK(sandbox->call("g", {}));
}

// A primitive that calls its own client would stand on the same stack.
TEST_F(Sandbox, IsNotEnteredTwice) {
  const auto sandbox = value_or_throw(start("function f() return again() end"));
  running = sandbox.get();
  EXPECT_FAILS(sandbox->call("f", {}), ErrorKind::invalid_argument);
}

// The program is confidential, and so are its texts.
TEST_F(Sandbox, SentencesSayWhereAndQuoteNothing) {
  for (const char* source : {"x = 1\nfunction f() return hidden.name end",
                             "x = 1\nfunction f() return 'hidden' < 1 end", "x = 1\nfunction f() hidden() end"}) {
    const auto outcome = value_or_throw(start(source))->call("f", {});
    EXPECT_FAILS(outcome, ErrorKind::malformed);
    EXPECT_NE(outcome.error().message.find("in line 2: attempt to"), std::string::npos) << outcome.error().message;
    EXPECT_EQ(outcome.error().message.find("hidden"), std::string::npos) << outcome.error().message;
  }
  for (const char* source :
       {"x = 1\nx = = hidden", "x = 1\nx = 'hidden", "x = 1\ngoto hidden", "x = 1\nbreak hidden"}) {
    const auto outcome = start(source);
    EXPECT_FAILS(outcome, ErrorKind::malformed);
    EXPECT_EQ(outcome.error().message.find("hidden"), std::string::npos) << outcome.error().message;
  }
}

TEST_F(Sandbox, ReturnsValuesAlone) {
  EXPECT_FAILS(run("return {}"), ErrorKind::malformed);
  EXPECT_FAILS(run("return f"), ErrorKind::malformed);
  EXPECT_FAILS(run("return 0.5"), ErrorKind::malformed);
  EXPECT_FAILS(run("return 1,2,3,4,5,6,7,8,9"), ErrorKind::malformed);
  EXPECT_EQ(value_or_throw(run("return 1,2,3,4,5,6,7,8")).size(), 8U);
  EXPECT_FAILS(run("", std::vector<ClientArgument>(9)), ErrorKind::invalid_argument);
}

TEST_F(Sandbox, SourceHasALimit) {
  EXPECT_FAILS(start(std::string(limits.source + 1, ' ')), ErrorKind::exhausted);
  EXPECT_OK(start(std::string(limits.source, ' ')));
}

}  // namespace
}  // namespace cas::dcas
