// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo/emm_commands.hpp"

#include <string>
#include <utility>

#include "base/reader.hpp"
#include "casdemo/secret_writer.hpp"

namespace cas::casdemo {

namespace {

enum class CommandTag : std::uint8_t { grant = 0x01, withdraw = 0x02, personalise = 0x03 };

constexpr std::size_t grant_size = 2 + 2 + 8 + 8 + entitlement_key_size;
constexpr std::size_t withdraw_size = 2;
constexpr std::size_t group_size = 4 + addressee_key_size;

std::size_t size_of(const EmmCommand& command) {
  if (std::holds_alternative<Grant>(command)) return grant_size;
  if (std::holds_alternative<Withdraw>(command)) return withdraw_size;
  return 2 + group_size * std::get<Personalise>(command).groups.size();
}

class CommandWriter {
 public:
  explicit CommandWriter(SecretBytes& out) : out_(out) {}

  void operator()(const Grant& grant) {
    head(CommandTag::grant, grant_size);
    out_.number(grant.product, 2);
    out_.number(grant.key_id, 2);
    out_.number(static_cast<std::uint64_t>(grant.start), 8);
    out_.number(static_cast<std::uint64_t>(grant.expiry), 8);
    out_.bytes(grant.key.reveal());
  }
  void operator()(const Withdraw& withdraw) {
    head(CommandTag::withdraw, withdraw_size);
    out_.number(withdraw.product, 2);
  }
  void operator()(const Personalise& personalise) {
    head(CommandTag::personalise, 2 + group_size * personalise.groups.size());
    out_.number(personalise.region, 2);
    for (const GroupKey& group : personalise.groups) {
      out_.number(group.group, 4);
      out_.bytes(group.key.reveal());
    }
  }

 private:
  void head(CommandTag tag, std::size_t size) {
    out_.number(static_cast<std::uint8_t>(tag), 1);
    out_.number(size, 1);
  }

