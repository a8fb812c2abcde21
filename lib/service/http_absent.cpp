// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_client.hpp"

namespace cas::service {

bool http_is_supported() { return false; }

Result<HttpAnswer> http_get(const HttpGet& request, std::stop_token) {
  return fail(ErrorKind::unsupported, "cannot get " + url_for_people(request.url) +
                                          ": this build speaks no HTTP (it was made without libcurl)");
}

}  // namespace cas::service
