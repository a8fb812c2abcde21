// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-card: makes tokens, tells what a token is, puts soft cards into readers, and lends cards to other machines.
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"

namespace {

using namespace cas;
using namespace cas::card_program;
using tools::Program;
using tools::Progress;

constexpr const char* description =
    "Makes tokens, tells what a token is, puts soft cards into readers, and lends cards to other machines.";

constexpr const char* examples = R"(
A card is named by a URI:
  pcsc:                          the first card with the SmartPRO applet, in any reader
  pcsc:?reader=NAME              the card in that reader; a part of the name does
  soft:PATH                      a card in an encrypted file; its pass phrase is in PATH.pin
  soft:PATH?pin-source=file:P    ... in file P
  soft:PATH?pin-source=env:NAME  ... in the environment variable NAME
  relay:HOST:PORT?cert=FILE&key=FILE&ca=FILE     a card at another machine, lent by cas-card relay
or by a path without a colon, which means soft:PATH. A pass phrase is never an argument.

  cas-card create renderer.card         a new token in a file, under the root that cas-tmc root made
  cas-card info renderer.card           what it is, and of which domain
  cas-card list                         the readers, and the tokens in them
  cas-card serve renderer.card          puts it into pcscd's virtual reader, for programs that want a real one
  cas-card relay renderer.card --listen 0.0.0.0:7816 --cert relay.pem --key relay.key --ca ca.pem

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

constexpr const char* relay_examples = R"(
  cas-card relay renderer.card --listen 0.0.0.0:7816 --cert relay.pem --key relay.key --ca ca.pem
  cas-card relay pcsc: --listen '[::]:7816' --cert relay.pem --key relay.key --ca ca.pem
and at the other machine
  cas-card info 'relay:vault.example:7816?cert=desk.pem&key=desk.key&ca=ca.pem'

Whoever shows a certificate of that authority over TLS 1.3 may use the card, one at a time; docs/cas-card.md makes the certificates.
Port 0 is a free one. Says on stderr where it listens and who comes and goes; with --json also a line on stdout as soon as it listens:
  {"listening":"127.0.0.1:40123","port":40123}
SIGINT, SIGTERM and SIGHUP end it.)";

void add_relay(Program& program, RelayArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "relay", "lend a card to other machines", relay_examples,
                                          [&](const Progress& progress) {
                                            arguments.json = program.json();
                                            return relay(arguments, progress);
                                          });
  command.add_option("CARD,--card", arguments.card, tools::card_argument_help)->type_name("")->required();
  command.add_option("--listen", arguments.listen, "where to listen, ADDRESS:PORT or [IPV6]:PORT")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  command.add_option("--cert", arguments.certificate, "the certificate to show, in PEM")->type_name("FILE")->required();
  command.add_option("--key", arguments.key, "the private key to it, in PEM")->type_name("FILE")->required();
  command.add_option("--pin-source", arguments.pin_source, "the pass phrase of that key: file:PATH or env:NAME")
      ->type_name("SOURCE");
  command.add_option("--ca", arguments.authority, "the authority whose certificates may use the card, in PEM")
      ->type_name("FILE")
      ->required();
}

void add_create(Program& program, CreateArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "create", "make a token", create_examples,
                                          [&](const Progress& progress) { return create(arguments, progress); });
  command.add_option("CARD", arguments.card, tools::card_argument_help)->type_name("")->required();
  command.add_flag("--progenitor", arguments.progenitor, "a token that can found a domain, and be nothing else");
  command.add_option("--name", arguments.name, "the name in its certificate, 1 to 64 bytes (default: after the file)")
      ->type_name("NAME");
  command.add_option("--root", arguments.root.folder, "the folder of the root (default: $CAS_HOME/root)")
      ->type_name("FOLDER");
  command
      .add_option("--root-pin-source", arguments.root.pin_source,
                  "the pass phrase of the root's key: file:PATH or env:NAME")
      ->type_name("SOURCE");
}

}  // namespace

int main(int argc, char** argv) {
  Program program("cas-card", description, examples);
  CreateArguments create_arguments;
  add_create(program, create_arguments);

  InfoArguments info_arguments;
  CLI::App& info_command =
      program.add_command(program.app(), "info", "tell what a token is", info_examples,
                          [&](const Progress& progress) { return info(info_arguments, progress); });
  info_command.add_option("CARD", info_arguments.card, tools::card_argument_help)->type_name("")->required();
  info_command.add_flag("--certificate", info_arguments.certificate, "print its certificate in PEM");
  info_command.add_flag("--wait", info_arguments.wait, "wait for the card if it is not there yet");

  program.add_command(program.app(), "list", "list the readers and what is in them", list_examples, list);

  RelayArguments relay_arguments;
  add_relay(program, relay_arguments);

  ServeArguments serve_arguments;
  CLI::App& serve_command =
      program.add_command(program.app(), "serve", "put a soft card into pcscd's virtual reader", serve_examples,
                          [&](const Progress& progress) { return serve(serve_arguments, progress); });
  serve_command
      .add_option("CARD", serve_arguments.card, "the soft card: soft:PATH?pin-source=file:P|env:NAME, or a path")
      ->type_name("")
      ->required();
  serve_command.add_option("--vpcd", serve_arguments.vpcd, "where vpcd listens, HOST:PORT")
      ->type_name("HOST:PORT")
      ->envname("CAS_VPCD")
      ->capture_default_str();
  return program.run(argc, argv);
}
