// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-card: makes tokens, tells what a token is, and puts soft cards into readers.
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"

namespace {

using namespace cas;
using namespace cas::card_program;
using tools::Program;
using tools::Progress;

constexpr const char* description = "Makes tokens, tells what a token is, and puts soft cards into readers.";

constexpr const char* examples = R"(
A card is named by a URI:
  pcsc:                          the first card with the SmartPRO applet, in any reader
  pcsc:?reader=NAME              the card in that reader; a part of the name does
  soft:PATH                      a card in an encrypted file; its pass phrase is in PATH.pin
  soft:PATH?pin-source=file:P    ... in file P
  soft:PATH?pin-source=env:NAME  ... in the environment variable NAME
or by a path without a colon, which means soft:PATH. A pass phrase is never an argument.

  cas-card create renderer.card         a new token in a file, under the root that cas-tmc root made
  cas-card info renderer.card           what it is, and of which domain
  cas-card list                         the readers, and the tokens in them
  cas-card serve renderer.card          puts it into pcscd's virtual reader, for programs that want a real one

Exit status: 0 done, 1 failed, 2 wrong arguments.)";

constexpr const char* create_examples = R"(
  cas-card create renderer.card
  cas-card create 'soft:/srv/cards/a.card?pin-source=env:CARD_PIN' --name "edit suite 3"
  cas-card create progenitor.card --progenitor      the token that founds a domain (cas-tmc domain create)
  cas-card create 'pcsc:?reader=Gemalto'            a card in a reader, with the applet on it and no certificate yet

The token draws its own keys; the root certifies them. A soft card whose pass phrase file is not there gets one, drawn at random.
A card that is there is never overwritten, and an attempt that fails leaves none behind.)";

constexpr const char* info_examples = R"(
  cas-card info pcsc:
  cas-card info renderer.card --certificate | openssl x509 -noout -text
  cas-card info renderer.card --json | jq -r .token.serial_number
  cas-card info 'pcsc:?reader=Gemalto' --wait       goes on when the card has been put in)";

constexpr const char* list_examples = R"(
  cas-card list
  cas-card list --json | jq -r '.readers[] | select(.token.kind == "renderer") | .uri')";

constexpr const char* serve_examples = R"(
  cas-card serve renderer.card &        then: cas-card info pcsc: --wait
  cas-card serve renderer.card --vpcd 127.0.0.1:35964       the second slot of the virtual reader

Needs pcscd with vsmartcard's vpcd (Debian: vsmartcard-vpcd). The card is in as long as this runs; it goes in again by itself when
pcscd was restarted. No other process can use its file meanwhile. SIGINT, SIGTERM and SIGHUP take it out.)";

void add_create(Program& program, CreateArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "create", "make a token", create_examples,
                                          [&](const Progress& progress) { return create(arguments, progress); });
  command.add_option("CARD", arguments.card, tools::card_argument_help)->type_name("")->required();
  command.add_flag("--progenitor", arguments.progenitor, "a token that can found a domain, and be nothing else");
  command.add_option("--name", arguments.name, "the name in its certificate, 1 to 64 bytes (default: after the file)")->type_name("NAME");
  command.add_option("--root", arguments.root.folder, "the folder of the root (default: $CAS_HOME/root)")->type_name("FOLDER");
  command.add_option("--root-pin-source", arguments.root.pin_source, "the pass phrase of the root's key: file:PATH or env:NAME")->type_name("SOURCE");
}

}  // namespace

int main(int argc, char** argv) {
  Program program("cas-card", description, examples);
  CreateArguments create_arguments;
  add_create(program, create_arguments);

  InfoArguments info_arguments;
  CLI::App& info_command = program.add_command(program.app(), "info", "tell what a token is", info_examples,
                                               [&](const Progress& progress) { return info(info_arguments, progress); });
  info_command.add_option("CARD", info_arguments.card, tools::card_argument_help)->type_name("")->required();
  info_command.add_flag("--certificate", info_arguments.certificate, "print its certificate in PEM");
  info_command.add_flag("--wait", info_arguments.wait, "wait for the card if it is not there yet");

  program.add_command(program.app(), "list", "list the readers and what is in them", list_examples, list);

  ServeArguments serve_arguments;
  CLI::App& serve_command = program.add_command(program.app(), "serve", "put a soft card into pcscd's virtual reader", serve_examples,
                                                [&](const Progress& progress) { return serve(serve_arguments, progress); });
  serve_command.add_option("CARD", serve_arguments.card, "the soft card: soft:PATH?pin-source=file:P|env:NAME, or a path")->type_name("")->required();
  serve_command.add_option("--vpcd", serve_arguments.vpcd, "where vpcd listens, HOST:PORT")->type_name("HOST:PORT")->envname("CAS_VPCD")->capture_default_str();
  return program.run(argc, argv);
}
