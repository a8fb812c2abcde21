// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstdint>

#include "base/tlv.hpp"
#include "card/apdu.hpp"

namespace cas::smartpro {

/// Instructions of the token applet, which has the AID F0 43 41 53 53 50 01 ("CASSP", 1). Who may give which, their
/// data, responses and status words: docs/formats/smartpro-token.md, which a test keeps in step with this list.
namespace ins {
inline constexpr std::uint8_t generate_keys = 0x10;
inline constexpr std::uint8_t personalise = 0x12;
inline constexpr std::uint8_t get_token_info = 0x14;
inline constexpr std::uint8_t list_status = 0x16;
inline constexpr std::uint8_t update_list = 0x18;
inline constexpr std::uint8_t check_list = 0x1a;
inline constexpr std::uint8_t sac_initiate = 0x20;
inline constexpr std::uint8_t sac_authenticate = 0x22;
inline constexpr std::uint8_t create_licence = 0x30;
inline constexpr std::uint8_t open_licence = 0x32;
inline constexpr std::uint8_t reissue_licence = 0x34;
inline constexpr std::uint8_t create_domain = 0x40;
inline constexpr std::uint8_t run_initiate = 0x42;
inline constexpr std::uint8_t run_authenticate = 0x44;
inline constexpr std::uint8_t run_command = 0x46;
inline constexpr std::uint8_t run_complete = 0x48;
inline constexpr std::uint8_t read_register = 0x4a;
inline constexpr std::uint8_t last_record = 0x4c;
inline constexpr std::uint8_t read_domain = 0x4e;
inline constexpr std::uint8_t activate = 0x50;
inline constexpr std::uint8_t deactivate = 0x52;
inline constexpr std::uint8_t register_bridge = 0x54;
inline constexpr std::uint8_t restore = 0x56;
inline constexpr std::uint8_t revoke_token = 0x70;
inline constexpr std::uint8_t revise_mask = 0x72;
inline constexpr std::uint8_t take_over = 0x74;
inline constexpr std::uint8_t roll_domain = 0x76;
inline constexpr std::uint8_t reissue_old_licence = 0x78;
inline constexpr std::uint8_t mask_status = 0x80;
inline constexpr std::uint8_t update_mask = 0x82;
inline constexpr std::uint8_t admit_bridge = 0x84;
inline constexpr std::uint8_t show_mask = 0x86;
inline constexpr std::uint8_t send_licence = 0x88;
inline constexpr std::uint8_t take_back_licence = 0x8a;
inline constexpr std::uint8_t receive_licence = 0x8c;
inline constexpr std::uint8_t return_licence = 0x8e;
}  // namespace ins

/// P1 of CHECK LIST.
inline constexpr std::uint8_t check_list_start = 0, check_list_part = 1, check_list_last_part = 2, check_list_proof = 3;

/// P1 of SHOW MASK.
inline constexpr std::uint8_t show_mask_part = 1, show_mask_last_part = 2;

/// P1 of READ REGISTER and TAKE OVER.
inline constexpr std::uint8_t read_register_start = 0, read_register_next = 1, read_register_end = 2;

/// P1 of REVOKE TOKEN and REVISE MASK: what is to be done, then the parts of what stands now.
inline constexpr std::uint8_t revise_start = 0, revise_part = 1, revise_last_part = 2;

/// What a progenitor wants of another token, to which it opens a channel of its own that the TMC relays. The values
/// stand on the wire.
enum class RunPurpose : std::uint8_t {
  activate = 1,         ///< Bring it into the domain.
  deactivate = 2,       ///< Make it forget the domain.
  register_bridge = 3,  ///< Give a simple bridge of another domain the keys to receive from this one.
  back_up = 4,          ///< Give another progenitor token all secrets.
};

inline constexpr std::array<std::uint8_t, 7> token_applet_aid{0xf0, 'C', 'A', 'S', 'S', 'P', 0x01};
inline constexpr std::uint8_t token_applet_version = 1;

namespace sw_token {
inline constexpr card::StatusWord outside_validity = 0x6984;
inline constexpr card::StatusWord wrong_kind = 0x6a81;
/// Proprietary: ISO/IEC 7816-4 gives 69Fx no meaning.
inline constexpr card::StatusWord revoked = 0x69f1;
inline constexpr card::StatusWord outdated = 0x69f2;
}  // namespace sw_token

namespace tag {
inline constexpr TlvTag keys_p256 = 0x80, keys_ffdhe2048 = 0x81;
inline constexpr TlvTag personalise_root = 0x80, personalise_own = 0x81, personalise_revocation_key = 0x82;
inline constexpr TlvTag info_version = 0x80, info_kind = 0x81, info_certificate = 0x82, info_vdid = 0x83;
inline constexpr TlvTag lists_external_header = 0x80, lists_internal_header = 0x81, lists_revocation_key = 0x82,
                        lists_state = 0x83;
inline constexpr TlvTag list_question = 0x88;
inline constexpr TlvTag create_content_id = 0x80, create_header_digest = 0x81, create_cipher = 0x82,
                        create_key_period = 0x83, create_rights = 0x84, create_control_word = 0x85;
inline constexpr TlvTag created_lecm = 0x80, created_control_word = 0x81;
inline constexpr TlvTag reissue_lecm = 0x80, reissue_header_digest = 0x81, reissue_cipher = 0x82,
                        reissue_key_period = 0x83, reissue_time = 0x84, reissue_rights = 0x85;
inline constexpr TlvTag open_lecm = 0x80, open_header_digest = 0x81, open_cipher = 0x82, open_key_period = 0x83,
                        open_time = 0x84, open_play_id = 0x85;
inline constexpr TlvTag opened_control_word = 0x80, opened_rights = 0x81, opened_plays_left = 0x82;
inline constexpr TlvTag domain_vdid = 0x80, domain_revocation_key = 0x81, domain_irl_header = 0x82,
                        domain_mask_header = 0x83, domain_next_index = 0x84, domain_generation = 0x85,
                        domain_dormant = 0x86;
inline constexpr TlvTag run_purpose = 0x80, run_time = 0x81, run_suite = 0x82, run_kind = 0x83, run_vdid = 0x84;
inline constexpr TlvTag run_record = 0x80, run_wrapped_command = 0x81, run_bridge_record = 0x82;
inline constexpr TlvTag revoke_serial = 0x80, revoke_time = 0x81;
inline constexpr TlvTag revise_index = 0x80, revise_time = 0x81, revise_value = 0x82;
inline constexpr TlvTag revised_record = 0x80, revised_header = 0x81;
inline constexpr TlvTag take_over_time = 0x80, take_over_mask_header = 0x81;
inline constexpr TlvTag roll_time = 0x80;
inline constexpr TlvTag reissue_old_lecm = 0x80;
inline constexpr TlvTag records_count = 0x80, records_last = 0x81;
inline constexpr TlvTag activate_domain_key = 0x80, activate_vdid = 0x81, activate_kind = 0x82,
                        activate_revocation_key = 0x83, activate_irl_header = 0x84;
/// Of a master bridge alone: MKSB (32) || DKMB (16), and the signed header of the authorisation mask.
inline constexpr TlvTag activate_bridge_keys = 0x85, activate_mask_header = 0x86;
inline constexpr TlvTag deactivate_signature = 0x80;
inline constexpr TlvTag register_source = 0x80, register_mkmb = 0x81, register_dksb = 0x82, register_index = 0x83,
                        register_destination = 0x84;
inline constexpr TlvTag mask_header = 0x80;
/// SEND LICENCE and RETURN LICENCE; the content's digest, cipher, key period and time have tags 81 to 84.
inline constexpr TlvTag outgoing_lecm = 0x80, outgoing_content = 0x81, outgoing_rights = 0x85,
                        outgoing_destinations = 0x86;
/// TAKE BACK LICENCE and RECEIVE LICENCE; the content's digest, cipher, key period and time have tags 82 to 85.
inline constexpr TlvTag incoming_lecm = 0x80, incoming_cdi = 0x81, incoming_content = 0x82;
/// What they answer: the licence; a transfer licence has its CDIs behind it.
inline constexpr TlvTag converted_lecm = 0x80, converted_cdi = 0x81;
}  // namespace tag

}  // namespace cas::smartpro
