// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdio>

#include "card/apdu.hpp"

namespace cas::card {

namespace {

// ISO/IEC 7816-4, 5.1.3, tables 5 and 6.
const char* meaning(StatusWord status) {
  switch (status) {
    case sw::ok: return "done";
    case sw::memory_failure: return "memory failure";
    case sw::wrong_length: return "wrong length";
    case sw::logical_channel_not_supported: return "logical channel not supported";
    case sw::secure_messaging_not_supported: return "secure messaging not supported";
    case sw::last_command_of_chain_expected: return "last command of the chain expected";
    case sw::command_chaining_not_supported: return "command chaining not supported";
    case sw::security_status_not_satisfied: return "security status not satisfied";
    case sw::authentication_blocked: return "authentication method blocked";
    case sw::conditions_not_satisfied: return "conditions of use not satisfied";
    case sw::secure_messaging_missing: return "secure messaging data objects missing";
    case sw::secure_messaging_incorrect: return "secure messaging data objects incorrect";
    case sw::incorrect_data: return "incorrect parameters in the command data";
    case sw::not_found: return "file or application not found";
    case sw::not_enough_memory: return "not enough memory space";
    case sw::incorrect_p1_p2: return "incorrect parameters P1-P2";
    case sw::referenced_data_not_found: return "referenced data not found";
    case sw::instruction_not_supported: return "instruction not supported";
    case sw::class_not_supported: return "class not supported";
    case sw::no_precise_diagnosis: return "no precise diagnosis";
    default: return "status word without a meaning here";
  }
}

}  // namespace

std::string describe_status_word(StatusWord status) {
  char number[8];
  std::snprintf(number, sizeof number, "%04X", status);
  return std::string(number) + " (" + meaning(status) + ")";
}

}  // namespace cas::card
