// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "base/tlv.hpp"
#include "card/apdu.hpp"

namespace cas::smartpro {

/// The instruction table of the token applet: docs/formats/apdu.md. AID F0 43 41 53 53 50 01 ("CASSP", 1).
///
///   INS  name               class  from           data -> response
///   10   GENERATE KEYS      80     anybody, once  - -> 80 65 P-256 public value, 81 256 ffdhe2048 public value
///   12   PERSONALISE        80     anybody, once  80 root certificate, 81 own certificate -> -
///   14   GET TOKEN INFO     80     anybody        - -> 80 1 applet version, 81 1 kind, [82 own certificate], [83 8 VDID]
///   20   SAC INITIATE       80     anybody        message 1 -> message 2
///   22   SAC AUTHENTICATE   80     anybody        message 3 -> -
///   30   CREATE LICENCE     84     acquisition host    80 16 content id, 81 32 header digest, 82 1 cipher, 83 4 key period, 84 usage rights
///                                                      -> 80 LECM, 81 16 control word
///   32   OPEN LICENCE       84     renderer host       80 LECM, 81 32 header digest, 82 1 cipher, 83 4 key period, 84 8 time, 85 16 play id
///                                                      -> 80 16 control word, 81 usage rights, [82 4 plays left]
///   40   CREATE DOMAIN      84     management host     - -> 80 8 VDID, 81 65 revocation key, 82 IRL header
///   42   ENROL INITIATE     84     management host     80 1 kind, 81 8 time, 82 1 suite -> message 1 for the token
///   44   ENROL AUTHENTICATE 84     management host     message 2 of the token -> message 3 for it
///   46   ENROL ACTIVATE     84     management host     - -> 80 register record, 81 command for the token
///   48   ENROL COMPLETE     84     management host     response of the token with its status word -> 80 register record
///   4A   READ REGISTER      84     management host     P1 0, start: - -> -; P1 1, next: 42 register record -> 26 register entry;
///                                                      P1 2, end: - -> -, or 6985 when the last one shown is not the last one written
///   4C   LAST RECORD        84     management host     - -> 80 8 number of records, [81 42 last record]
///   4E   READ DOMAIN        84     management host     - -> as CREATE DOMAIN has answered
///   50   ACTIVATE           84     progenitor          80 32 domain key, 81 8 VDID, 82 1 kind, 83 65 revocation key, 84 IRL header -> -
///
/// Status words: 6700 length; 6982 the host has no such capability, or no channel; 6983 play count used up; 6984 outside the validity window;
/// 6985 the rights, or the state of the token, do not allow it; 6A80 data or licence damaged; 6A81 not for this kind of token; 6A84 no slot left;
/// 6A86 P1-P2; 6A88 of another domain; 6D00, 6E00. Secure messaging: 6987 missing, 6988 wrong (the channel is closed then).
namespace ins {
inline constexpr std::uint8_t generate_keys = 0x10;
inline constexpr std::uint8_t personalise = 0x12;
inline constexpr std::uint8_t get_token_info = 0x14;
inline constexpr std::uint8_t sac_initiate = 0x20;
inline constexpr std::uint8_t sac_authenticate = 0x22;
inline constexpr std::uint8_t create_licence = 0x30;
inline constexpr std::uint8_t open_licence = 0x32;
inline constexpr std::uint8_t create_domain = 0x40;
inline constexpr std::uint8_t enrol_initiate = 0x42;
inline constexpr std::uint8_t enrol_authenticate = 0x44;
inline constexpr std::uint8_t enrol_activate = 0x46;
inline constexpr std::uint8_t enrol_complete = 0x48;
inline constexpr std::uint8_t read_register = 0x4a;
inline constexpr std::uint8_t last_record = 0x4c;
inline constexpr std::uint8_t read_domain = 0x4e;
inline constexpr std::uint8_t activate = 0x50;
}  // namespace ins

/// P1 of READ REGISTER.
inline constexpr std::uint8_t read_register_start = 0, read_register_next = 1, read_register_end = 2;

inline constexpr std::array<std::uint8_t, 7> token_applet_aid{0xf0, 'C', 'A', 'S', 'S', 'P', 0x01};
inline constexpr std::uint8_t token_applet_version = 1;

namespace sw_token {
inline constexpr card::StatusWord outside_validity = 0x6984;
inline constexpr card::StatusWord wrong_kind = 0x6a81;
}  // namespace sw_token

namespace tag {
inline constexpr TlvTag keys_p256 = 0x80, keys_ffdhe2048 = 0x81;
inline constexpr TlvTag personalise_root = 0x80, personalise_own = 0x81;
inline constexpr TlvTag info_version = 0x80, info_kind = 0x81, info_certificate = 0x82, info_vdid = 0x83;
inline constexpr TlvTag create_content_id = 0x80, create_header_digest = 0x81, create_cipher = 0x82, create_key_period = 0x83, create_rights = 0x84;
inline constexpr TlvTag created_lecm = 0x80, created_control_word = 0x81;
inline constexpr TlvTag open_lecm = 0x80, open_header_digest = 0x81, open_cipher = 0x82, open_key_period = 0x83, open_time = 0x84, open_play_id = 0x85;
inline constexpr TlvTag opened_control_word = 0x80, opened_rights = 0x81, opened_plays_left = 0x82;
inline constexpr TlvTag domain_vdid = 0x80, domain_revocation_key = 0x81, domain_irl_header = 0x82;
inline constexpr TlvTag enrol_kind = 0x80, enrol_time = 0x81, enrol_suite = 0x82;
inline constexpr TlvTag enrolled_record = 0x80, enrolled_command = 0x81;
inline constexpr TlvTag records_count = 0x80, records_last = 0x81;
inline constexpr TlvTag activate_domain_key = 0x80, activate_vdid = 0x81, activate_kind = 0x82, activate_revocation_key = 0x83, activate_irl_header = 0x84;
}  // namespace tag

}  // namespace cas::smartpro
