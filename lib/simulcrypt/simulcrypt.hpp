// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// DVB SimulCrypt (TS 103 197) and its OMA BCAST adaptation: several CA systems guard one stream at once, for each is
/// given the same control words and makes ECMs of them. Read this first; docs/formats/simulcrypt.md has the wire.
///
///     packets' thread              |  network's thread (HeadEndNetwork)      |  elsewhere
///                                  |                                         |
///     Synchroniser <-- EcmSupply <-|- EcmgConnector: EcmgClient  <--- TCP ---|-> EcmgListener: EcmgServer, EcmgSession
///      |   ControlWordSource       |                                         |     EcmGenerator: a CA system
///      v                           |                                         |
///     words, ECMs on the air       |                                         |
///     EMMs on the air <- DataQueue-|- MuxListener: MuxServer,  <-- TCP, UDP -|-> EmmgClient
///                                  |               MuxSession                |
///
/// **Messages.** message.hpp: the TLV form of all interfaces. message_framing.hpp finds messages in the bytes of a
/// connection. grammar.hpp: which messages there are and what each has, as data (ecmg_grammar.cpp, emmg_grammar.cpp),
/// and the checker that holds a message against it. ecmg_messages.hpp, emmg_messages.hpp: messages as structures.
///
/// **Sessions**: bytes and the time in, bytes and events out; no socket, no clock, no thread. ecmg_client.hpp and
/// ecmg_server.hpp: the two ends of ECMG <-> SCS. emmg_client.hpp and mux_server.hpp: those of EMMG/PDG <-> MUX.
/// problem.hpp: what a peer did wrong.
///
/// **Synchroniser** (synchroniser.hpp): where crypto-periods begin, which ECM is asked for when, and when it is on the
/// air (ecm_stream_terms.hpp), all in the time of the stream. control_words.hpp: where its words come from, or else
/// content_key.hpp and key_periods.hpp: keys from outside, and with them where periods begin.
///
/// **Network**, in builds with the daemons' libraries: the sessions over service/. ecm_supply.hpp is what a
/// synchroniser's driver sees of it, data_queue.hpp what a multiplexer's does, and head_end_network.hpp makes both.
#include "simulcrypt/control_words.hpp"
#include "simulcrypt/ecm_supply.hpp"
#include "simulcrypt/ecmg_client.hpp"
#include "simulcrypt/ecmg_server.hpp"
#include "simulcrypt/emmg_client.hpp"
#include "simulcrypt/mux_server.hpp"
#include "simulcrypt/synchroniser.hpp"
