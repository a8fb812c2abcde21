// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/emmg_messages.hpp"
#include "simulcrypt/grammar.hpp"

// TS 103 197, 6.2.2: the parameters; 6.2.4 and 6.2.5: the tables of the messages; 6.2.6: the errors.
namespace cas::simulcrypt {

using namespace emmg;

namespace {

constexpr std::uint16_t any = 0xffff;

constexpr ParameterRule one(ParameterTag tag, std::uint16_t size) { return {tag, size, size, 1, 1}; }
constexpr ParameterRule at_most_one(ParameterTag tag, std::uint16_t size) { return {tag, size, size, 0, 1}; }

constexpr ParameterRule client = one(client_id, 4);
constexpr ParameterRule channel = one(data_channel_id, 2);
constexpr ParameterRule stream = one(data_stream_id, 2);
constexpr ParameterRule statuses{error_status, 2, 2, 1, any};
constexpr ParameterRule information{error_information, 0, any, 0, any};

constexpr ParameterRule channel_rules[] = {client, channel};
constexpr ParameterRule channel_setup_rules[] = {client, channel, one(section_tspkt_flag, 1)};
constexpr ParameterRule channel_error_rules[] = {client, channel, statuses, information};
constexpr ParameterRule stream_rules[] = {client, channel, stream};
constexpr ParameterRule stream_setup_rules[] = {client, channel, stream, one(data_id, 2), one(data_type, 1)};
constexpr ParameterRule stream_error_rules[] = {client, channel, stream, statuses, information};
constexpr ParameterRule bandwidth_rules[] = {client, channel, stream, at_most_one(bandwidth, 2)};
// Over UDP there is neither a channel nor a stream; over TCP the session asks for both.
constexpr ParameterRule data_provision_rules[] = {client,
                                                  at_most_one(data_channel_id, 2),
                                                  at_most_one(data_stream_id, 2),
                                                  one(data_id, 2),
                                                  {datagram, 0, any, 1, any}};

// The one of the fast path comes first.
constexpr MessageRule messages[] = {
    {data_provision, "data_provision", data_provision_rules},
    {channel_setup, "channel_setup", channel_setup_rules},
    {channel_test, "channel_test", channel_rules},
    {channel_status, "channel_status", channel_setup_rules},
    {channel_close, "channel_close", channel_rules},
    {channel_error, "channel_error", channel_error_rules, true},
    {stream_setup, "stream_setup", stream_setup_rules},
    {stream_test, "stream_test", stream_rules},
    {stream_status, "stream_status", stream_setup_rules},
    {stream_close_request, "stream_close_request", stream_rules},
    {stream_close_response, "stream_close_response", stream_rules},
    {stream_error, "stream_error", stream_error_rules, true},
    {stream_bw_request, "stream_BW_request", bandwidth_rules},
    {stream_bw_allocation, "stream_BW_allocation", bandwidth_rules},
};

constexpr ParameterName parameters[] = {
    {client_id, "client_id", ParameterForm::identifier},
    {section_tspkt_flag, "section_TSpkt_flag", ParameterForm::number},
    {data_channel_id, "data_channel_id", ParameterForm::number},
    {data_stream_id, "data_stream_id", ParameterForm::number},
    {datagram, "datagram", ParameterForm::bytes},
    {bandwidth, "bandwidth", ParameterForm::number},
    {data_type, "data_type", ParameterForm::number},
    {data_id, "data_id", ParameterForm::number},
    {error_status, "error_status", ParameterForm::error_status},
    {error_information, "error_information", ParameterForm::bytes},
};

constexpr std::uint16_t code(Error error) { return static_cast<std::uint16_t>(error); }

constexpr ErrorName errors[] = {
    {code(Error::invalid_message), "the message is invalid"},
    {code(Error::unsupported_version), "this version of the protocol is not supported"},
    {code(Error::unknown_message_type), "there is no message of this type"},
    {code(Error::message_too_long), "the message is too long"},
    {code(Error::unknown_stream_id), "there is no such data_stream_id"},
    {code(Error::unknown_channel_id), "there is no such data_channel_id"},
    {code(Error::too_many_channels), "too many channels on this MUX"},
    {code(Error::too_many_streams_on_channel), "too many data streams on this channel"},
    {code(Error::too_many_streams_on_mux), "too many data streams on this MUX"},
    {code(Error::unknown_parameter_type), "there is no parameter of this type"},
    {code(Error::inconsistent_length), "a parameter has the wrong length"},
    {code(Error::missing_parameter), "a mandatory parameter is missing"},
    {code(Error::invalid_value), "a parameter has a value that it cannot have"},
    {code(Error::unknown_client_id), "there is no such client_id"},
    {code(Error::exceeded_bandwidth), "the allocated bandwidth is exceeded"},
    {code(Error::unknown_data_id), "there is no such data_id"},
    {code(Error::channel_id_in_use), "this data_channel_id is already in use"},
    {code(Error::stream_id_in_use), "this data_stream_id is already in use"},
    {code(Error::data_id_in_use), "this data_id is already in use"},
    {code(Error::client_id_in_use), "this client_id is already in use"},
    {code(Error::unknown), "an unknown error"},
    {code(Error::unrecoverable), "an error that cannot be recovered from"},
};

constexpr Grammar grammar{
    "EMMG <-> MUX",
    1,
    5,
    messages,
    parameters,
    errors,
    {code(Error::invalid_message), code(Error::unsupported_version), code(Error::unknown_message_type),
     code(Error::message_too_long), code(Error::inconsistent_length), code(Error::missing_parameter)},
};

}  // namespace

const Grammar& emmg_grammar() { return grammar; }

}  // namespace cas::simulcrypt
