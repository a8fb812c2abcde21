// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <optional>

#include "card/applet.hpp"
#include "card/secure_messaging.hpp"
#include "smartpro/master_bridge.hpp"
#include "smartpro/progenitor.hpp"
#include "smartpro/sac.hpp"
#include "smartpro/token_lists.hpp"
#include "smartpro/token_memory.hpp"

namespace cas::smartpro {

/// The applet of every SmartPRO token: the same code in process and behind a reader. token_commands.hpp has its
/// instructions. What it keeps is in AppletMemory; what it holds here is gone when the card is reset or another applet
/// is selected.
class TokenApplet final : public card::Applet {
 public:
  TokenApplet(card::AppletMemory& memory, Random& random) : memory_(memory), random_(random) {}

  [[nodiscard]] ByteView aid() const override;
  [[nodiscard]] Result<Bytes> select() override;
  void deselect() override;
  [[nodiscard]] card::ResponseApdu process(const card::CommandApdu& command) override;

 private:
  /// A channel to a peer that has shown who it is.
  struct Channel {
    card::SecureMessaging messaging;
    crypto::Certificate peer;
    ListIndices lists;  // Those that the peer was looked for in.
  };

  [[nodiscard]] Result<Bytes> process_plain(const card::CommandApdu& command);
  [[nodiscard]] card::ResponseApdu process_secured(const card::CommandApdu& command);
  [[nodiscard]] Result<Bytes> process_authenticated(const card::CommandApdu& command);

  [[nodiscard]] Result<Bytes> generate_keys();
  [[nodiscard]] Result<Bytes> personalise(ByteView data);
  [[nodiscard]] Result<Bytes> token_info();
  [[nodiscard]] Result<Bytes> list_status() const;
  [[nodiscard]] Result<Bytes> update_list(ByteView signed_header);
  [[nodiscard]] Result<Bytes> check_list(std::uint8_t p1, ByteView data);
  [[nodiscard]] Result<Bytes> check_list_of_run(std::uint8_t p1, ByteView data);
  [[nodiscard]] Result<Bytes> go_on_asking();
  [[nodiscard]] Result<Bytes> sac_initiate(ByteView message1);
  [[nodiscard]] Result<Bytes> sac_authenticate(ByteView message3);
  [[nodiscard]] Result<Bytes> create(ByteView data);
  [[nodiscard]] Result<Bytes> open_licence(ByteView data);
  [[nodiscard]] Result<Bytes> reissue(ByteView data);
  [[nodiscard]] Result<Bytes> activate(ByteView data);
  [[nodiscard]] Result<Bytes> deactivate(ByteView data);
  [[nodiscard]] Result<Bytes> restore(ByteView data);
  [[nodiscard]] Result<Bytes> register_bridge(ByteView data);
  [[nodiscard]] Result<Bytes> master_bridge_command(const card::CommandApdu& command);
  [[nodiscard]] Result<Bytes> simple_bridge_command(const card::CommandApdu& command);

  [[nodiscard]] Status require_personalised();
  [[nodiscard]] Status require_peer(std::string_view role) const;
  [[nodiscard]] Result<Membership> require_kind(TokenKind kind) const;
  [[nodiscard]] Result<Membership> require_acquirer() const;
  [[nodiscard]] Result<Membership> require_opener() const;
  [[nodiscard]] Result<SacParty> sac_party() const;
  void close_channel();

  card::AppletMemory& memory_;
  Random& random_;
  std::optional<TokenIdentity> identity_;
  std::optional<SacResponder> pending_sac_;
  std::optional<ListInquiry> inquiry_;  // While it is about a peer, pending_sac_ waits for its end.
  std::optional<Channel> channel_;
  std::unique_ptr<Progenitor> progenitor_;
  std::unique_ptr<MasterBridge> master_bridge_;
};

}  // namespace cas::smartpro
