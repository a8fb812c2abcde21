// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kex/uuid.hpp"

namespace cas::kex {

/// What a key server says that it can do (5.2.5, 5.6.2): a document of our own, since CPIX has none for it.
///
///   <kex:Capabilities xmlns:kex="urn:gst-plugins-cas:kex:1" version="1" server="cas-kms 0.1.0" keys="derived">
///     <kex:Protocol name="CPIX" version="2.3"/>
///     <kex:Operation name="ask"/>                       ask, push, rotate
///     <kex:Delivery name="encrypted"/>                  clear, encrypted
///     <kex:Algorithm name="cenc" keyBits="128"/>        schemes, and what else keys are for
///     <kex:Authentication name="Digest"/>               mutual-TLS, Digest, Bearer, none
///     <kex:System systemId="1077efec-..." name="W3C Common PSSH"/>
///     <kex:Limit name="keys" value="200"/>              of a document
///   </kex:Capabilities>
struct Capabilities {
  struct Named {
    std::string name, value;
    bool operator==(const Named&) const = default;
  };
  struct System {
    Uuid system_id;
    std::string name;
    bool operator==(const System&) const = default;
  };
  std::string server;
  std::string keys;  ///< "derived" or "stored".
  std::vector<Named> protocols;
  std::vector<std::string> operations, deliveries;
  std::vector<Named> algorithms;  ///< The value is the size of its keys in bits.
  std::vector<std::string> authentication;
  std::vector<System> systems;
  std::vector<Named> limits;
  bool operator==(const Capabilities&) const = default;

  [[nodiscard]] bool can(std::string_view operation) const;
};

[[nodiscard]] Result<Bytes> write_capabilities(const Capabilities& capabilities);
/// What is not known in it is passed over. ErrorKind::malformed, unsupported for another version, exhausted.
[[nodiscard]] Result<Capabilities> read_capabilities(ByteView bytes);

}  // namespace cas::kex
