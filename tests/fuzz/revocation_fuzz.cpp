// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdlib>

#include "base/reader.hpp"
#include "smartpro/absence_proof.hpp"
#include "smartpro/list_synchronisation.hpp"
#include "smartpro/revocation_list.hpp"
#include "tests/support/seeded_random.hpp"

namespace {

using namespace cas;
using namespace cas::smartpro;

struct World {
  test::SeededRandom random{1};
  crypto::SigningKey key = *crypto::SigningKey::generate(random);
  Bytes public_key = *key.public_value();
  std::vector<RevokedNumber> numbers = [] {
    std::vector<RevokedNumber> even(200);
    for (std::size_t i = 0; i < even.size(); ++i) even[i] = 2 * i;
    return even;
  }();
  RevokedElements elements = [this] {
    auto builder = *RevokedElementsBuilder::create();
    for (const RevokedNumber number : numbers) (void)builder.add(number);
    return *builder.finish();
  }();
  AbsenceProver prover = *AbsenceProver::create(numbers);
  RevocationKey root_key = to_array<RevocationKey>(public_key);
  std::shared_ptr<HostLists> lists = HostLists::in_memory(root_key);
};

void check_proof(World& world, ByteView bytes) {
  ByteReader reader(bytes);
  const auto number = reader.u16();
  if (!number) return;
  Bytes proof = copy_of(reader.rest());
  // A real proof that the fuzzer only has to change: paths are beyond its guessing.
  if (const auto real = world.prover.prove(*number | 1U); real && proof.size() < real->size()) {
    Bytes changed = *real;
    for (std::size_t i = 0; i < proof.size(); ++i) changed[i] ^= proof[i];
    proof = std::move(changed);
  }
  if (verify_absence(world.elements, *number, proof) && std::ranges::binary_search(world.numbers, *number))
    std::abort();
}

/// What the start of a list says must hold for the whole of it.
void check_preview(World& world, ByteView bytes) {
  const auto preview = world.lists->preview(bytes);
  const auto fresh = HostLists::in_memory(world.root_key);
  const bool taken = fresh->take(bytes).has_value();
  if (taken && (!preview || !*preview || (*preview)->size != bytes.size())) std::abort();
}

}  // namespace

// First byte: what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  const ByteView rest(data + 1, size - 1);
  switch (data[0]) {
    case 0: (void)RevocationHeader::parse_signed(rest, world.public_key); break;
    case 1:
      if (const auto list = RevocationList::parse(rest, world.public_key); list && !equal(list->encode(), rest))
        std::abort();
      break;
    case 2: {
      auto builder = RevokedElementsBuilder::create();
      if (builder->add_payload(rest) && builder->finish()->count * revoked_number_size != rest.size()) std::abort();
      break;
    }
    case 16: check_preview(world, rest); break;
    case 17: (void)confirm_lists(rest, {}, *world.lists); break;
    default: check_proof(world, rest); break;
  }
  return 0;
}
