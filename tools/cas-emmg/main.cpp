// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-emmg: cards and entitlements of the demonstration CA system, and the EMM generator that tells the cards.
#include <CLI/CLI.hpp>

#include "ca-system/init_command.hpp"
#include "commands.hpp"

namespace {

using namespace cas;
using namespace cas::emmg_program;
using tools::Program;
using tools::Progress;

constexpr const char* description =
    "An EMMG (ETSI TS 103 197) of the demonstration CA system: cards, who is entitled to what, and the EMMs that tell "
    "them.";

constexpr const char* examples = R"(
  cas-emmg init                               makes a CA system in $CAS_HOME/ca, with product 1 (as cas-ecmg init)
  cas-emmg card add                           a card, with a key of its own
  cas-emmg card export 1 card1.identity       what a receiver needs to be this card
  cas-emmg grant 1 --card 1 --for 30d         the card may open product 1
  cas-emmg withdraw 1 --card 1                ... and may not
  cas-emmg group add 5                        cards that are entitled together
  cas-emmg personalise 1 --region 49 --group 5
  cas-emmg list                               who is entitled to what
  cas-emmg run                                repeats the EMMs at the MUX at 127.0.0.1:2001

cas-ecmg makes products and their ECMs. Exit status: 0 done, 1 failed, 2 wrong arguments.)";

constexpr const char* run_examples = R"(
  cas-emmg run
  cas-emmg run --mux mux.example:2001 --bandwidth 250
  cas-emmg run --udp --mux 192.0.2.7:2001
  cas-emmg run --config emmg.toml                 each option is a key there: bandwidth = 250

Connects again when the MUX goes away. EMMs that other commands make are picked up at once, and keys that follow on others are granted
in time. SIGTERM and SIGINT end it, the second one at once; SIGHUP reads the store again.)";

void add_run(Program& program, RunArguments& arguments, tools::NumberOptions& numbers) {
  CLI::App& command =
      program.add_command(program.app(), "run", "send EMMs to a MUX", run_examples, [&](const Progress& progress) {
        arguments.json = program.json();
        return run(arguments, numbers, progress);
      });
  command.add_option("--config", arguments.config, "a file of these options, in TOML; the command line wins")
      ->type_name("FILE");
  command.add_option("--system", arguments.system, ca_system::system_help)->type_name("FOLDER");
  command.add_option("--mux", arguments.mux, "the MUX (127.0.0.1:2001)")->type_name("HOST:PORT");
  command.add_option("--mode", arguments.mode, "what a datagram holds: sections or packets (sections)")
      ->type_name("MODE");
  command.add_flag("--udp", arguments.udp,
                   "send data_provisions over UDP, without a channel; --mux is an address then");
  command
      .add_option("--metrics", arguments.metrics,
                  "serve /metrics, /healthz and /readyz there, over HTTP (default: nowhere)")
      ->type_name("ADDRESS:PORT");
  command.add_flag("--quiet", arguments.quiet, "say nothing but warnings and errors");
  numbers.add_to(command);
}

CLI::Option* add_number(CLI::App& command, CardArguments& arguments, const char* help) {
  return command.add_option("NUMBER", arguments.number, help)->type_name("");
}

void add_cards(Program& program, CardArguments& arguments) {
  CLI::App& group = program.add_group("card", "the cards of the system");
  CLI::App& add = program.add_command(
      group, "add", "new cards", "\n  cas-emmg card add 4711 --name \"living room\"\n  cas-emmg card add --count 1000",
      [&](const Progress& progress) { return add_cards(arguments, progress); });
  add_number(add, arguments, "the number of the first (default: behind the greatest)");
  add.add_option("--count", arguments.count, "how many")
      ->type_name("N")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  add.add_option("--name", arguments.name, "1 to 64 bytes")->type_name("NAME");
  CLI::App& list =
      program.add_command(group, "list", "cards, their regions and groups", "\n  cas-emmg card list --after 1000",
                          [&](const Progress& progress) { return list_cards(arguments, progress); });
  list.add_option("--after", arguments.after, "those with greater numbers")->type_name("NUMBER");
  list.add_option("--limit", arguments.limit, "at most so many")->type_name("N")->capture_default_str();
  CLI::App& out = program.add_command(group, "export", "write what a receiver needs to be a card",
                                      "\n  cas-emmg card export 1 card1.identity\n\nThe file has the keys of the card, "
                                      "in clear, mode 0600 (docs/formats/casdemo.md, \"What it keeps\").",
                                      [&](const Progress& progress) { return export_card(arguments, progress); });
  add_number(out, arguments, "the card")->required();
  out.add_option("FILE", arguments.file, "where to")->type_name("")->required();
  CLI::App& remove = program.add_command(
      group, "remove", "forget a card",
      "\n  cas-emmg withdraw 1 --card 12      first, and let it be sent for a while\n  cas-emmg card remove 12",
      [&](const Progress& progress) { return remove_card(arguments, progress); });
  add_number(remove, arguments, "the card")->required();
  CLI::App& tell = program.add_command(
      program.app(), "personalise", "tell a card its region and its groups",
      "\n  cas-emmg personalise 1 --region 49 --group 5 --group 6\n\nTakes the place of what it was told before.",
      [&](const Progress& progress) { return personalise(arguments, progress); });
  add_number(tell, arguments, "the card")->required();
  tell.add_option("--region", arguments.region, "where it stands, for blackouts; 0: nowhere")
      ->type_name("N")
      ->capture_default_str();
  tell.add_option("--group", arguments.groups, "a group that it is in; up to eight times")->type_name("NUMBER");
  for (CLI::App* command : {&add, &list, &out, &remove, &tell})
    command->add_option("--system", arguments.system, ca_system::system_help)->type_name("FOLDER");
}

