// SPDX-License-Identifier: LGPL-2.1-or-later
#include "smartpro/licence.hpp"

#include <gtest/gtest.h>

#include "base/tlv.hpp"
#include "crypto/constant_time.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/seeded_random.hpp"
#include "tests/support/test_system.hpp"

namespace cas::smartpro {
namespace {

using test::value_or_throw;

class Licence : public testing::Test {
 protected:
  test::SeededRandom random{5};
  SecretBytes domain_key = value_or_throw(random_secret(random, domain_key_size));
  SecretBytes control_word = value_or_throw(random_secret(random, control_word_size));
  LicenceTerms terms = [this] {
    LicenceTerms made;
    made.vdid = {1, 2, 3, 4, 5, 6, 7, 8};
    made.content_id.fill(0x11);
    value_or_throw(random.fill(made.licence_id));
    made.issuer = 0x1122334455667788;
    made.key_period = 9;
    made.header_digest.fill(0x33);
    made.rights.play_count = 4;
    return made;
  }();
  Bytes lecm = value_or_throw(seal_licence(domain_key, terms, control_word));
};

TEST_F(Licence, OpensWithTheDomainKey) {
  const auto view = LicenceView::parse(lecm);
  ASSERT_OK(view);
  EXPECT_EQ(view->vdid, terms.vdid);
  EXPECT_EQ(view->issuer, terms.issuer);
  EXPECT_EQ(view->key_period, 9U);
  ASSERT_TRUE(view->summary);
  EXPECT_EQ(*view->summary, terms.rights);
  const auto unsealed = unseal_licence(domain_key, *view);
  ASSERT_OK(unsealed);
  EXPECT_TRUE(crypto::constant_time_equal(unsealed->control_word.reveal(), control_word.reveal()));
  EXPECT_EQ(unsealed->terms.rights, terms.rights);
  EXPECT_EQ(unsealed->terms.header_digest, terms.header_digest);
}

TEST_F(Licence, HasAWordOfTheCiphersSize) {
  for (std::size_t size = 0; size <= 33; ++size) {
    for (const ContentCipher cipher :
         {ContentCipher::aes_128_gcm, ContentCipher::aes_128_ctr, ContentCipher::transport_stream}) {
      terms.cipher = cipher;
      const bool fits = size == 16 || (size == 8 && cipher == ContentCipher::transport_stream);
      const SecretBytes word = SecretBytes::copy_of(Bytes(size, 0xcc));
      const auto sealed = seal_licence(domain_key, terms, word);
      ASSERT_EQ(sealed.has_value(), fits) << size;
      if (!fits) continue;
      const LicenceView view = value_or_throw(LicenceView::parse(*sealed));
      EXPECT_EQ(view.cipher, cipher);
      EXPECT_TRUE(crypto::constant_time_equal(value_or_throw(unseal_licence(domain_key, view)).control_word.reveal(),
                                              word.reveal()));
    }
  }
}

TEST_F(Licence, OfAFileWithAShortWordIsNone) {
  // As only a token that is not ours would make it: a stream's licence under the right MAC, told to be a file's.
  terms.cipher = ContentCipher::transport_stream;
  const Bytes sealed = value_or_throw(seal_licence(domain_key, terms, SecretBytes(8)));
  LicenceView view = value_or_throw(LicenceView::parse(sealed));
  EXPECT_OK(unseal_licence(domain_key, view));
  view.cipher = ContentCipher::aes_128_gcm;
  EXPECT_FAILS(unseal_licence(domain_key, view), ErrorKind::malformed);
}

TEST_F(Licence, HoldsNoControlWordInClear) {
  for (std::size_t at = 0; at + control_word_size <= lecm.size(); ++at)
    EXPECT_FALSE(equal(ByteView(lecm).subspan(at, control_word_size), control_word.reveal()));
}

TEST_F(Licence, TwoLicencesOfOneControlWordShareNoKeyStream) {
  LicenceTerms other = terms;
  value_or_throw(random.fill(other.licence_id));
  const Bytes second = value_or_throw(seal_licence(domain_key, other, control_word));
  EXPECT_FALSE(equal(value_or_throw(LicenceView::parse(lecm)).encrypted_part,
                     value_or_throw(LicenceView::parse(second)).encrypted_part));
}

TEST_F(Licence, AnotherDomainKeyDoesNotOpenIt) {
  const SecretBytes other = value_or_throw(random_secret(random, domain_key_size));
  EXPECT_FAILS(unseal_licence(other, value_or_throw(LicenceView::parse(lecm))), ErrorKind::authentication_failed);
}

TEST_F(Licence, EveryChangedBitIsFound) {
  for (std::size_t bit = 0; bit < lecm.size() * 8; ++bit) {
    Bytes changed = lecm;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const auto view = LicenceView::parse(changed);
    if (view) {
      EXPECT_FALSE(unseal_licence(domain_key, *view).has_value()) << "bit " << bit;
    }
  }
}

TEST_F(Licence, EveryCutIsFound) {
  for (std::size_t size = 0; size < lecm.size(); ++size)
    EXPECT_FALSE(LicenceView::parse(ByteView(lecm).first(size)).has_value()) << size;
}

TEST_F(Licence, NothingMayFollowTheMac) {
  Bytes longer = lecm;
  append(longer, test::hex("c9 01 00"));
  EXPECT_FAILS(LicenceView::parse(longer), ErrorKind::malformed);
}

TEST_F(Licence, TooLongIsRefusedBeforeItIsRead) {
  // Sound in all else: an optional field of a later version (C9) stands before the MAC, which parsing does not check.
  const auto with_field_of = [this](std::size_t size) {
    TlvWriter field;
    field.field(0xc9, Bytes(size));
    Bytes longer = lecm;
    longer.insert(longer.end() - static_cast<std::ptrdiff_t>(tlv_header(0x8f, 16).size() + 16), field.view().begin(),
                  field.view().end());
    return longer;
  };
  const std::size_t fits = max_lecm_size - lecm.size() - tlv_header(0xc9, max_lecm_size).size();
  EXPECT_OK(LicenceView::parse(with_field_of(fits)));
  EXPECT_FAILS(LicenceView::parse(with_field_of(fits + 1)), ErrorKind::malformed);
}

TEST_F(Licence, OtherVersionsAreRefused) {
  Bytes later = lecm;
  ASSERT_EQ(later[0], 0x80);
  later[2] = 2;
  EXPECT_FAILS(LicenceView::parse(later), ErrorKind::unsupported);
}

TEST_F(Licence, TheSealerRefusesAWrongControlWord) {
  EXPECT_FAILS(seal_licence(domain_key, terms, SecretBytes(15)), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::smartpro
