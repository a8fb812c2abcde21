// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/ecmg_messages.hpp"
#include "simulcrypt/grammar.hpp"

// TS 103 197, 5.2 and 5.3: the parameters; 5.4 and 5.5: the tables of the messages; 5.6: the errors.
namespace cas::simulcrypt {

using namespace ecmg;

namespace {

constexpr std::uint16_t any = 0xffff;

constexpr ParameterRule one(ParameterTag tag, std::uint16_t size) { return {tag, size, size, 1, 1}; }
constexpr ParameterRule at_most_one(ParameterTag tag, std::uint16_t size) { return {tag, size, size, 0, 1}; }

constexpr ParameterRule channel = one(ecm_channel_id, 2);
constexpr ParameterRule stream = one(ecm_stream_id, 2);
constexpr ParameterRule statuses{error_status, 2, 2, 1, any};
constexpr ParameterRule information{error_information, 0, any, 0, any};

constexpr ParameterRule channel_setup_rules[] = {channel, one(super_cas_id, 4)};
constexpr ParameterRule channel_only_rules[] = {channel};
constexpr ParameterRule channel_status_rules[] = {
    channel,
    one(section_tspkt_flag, 1),
    at_most_one(ac_delay_start, 2),
    at_most_one(ac_delay_stop, 2),
    one(delay_start, 2),
    one(delay_stop, 2),
    at_most_one(transition_delay_start, 2),
    at_most_one(transition_delay_stop, 2),
    one(ecm_rep_period, 2),
    one(max_streams, 2),
    one(min_cp_duration, 2),
    one(lead_cw, 1),
    one(cw_per_msg, 1),
    one(max_comp_time, 2),
};
constexpr ParameterRule channel_error_rules[] = {channel, statuses, information};
constexpr ParameterRule stream_setup_rules[] = {channel, stream, one(ecm_id, 2), one(nominal_cp_duration, 2)};
constexpr ParameterRule stream_only_rules[] = {channel, stream};
constexpr ParameterRule stream_status_rules[] = {channel, stream, one(ecm_id, 2),
                                                 one(access_criteria_transfer_mode, 1)};
constexpr ParameterRule stream_error_rules[] = {channel, stream, statuses, information};
// Too few words have an error of their own, which the session gives.
constexpr ParameterRule cw_provision_rules[] = {
    channel,
    stream,
    one(cp_number, 2),
    {cw_encryption, 0, any, 0, 1, 3},
    {cp_cw_combination, 3, 2 + max_word_size, 0, max_words},
    at_most_one(cp_duration, 2),
    {access_criteria, 0, any, 0, 1},
};
constexpr ParameterRule ecm_response_rules[] = {channel, stream, one(cp_number, 2), {ecm_datagram, 0, any, 1, 1}};
static_assert(std::size(channel_status_rules) <= max_rules);

// The two of the fast path come first.
constexpr MessageRule messages[] = {
    {cw_provision, "CW_provision", cw_provision_rules},
    {ecm_response, "ECM_response", ecm_response_rules},
    {channel_setup, "channel_setup", channel_setup_rules},
    {channel_test, "channel_test", channel_only_rules},
    {channel_status, "channel_status", channel_status_rules},
    {channel_close, "channel_close", channel_only_rules},
    {channel_error, "channel_error", channel_error_rules, true},
    {stream_setup, "stream_setup", stream_setup_rules},
    {stream_test, "stream_test", stream_only_rules},
    {stream_status, "stream_status", stream_status_rules},
    {stream_close_request, "stream_close_request", stream_only_rules},
    {stream_close_response, "stream_close_response", stream_only_rules},
    {stream_error, "stream_error", stream_error_rules, true},
};

constexpr ParameterName parameters[] = {
    {super_cas_id, "Super_CAS_id", ParameterForm::identifier},
    {section_tspkt_flag, "section_TSpkt_flag", ParameterForm::number},
    {delay_start, "delay_start", ParameterForm::signed_number},
    {delay_stop, "delay_stop", ParameterForm::signed_number},
    {transition_delay_start, "transition_delay_start", ParameterForm::signed_number},
    {transition_delay_stop, "transition_delay_stop", ParameterForm::signed_number},
    {ecm_rep_period, "ECM_rep_period", ParameterForm::number},
    {max_streams, "max_streams", ParameterForm::number},
    {min_cp_duration, "min_CP_duration", ParameterForm::number},
    {lead_cw, "lead_CW", ParameterForm::number},
    {cw_per_msg, "CW_per_msg", ParameterForm::number},
    {max_comp_time, "max_comp_time", ParameterForm::number},
    {access_criteria, "access_criteria", ParameterForm::bytes},
    {ecm_channel_id, "ECM_channel_id", ParameterForm::number},
    {ecm_stream_id, "ECM_stream_id", ParameterForm::number},
    {nominal_cp_duration, "nominal_CP_duration", ParameterForm::number},
    {access_criteria_transfer_mode, "access_criteria_transfer_mode", ParameterForm::number},
    {cp_number, "CP_number", ParameterForm::number},
    {cp_duration, "CP_duration", ParameterForm::number},
    {cp_cw_combination, "CP_CW_combination", ParameterForm::words},
    {ecm_datagram, "ECM_datagram", ParameterForm::bytes},
    {ac_delay_start, "AC_delay_start", ParameterForm::signed_number},
    {ac_delay_stop, "AC_delay_stop", ParameterForm::signed_number},
    {cw_encryption, "CW_encryption", ParameterForm::size_only},
    {ecm_id, "ECM_id", ParameterForm::number},
    {error_status, "error_status", ParameterForm::error_status},
    {error_information, "error_information", ParameterForm::bytes},
};

constexpr std::uint16_t code(Error error) { return static_cast<std::uint16_t>(error); }

constexpr ErrorName errors[] = {
    {code(Error::invalid_message), "the message is invalid"},
    {code(Error::unsupported_version), "this version of the protocol is not supported"},
    {code(Error::unknown_message_type), "there is no message of this type"},
    {code(Error::message_too_long), "the message is too long"},
    {code(Error::unknown_super_cas_id), "this Super_CAS_id is not served here"},
    {code(Error::unknown_channel_id), "there is no such ECM_channel_id"},
    {code(Error::unknown_stream_id), "there is no such ECM_stream_id"},
    {code(Error::too_many_channels), "too many channels on this ECMG"},
    {code(Error::too_many_streams_on_channel), "too many ECM streams on this channel"},
    {code(Error::too_many_streams_on_ecmg), "too many ECM streams on this ECMG"},
    {code(Error::not_enough_control_words), "not enough control words to compute the ECM"},
    {code(Error::out_of_storage), "the ECMG is out of storage"},
    {code(Error::out_of_computation), "the ECMG is out of computing resources"},
    {code(Error::unknown_parameter_type), "there is no parameter of this type"},
    {code(Error::inconsistent_length), "a parameter has the wrong length"},
    {code(Error::missing_parameter), "a mandatory parameter is missing"},
    {code(Error::invalid_value), "a parameter has a value that it cannot have"},
    {code(Error::unknown_ecm_id), "there is no such ECM_id"},
    {code(Error::channel_id_in_use), "this ECM_channel_id is already in use"},
    {code(Error::stream_id_in_use), "this ECM_stream_id is already in use"},
    {code(Error::ecm_id_in_use), "this ECM_id is already in use"},
    {code(Error::unknown), "an unknown error"},
    {code(Error::unrecoverable), "an error that cannot be recovered from"},
};

constexpr Grammar grammar{
    "ECMG <-> SCS",
    2,
    3,
    messages,
    parameters,
    errors,
    {code(Error::invalid_message), code(Error::unsupported_version), code(Error::unknown_message_type),
     code(Error::message_too_long), code(Error::inconsistent_length), code(Error::missing_parameter)},
};

}  // namespace

const Grammar& ecmg_grammar() { return grammar; }

}  // namespace cas::simulcrypt