  SecretWriter out_;
};

Result<EmmCommand> parse_grant(ByteReader& reader) {
  Grant grant;
  CAS_TRY_ASSIGN(grant.product, reader.u16());
  CAS_TRY_ASSIGN(grant.key_id, reader.u16());
  CAS_TRY_ASSIGN(const std::uint64_t start, reader.u64());
  CAS_TRY_ASSIGN(const std::uint64_t expiry, reader.u64());
  CAS_TRY_ASSIGN(const ByteView key, reader.bytes(entitlement_key_size));
  // A time beyond all times comes out negative, which check_commands refuses.
  grant.start = static_cast<UnixSeconds>(start);
  grant.expiry = static_cast<UnixSeconds>(expiry);
  grant.key = SecretBytes::copy_of(key);
  return EmmCommand(std::move(grant));
}

Result<EmmCommand> parse_withdraw(ByteReader& reader) {
  Withdraw withdraw;
  CAS_TRY_ASSIGN(withdraw.product, reader.u16());
  return EmmCommand(std::move(withdraw));
}

Result<EmmCommand> parse_personalise(ByteReader& reader) {
  Personalise personalise;
  CAS_TRY_ASSIGN(personalise.region, reader.u16());
  while (!reader.empty()) {
    GroupKey group;
    CAS_TRY_ASSIGN(group.group, reader.u32());
    CAS_TRY_ASSIGN(const ByteView key, reader.bytes(addressee_key_size));
    group.key = SecretBytes::copy_of(key);
    personalise.groups.push_back(std::move(group));
  }
  return EmmCommand(std::move(personalise));
}

Result<EmmCommand> parse_command(std::uint8_t tag, ByteReader& reader) {
  switch (static_cast<CommandTag>(tag)) {
    case CommandTag::grant: return parse_grant(reader);
    case CommandTag::withdraw: return parse_withdraw(reader);
    case CommandTag::personalise: return parse_personalise(reader);
  }
  return fail(ErrorKind::unsupported,
              "the EMM has a command " + to_hex(ByteView(&tag, 1)) + ", which this version does not know");
}

Status check_grant(const Grant& grant, ErrorKind kind) {
  if (grant.key.size() != entitlement_key_size)
    return fail(kind, "an entitlement key has 16 bytes, not " + std::to_string(grant.key.size()));
  if (grant.start < 0 || grant.start >= grant.expiry)
    return fail(kind, "an entitlement begins in 1970 or later, and expires after it has begun");
  return {};
}

Status check_personalise(const Personalise& personalise, EmmAddressing addressing, ErrorKind kind) {
  if (addressing != EmmAddressing::unique) return fail(kind, "an EMM that personalises is to a single card");
  if (personalise.groups.size() > max_groups)
    return fail(kind, "a card is in at most 8 groups, not in " + std::to_string(personalise.groups.size()));
  for (std::size_t i = 0; i < personalise.groups.size(); ++i) {
    if (personalise.groups[i].key.size() != addressee_key_size)
      return fail(kind, "a group key has 16 bytes, not " + std::to_string(personalise.groups[i].key.size()));
    for (std::size_t k = 0; k < i; ++k)
      if (personalise.groups[k].group == personalise.groups[i].group)
        return fail(kind, "an EMM puts a card into a group once");
  }
  return {};
}

// One EMM has one issue number: what it says of a thing has no order, so it says it once.
bool contradict(const EmmCommand& a, const EmmCommand& b) {
  if (std::holds_alternative<Personalise>(a) || std::holds_alternative<Personalise>(b))
    return std::holds_alternative<Personalise>(a) && std::holds_alternative<Personalise>(b);
  const auto product = [](const EmmCommand& command) {
    const auto* grant = std::get_if<Grant>(&command);
    return grant != nullptr ? grant->product : std::get<Withdraw>(command).product;
  };
  if (product(a) != product(b)) return false;
  const auto *one = std::get_if<Grant>(&a), *other = std::get_if<Grant>(&b);
  return one == nullptr || other == nullptr || one->key_id % 2 == other->key_id % 2;
}

}  // namespace

Status check_commands(std::span<const EmmCommand> commands, EmmAddressing addressing, ErrorKind kind) {
  if (commands.empty()) return fail(kind, "an EMM has at least one command");
  for (const EmmCommand& command : commands) {
    if (const auto* grant = std::get_if<Grant>(&command)) CAS_TRY(check_grant(*grant, kind));
    if (std::holds_alternative<Withdraw>(command) && addressing == EmmAddressing::global)
      return fail(kind, "no EMM to all withdraws a product: change the entitlement key of its ECMs instead");
    if (const auto* personalise = std::get_if<Personalise>(&command))
      CAS_TRY(check_personalise(*personalise, addressing, kind));
  }
  for (std::size_t i = 0; i < commands.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (contradict(commands[i], commands[k]))
        return fail(kind, "two commands of an EMM contradict one another: give them in two EMMs");
  return {};
}

Result<SecretBytes> encode_commands(std::span<const EmmCommand> commands) {
  std::size_t size = 0;
  for (const EmmCommand& command : commands) size += 2 + size_of(command);
  if (size > max_emm_commands_size)
    return fail(ErrorKind::invalid_argument, "commands of " + std::to_string(size) +
                                                 " bytes do not fit into an EMM, which has room for 208: make several");
  SecretBytes plain(size);
  CommandWriter writer(plain);
  for (const EmmCommand& command : commands) std::visit(writer, command);
  return plain;
}

Result<std::vector<EmmCommand>> parse_commands(ByteView plain) {
  std::vector<EmmCommand> commands;
  ByteReader reader(plain);
  while (!reader.empty()) {
    CAS_TRY_ASSIGN(const std::uint8_t tag, reader.u8());
    CAS_TRY_ASSIGN(const std::uint8_t size, reader.u8());
    CAS_TRY_ASSIGN(const ByteView value, reader.bytes(size));
    ByteReader value_reader(value);
    CAS_TRY_ASSIGN(EmmCommand command, parse_command(tag, value_reader));
    CAS_TRY(value_reader.expect_end("a command of an EMM"));
    commands.push_back(std::move(command));
  }
  return commands;
}

}  // namespace cas::casdemo
