// SPDX-License-Identifier: LGPL-2.1-or-later
// cas-kms: the key management server of key exchange (API for Encryption Key Exchange, 0.6): keys for scramblers.
#include <CLI/CLI.hpp>

#include "commands.hpp"

namespace {

using namespace cas;
using namespace cas::kms_program;
using tools::Program;
using tools::Progress;

constexpr const char* description =
    "A key management server (KMS): gives scramblers their keys, as CPIX documents over HTTP(S), in the manner of "
    "SPEKE.";

constexpr const char* examples = R"(
  cas-kms init                                  a configuration with certificates, in $CAS_HOME/kms
  cas-kms run                                   serves https://127.0.0.1:8443/cpix
  cas-kms client add packager --ask 'news-*'    another client
  cas-kms ask https://127.0.0.1:8443/cpix --content channel-1 --period 42 --authority ca.pem ...
  cas-kms audit verify                          has somebody changed the audit log?

Exit status: 0 done, 1 failed, 2 wrong arguments.)";

constexpr const char* init_examples = R"(
  cas-kms init
  cas-kms init --listen 0.0.0.0:8443 --host kms-a.example --host 192.0.2.7
  cas-kms init --folder kms-b --listen 0.0.0.0:8443 --host kms-b.example --join kms-a     a second server with the same keys
  cas-kms init --keys stored --store postgresql://kms@db.example/keys?sslmode=verify-full

Makes an authority for TLS, the server's certificate, seeds (or a store and its key), and a client with certificate, password
and token. A folder that is there is never overwritten.)";

constexpr const char* run_examples = R"(
  cas-kms run --config /etc/cas-kms/cas-kms.toml
  cas-kms run --listen 127.0.0.1:0 --port-file port      a free port, which is said on stdout and in the file

SIGHUP reads clients and certificates anew, and goes on in a new audit log where the old one was renamed. SIGTERM and SIGINT end it
when all answers are given; the second one at once.)";

constexpr const char* client_add_examples = R"(
  cas-kms client add packager --ask 'movies-*'                     with a certificate
  cas-kms client add encoder-7 --ask '*' --password                with a password for HTTP Digest
  cas-kms client add scrambler --ask 'news-*' --push 'news-*' --token)";

constexpr const char* ask_examples = R"(
  cas-kms ask https://kms-a.example:8443/cpix https://kms-b.example:8443/cpix --content channel-1 --period 41 --period 42 \
      --authority tls/ca.pem --certificate credentials/encoder.pem --key credentials/encoder.key
  cas-kms ask https://kms-a.example:8443/cpix --capabilities --authority tls/ca.pem

Shows key ids and never keys; --keys-to writes those into a file.)";

void add_config(CLI::App& command, std::string& config) {
  command.add_option("--config", config, "the configuration (default: $CAS_HOME/kms/cas-kms.toml)")->type_name("FILE");
}

void add_init(Program& program, InitArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "init", "make a working configuration with certificates",
                                          init_examples, [&](const Progress&) { return init(arguments); });
  command.add_option("--folder", arguments.folder, "where (default: $CAS_HOME/kms)")->type_name("FOLDER");
  command.add_option("--keys", arguments.keys, "derived: from a seed, nothing is stored; stored: drawn and kept")
      ->type_name("derived|stored")
      ->capture_default_str();
  command.add_option("--listen", arguments.listen, "where it will listen")
      ->type_name("ADDRESS:PORT")
      ->capture_default_str();
  command.add_option("--host", arguments.hosts, "a host name or address by which clients find it; may be repeated")
      ->type_name("NAME");
  command.add_option("--store", arguments.store, "sqlite:FILE or a URL of PostgreSQL (sqlite:keys.db)")
      ->type_name("URL");
  command.add_option("--client", arguments.client, "the first client; empty: none")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--content", arguments.contents, "what content it gets keys of; may be repeated (*)")
      ->type_name("PATTERN");
  command
      .add_option("--join", arguments.join, "another server's folder, whose keys, clients and authority this one has")
      ->type_name("FOLDER");
}

void add_run(Program& program, RunArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "run", "serve clients", run_examples, [&](const Progress&) {
    arguments.json = program.json();
    return run(arguments);
  });
  add_config(command, arguments.config);
  command.add_option("--listen", arguments.listen, "in place of the file's; port 0 is a free one")
      ->type_name("ADDRESS:PORT");
  command.add_option("--port-file", arguments.port_file, "a file to write the port to")->type_name("FILE");
  command.add_flag("--quiet", arguments.quiet, "say nothing but warnings and errors");
}

