// SPDX-License-Identifier: LGPL-2.1-or-later
// Stands in for pcsc_card.cpp and pcsc_context.cpp where libpcsclite was not there at build time.
#include "card/pcsc_card.hpp"
#include "card/reader_list.hpp"

namespace cas::card {

namespace {

tl::unexpected<Error> built_without_pcsc() {
  return fail(ErrorKind::unsupported,
              "this build has no smart card readers: install libpcsclite-dev and build again with -Dpcsc=enabled");
}

}  // namespace

Result<std::shared_ptr<Card>> open_pcsc_card(std::string, Bytes, PcscWaitTimes) { return built_without_pcsc(); }

Result<std::vector<Reader>> list_readers() { return built_without_pcsc(); }

}  // namespace cas::card
