// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "common/credentials.hpp"
#include "common/program.hpp"

namespace cas::card_program {

struct CreateArguments {
  std::string card;
  std::string name;  ///< Empty: after the card.
  bool progenitor = false;
  tools::CredentialsPlace root;
};
/// Makes a token: a soft card, or a certificate for the blank applet in a reader.
[[nodiscard]] Result<tools::Report> create(const CreateArguments& arguments, const tools::Progress& progress);

struct InfoArguments {
  std::string card;
  bool certificate = false;  ///< The text is the certificate in PEM, and nothing else.
  bool wait = false;         ///< For a card that is not there yet; SIGINT, SIGTERM or SIGHUP end it.
};
[[nodiscard]] Result<tools::Report> info(const InfoArguments& arguments, const tools::Progress& progress);

/// The readers and what is in them.
[[nodiscard]] Result<tools::Report> list(const tools::Progress& progress);

struct RelayArguments {
  std::string card;
  std::string listen = "127.0.0.1:0";
  std::string certificate;
  std::string key;
  std::string pin_source;  ///< Of the key; empty: it is in clear.
  std::string authority;
  bool json = false;  ///< A line of JSON on stdout as soon as it listens.
};
/// Lends a card to programs at other machines until SIGINT, SIGTERM or SIGHUP.
[[nodiscard]] Result<tools::Report> relay(const RelayArguments& arguments, const tools::Progress& progress);

struct ServeArguments {
  std::string card;
  std::string vpcd = "127.0.0.1:35963";
};
/// Keeps a soft card in vpcd's reader until SIGINT, SIGTERM or SIGHUP.
[[nodiscard]] Result<tools::Report> serve(const ServeArguments& arguments, const tools::Progress& progress);

}  // namespace cas::card_program