void add_seeds(Program& program, SeedArguments& arguments) {
  CLI::App& group = program.add_group("seed", "what derived keys come from");
  CLI::App& add =
      program.add_command(group, "add", "a new seed, for content to come",
                          "\n  cas-kms seed add --from 2027-01-01T00:00:00Z\n  cas-kms seed add --content '2027-*'",
                          [&](const Progress&) { return add_seed(arguments); });
  add.add_option("--from", arguments.from, "for content from this time on, which is to come")->type_name("TIME");
  add.add_option("--content", arguments.contents, "for content of this pattern, whatever its time; may be repeated")
      ->type_name("PATTERN");
  CLI::App& list = program.add_command(group, "list", "versions, and when they are in force", "",
                                       [&](const Progress&) { return list_seeds(arguments); });
  for (CLI::App* command : {&add, &list}) add_config(*command, arguments.config);
}

void add_clients(Program& program, ClientArguments& arguments) {
  CLI::App& group = program.add_group("client", "who may have keys");
  CLI::App& add = program.add_command(group, "add", "a new client", client_add_examples,
                                      [&](const Progress&) { return add_client(arguments); });
  add.add_option("NAME", arguments.name, "of the client")->type_name("")->required();
  add.add_option("--ask", arguments.ask, "content that it gets keys of; may be repeated")->type_name("PATTERN");
  add.add_option("--push", arguments.push, "content that it brings keys of; may be repeated")->type_name("PATTERN");
  add.add_flag("--certificate", arguments.certificate, "it gets a certificate (so it does when nothing is said)");
  add.add_flag("--password", arguments.password, "it gets a password for HTTP Digest");
  add.add_flag("--token", arguments.token, "it gets a bearer token");
  CLI::App& remove = program.add_command(group, "remove", "a client that gets no more keys", "",
                                         [&](const Progress&) { return remove_client(arguments); });
  remove.add_option("NAME", arguments.name, "of the client")->type_name("")->required();
  CLI::App& list =
      program.add_command(group, "list", "all clients", "", [&](const Progress&) { return list_clients(arguments); });
  for (CLI::App* command : {&add, &remove, &list}) add_config(*command, arguments.config);
}

void add_ask(Program& program, AskArguments& arguments) {
  CLI::App& command = program.add_command(program.app(), "ask", "ask key servers as a scrambler does", ask_examples,
                                          [&](const Progress&) { return ask(arguments); });
  command.add_option("URL", arguments.urls, "of key servers, in the order of preference")->type_name("")->required();
  command.add_option("--content", arguments.content, "the content id")->type_name("ID");
  command.add_option("--period", arguments.periods, "a crypto-period; may be repeated; none: the whole content")
      ->type_name("N");
  command.add_option("--track-type", arguments.track_type, "which tracks")->type_name("TYPE");
  command.add_option("--representation", arguments.representation, "which bit rate")->type_name("NAME");
  command.add_option("--scheme", arguments.scheme, "cenc, cens, cbc1 or cbcs")->type_name("NAME");
  command.add_option("--authority", arguments.authority, "roots of https: servers, PEM")->type_name("FILE");
  command.add_option("--certificate", arguments.certificate, "of this client, PEM")->type_name("FILE");
  command.add_option("--key", arguments.key, "to the certificate, PEM")->type_name("FILE");
  command.add_option("--user", arguments.user, "for HTTP Digest")->type_name("NAME");
  command.add_option("--password-source", arguments.password_source, "file:PATH or env:NAME")->type_name("SOURCE");
  command.add_option("--token-source", arguments.token_source, "a bearer token: file:PATH or env:NAME")
      ->type_name("SOURCE");
  command.add_option("--timeout", arguments.timeout_ms, "then the next server is asked, too")
      ->type_name("MS")
      ->check(CLI::Range(1, 600'000))
      ->capture_default_str();
  command.add_option("--keys-to", arguments.keys_to, "a file to write the keys to, mode 0600")->type_name("FILE");
  command.add_flag("--capabilities", arguments.capabilities, "what the first server can do");
}

void add_audit(Program& program, AuditArguments& arguments) {
  CLI::App& group = program.add_group("audit", "the audit log");
  CLI::App& verify = program.add_command(group, "verify", "find the first record that was changed",
                                         "\n  cas-kms audit verify /var/log/cas-kms/audit.log",
                                         [&](const Progress&) { return verify_audit(arguments); });
  verify.add_option("FILE", arguments.file, "the log (default: that of $CAS_HOME/kms)")->type_name("");
}

}  // namespace

int main(int argc, char** argv) {
  Program program("cas-kms", description, examples);
  InitArguments init_arguments;
  add_init(program, init_arguments);
  RunArguments run_arguments;
  add_run(program, run_arguments);
  SeedArguments seed_arguments;
  add_seeds(program, seed_arguments);
  ClientArguments client_arguments;
  add_clients(program, client_arguments);
  AskArguments ask_arguments;
  add_ask(program, ask_arguments);
  AuditArguments audit_arguments;
  add_audit(program, audit_arguments);
  return program.run(argc, argv);
}
