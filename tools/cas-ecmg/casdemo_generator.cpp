// SPDX-License-Identifier: LGPL-2.1-or-later
#include "casdemo_generator.hpp"

#include <algorithm>

namespace cas::ecmg_program {

using simulcrypt::EcmAnswer;
using simulcrypt::EcmOrder;

namespace {

// "Any PID": whoever inserts the packets replaces it. Not that of null packets, which would be thrown away.
constexpr mpegts::Pid any_pid = 0x1ffe;

}  // namespace

Status CasdemoGenerator::set_keys(const std::vector<ca_system::EntitlementKey>& keys) {
  std::unordered_map<casdemo::ProductId, std::vector<Key>> made;
  for (const ca_system::EntitlementKey& key : keys) {
    CAS_TRY_ASSIGN(casdemo::EcmWriter writer, casdemo::EcmWriter::create(key.product, key.id, key.key, *random_));
    made[key.product].push_back({key.start, key.expiry, std::move(writer)});
  }
  for (auto& [id, product] : products_) product.keys.clear();
  for (auto& [id, list] : made) {
    std::ranges::sort(list, {}, &Key::start);
    products_[id].keys = std::move(list);
  }
  return {};
}

tl::expected<ecmg::ChannelParameters, ecmg::Error> CasdemoGenerator::open_channel(std::uint32_t super_cas_id) {
  if (super_cas_id != terms_.super_cas_id) return tl::unexpected(ecmg::Error::unknown_super_cas_id);
  return terms_.parameters;
}

tl::expected<simulcrypt::EcmStreamGrant, ecmg::Error> CasdemoGenerator::open_stream(const simulcrypt::EcmStreamOrder&) {
  Stream stream{{}, nullptr, mpegts::SectionPacketiser(any_pid)};
  if (terms_.default_product) {
    stream.criteria = casdemo::AccessCriteria(*terms_.default_product);
    stream.product = &products_[*terms_.default_product];
  }
  const std::uint64_t handle = next_handle_++;
  streams_.emplace(handle, std::move(stream));
  return simulcrypt::EcmStreamGrant{false, handle, terms_.default_product.has_value()};
}

void CasdemoGenerator::close_stream(std::uint64_t handle) { streams_.erase(handle); }

std::size_t CasdemoGenerator::longest_ecm() const {
  return terms_.parameters.section_tspkt_flag == ecmg::sections
             ? casdemo::max_ecm_size
             : mpegts::packets_for_section(casdemo::max_ecm_size) * mpegts::packet_size;
}

void CasdemoGenerator::take_criteria(Stream& stream, ByteView access_criteria) {
  stream.criteria.reset();
  stream.product = nullptr;
  const auto parsed = casdemo::AccessCriteria::parse(access_criteria);
  if (!parsed) return;
  // A product that is not known may come with the next keys; until then nothing is kept of it, since peers name them.
  const auto product = products_.find(parsed->product());
  stream.criteria = *parsed;
  if (product != products_.end()) stream.product = &product->second;
}

// The newest that has begun: it takes over from one that would last longer.
CasdemoGenerator::Key* CasdemoGenerator::key_in_force(Stream& stream, UnixSeconds now) const {
  auto& keys = stream.product->keys;
  const auto found = std::find_if(keys.rbegin(), keys.rend(), [now](const Key& key) { return key.start <= now; });
  return found == keys.rend() || now >= found->expiry ? nullptr : &*found;
}

tl::expected<std::size_t, ecmg::Error> CasdemoGenerator::write_section(const EcmOrder& order, Stream& stream,
                                                                       MutableByteView out) {
  // No way to encrypt words was agreed on (CW_encryption, TS 103 197, 5.3).
  if (order.cw_encryption || order.words.size() > casdemo::max_ecm_words)
    return tl::unexpected(ecmg::Error::invalid_value);
  if (order.access_criteria_changed) take_criteria(stream, order.access_criteria);
  if (!stream.criteria) return tl::unexpected(ecmg::Error::invalid_value);
  if (stream.product == nullptr) {
    const auto product = products_.find(stream.criteria->product());
    if (product == products_.end()) return tl::unexpected(ecmg::Error::invalid_value);
    stream.product = &product->second;
  }
  const UnixSeconds now = clock_->now();
  Key* key = key_in_force(stream, now);
  if (key == nullptr) return tl::unexpected(no_key_in_force);
  std::array<ByteView, casdemo::max_ecm_words> words;
  for (std::size_t i = 0; i < order.words.size(); ++i) words[i] = order.words[i].word;
  const casdemo::EcmRequest request{order.cp_number, order.words.front().cp_number,
                                    std::span(words).first(order.words.size()), now};
  const auto size = key->writer.write(request, *stream.criteria, out.first<casdemo::max_ecm_size>());
  if (size) return *size;
  return tl::unexpected(size.error().kind == ErrorKind::invalid_argument ? ecmg::Error::invalid_value
                                                                         : ecmg::Error::unknown);
}

EcmAnswer CasdemoGenerator::make_ecm(const EcmOrder& order, MutableByteView out) {
  Stream& stream = streams_.find(order.handle)->second;
  if (terms_.parameters.section_tspkt_flag == ecmg::sections) {
    const auto size = write_section(order, stream, out);
    if (!size) return EcmAnswer::refused(size.error());
    ++ecms_;
    return EcmAnswer::ready(*size);
  }
  std::array<std::uint8_t, casdemo::max_ecm_size> section{};
  const auto size = write_section(order, stream, section);
  if (!size) return EcmAnswer::refused(size.error());
  packets_.clear();
  if (!stream.packetiser.packetise(ByteView(section).first(*size), packets_) || packets_.size() > out.size())
    return EcmAnswer::refused(ecmg::Error::unknown);
  std::ranges::copy(packets_, out.begin());
  ++ecms_;
  return EcmAnswer::ready(packets_.size());
}

}  // namespace cas::ecmg_program
