// SPDX-License-Identifier: LGPL-2.1-or-later
#include "simulcrypt/bcast/sdp.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::simulcrypt::bcast::sdp {
namespace {

const std::string head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=News\r\n";
const std::string video = "m=video 5000 RTP/SAVP 96\r\n";

const std::string whole = head +
                          "i=passed over\r\n"
                          "c=IN IP4 233.252.0.1/32\r\n"
                          "t=0 0\r\n"
                          "a=bcastversion:1.0\r\n"
                          "a=stkmstream:1\r\n"
                          "m=video 5000 RTP/SAVP 96\r\n"
                          "a=rtpmap:96 MP2T/90000\r\n"
                          "a=SRTPAuthentication:3\r\n"
                          "a=SRTPROCTxRate:16\r\n"
                          "m=audio 5002 RTP/SAVP 97\r\n"
                          "c=IN IP6 ff15::1\r\n"
                          "a=stkmstream:2\r\n"
                          "a=stkmstream:9\r\n"
                          "m=data 6000 UDP vnd.oma.bcast.stkm\r\n"
                          "a=fmtp:vnd.oma.bcast.stkm streamid=1;kmstype=oma-bcast-drm-pki; baseCID=x\r\n"
                          "m=data 6002 udp vnd.oma.bcast.stkm\r\n"
                          "c=IN IP4 127.0.0.1\r\n"
                          "a=fmtp:vnd.oma.bcast.stkm streamid=2; kmstype=oma-bcast-gba_u-mbms\r\n";

TEST(BcastSdp, MapsMediaToKeyStreams) {
  const auto service = Service::parse(whole);
  ASSERT_OK(service);
  EXPECT_EQ(service->name, "News");
  EXPECT_EQ(service->version, "1.0");
  EXPECT_EQ(service->connection->ttl, 32);
  ASSERT_EQ(service->media.size(), 2U);
  ASSERT_EQ(service->key_stream_list.size(), 2U);
  const auto of_video = service->key_streams_of(service->media[0]);
  ASSERT_EQ(of_video.size(), 1U);
  EXPECT_EQ(of_video[0]->port, 6000);
  EXPECT_EQ(of_video[0]->profile, Profile::drm);
  EXPECT_EQ(of_video[0]->parameters, "baseCID=x");
  EXPECT_EQ(service->connection_of(of_video[0]->connection)->address, "233.252.0.1");
  // The media's own stkmstream goes before the session's; 9 is not described.
  const auto of_audio = service->key_streams_of(service->media[1]);
  ASSERT_EQ(of_audio.size(), 1U);
  EXPECT_EQ(of_audio[0]->profile, Profile::smartcard);
  EXPECT_EQ(service->connection_of(of_audio[0]->connection)->address, "127.0.0.1");
  EXPECT_TRUE(service->connection_of(service->media[1].connection)->is_ipv6);
  EXPECT_EQ(service->media[0].attributes, std::vector<std::string>{"rtpmap:96 MP2T/90000"});
}

TEST(BcastSdp, WritesWhatItReads) {
  const auto service = Service::parse(whole);
  ASSERT_OK(service);
  const auto written = service->write();
  ASSERT_OK(written);
  EXPECT_EQ(*Service::parse(*written), *service);
  EXPECT_NE(written->find("a=stkmstream:9\r\n"), std::string::npos);
  Service changed = *service;
  changed.name = "two\r\nlines";
  EXPECT_FAILS(changed.write(), ErrorKind::invalid_argument);
  changed = *service;
  changed.media[0].attributes.push_back("stkmstream:3");
  EXPECT_FAILS(changed.write(), ErrorKind::invalid_argument);
  changed = *service;
  changed.key_stream_list[0].id = 2;
  EXPECT_FAILS(changed.write(), ErrorKind::invalid_argument);
}

TEST(BcastSdp, TakesLinesThatEndWithLfAlone) {
  std::string text = whole;
  std::erase(text, '\r');
  EXPECT_EQ(*Service::parse(text), *Service::parse(whole));
}

TEST(BcastSdp, RefusesWhatIsNone) {
  const std::string connection = "c=IN IP4 127.0.0.1\n";
  const auto refused = [](const std::string& text, ErrorKind kind = ErrorKind::malformed) {
    EXPECT_FAILS(Service::parse(text), kind);
  };
  ASSERT_OK(Service::parse(head + connection + video));
  refused("");
  refused("v=1\no=-\ns=-\n");
  refused("o=-\nv=0\ns=-\n");
  refused("v=0\ns=-\n");
  refused("v=0\no=-\n");
  refused(head + "s=again\n");
  refused(head + "x\n");
  refused(head + "xyz\n");
  refused(head + "\n" + connection);
  refused(head + std::string("i=\x01") + "\n");
  refused(head + std::string("i=a\0b\n", 6));
  refused(head + video);  // no connection
  refused(head + connection + connection + video);
  refused(head + "c=IN IP5 127.0.0.1\n");
  refused(head + "c=IN IP4 example.org\n", ErrorKind::unsupported);
  refused(head + "c=IN IP6 127.0.0.1\n", ErrorKind::unsupported);
  refused(head + "c=IN IP4 127.0.0.1/256\n");
  refused(head + "c=IN IP6 ::1/3\n");
  refused(head + connection + "m=video 0 RTP/SAVP 96\n");
  refused(head + connection + "m=video 65536 RTP/SAVP 96\n");
  refused(head + connection + "m=video 5000/2 RTP/SAVP 96\n");
  refused(head + connection + "m=video 5000 RTP/SAVP\n");
  refused(head + connection + "m=video 5000 RTP/SAVP 96  97\n");
  for (const char* wrong : {"stkmstream:0", "stkmstream:65536", "stkmstream:", "stkmstream:x", "SRTPAuthentication:1",
                            "SRTPAuthentication:5", "SRTPROCTxRate:0", "SRTPROCTxRate:65536"}) {
    refused(head + connection + video + "a=" + wrong + "\n");
  }
  refused(head + connection + video + "a=stkmstream:1\na=stkmstream:1\n");
  refused(head + "a=bcastversion:1\n");
  refused(head + "a=stkmstream:0\n");
  const std::string key_stream = "m=data 6000 UDP vnd.oma.bcast.stkm\na=fmtp:vnd.oma.bcast.stkm ";
  ASSERT_OK(Service::parse(head + connection + key_stream + "streamid=1; kmstype=oma-bcast-drm-pki\n"));
  refused(head + connection + key_stream + "streamid=0; kmstype=oma-bcast-drm-pki\n");
  refused(head + connection + key_stream + "streamid=1\n");
  refused(head + connection + key_stream + "kmstype=oma-bcast-drm-pki\n");
  refused(head + connection + key_stream + "streamid=1; kmstype=other\n", ErrorKind::unsupported);
  refused(head + connection + key_stream + "streamid=1; kmstype=oma-bcast-drm-pki\n" + key_stream +
          "streamid=1; kmstype=oma-bcast-drm-pki\n");
}

TEST(BcastSdp, HasLimits) {
  const auto repeated = [](std::size_t count, const std::string& text) {
    std::string all;
    for (std::size_t i = 0; i < count; ++i) all += text;
    return all;
  };
  const std::string start = head + "c=IN IP4 127.0.0.1\n";
  EXPECT_OK(Service::parse(start + repeated(max_media, video)));
  EXPECT_FAILS(Service::parse(start + repeated(max_media + 1, video)), ErrorKind::exhausted);
  EXPECT_OK(Service::parse(start + video + repeated(max_attributes, "a=x\n")));
  EXPECT_FAILS(Service::parse(start + video + repeated(max_attributes + 1, "a=x\n")), ErrorKind::exhausted);
  EXPECT_FAILS(Service::parse(start + "m=video 5000 RTP/SAVP" + repeated(max_attributes + 1, " 96") + "\n"),
               ErrorKind::exhausted);
  std::string ids;
  for (std::size_t i = 1; i <= max_key_streams; ++i) ids += "a=stkmstream:" + std::to_string(i) + "\n";
  EXPECT_OK(Service::parse(start + ids));
  EXPECT_FAILS(Service::parse(start + ids + "a=stkmstream:99\n"), ErrorKind::exhausted);
  EXPECT_FAILS(Service::parse(start + "i=" + std::string(max_line_size, 'x')), ErrorKind::exhausted);
  EXPECT_FAILS(Service::parse(start + repeated(max_size / 4, "i=x\n")), ErrorKind::exhausted);
}

TEST(BcastSdp, SaysHowAMediaIsProtected) {
  Media media;
  media.protocol = "RTP/SAVP";
  EXPECT_EQ(srtp_options_of(media)->roc_carriage, RocCarriage::none);
  media.srtp_authentication = 3;
  EXPECT_EQ(srtp_options_of(media)->roc_carriage, RocCarriage::mode_2);
  EXPECT_EQ(srtp_options_of(media)->roc_rate, 1);
  media.srtp_authentication = 2;
  EXPECT_OK(srtp_options_of(media));
  media.roc_rate = 2;
  EXPECT_FAILS(srtp_options_of(media), ErrorKind::unsupported);  // RCCm1: one of two packets is authenticated
  media.srtp_authentication = 4;
  EXPECT_FAILS(srtp_options_of(media), ErrorKind::unsupported);
  media.srtp_authentication = 3;
  media.attributes = {"x-cas-srtp-suite:AEAD_AES_128_GCM"};
  EXPECT_FAILS(srtp_options_of(media), ErrorKind::unsupported);
  media.srtp_authentication.reset();
  EXPECT_EQ(srtp_options_of(media)->suite, SrtpSuite::aead_aes_128_gcm);
  media.attributes = {"x-cas-srtp-suite:NULL"};
  EXPECT_FAILS(srtp_options_of(media), ErrorKind::unsupported);
  media.protocol = "RTP/AVP";
  EXPECT_FAILS(srtp_options_of(media), ErrorKind::unsupported);
  SrtpOptions options;
  options.roc_carriage = RocCarriage::mode_2;
  options.roc_rate = 7;
  set_srtp_options(media, options);
  EXPECT_EQ(srtp_options_of(media)->roc_rate, 7);
  options = {};
  options.suite = SrtpSuite::aead_aes_128_gcm;
  set_srtp_options(media, options);
  EXPECT_EQ(srtp_options_of(media)->suite, SrtpSuite::aead_aes_128_gcm);
}

}  // namespace
}  // namespace cas::simulcrypt::bcast::sdp
