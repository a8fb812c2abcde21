// SPDX-License-Identifier: LGPL-2.1-or-later
#include <nlohmann/json.hpp>

#include "base/hex.hpp"
#include "commands.hpp"
#include "common/json_text.hpp"
#include "configuration.hpp"
#include "service/audit_log.hpp"

namespace cas::kms_program {

Result<tools::Report> verify_audit(const AuditArguments& arguments) {
  std::filesystem::path file = arguments.file;
  if (file.empty()) {
    CAS_TRY_ASSIGN(const auto named, configuration_file(""));
    CAS_TRY_ASSIGN(const auto configuration, read_configuration(named));
    file = configuration.audit_log;
  }
  CAS_TRY_ASSIGN(const auto found, service::verify_audit_log(file));
  if (found.fault)
    return fail(ErrorKind::authentication_failed,
                file.string() + ", line " + std::to_string(found.fault->line) + ": " + found.fault->sentence);
  const std::string head = to_hex(found.end.chain);
  return tools::Report{
      std::to_string(found.end.sequence - found.begin.sequence) + " records hang together; the last one is " +
          std::to_string(found.end.sequence) + " " + head + "\n" +
          (found.repairs == 0 ? ""
                              : "Crashes have left what is no record in " + std::to_string(found.repairs) +
                                    " places: see log-repaired there.\n"),
      tools::to_text(tools::Json{{"records", found.end.sequence - found.begin.sequence},
                                 {"sequence", found.end.sequence},
                                 {"chain", head},
                                 {"repairs", found.repairs}})};
}

}  // namespace cas::kms_program
