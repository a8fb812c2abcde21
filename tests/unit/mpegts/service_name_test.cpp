// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mpegts/service_name.hpp"

#include <gtest/gtest.h>

#include "support/result_matchers.hpp"

namespace cas::mpegts {
namespace {

using test::hex;

TEST(ServiceName, ReadsTheTablesOfDvbText) {
  EXPECT_EQ(decode_dvb_text(hex("41524445")), "ARDE");
  EXPECT_EQ(decode_dvb_text(hex("c861")), "ä");         // ISO/IEC 6937: diacritic, then letter
  EXPECT_EQ(decode_dvb_text(hex("05e4")), "ä");         // ISO/IEC 8859-9
  EXPECT_EQ(decode_dvb_text(hex("100001e4")), "ä");     // ISO/IEC 8859-1
  EXPECT_EQ(decode_dvb_text(hex("01b2e2")), "Вт");      // ISO/IEC 8859-5
  EXPECT_EQ(decode_dvb_text(hex("15c3a4")), "ä");       // UTF-8
  EXPECT_EQ(decode_dvb_text(hex("1100e40041")), "äA");  // UCS-2
  EXPECT_EQ(decode_dvb_text({}), "");
  EXPECT_FALSE(decode_dvb_text(hex("0841")));  // reserved
  EXPECT_FALSE(decode_dvb_text(hex("1000")));
}

TEST(ServiceName, LeavesControlCodesAndWhatNobodyKnowsOut) {
  EXPECT_EQ(decode_dvb_text(hex("864187")), "A");  // emphasis on and off
  EXPECT_EQ(decode_dvb_text(hex("15ff41")), "A");
  EXPECT_EQ(decode_dvb_text(hex("154142c3")), "AB");
}

TEST(ServiceName, IsFoundInAServiceDescriptor) {
  EXPECT_EQ(find_service_name(hex("4d0101 4808 01 0141 03 313233 ff")), "123");
  EXPECT_FALSE(find_service_name(hex("4d0101")));
  EXPECT_FALSE(find_service_name(hex("4803 01 0541")));  // The provider's name overruns it.
  EXPECT_FALSE(find_service_name(hex("4805 01 0141 0531")));
  EXPECT_FALSE(find_service_name(hex("480101")));
}

}  // namespace
}  // namespace cas::mpegts
