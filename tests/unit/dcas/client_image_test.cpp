// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dcas/client_image.hpp"

#include <gtest/gtest.h>

#include "client_images.hpp"

namespace cas::dcas {
namespace {

using test::value_or_throw;

constexpr std::size_t version_at = 8, header_size_at = 10, certificate_size_at = 12, signature_size_at = 14,
                      header_at = 16;

class ClientImages : public testing::Test {
 protected:
  Result<ClientImage> read(ByteView image, std::size_t piece = 4096, const ImageLimits& limits = {}) {
    ClientImageReader reader(receiver, maker.verifier(), counters, limits);
    for (std::size_t at = 0; at < image.size(); at += piece)
      CAS_TRY(reader.write(image.subspan(at, std::min(piece, image.size() - at))));
    return reader.finish(maker.image_key);
  }
  Result<ClientImage> read() { return read(maker.make()); }

  ImageMaker maker;
  MemoryCounters counters;
  ImageReceiver receiver{"mso-1", "SM-1", {"group-1", "group-2"}, {}};
};

TEST_F(ClientImages, AreReadInPiecesOfAnySize) {
  const Bytes image = maker.make();
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{16}, std::size_t{4096}}) {
    const ClientImage got = value_or_throw(read(image, piece));
    EXPECT_EQ(as_text(got.program.reveal()), maker.program);
    EXPECT_EQ(got.terms.mso, "mso-1");
    EXPECT_EQ(got.terms.ca_system_id, 0xffca);
    EXPECT_EQ(got.terms.version, 5U);
    EXPECT_EQ(got.terms.target, maker.terms.target);
  }
  EXPECT_EQ(as_text(image).find(maker.program), std::string::npos);
}

TEST_F(ClientImages, TermsAreKnownBeforeTheProgramCame) {
  const Bytes image = maker.make();
  ClientImageReader reader(receiver, maker.verifier(), counters);
  ASSERT_OK(reader.write(ByteView(image).first(header_at + 10)));
  EXPECT_FALSE(reader.terms());
  ASSERT_OK(reader.write(ByteView(image).subspan(header_at + 10, image.size() - header_at - 20)));
  ASSERT_TRUE(reader.terms());
  EXPECT_EQ(reader.terms()->version, 5U);
}

TEST_F(ClientImages, OfAnotherSignerAreRefused) {
  EXPECT_FAILS(read(maker.make_by(maker.other_key)), ErrorKind::authentication_failed);
}

// Every byte counts: those of the certificate's and signature's sizes, too.
TEST_F(ClientImages, WithAnyByteChangedAreRefused) {
  const Bytes image = maker.make();
  for (std::size_t at = 0; at < image.size(); ++at) {
    Bytes changed = image;
    changed[at] ^= 0x01;
    EXPECT_FALSE(read(changed)) << at;
  }
}

// Nothing of what is signed is believed before: neither the size of the program, nor for whom it is.
TEST_F(ClientImages, SignatureComesFirst) {
  receiver.device = "SM-2";
  counters.versions[{"mso-1", 0xffca}] = 9;
  EXPECT_FAILS(read(maker.make_by(maker.other_key)), ErrorKind::authentication_failed);
  EXPECT_FAILS(read(), ErrorKind::refused);
}

TEST_F(ClientImages, AreForTheirDeviceOrGroup) {
  maker.terms.target.name = "SM-2";
  EXPECT_FAILS(read(), ErrorKind::refused);
  maker.terms.target = {ImageTarget::Kind::group, "group-2"};
  EXPECT_OK(read());
  maker.terms.target.name = "group-3";
  EXPECT_FAILS(read(), ErrorKind::refused);
  maker.terms.target.name = "SM-1";  // a group that has the name of a device
  EXPECT_FAILS(read(), ErrorKind::refused);
  maker.terms.target = {ImageTarget::Kind::device, "group-1"};
  EXPECT_FAILS(read(), ErrorKind::refused);
}

TEST_F(ClientImages, AreOfThisNetworkAndOfTheSystemThatWasAskedFor) {
  receiver.mso = "mso-2";
  EXPECT_FAILS(read(), ErrorKind::refused);
  receiver.mso = "mso-1";
  receiver.ca_system_id = 0xffcb;
  EXPECT_FAILS(read(), ErrorKind::refused);
  receiver.ca_system_id = 0xffca;
  EXPECT_OK(read());
}

