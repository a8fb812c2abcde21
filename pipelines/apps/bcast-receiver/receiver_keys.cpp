// SPDX-License-Identifier: LGPL-2.1-or-later
#include "receiver_keys.hpp"

#include <algorithm>
#include <charconv>

#include "base/hex.hpp"
#include "base/pass_phrase.hpp"

namespace cas::apps {

namespace {

using namespace simulcrypt::bcast;

Result<SecretBytes> read_key(const std::string& source) {
  CAS_TRY_ASSIGN(const SecretBytes text, read_pass_phrase(source));
  const ByteView digits = text.reveal();
  auto bytes = from_hex({reinterpret_cast<const char*>(digits.data()), digits.size()}, 32);
  if (!bytes) return fail_in(source, std::move(bytes).error());
  const ScopedCleanse cleanse(*bytes);
  return SecretBytes::copy_of(*bytes);
}

template <typename Number>
Result<Number> read_number(const std::string& text, int base, const char* what) {
  const char* first = text.data();
  if (base == 16 && text.starts_with("0x")) first += 2;
  Number number{};
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return fail(ErrorKind::invalid_argument, std::string(what) + " is not a number: '" + text + "'");
  }
  return number;
}

Result<BcastReceiver> make_smartcard_receiver(const KeyArguments& arguments, Clock& clock) {
  SmartcardSubscription subscription;
  CAS_TRY_ASSIGN(const Bytes domain, from_hex(arguments.key_domain, subscription.key_domain.size()));
  if (domain.size() != subscription.key_domain.size() || arguments.bsm.empty() || arguments.subscriber.empty() ||
      arguments.smk.empty()) {
    return fail(ErrorKind::invalid_argument,
                "The Smartcard Profile takes --smk, --bsm and --subscriber, and --key-domain as 6 hexadecimal digits");
  }
  std::ranges::copy(domain, subscription.key_domain.begin());
  subscription.bsm = arguments.bsm;
  subscription.subscriber = arguments.subscriber;
  CAS_TRY_ASSIGN(subscription.smk, read_key(arguments.smk));
  return BcastReceiver::create_smartcard(std::move(subscription), clock);
}

}  // namespace

Result<BcastReceiver> make_receiver(const KeyArguments& arguments, Clock& clock) {
  const bool for_drm = !arguments.device_id.empty() || !arguments.device_key.empty() || !arguments.domain_key.empty();
  const bool for_smartcard = !arguments.smk.empty() || !arguments.subscriber.empty() || !arguments.key_domain.empty();
  if (for_drm && for_smartcard) {
    return fail(
        ErrorKind::invalid_argument,
        "A receiver is of one profile: --device-id, --device-key and --domain-key are of the DRM Profile, --smk, "
        "--subscriber and --key-domain of the Smartcard Profile");
  }
  if (for_smartcard) return make_smartcard_receiver(arguments, clock);
  CAS_TRY_ASSIGN(const std::uint32_t bsm, read_number<std::uint32_t>(arguments.bsm, 16, "--bsm"));
  std::vector<DrmRecipient> recipients;
  if (!arguments.device_key.empty()) {
    DrmRecipient device;
    CAS_TRY_ASSIGN(device.device_id, read_number<std::uint64_t>(arguments.device_id, 10, "--device-id"));
    CAS_TRY_ASSIGN(device.key, read_key(arguments.device_key));
    recipients.push_back(std::move(device));
  }
  if (!arguments.domain_key.empty()) {
    DrmRecipient domain;
    CAS_TRY_ASSIGN(domain.key, read_key(arguments.domain_key));
    recipients.push_back(std::move(domain));
  }
  if (recipients.empty()) {
    return fail(ErrorKind::invalid_argument,
                "Give the receiver a key: --device-key and --device-id, --domain-key, or --smk (Smartcard Profile)");
  }
  return BcastReceiver::create_drm(bsm, std::move(recipients), clock);
}

}  // namespace cas::apps
