// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/durable_file.hpp"
#include "dcas/dcas.hpp"
#include "support/manual_clock.hpp"
#include "support/result_matchers.hpp"
#include "support/seeded_random.hpp"

namespace cas::test {

/// The key of tests/vectors/dcas/NAME.pem.
inline crypto::RsaPrivateKey dcas_key(const std::string& name) {
  const Bytes pem = value_or_throw(read_file(std::string(CAS_VECTORS) + "/dcas/" + name + ".pem", 4096));
  return value_or_throw(crypto::RsaPrivateKey::from_pem(SecretBytes::copy_of(pem), {}));
}

/// A partner that is remembered for as long as the test runs.
struct KeptPartner final : dcas::PartnerMemory {
  Status keep(const dcas::Partner& partner) override {
    ids.push_back(partner.id);
    if (fails) return fail(ErrorKind::io, "the memory is broken");
    return {};
  }
  std::vector<std::string> ids;
  bool fails = false;
};

/// Figure 6 in its shortest form: partners are for good, and who is in the network has to leave first.
struct PairBook final : dcas::PairingRegister {
  struct Device {
    std::string partner;
    bool is_in_network = false;
  };
  std::map<std::string, Device> devices;
  std::map<std::string, crypto::RsaCertificate> proxies;
  std::vector<Request> requests;

  Result<Decision> pair(const Request& request) override {
    requests.push_back(request);
    const auto sm = devices.find(request.sm), tp = devices.find(request.tp);
    if (sm == devices.end() || tp == devices.end()) return fail(ErrorKind::not_found, "no such device");
    Decision decision;
    const bool both_virgin = sm->second.partner.empty() && tp->second.partner.empty();
    const bool both_left = sm->second.partner == request.tp && tp->second.partner == request.sm &&
                           !sm->second.is_in_network && !tp->second.is_in_network;
    if (!both_virgin && !both_left) return decision;
    sm->second = {request.tp, true};
    tp->second = {request.sm, true};
    decision.is_pair = true;
    decision.device_keys = device_keys(request.sm);
    return decision;
  }
  Result<crypto::RsaCertificate> proxy(const std::string& name) override {
    const auto found = proxies.find(name);
    if (found == proxies.end()) return fail(ErrorKind::not_found, "no such proxy");
    return found->second;
  }
  void leave(const std::string& id) {
    devices.at(devices.at(id).partner).is_in_network = devices.at(id).is_in_network = false;
  }
  static SecretBytes device_keys(const std::string& sm) {
    SeededRandom random(sm.size() * 1000 + static_cast<unsigned char>(sm.back()));
    return value_or_throw(random_secret(random, dcas::device_keys_size));
  }
};

/// What went over the wires in one pairing: an attacker may have recorded it.
struct Recording {
  Bytes tp_cert_req, tp_cert_rsp, ap_challenge, sm_request, ta_challenge, ap_request, ta_response, ap_response,
      cwek_gen_info, cwek_gen_info_cnfm;
};

/// A trusted authority with its proxy, in which devices sm-a, sm-b, tp-a and tp-b are registered.
class DcasWorld {
 public:
  explicit DcasWorld(dcas::SuitePolicy policy, bool has_extended_suite = true);

  [[nodiscard]] dcas::Credentials credentials(dcas::PartyKind kind, const std::string& name);
  [[nodiscard]] dcas::SecureMicroPairing secure_micro(const std::string& name) { return secure_micro(name, policy_); }
  [[nodiscard]] dcas::SecureMicroPairing secure_micro(const std::string& name, dcas::SuitePolicy policy);
  [[nodiscard]] dcas::TransportProcessor transport_processor(const std::string& name) {
    return transport_processor(name, policy_);
  }
  [[nodiscard]] dcas::TransportProcessor transport_processor(const std::string& name, dcas::SuitePolicy policy);

  /// The AP's and the TA's part: the SM's request in, the answer to it out.
  [[nodiscard]] Result<Bytes> ask(ByteView sm_request);
  /// The challenge that an SM needs before it asks.
  [[nodiscard]] Bytes challenge() { return value_or_throw(ap().issue_challenge()); }
  /// All steps; the first failure.
  [[nodiscard]] Status pair(dcas::SecureMicroPairing& sm, dcas::TransportProcessor& tp);

  dcas::AuthenticationProxy& ap() { return *ap_; }
  dcas::TrustedAuthority& ta() { return *ta_; }

  ManualClock clock;
  SeededRandom random{1};
  KeptPartner sm_memory, tp_memory;
  PairBook book;
  Recording recording;  ///< Of the last `pair`.

 private:
  dcas::SuitePolicy policy_;
  std::unique_ptr<dcas::CertificateAuthority> authority_;
  std::unique_ptr<dcas::TrustedAuthority> ta_;
  std::unique_ptr<dcas::AuthenticationProxy> ap_;
};

inline dcas::ControlWord some_word(std::uint8_t fill, dcas::WordParity parity = dcas::WordParity::even) {
  return {7, parity, SecretBytes::copy_of(Bytes(16, fill))};
}

}  // namespace cas::test
