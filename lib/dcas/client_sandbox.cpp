// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_sandbox.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <lua.hpp>
#include <optional>

namespace cas::dcas {

namespace {

constexpr int hook_period = 1'000;
constexpr std::size_t most_values = 8;
constexpr std::size_t bytes_of_an_instruction = 16;

}  // namespace

bool client_sandbox_is_supported() { return true; }

// Lua reports errors by longjmp: no function between it and a protected call may have an object whose destructor does
// anything. What C++ does for a primitive, and could throw, is in functions of its own that return before Lua goes on.
struct ClientSandbox::State {
  State(std::vector<ClientPrimitive> of_host, const SandboxLimits& given, Clock& time)
      : primitives(std::move(of_host)), limits(given), clock(time) {}
  ~State() {
    if (lua != nullptr) lua_close(lua);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  enum class Stop { none, instructions, time, memory };

  static void* allocate(void* self, void* old, std::size_t old_size, std::size_t size) noexcept;
  static void count(lua_State* lua, lua_Debug*);
  static int call_primitive(lua_State* lua);
  static int set_up(lua_State* lua);
  static int run_source(lua_State* lua);
  static int run_function(lua_State* lua);
  static State& of(lua_State* lua) { return **static_cast<State**>(lua_getextraspace(lua)); }

  /// False when the budget is used up.
  void charge(std::size_t bytes) {
    const std::uint64_t cost = 1 + bytes / bytes_of_an_instruction;
    budget = cost < budget ? budget - cost : 0;
  }
  bool answer(lua_State* at) noexcept;
  Result<ClientValue> ask(lua_State* at, const ClientPrimitive& primitive);
  Result<int> protect(int (*function)(lua_State*), void* argument);
  tl::unexpected<Error> failure(int status);

  std::vector<ClientPrimitive> primitives;
  SandboxLimits limits;
  Clock& clock;
  lua_State* lua = nullptr;
  std::size_t used = 0;
  std::uint64_t budget = 0;
  std::chrono::nanoseconds end{0};
  bool running = false;
  Stop stop = Stop::none;
  std::optional<Error> error;  ///< Of a primitive.
  ClientValue value;           ///< What a primitive gave.
};

// -------------------------------------------------------------------------------------------------------------- limits

// Freed memory may hold a control word.
void* ClientSandbox::State::allocate(void* self, void* old, std::size_t old_size, std::size_t size) noexcept {
  State& state = *static_cast<State*>(self);
  if (old == nullptr) old_size = 0;  // Lua tells a kind of object in its place
  const auto release = [&] {
    if (old == nullptr) return;
    cleanse({static_cast<std::uint8_t*>(old), old_size});
    std::free(old);
  };
  if (size == 0) {
    release();
    state.used -= old_size;
    return nullptr;
  }
  // "The allocator cannot fail when osize >= nsize" (lua_Alloc).
  const bool grows = size > old_size;
  if (grows && size - old_size > state.limits.memory - std::min(state.limits.memory, state.used)) return nullptr;
  void* const fresh = std::malloc(size);
  if (fresh == nullptr) return grows ? nullptr : old;
  if (old != nullptr) std::memcpy(fresh, old, std::min(old_size, size));
  release();
  state.used = state.used - old_size + size;
  state.charge(size);
  return fresh;
}

// Some single instructions take long: they copy or compare texts, or follow a chain of a table that was made to have one.
// What they allocate is charged; for the rest there is the clock.
void ClientSandbox::State::count(lua_State* lua, lua_Debug*) {
  State& state = of(lua);
  state.budget = state.budget > hook_period ? state.budget - hook_period : 0;
  if (state.budget == 0) state.stop = Stop::instructions;
  if (state.stop == Stop::none && state.clock.monotonic() >= state.end) state.stop = Stop::time;
  if (state.stop == Stop::none) return;
  lua_pushnil(lua);
  lua_error(lua);
}

// ---------------------------------------------------------------------------------------------------------- primitives

Result<ClientValue> ClientSandbox::State::ask(lua_State* at, const ClientPrimitive& primitive) {
  const int count_given = lua_gettop(at);
  if (count_given > static_cast<int>(most_values))
    return fail(ErrorKind::malformed, "the client gives " + primitive.name + " more than 8 values");
  std::array<ClientArgument, most_values> arguments;
  std::size_t bytes = 0;
  for (int index = 1; index <= count_given; ++index) {
    ClientArgument& argument = arguments[static_cast<std::size_t>(index - 1)];
    switch (lua_type(at, index)) {
      case LUA_TNIL: break;
      case LUA_TBOOLEAN: argument = lua_toboolean(at, index) != 0; break;
      case LUA_TNUMBER:
        if (lua_isinteger(at, index) == 0)
          return fail(ErrorKind::malformed, "the client gives " + primitive.name + " a fraction");
        argument = std::int64_t{lua_tointegerx(at, index, nullptr)};
        break;
      case LUA_TSTRING: {
        std::size_t size = 0;
        const char* const text = lua_tolstring(at, index, &size);
        argument = ByteView(reinterpret_cast<const std::uint8_t*>(text), size);
        bytes += size;
        break;
      }
      default: return fail(ErrorKind::malformed, "the client gives " + primitive.name + " a table or a function");
    }
  }
  charge(bytes);
  return primitive.call(std::span(arguments).first(static_cast<std::size_t>(count_given)));
}

/// Whether there is a value; otherwise there is an error.
bool ClientSandbox::State::answer(lua_State* at) noexcept {
  try {
    const auto index = static_cast<std::size_t>(lua_tointegerx(at, lua_upvalueindex(1), nullptr));
    auto given = ask(at, primitives[index]);
    if (given)
      value = std::move(*given);
    else
      error = std::move(given).error();
  } catch (...) {
    error = Error{ErrorKind::exhausted, "the host has no memory left for the CA client"};
  }
  return !error;
}

int ClientSandbox::State::call_primitive(lua_State* lua) {
  State& state = of(lua);
  if (!state.answer(lua)) {
    lua_pushnil(lua);
    return lua_error(lua);
  }
  if (const auto* const truth = std::get_if<bool>(&state.value)) {
    lua_pushboolean(lua, *truth ? 1 : 0);
  } else if (const auto* const number = std::get_if<std::int64_t>(&state.value)) {
    lua_pushinteger(lua, *number);
  } else if (const auto* const bytes = std::get_if<SecretBytes>(&state.value)) {
    lua_pushlstring(lua, reinterpret_cast<const char*>(bytes->reveal().data()), bytes->size());
  } else {
    lua_pushnil(lua);
  }
  state.value = std::monostate();
  return 1;
}

// ------------------------------------------------------------------------------------------------------------- running

namespace {

struct Source {
  ByteView text;
  static const char* read(lua_State*, void* self, std::size_t* size) {
    auto& source = *static_cast<Source*>(self);
    const ByteView all = std::exchange(source.text, {});
    *size = all.size();
    return all.empty() ? nullptr : reinterpret_cast<const char*>(all.data());
  }
};

struct Function {
  const char* name;
  std::span<const ClientArgument> arguments;
};

/// What Lua says without what it quotes of the program, which is nobody's to read: "client:12: attempt to call a nil
/// value (global 'x')" has the line and the first words.
std::string sentence_of(const char* message) {
  std::string text = message != nullptr ? message : "";
  constexpr std::string_view chunk = "client:";
  if (text.starts_with("attempt to load a binary chunk")) return "the CA client is compiled code: give its text";
  if (!text.starts_with(chunk)) return "the CA client failed";
  text.erase(0, chunk.size());
  const auto line_end = text.find(": ");
  if (line_end == std::string::npos) return "the CA client failed";
  const std::string line = text.substr(0, line_end);
  text.erase(0, line_end + 2);
  for (const char* const quote : {" (", " near ", " '", " at line "})
    text.erase(std::min(text.size(), text.find(quote)));
  return "the CA client failed in line " + line + ": " + text;
}

}  // namespace

int ClientSandbox::State::set_up(lua_State* lua) {
  const State& state = of(lua);
  for (std::size_t index = 0; index < state.primitives.size(); ++index) {
    lua_pushinteger(lua, static_cast<lua_Integer>(index));
    lua_pushcclosure(lua, &State::call_primitive, 1);
    lua_setglobal(lua, state.primitives[index].name.c_str());
  }
  return 0;
}

int ClientSandbox::State::run_source(lua_State* lua) {
  void* const source = lua_touserdata(lua, 1);
  lua_settop(lua, 0);
  // "t": texts alone. Code that was compiled by somebody else can do anything.
  if (lua_load(lua, &Source::read, source, "=client", "t") != LUA_OK) return lua_error(lua);
  lua_call(lua, 0, 0);
  return 0;
}

int ClientSandbox::State::run_function(lua_State* lua) {
  const auto& function = *static_cast<const Function*>(lua_touserdata(lua, 1));
  lua_settop(lua, 0);
  lua_getglobal(lua, function.name);
  for (const ClientArgument& argument : function.arguments) {
    if (const auto* const truth = std::get_if<bool>(&argument))
      lua_pushboolean(lua, *truth ? 1 : 0);
    else if (const auto* const number = std::get_if<std::int64_t>(&argument))
      lua_pushinteger(lua, *number);
    else if (const auto* const bytes = std::get_if<ByteView>(&argument))
      lua_pushlstring(lua, reinterpret_cast<const char*>(bytes->data()), bytes->size());
    else
      lua_pushnil(lua);
  }
  lua_call(lua, static_cast<int>(function.arguments.size()), LUA_MULTRET);
  return lua_gettop(lua);
}

/// How many values it has left on the stack.
Result<int> ClientSandbox::State::protect(int (*function)(lua_State*), void* argument) {
  if (stop != Stop::none) return fail(ErrorKind::cancelled, "the CA client was stopped before: start it anew");
  if (running) return fail(ErrorKind::invalid_argument, "the CA client is at work: a primitive cannot call it");
  running = true;
  budget = limits.instructions;
  end = clock.monotonic() + limits.time;
  error.reset();
  lua_settop(lua, 0);
  lua_pushcfunction(lua, function);
  lua_pushlightuserdata(lua, argument);
  const int status = lua_pcallk(lua, 1, LUA_MULTRET, 0, 0, nullptr);
  running = false;
  value = std::monostate();
  if (status != LUA_OK) return failure(status);
  return lua_gettop(lua);
}

tl::unexpected<Error> ClientSandbox::State::failure(int status) {
  // No metatables, so nothing of this runs code of the client.
  const std::string sentence =
      sentence_of(lua_type(lua, -1) == LUA_TSTRING ? lua_tolstring(lua, -1, nullptr) : nullptr);
  lua_settop(lua, 0);
  if (status == LUA_ERRMEM || status == LUA_ERRERR) stop = Stop::memory;
  switch (stop) {
    case Stop::memory: return fail(ErrorKind::exhausted, "the CA client was stopped: it uses more memory than it may");
    case Stop::instructions:
      return fail(ErrorKind::exhausted, "the CA client was stopped: it computes more than it may");
    case Stop::time: return fail(ErrorKind::exhausted, "the CA client was stopped: it takes longer than it may");
    case Stop::none: break;
  }
  if (error) return fail(*std::exchange(error, std::nullopt));
  return fail(ErrorKind::malformed, sentence);
}

// ---------------------------------------------------------------------------------------------------------- the client

ClientSandbox::ClientSandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
ClientSandbox::~ClientSandbox() = default;

Result<std::unique_ptr<ClientSandbox>> ClientSandbox::start(ByteView source, std::vector<ClientPrimitive> primitives,
                                                            const SandboxLimits& limits, Clock& clock) {
  if (source.size() > limits.source)
    return fail(ErrorKind::exhausted, "the program of the CA client is larger than it may be");
  auto state = std::make_unique<State>(std::move(primitives), limits, clock);
  state->lua = lua_newstate(&State::allocate, state.get());
  if (state->lua == nullptr) return fail(ErrorKind::exhausted, "there is not enough memory for a CA client");
  *static_cast<State**>(lua_getextraspace(state->lua)) = state.get();
  lua_sethook(state->lua, &State::count, LUA_MASKCOUNT, hook_period);
  Source text{source};
  CAS_TRY(state->protect(&State::set_up, nullptr).map([](int) {}));
  CAS_TRY(state->protect(&State::run_source, &text).map([](int) {}));
  return std::unique_ptr<ClientSandbox>(new ClientSandbox(std::move(state)));
}

bool ClientSandbox::has(const std::string& function) {
  if (state_->stop != State::Stop::none || state_->running) return false;
  // Looks, and makes nothing: the name might not fit into memory.
  struct Look {
    const char* name;
    bool found;
  } look{function.c_str(), false};
  const auto see = [](lua_State* lua) {
    auto& into = *static_cast<Look*>(lua_touserdata(lua, 1));
    into.found = lua_getglobal(lua, into.name) == LUA_TFUNCTION;
    return 0;
  };
  return state_->protect(see, &look) && look.found;
}

Result<std::vector<ClientValue>> ClientSandbox::call(const std::string& function,
                                                     std::span<const ClientArgument> arguments) {
  if (arguments.size() > most_values) return fail(ErrorKind::invalid_argument, "a CA client takes at most 8 values");
  if (state_->stop == State::Stop::none && !state_->running && !has(function)) {
    if (state_->stop == State::Stop::none)
      return fail(ErrorKind::not_found, "the CA client has no function " + function);
  }
  Function called{function.c_str(), arguments};
  CAS_TRY_ASSIGN(const int count, state_->protect(&State::run_function, &called));
  lua_State* const lua = state_->lua;
  std::vector<ClientValue> values;
  Status formed;
  if (count > static_cast<int>(most_values))
    formed = fail(ErrorKind::malformed, "the CA client returns more than 8 values");
  for (int index = 1; formed && index <= count; ++index) {
    const int type = lua_type(lua, index);
    std::size_t size = 0;
    if (type == LUA_TNIL)
      values.emplace_back();
    else if (type == LUA_TBOOLEAN)
      values.emplace_back(lua_toboolean(lua, index) != 0);
    else if (type == LUA_TNUMBER && lua_isinteger(lua, index) != 0)
      values.emplace_back(std::int64_t{lua_tointegerx(lua, index, nullptr)});
    else if (const char* text = type == LUA_TSTRING ? lua_tolstring(lua, index, &size) : nullptr; text != nullptr)
      values.emplace_back(SecretBytes::copy_of({reinterpret_cast<const std::uint8_t*>(text), size}));
    else
      formed = fail(ErrorKind::malformed, "the CA client returns something else than bytes, integers and booleans");
  }
  lua_settop(lua, 0);
  // What the call has left is overwritten now, and not some time.
  lua_gc(lua, LUA_GCCOLLECT);
  CAS_TRY(formed);
  return values;
}

bool ClientSandbox::is_stopped() const { return state_->stop != State::Stop::none; }
std::size_t ClientSandbox::memory() const { return state_->used; }

}  // namespace cas::dcas
