// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/secret.hpp"
#include "card/applet.hpp"
#include "card/card.hpp"
#include "card/encrypted_file_store.hpp"

namespace cas::card {

/// A card in process: the applets over an encrypted store, reached through the same raw APDUs, chains and all, as
/// behind a reader. `connect` gives a fresh session with nothing selected; `wait_for_card` returns at once.
///
/// A store that this process holds already is shared (two elements of a pipeline with one card): each Card has a
/// logical channel of its own (see AppletHost), so that neither loses its selected applet or its secure channel to the
/// other, while both see the same memory.
///
/// `random` is what the applets draw from and outlives the card; nothing: the system's.
///
/// Errors are those of EncryptedFileStore, plus what an applet says of its memory. A second opening checks the pass
/// phrase as the first did.
[[nodiscard]] Result<std::shared_ptr<Card>> open_soft_card(const std::filesystem::path& path,
                                                           const SecretBytes& pass_phrase,
                                                           std::vector<AppletFactory> applets,
                                                           Random* random = nullptr);

/// A new store that holds these applets, and all of them installed in it. `cost` is what a guess of the pass phrase
/// costs.
[[nodiscard]] Result<std::shared_ptr<Card>> create_soft_card(const std::filesystem::path& path,
                                                             const SecretBytes& pass_phrase,
                                                             std::vector<AppletFactory> applets,
                                                             Random* random = nullptr,
                                                             const crypto::ScryptCost& cost = StoreOptions{}.cost);

}  // namespace cas::card
