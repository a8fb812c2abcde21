// SPDX-License-Identifier: LGPL-2.1-or-later
#include <cstdlib>

#include "smartpro/authorisation_mask.hpp"
#include "smartpro/bridge_record.hpp"
#include "smartpro/transfer_package.hpp"
#include "tests/support/seeded_random.hpp"

namespace {

using namespace cas;
using namespace cas::smartpro;

/// A mask in parts, as a token sees it pass: what is found does not depend on how it was cut.
void search_mask(ByteView bits) {
  if (bits.size() < 2) return;
  const std::uint32_t indices[] = {1, std::uint32_t{bits[0]} + 1, std::uint32_t{bits[1]} * 8 + 7};
  const std::size_t cut = bits[0] % bits.size();
  MaskHeader header;
  header.bits = static_cast<std::uint32_t>(bits.size() * 8);
  header.digest = *crypto::sha256(bits);
  auto whole = *MaskSearch::create(indices);
  auto parts = *MaskSearch::create(indices);
  if (!whole.add(bits) || !parts.add(bits.first(cut)) || !parts.add(bits.subspan(cut))) return;
  const auto found = whole.finish(header);
  const auto again = parts.finish(header);
  if (!found || !again || *found != *again) std::abort();
  for (std::size_t i = 0; i < 3; ++i) {
    const std::size_t byte = indices[i] / 8;
    if ((*found)[i] != (byte < bits.size() && (bits[byte] & 0x80U >> indices[i] % 8) != 0)) std::abort();
  }
}

/// What comes out for one key never opens under another: nobody but the bridges of a pair makes a CDI.
void open_cdi(ByteView bytes) {
  const auto cdi = Cdi::parse(bytes);
  if (!cdi) return;
  const auto again = Cdi::parse(cdi->encode());
  if (!again || *again != *cdi) std::abort();
  static test::SeededRandom random(1);
  static const SecretBytes key = *random_secret(random, bridge_key_size);
  const BridgeContext context{{}, {}, 1, cdi->simple_bridge, cdi->index, cdi->destination};
  if (unwrap_transfer_key(key, context, TransferDirection::to_simple_bridge, cdi->wrapped_key)) std::abort();
}

void read_package(ByteView bytes) {
  const auto package = TransferPackage::parse(bytes);
  if (!package) return;
  if (!TransferPackage::is_one(bytes) || package->cdis.empty() || package->cdis.size() > max_package_destinations)
    std::abort();
  const auto again = TransferPackage::parse(package->encode());
  if (!again || again->lecm != package->lecm || again->cdis != package->cdis) std::abort();
}

void read_licence(ByteView bytes) {
  const auto view = LicenceView::parse(bytes);
  if (view && view->origins.size() > max_licence_origins) std::abort();
}

}  // namespace

// First byte: what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0]) {
    case 0: open_cdi(rest); break;
    case 1: read_package(rest); break;
    case 2:
      if (const auto mask = AuthorisationMask::parse(rest); mask && !equal(mask->encode(), rest)) std::abort();
      break;
    case 3: (void)BridgeRecord::parse(rest); break;
    case 4: read_licence(rest); break;
    default: search_mask(rest); break;
  }
  return 0;
}
