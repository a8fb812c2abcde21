// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/bridge_keys.hpp"

#include <algorithm>

#include "base/writer.hpp"
#include "crypto/aes.hpp"
#include "crypto/kdf.hpp"

namespace cas::smartpro {

namespace {

constexpr std::size_t kek_size = 32;

/// E{master key}(block): what a device key is.
Result<SecretBytes> device_key(const SecretBytes& master_key, ByteView block) {
  if (master_key.size() != bridge_master_key_size)
    return fail(ErrorKind::invalid_argument, "a master key of bridging has 32 bytes");
  return crypto::aes_encrypt_block(master_key, block.first<crypto::aes_block_size>());
}

Result<SecretBytes> key_encryption_key(const SecretBytes& bridge_key, const BridgeContext& context,
                                       TransferDirection direction) {
  if (bridge_key.size() != bridge_key_size) return fail(ErrorKind::invalid_argument, "a bridge key has 32 bytes");
  ByteWriter bound;
  bound.bytes(context.licence_id)
      .bytes(context.source)
      .u64(context.master_bridge)
      .u64(context.simple_bridge)
      .u32(context.index)
      .bytes(context.destination);
  // A key of each direction: what was made for one says nothing in the other.
  const char* label = direction == TransferDirection::to_simple_bridge ? "SmartPRO CDI" : "SmartPRO return CDI";
  return crypto::kbkdf_cmac(bridge_key, label, bound.view(), kek_size);
}

}  // namespace

Result<SecretBytes> master_bridge_key(const SecretBytes& mkmb, SerialNumber master_bridge) {
  ByteWriter block;
  block.u64(master_bridge).zeros(8);
  return device_key(mkmb, block.view());
}

Result<SecretBytes> simple_bridge_key(const SecretBytes& mksb, SerialNumber simple_bridge, std::uint32_t index) {
  ByteWriter block;
  block.u64(simple_bridge).u32(index).zeros(4);
  return device_key(mksb, block.view());
}

Result<SecretBytes> bridge_key(const SecretBytes& dkmb, const SecretBytes& dksb) {
  if (dkmb.size() != bridge_device_key_size || dksb.size() != bridge_device_key_size)
    return fail(ErrorKind::invalid_argument, "a device key of bridging has 16 bytes");
  SecretBytes key(bridge_key_size);
  std::ranges::copy(dkmb.reveal(), key.reveal_mutable().begin());
  std::ranges::copy(dksb.reveal(), key.reveal_mutable().begin() + bridge_device_key_size);
  return key;
}

Result<WrappedTransferKey> wrap_transfer_key(const SecretBytes& bridge_key, const BridgeContext& context,
                                             TransferDirection direction, const SecretBytes& transfer_key) {
  if (transfer_key.size() != transfer_key_size) return fail(ErrorKind::invalid_argument, "a transfer key has 32 bytes");
  CAS_TRY_ASSIGN(const SecretBytes kek, key_encryption_key(bridge_key, context, direction));
  CAS_TRY_ASSIGN(const Bytes wrapped, crypto::aes_key_wrap(kek, transfer_key));
  return to_array<WrappedTransferKey>(wrapped);
}

Result<SecretBytes> unwrap_transfer_key(const SecretBytes& bridge_key, const BridgeContext& context,
                                        TransferDirection direction, const WrappedTransferKey& wrapped) {
  CAS_TRY_ASSIGN(const SecretBytes kek, key_encryption_key(bridge_key, context, direction));
  return crypto::aes_key_unwrap(kek, wrapped);
}

}  // namespace cas::smartpro
