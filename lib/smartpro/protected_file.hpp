// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

/// The protected file, `application/x-smartpro`; its page is docs/formats/smartpro-file.md.
///
///   preamble  32 bytes: what this is, and how long the next two parts are        file_header.hpp
///   header    TLV: file id, content id, cipher, segment size, ...                file_header.hpp
///   then for each key period (one for the whole file, when the header names no period):
///     licence slot   the licence (LECM) of the period, padded to a fixed size    licence_slot.hpp
///     segments       content in pieces of a fixed size, each scrambled alone     segment_cipher.hpp
///
/// Everything has a fixed size but the last segment, so the place of each content byte is computed (file_layout.hpp),
/// the file is written in one pass to a sink that cannot seek, and read at any offset (protected_reader.hpp).
///
/// A writer:  FileHeader -> encode(), digest() -> a licence for that digest -> encode_licence_slot() -> SegmentCipher::seal() for
///            one segment after the other. It holds a full segment back until it knows whether another byte comes, since the
///            last segment is sealed as the last. Content that ends with a full segment has no empty segment behind it.
/// A reader:  ProtectedReader; or, of a stream without an end in sight, Preamble, ReadHeader, parse_licence_slot(),
///            SegmentCipher::open(), and open_either() for the full segment at which the stream ended.

#include "smartpro/file_header.hpp"
#include "smartpro/file_layout.hpp"
#include "smartpro/licence_slot.hpp"
#include "smartpro/segment_cipher.hpp"