void add_groups(Program& program, GroupArguments& arguments) {
  CLI::App& group = program.add_group("group", "groups of cards that are entitled together");
  CLI::App& add = program.add_command(group, "add", "a new group", "\n  cas-emmg group add 5 --name hotels",
                                      [&](const Progress& progress) { return add_group(arguments, progress); });
  add.add_option("NUMBER", arguments.number, "1 to 4294967295")->type_name("")->required();
  add.add_option("--name", arguments.name, "1 to 64 bytes")->type_name("NAME");
  CLI::App& list = program.add_command(group, "list", "groups, and how many cards they have", "",
                                       [&](const Progress& progress) { return list_groups(arguments, progress); });
  for (CLI::App* command : {&add, &list})
    command->add_option("--system", arguments.system, ca_system::system_help)->type_name("FOLDER");
}

void add_entitlements(Program& program, EntitlementArguments& arguments) {
  CLI::App& give = program.add_command(program.app(), "grant", "entitle cards to a product",
                                       "\n  cas-emmg grant 1 --card 12 --until 2027-12-31\n  cas-emmg grant 1 --group "
                                       "5 --for 30d\n  cas-emmg grant 1 --all",
                                       [&](const Progress& progress) { return grant(arguments, progress); });
  give.add_option("--until", arguments.until,
                  "a time in UTC, such as 2027-12-31 or 2027-12-31T18:00:00Z (default: for ever)")
      ->type_name("TIME");
  give.add_option("--for", arguments.duration, "from now on: 90s, 5min, 12h, 30d")->type_name("TIME");
  CLI::App& take = program.add_command(program.app(), "withdraw", "take a product away from cards",
                                       "\n  cas-emmg withdraw 1 --card 12\n\nA card that hears nothing keeps what it "
                                       "has until its keys expire: cas-ecmg product roll ends that before.",
                                       [&](const Progress& progress) { return withdraw(arguments, progress); });
  for (CLI::App* command : {&give, &take}) {
    command->add_option("PRODUCT", arguments.product, "the number of a product")->type_name("")->required();
    command->add_option("--card", arguments.card, "one card")->type_name("NUMBER");
    command->add_option("--group", arguments.group, "the cards of a group")->type_name("NUMBER");
    command->add_flag("--all", arguments.all, "all cards");
  }
  CLI::App& list = program.add_command(
      program.app(), "list", "who is entitled to what", "\n  cas-emmg list --json | jq '.entitlements[]'",
      [&](const Progress& progress) { return list_entitlements(arguments, progress); });
  list.add_option("--limit", arguments.limit, "at most so many")->type_name("N")->capture_default_str();
  for (CLI::App* command : {&give, &take, &list})
    command->add_option("--system", arguments.system, ca_system::system_help)->type_name("FOLDER");
}

}  // namespace

int main(int argc, char** argv) {
  Program program("cas-emmg", description, examples);
  ca_system::InitArguments init_arguments;
  ca_system::add_init(program, init_arguments);
  RunArguments run_arguments;
  tools::NumberOptions numbers(number_options());
  add_run(program, run_arguments, numbers);
  CardArguments card_arguments;
  add_cards(program, card_arguments);
  GroupArguments group_arguments;
  add_groups(program, group_arguments);
  EntitlementArguments entitlement_arguments;
  add_entitlements(program, entitlement_arguments);
  return program.run(argc, argv);
}