TEST_F(ClientImages, OlderThanWhatHasRunAreRefused) {
  counters.versions[{"mso-1", 0xffca}] = 6;
  EXPECT_FAILS(read(), ErrorKind::outdated);
  counters.versions[{"mso-1", 0xffca}] = 5;  // the one that runs: it is loaded at each start
  EXPECT_OK(read());
  counters.versions = {{{"mso-2", 0xffca}, 9}, {{"mso-1", 0xffcb}, 9}};
  EXPECT_OK(read());
  EXPECT_EQ((counters.versions[{"mso-1", 0xffca}]), 0U);  // to read an image is not to run it
}

TEST_F(ClientImages, ThatAreTornAreToldApart) {
  const Bytes image = maker.make();
  for (std::size_t size = 0; size < image.size(); ++size) {
    EXPECT_FAILS(read(ByteView(image).first(size)), ErrorKind::truncated);
  }
  Bytes longer = image;
  longer.push_back(0);
  EXPECT_FAILS(read(longer), ErrorKind::malformed);
  Bytes damaged = image;
  damaged.back() ^= 1;
  EXPECT_FAILS(read(damaged), ErrorKind::authentication_failed);
}

TEST_F(ClientImages, TakeNoMoreMemoryThanTheyMay) {
  const ImageLimits small{maker.program.size() - 1, 8192};
  EXPECT_FAILS(read(maker.make(), 4096, small), ErrorKind::exhausted);
  EXPECT_FAILS(read(maker.make(), 4096, {1024, 64}), ErrorKind::exhausted);  // the certificate has 65
  const auto with = [&](std::size_t at, std::uint16_t value) {
    Bytes image = maker.make();
    image[at] = static_cast<std::uint8_t>(value >> 8);
    image[at + 1] = static_cast<std::uint8_t>(value);
    return image;
  };
  EXPECT_FAILS(read(with(header_size_at, 1025)), ErrorKind::exhausted);
  EXPECT_FAILS(read(with(header_size_at, 0)), ErrorKind::malformed);
  EXPECT_FAILS(read(with(certificate_size_at, 8193)), ErrorKind::exhausted);
  EXPECT_FAILS(read(with(signature_size_at, 1025)), ErrorKind::exhausted);
  EXPECT_FAILS(read(with(signature_size_at, 0)), ErrorKind::malformed);
  EXPECT_FAILS(read(with(version_at, 2)), ErrorKind::unsupported);
}

TEST_F(ClientImages, OpenUnderTheirKeyAlone) {
  const Bytes image = maker.make();
  maker.image_key.reveal_mutable()[0] ^= 1;
  EXPECT_FAILS(read(image), ErrorKind::authentication_failed);
  maker.image_key = SecretBytes(16);
  EXPECT_FAILS(read(image), ErrorKind::invalid_argument);
}

TEST_F(ClientImages, TheFirstFailureStays) {
  Bytes image = maker.make();
  ClientImageReader reader(receiver, maker.verifier(), counters);
  image[0] ^= 1;
  EXPECT_FAILS(reader.write(image), ErrorKind::malformed);
  image[0] ^= 1;
  EXPECT_FAILS(reader.write(image), ErrorKind::malformed);
  EXPECT_FAILS(reader.finish(maker.image_key), ErrorKind::malformed);
  ClientImageReader once(receiver, maker.verifier(), counters);
  ASSERT_OK(once.write(image));
  EXPECT_OK(once.finish(maker.image_key));
  EXPECT_FAILS(once.finish(maker.image_key), ErrorKind::invalid_argument);
}

TEST_F(ClientImages, AreNotMadeOfWhatNobodyCouldRead) {
  const auto sign = [&](ByteView bytes) { return maker.key.sign(bytes); };
  const auto write = [&](const ImageTerms& terms, std::size_t size) {
    return write_client_image(terms, SecretBytes(size), maker.image_key, {}, sign, maker.random);
  };
  EXPECT_OK(write(maker.terms, 1024 * 1024));
  EXPECT_FAILS(write(maker.terms, 1024 * 1024 + 1), ErrorKind::invalid_argument);
  EXPECT_FAILS(write(maker.terms, 0), ErrorKind::invalid_argument);
  ImageTerms terms = maker.terms;
  terms.mso = "with blank";
  EXPECT_FAILS(write(terms, 1), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::dcas
