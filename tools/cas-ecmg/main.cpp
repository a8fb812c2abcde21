// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-ecmg: the ECM generator of the demonstration CA system, of SmartPRO and of OMA BCAST, for SimulCrypt
// synchronisers.
#include <CLI/CLI.hpp>

#include "bcast_commands.hpp"
#include "ca-system/init_command.hpp"
#include "commands.hpp"
#include "common/card_argument.hpp"

namespace {

using namespace cas;
using namespace cas::ecmg_program;
using tools::Program;
using tools::Progress;

constexpr const char* description =
    "An ECMG (ETSI TS 103 197): gives SimulCrypt synchronisers the ECMs of the demonstration CA system, the licences "
    "of "
    "SmartPRO, or the short term key messages of OMA BCAST.";

constexpr const char* examples = R"(
  cas-ecmg init                         makes a CA system in $CAS_HOME/ca, with product 1
  cas-ecmg run                          serves synchronisers at 127.0.0.1:2000
  cas-ecmg product add 7 --name sport   another product
  cas-ecmg product list                 products and when their keys are in force
  cas-ecmg product roll 7               a new key in an hour, for those who are entitled then
  cas-ecmg bcast init news.keys         keys of services of OMA BCAST
  cas-ecmg run --cas bcast --keys news.keys
  cas-ecmg run --cas smartpro           licences of this machine's head-end token, for the renderers of its domain

cas-emmg brings the keys to the cards. Exit status: 0 done, 1 failed, 2 wrong arguments.)";

constexpr const char* run_examples = R"(
  cas-ecmg run
  cas-ecmg run --listen 0.0.0.0:2000 --max-channels 50 --ecm-rep-period 250
  cas-ecmg run --listen 127.0.0.1:0 --port-file port      a free port, which is said on stdout and in the file
  cas-ecmg run --config ecmg.toml                         each option is a key there: ecm_rep_period = 250
  cas-ecmg run --cas bcast --keys news.keys               key messages of OMA BCAST, see cas-ecmg bcast --help
  cas-ecmg run --cas smartpro --card head-end.card        licences of SmartPRO, made by a token that was enrolled
                                                          with cas-tmc enrol --kind head-end

Says on stderr who comes, leaves and misbehaves. SIGHUP reads the keys again; those of the demonstration CA
system are also looked at by itself when they change.
SIGTERM and SIGINT end it when what waits has been sent; the second one at once.)";

constexpr const char* add_examples = R"(
  cas-ecmg product add 7 --name sport --key-period 7d)";
constexpr const char* list_examples = R"(
  cas-ecmg product list --json | jq -r '.products[].name')";
constexpr const char* roll_examples = R"(
  cas-emmg withdraw 7 --card 12 && cas-ecmg product roll 7 --in 2h      card 12 is out in two hours

The new key takes the place of the next one, which cards may have already. Until it begins, the present one opens.)";

void add_run(Program& program, RunArguments& arguments, tools::NumberOptions& numbers) {
  CLI::App& command =
      program.add_command(program.app(), "run", "serve synchronisers", run_examples, [&](const Progress& progress) {
        arguments.json = program.json();
        return run(arguments, numbers, progress);
      });
  command.add_option("--config", arguments.config, "a file of these options, in TOML; the command line wins")
      ->type_name("FILE");
  command.add_option("--cas", arguments.cas, "the CA system: casdemo, bcast or smartpro (casdemo)")->type_name("NAME");
  command.add_option("--keys", arguments.keys, "with --cas bcast: the file of 'cas-ecmg bcast init'")
      ->type_name("FILE");
  command
      .add_option(
          "--card", arguments.card,
          std::string("with --cas smartpro: a head-end token (default: this machine's); ") + tools::card_argument_help)
      ->type_name("CARD");
  command
      .add_option("--host", arguments.host, "with --cas smartpro: this host's credentials (default: $CAS_HOME/host)")
      ->type_name("FOLDER");
  command
      .add_option("--host-pin-source", arguments.host_pin_source, "the pass phrase of its keys: file:PATH or env:NAME")
      ->type_name("SOURCE");
  command.add_option("--system", arguments.system, ca_system::system_help)->type_name("FOLDER");
  command.add_option("--listen", arguments.listen, "where to listen (127.0.0.1:2000); port 0 is a free one")
      ->type_name("ADDRESS:PORT");
  command
      .add_option("--product", arguments.product,
                  "the product of streams that name no access criteria (1); none: they must name some")
      ->type_name("N|none");
  command.add_option("--mode", arguments.mode, "what an ECM_datagram holds: sections or packets (sections)")
      ->type_name("MODE");
  command.add_option("--port-file", arguments.port_file, "a file to write the port to")->type_name("FILE");
  command
      .add_option("--metrics", arguments.metrics,
                  "serve /metrics, /healthz and /readyz there, over HTTP (default: nowhere)")
      ->type_name("ADDRESS:PORT");
  command.add_flag("--quiet", arguments.quiet, "say nothing but warnings and errors");
  numbers.add_to(command);
}

void add_products(Program& program, ProductArguments& arguments) {
  CLI::App& group = program.add_group("product", "products and their keys");
  CLI::App& add = program.add_command(group, "add", "a new product", add_examples,
                                      [&](const Progress& progress) { return add_product(arguments, progress); });
  add.add_option("ID", arguments.id, "its number, 0 to 65535")->type_name("")->required();
  add.add_option("--name", arguments.name, "1 to 64 bytes, of this product alone")->type_name("NAME");
  add.add_option("--key-period", arguments.key_period, "how long an entitlement key lasts")
      ->type_name("TIME")
      ->capture_default_str();
  CLI::App& list = program.add_command(group, "list", "products, and when their keys are in force", list_examples,
                                       [&](const Progress& progress) { return list_products(arguments, progress); });
  CLI::App& roll = program.add_command(group, "roll", "another key for a product, before its time", roll_examples,
                                       [&](const Progress& progress) { return roll_product(arguments, progress); });
  roll.add_option("ID", arguments.id, "its number")->type_name("")->required();
  roll.add_option("--in", arguments.in, "when the new key begins: cards need time to get it")
      ->type_name("TIME")
      ->capture_default_str();
  for (CLI::App* command : {&add, &list, &roll})
    command->add_option("--system", arguments.system, ca_system::system_help)->type_name("FOLDER");
}

}  // namespace

int main(int argc, char** argv) {
  Program program("cas-ecmg", description, examples);
  ca_system::InitArguments init_arguments;
  ca_system::add_init(program, init_arguments);
  RunArguments run_arguments;
  tools::NumberOptions numbers(number_options());
  add_run(program, run_arguments, numbers);
  ProductArguments product_arguments;
  add_products(program, product_arguments);
  BcastArguments bcast_arguments;
  add_bcast(program, bcast_arguments);
  return program.run(argc, argv);
}
