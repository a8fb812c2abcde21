// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-tmc: a Token Management Center. Makes roots and hosts, founds domains, brings tokens into them and out of them,
// revokes, bridges, backs up.
#include <CLI/CLI.hpp>

#include "commands.hpp"
#include "common/card_argument.hpp"

namespace cas::tmc {

void add_host_options(CLI::App& command, tools::CredentialsPlace& host) {
  command.add_option("--host", host.folder, "the folder of this host's credentials (default: $CAS_HOME/host)")
      ->type_name("FOLDER");
  command.add_option("--host-pin-source", host.pin_source, "the pass phrase of its keys: file:PATH or env:NAME")
      ->type_name("SOURCE");
}

void add_domain_options(CLI::App& command, DomainArguments& arguments) {
  command.add_option("--domain", arguments.domain, "the domain (default: the only one there is)")->type_name("NAME");
  command.add_option("--progenitor", arguments.progenitor, "where the progenitor is now (default: where it was)")
      ->type_name("CARD");
  add_host_options(command, arguments.host);
}

}  // namespace cas::tmc

namespace {

using namespace cas;
using namespace cas::tmc;
using tools::Program;
using tools::Progress;

constexpr const char* description =
    "A Token Management Center: makes roots and hosts, founds domains, brings tokens into them and out of them, "
    "revokes lost ones, lets partners' bridges in.";

constexpr const char* examples = R"(
All at once, with soft cards, for a first try:
  cas-tmc init

One by one:
  cas-tmc root                                               certifies everything else; once for all domains
  cas-tmc host --capabilities acquisition,renderer,management    what this machine shows to tokens
  cas-card create progenitor.card --progenitor
  cas-tmc domain create studio --progenitor progenitor.card
  cas-card create camera.card
  cas-tmc enrol --token camera.card --kind acquisition --default
  cas-tmc enrol --token 'pcsc:?reader=Gemalto' --kind renderer
  cas-tmc status

A lost card, a partner, a spare progenitor:
  cas-tmc revoke 41f3a9c27b5e0d18 && cas-tmc publish --to /srv/www/cas
  cas-tmc bridge register --token partner-bridge.card
  cas-card create spare.card --progenitor && cas-tmc backup --to spare.card

Everything is kept in $CAS_HOME, or in ~/.local/share/gst-plugins-cas. Cards are named as cas-card --help says.
Every command can be repeated after it was stopped, at whatever point.

Exit status: 0 done, 1 failed, 2 wrong arguments.)";

constexpr const char* root_examples = R"(
  cas-tmc root
  cas-tmc root /media/safe/root --name "Example Studios" --pin-source env:ROOT_PIN

A root that is there is never overwritten: every token and host hangs on it. Keep it away from machines that play content.)";

constexpr const char* host_examples = R"(
  cas-tmc host --capabilities renderer                       a machine that plays
  cas-tmc host player3 --capabilities renderer --name player3    a folder to copy to that machine
  cas-tmc host --capabilities all --pin-source file:/run/secrets/host

Tokens do for a host what its certificate allows: acquisition, renderer, processing, bridge, management.)";

constexpr const char* create_examples = R"(
  cas-card create progenitor.card --progenitor
  cas-tmc domain create studio --progenitor progenitor.card

The progenitor draws the domain's keys and keeps them; nothing of them is kept here. Where it is is remembered. Run it again with the
same progenitor after its card has moved.)";

constexpr const char* domain_list_examples = R"(
  cas-tmc domain list --json | jq -r '.domains[].name')";

constexpr const char* enrol_examples = R"(
  cas-tmc enrol --token camera.card --kind acquisition --default
  cas-tmc enrol --domain studio --token 'pcsc:?reader=Gemalto' --kind renderer

The token and the domain's progenitor must be at hand at the same time, in files or in readers. --default makes the token the one that
smartpro-scramble (acquisition) or smartpro-descramble (renderer) takes on this machine when no card is named.)";

constexpr const char* list_examples = R"(
  cas-tmc list
  cas-tmc list --domain studio --json | jq '.tokens | length'

The progenitor must be at hand: it alone can read the register, and tells whether it is whole and the newest. "key released, unconfirmed"
is a token that was sent the domain key and whose answer never came: it may hold the key.)";

constexpr const char* init_examples = R"(
  cas-tmc init
  CAS_HOME=/tmp/try cas-tmc init studio

Makes a root, a host, a progenitor with its domain, an acquisition and a renderer token, all in files, and makes the tokens the defaults.
Only in an empty place; when it was stopped, run it again and it goes on.)";

