// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// Downloadable conditional access (DCAS): a secure micro (SM), which runs the client of a CA system, and a transport
/// processor (TP), which descrambles, become a pair when a trusted authority (TA) says so. The SM asks through an
/// authentication proxy (AP) of its network. Read this first; docs/formats/dcas-messages.md has the wire, docs/dcas.md
/// what it protects from.
///
///        TP                     SM                          AP                       TA
///         |<--- TPCertReq ------|                           |                        |
///         |---- TPCertRsp ----->|<------ challenge ---------|<----- challenge -------|
///         |                     |------- KeyRequest ------->|------ KeyRequest ----->|  PairingRegister
///         |<--- CWEKGenInfo ----|<------ KeyResponse -------|<----- KeyResponse -----|
///         |--- CWEKGenInfoCnfm->|                           |                        |
///         |<== control words ===|                           |                        |
///
/// **Parties**: messages in, messages out; no socket and no thread. secure_micro_pairing.hpp, transport_processor.hpp,
/// authentication_proxy.hpp, trusted_authority.hpp. pairing_trigger.hpp: when an SM starts.
///
/// **Messages**: message.hpp is the form of all; certificate_exchange.hpp, key_request.hpp, key_response.hpp,
/// cwek_generation.hpp, challenge.hpp what is in them. control_word_channel.hpp: the words that follow.
///
/// **Keys**: key_schedule.hpp (tables 2 and 3). suite.hpp: the paper's protocol, or the one without its gaps.
///
/// **Identities**: identity.hpp; roles.hpp and credentials.hpp for certificates; certificate_authority.hpp issues them.
#include "dcas/authentication_proxy.hpp"
#include "dcas/certificate_authority.hpp"
#include "dcas/pairing_trigger.hpp"
#include "dcas/secure_micro_pairing.hpp"
#include "dcas/transport_processor.hpp"
#include "dcas/trusted_authority.hpp"
