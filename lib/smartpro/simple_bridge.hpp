// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <vector>

#include "base/random.hpp"
#include "card/applet.hpp"
#include "smartpro/bridge_checks.hpp"

namespace cas::smartpro {

/// In so many source domains can one simple bridge be registered.
inline constexpr std::size_t max_bridge_registrations = 8;

/// What only a simple bridge token does (paper, 4.2 and figure 8): it is activated in the destination domain and
/// registered in source domains, whose transfer licences it turns into licences of its own domain. "Receiver Bridge is
/// only able to send back the content to the source domain" (2.3): so it does, to the master bridge that sent it. No
/// other domain's key is in it, and no control word leaves it. The applet has checked who asks. It holds nothing
/// between two commands. One thread at a time.
class SimpleBridge {
 public:
  /// `own`: the token's serial number. `memory` and `random` outlive it.
  SimpleBridge(card::AppletMemory& memory, Random& random, SerialNumber own)
      : memory_(memory), random_(random), own_(own) {}

  /// `progenitor`: serial number of the source domain's progenitor, which has shown its certificate.
  /// ErrorKind::exhausted when all slots are taken, refused for the own domain, for a registration that is not newer,
  /// and for one of a domain that another progenitor has registered.
  [[nodiscard]] Result<Bytes> register_bridge(ByteView data, SerialNumber progenitor);
  [[nodiscard]] Result<Bytes> receive_licence(ByteView data);
  [[nodiscard]] Result<Bytes> return_licence(ByteView data);

 private:
  struct Registration {
    Vdid source{};
    SerialNumber progenitor = 0;
    SecretBytes mkmb;
    SecretBytes dksb;
    std::uint32_t index = 0;
  };

  [[nodiscard]] Result<std::vector<Registration>> registrations() const;
  [[nodiscard]] Status store(const std::vector<Registration>& registrations);
  /// ErrorKind::wrong_domain when the token is not registered there.
  [[nodiscard]] Result<Registration> registration_in(const Vdid& source) const;
  [[nodiscard]] static Result<SecretBytes> key_with(const Registration& registration, SerialNumber master_bridge);

  card::AppletMemory& memory_;
  Random& random_;
  SerialNumber own_;
};

}  // namespace cas::smartpro
