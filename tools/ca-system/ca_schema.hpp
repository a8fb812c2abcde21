// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <string_view>

#include "service/store.hpp"

namespace cas::ca_system {

// The tables of a CA system (docs/cas-emmg.md, "What is kept"). Numbers of cards are below 2^63, as SQLite's are; times
// are seconds since 1970. An address is that of EMMs: addressing 130 to all, 131 to a group, 132 to a card, as their
// table_id.
inline constexpr std::array<std::string_view, 1> schema_versions{R"(
CREATE TABLE system (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  super_cas_id INTEGER NOT NULL,
  system_key BLOB NOT NULL CHECK (length(system_key) = 16),
  last_issue INTEGER NOT NULL               -- of an EMM; never goes back
) STRICT;
CREATE TABLE product (
  id INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 65535),
  name TEXT NOT NULL UNIQUE,
  key_period INTEGER NOT NULL CHECK (key_period > 0),
  next_key_id INTEGER NOT NULL CHECK (next_key_id BETWEEN 0 AND 65535)
) STRICT;
CREATE TABLE entitlement_key (
  product INTEGER NOT NULL REFERENCES product (id),
  key_id INTEGER NOT NULL,
  start INTEGER NOT NULL,
  expiry INTEGER NOT NULL CHECK (expiry > start),
  key BLOB NOT NULL CHECK (length(key) = 16),
  PRIMARY KEY (product, key_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE card (
  number INTEGER PRIMARY KEY CHECK (number > 0),
  name TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 16),
  region INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE card_group (
  number INTEGER PRIMARY KEY CHECK (number BETWEEN 1 AND 4294967295),
  name TEXT NOT NULL,
  key BLOB NOT NULL CHECK (length(key) = 16)
) STRICT;
CREATE TABLE membership (
  card INTEGER NOT NULL REFERENCES card (number) ON DELETE CASCADE,
  card_group INTEGER NOT NULL REFERENCES card_group (number),
  PRIMARY KEY (card, card_group)
) STRICT, WITHOUT ROWID;
CREATE TABLE entitlement (                  -- who is to have a product, and until when
  addressing INTEGER NOT NULL,
  number INTEGER NOT NULL,
  product INTEGER NOT NULL REFERENCES product (id),
  until INTEGER NOT NULL,
  PRIMARY KEY (product, addressing, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX entitlement_of ON entitlement (addressing, number);
CREATE INDEX entitlement_end ON entitlement (until);
CREATE TABLE emm (                          -- what the carousel repeats
  issue INTEGER PRIMARY KEY,
  addressing INTEGER NOT NULL,
  number INTEGER NOT NULL,
  product INTEGER NOT NULL,                 -- -1: it personalises
  keys INTEGER,                             -- which keys it grants; NULL: it grants none
  expires INTEGER NOT NULL,
  section BLOB NOT NULL,
  UNIQUE (addressing, number, product)
) STRICT;
CREATE INDEX emm_end ON emm (expires);
)"};

inline service::StoreSchema schema() { return {"the data of the CA system", 0x43415344 /* "CASD" */, schema_versions}; }

}  // namespace cas::ca_system
