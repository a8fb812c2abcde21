// SPDX-License-Identifier: LGPL-2.1-or-later
// For builds without libsrtp.
#include "simulcrypt/bcast/srtp_protection.hpp"

namespace cas::simulcrypt::bcast {

class SrtpSessions {};

namespace {

tl::unexpected<Error> absent() {
  return fail(ErrorKind::unsupported, "This build has no SRTP: build it with libsrtp2 and -Dsrtp=enabled");
}

}  // namespace

bool has_srtp() { return false; }

SrtpProtection::SrtpProtection(std::unique_ptr<SrtpSessions> sessions) : sessions_(std::move(sessions)) {}
SrtpProtection::~SrtpProtection() = default;
SrtpProtection::SrtpProtection(SrtpProtection&&) noexcept = default;
SrtpProtection& SrtpProtection::operator=(SrtpProtection&&) noexcept = default;
Result<SrtpProtection> SrtpProtection::create(const SrtpOptions&) { return absent(); }
Status SrtpProtection::set_tek(const Tek&) { return absent(); }
SrtpResult SrtpProtection::protect(MutableByteView, std::size_t) { return {}; }

SrtpUnprotection::SrtpUnprotection(std::unique_ptr<SrtpSessions> sessions) : sessions_(std::move(sessions)) {}
SrtpUnprotection::~SrtpUnprotection() = default;
SrtpUnprotection::SrtpUnprotection(SrtpUnprotection&&) noexcept = default;
SrtpUnprotection& SrtpUnprotection::operator=(SrtpUnprotection&&) noexcept = default;
Result<SrtpUnprotection> SrtpUnprotection::create(const SrtpOptions&) { return absent(); }
Status SrtpUnprotection::add_tek(const Tek&) { return absent(); }
void SrtpUnprotection::remove_tek(std::uint16_t) {}
void SrtpUnprotection::set_roc(std::uint32_t, std::uint32_t) {}
SrtpResult SrtpUnprotection::unprotect(MutableByteView) { return {}; }

}  // namespace cas::simulcrypt::bcast
