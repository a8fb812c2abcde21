// SPDX-License-Identifier: LGPL-2.1-or-later
#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/hex.hpp"
#include "commands.hpp"
#include "common/token_report.hpp"
#include "domain_session.hpp"
#include "licence_file.hpp"
#include "smartpro/licence.hpp"

namespace cas::tmc {

namespace {

using tools::Json;

constexpr const char* roll_examples = R"(
  cas-tmc roll --yes                                   the domain gets a new domain key
  cas-tmc deactivate --token player.card               then, for every token that shall stay:
  cas-tmc enrol --token player.card --kind renderer
  cas-tmc reissue /media/rushes/*.spro                 and for the files that shall still be played

For the day after a hack: whoever has taken the old key out of a card can open what was protected before, and nothing of what comes after. Tokens keep their
old key until they are enrolled again; bridges of partners are registered again. Only the last key before the present one is kept, so reissue old files
before the next roll.)";

constexpr const char* reissue_examples = R"(
  cas-tmc reissue a.mp4.spro
  cas-tmc reissue --domain studio /media/rushes/*.spro

Gives files that were protected before the last roll new licences, in place; the content stays as it is. A file that was done already is left as it is, and a
command that was stopped in the middle of a file is run again and goes on.)";

struct RollArguments {
  DomainArguments domain;
  bool yes = false;
};

Result<tools::Report> roll(const RollArguments& arguments, const tools::Progress& progress) {
  if (!arguments.yes)
    return fail(ErrorKind::invalid_argument,
                "after a roll every token of the domain has to be enrolled again, every backup made anew, and every "
                "old file reissued, and what was protected "
                "before the roll before is lost if it was not: say --yes if that is what you want");
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  progress.step("the progenitor draws a new domain key ...");
  CAS_TRY_ASSIGN(const bool done, session->roll());
  const smartpro::DomainRecord& record = session->record();
  Json json;
  json["domain"] = domain_json(session->domain());
  json["generation"] = record.generation;
  json["already"] = !done;
  return tools::Report{
      "domain " + session->domain().name + " has domain key " + std::to_string(record.generation) +
          (done ? " now" : " from a roll that was stopped before it could say so") +
          "\n  enrol its tokens again (cas-tmc status lists them), and reissue old files (cas-tmc reissue)\n",
      tools::to_text(json)};
}

struct ReissueArguments {
  DomainArguments domain;
  std::vector<std::string> files;
};

Result<Bytes> reissued(DomainSession& session, ByteView lecm) {
  CAS_TRY_ASSIGN(const smartpro::LicenceView view, smartpro::LicenceView::parse(lecm));
  if (view.transfer)
    return fail(ErrorKind::refused,
                "the file is on its way between two domains: let the bridge of its destination receive it first");
  if (view.vdid != session.domain().vdid)
    return fail(ErrorKind::wrong_domain,
                "the file is of domain " + to_hex(view.vdid) + ", not of " + session.domain().name);
  auto anew = session.progenitor().reissue_old_licence(lecm);
  if (!anew && anew.error().kind == ErrorKind::malformed)
    return fail(
        ErrorKind::authentication_failed,
        "its licence is not under the domain key from before the last roll: it is older than that, or was changed");
  return anew;
}

Result<tools::Report> reissue(const ReissueArguments& arguments, const tools::Progress& progress) {
  CAS_TRY_ASSIGN(const std::unique_ptr<DomainSession> session, DomainSession::open(arguments.domain, progress));
  if (session->record().generation == 1)
    return fail(ErrorKind::refused,
                "domain " + session->domain().name + " was never rolled: its files have the licences that they need");
  std::string text;
  Json rows = Json::array();
  for (const std::string& file : arguments.files) {
    progress.step(file + " ...");
    const auto licences = replace_licences(file, [&](ByteView lecm) { return reissued(*session, lecm); });
    if (!licences) return fail_in(file, licences.error());
    const bool before = *licences == 0;
    text += file +
            (before ? ": is under the present key already\n"
                    : ": " + std::to_string(*licences) + (*licences == 1 ? " licence" : " licences") + " reissued\n");
    rows.push_back({{"file", file}, {"licences", *licences}});
  }
  Json json;
  json["domain"] = domain_json(session->domain());
  json["files"] = std::move(rows);
  return tools::Report{text, tools::to_text(json)};
}

}  // namespace

void add_roll(tools::Program& program) {
  const auto roll_arguments = std::make_shared<RollArguments>();
  CLI::App& roll_command = program.add_command(
      program.app(), "roll", "give a domain a new domain key, after a hack", roll_examples,
      [roll_arguments](const tools::Progress& progress) { return roll(*roll_arguments, progress); });
  roll_command.add_flag("--yes", roll_arguments->yes, "yes: every token has to be enrolled again");
  add_domain_options(roll_command, roll_arguments->domain);

  const auto arguments = std::make_shared<ReissueArguments>();
  CLI::App& command =
      program.add_command(program.app(), "reissue", "give files from before a roll new licences", reissue_examples,
                          [arguments](const tools::Progress& progress) { return reissue(*arguments, progress); });
  command.add_option("FILE", arguments->files, "protected files")->type_name("...")->required();
  add_domain_options(command, arguments->domain);
}

}  // namespace cas::tmc