void add_root(Program& program, RootArguments& arguments) {
  CLI::App& command =
      program.add_command(program.app(), "root", "make a root, which certifies tokens and hosts", root_examples,
                          [&](const Progress& progress) { return root(arguments, progress); });
  command.add_option("FOLDER", arguments.place.folder, "where to put it (default: $CAS_HOME/root)")->type_name("");
  command.add_option("--name", arguments.name, "the name in its certificate")->type_name("NAME")->capture_default_str();
  command
      .add_option("--pin-source", arguments.place.pin_source,
                  "encrypt its key under the pass phrase in file:PATH or env:NAME")
      ->type_name("SOURCE");
}

void add_host(Program& program, HostArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "host", "make a host's credentials", host_examples,
                                          [&](const Progress& progress) { return host(arguments, progress); });
  command.add_option("FOLDER", arguments.place.folder, "where to put them (default: $CAS_HOME/host)")->type_name("");
  command
      .add_option("--capabilities", arguments.capabilities,
                  "what the host may be used for: names separated by commas, or all")
      ->type_name("NAMES")
      ->required();
  command.add_option("--name", arguments.name, "the name in its certificate (default: this machine's)")
      ->type_name("NAME");
  command
      .add_option("--pin-source", arguments.place.pin_source,
                  "encrypt its keys under the pass phrase in file:PATH or env:NAME")
      ->type_name("SOURCE");
  command.add_option("--root", arguments.root.folder, "the folder of the root (default: $CAS_HOME/root)")
      ->type_name("FOLDER");
  command
      .add_option("--root-pin-source", arguments.root.pin_source,
                  "the pass phrase of the root's key: file:PATH or env:NAME")
      ->type_name("SOURCE");
}

void add_domain(Program& program, DomainCreateArguments& arguments) {
  CLI::App& group = program.add_group("domain", "found a domain, or list those there are");
  CLI::App& command = program.add_command(group, "create", "found a domain: activate its progenitor", create_examples,
                                          [&](const Progress& progress) { return domain_create(arguments, progress); });
  command.add_option("NAME", arguments.name, "what you call it: letters, digits, '.', '_' and '-'")
      ->type_name("")
      ->required();
  command.add_option("--progenitor", arguments.progenitor, tools::card_argument_help)->type_name("CARD")->required();
  add_host_options(command, arguments.host);
  program.add_command(group, "list", "list the domains known here; needs no card", domain_list_examples, domain_list);
}

void add_enrol(Program& program, EnrolArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "enrol", "bring a token into a domain", enrol_examples,
                                          [&](const Progress& progress) { return enrol(arguments, progress); });
  command.add_option("--domain", arguments.domain, "the domain (default: the only one there is)")->type_name("NAME");
  command.add_option("--token", arguments.token, tools::card_argument_help)->type_name("CARD")->required();
  command
      .add_option("--kind", arguments.kind,
                  "what it shall be: acquisition, renderer, processing, head-end, master-bridge or simple-bridge")
      ->type_name("KIND")
      ->required();
  command.add_flag("--default", arguments.make_default, "make it this machine's token of that kind");
  command.add_option("--progenitor", arguments.progenitor, "where the progenitor is now (default: where it was)")
      ->type_name("CARD");
  add_host_options(command, arguments.host);
}

void add_list(Program& program, DomainArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "list", "list the tokens of a domain", list_examples,
                                          [&](const Progress& progress) { return list(arguments, progress); });
  add_domain_options(command, arguments);
}

void add_init(Program& program, InitArguments& arguments) {
  CLI::App& command =
      program.add_command(program.app(), "init", "set everything up with soft cards, for a first try", init_examples,
                          [&](const Progress& progress) { return init(arguments, progress); });
  command.add_option("NAME", arguments.name, "the name of the domain")->type_name("")->capture_default_str();
}

}  // namespace

int main(int argc, char** argv) {
  Program program("cas-tmc", description, examples);
  InitArguments init_arguments;
  RootArguments root_arguments;
  HostArguments host_arguments;
  DomainCreateArguments domain_arguments;
  EnrolArguments enrol_arguments;
  DomainArguments list_arguments;
  ListsArguments lists_arguments;
  add_init(program, init_arguments);
  add_root(program, root_arguments);
  add_host(program, host_arguments);
  add_domain(program, domain_arguments);
  add_enrol(program, enrol_arguments);
  add_list(program, list_arguments);
  add_status(program);
  add_deactivate(program);
  add_revoke(program);
  add_bridge(program);
  add_publish(program);
  add_backup(program);
  add_roll(program);
  add_erl(program);
  add_lists(program, lists_arguments);
  return program.run(argc, argv);
}
