// SPDX-License-Identifier: LGPL-2.1-or-later
#include "service/http_router.hpp"

#include "tests/unit/service/http_fixture.hpp"

namespace cas::service {
namespace {

class HttpRouterTest : public test::HttpFixture {
 protected:
  void add(const std::string& method, const std::string& pattern) {
    EXPECT_OK(router_.add(method, pattern, [pattern](const HttpRequest& request) {
      return HttpResponse::text(
          200, pattern + ' ' + std::string(request.parameter("a")) + ' ' + std::string(request.parameter("b")));
    }));
  }
  std::string at(const std::string& path) { return ask(request("GET " + path)).body; }
};

TEST_F(HttpRouterTest, LiteralsGoBeforeNames) {
  add("GET", "/");
  add("GET", "/x/{a}");
  add("GET", "/x/list");
  add("GET", "/x/list/all");
  add("GET", "/x/{a}/{b}");
  add("GET", "/x/{b}/last/");
  listen();
  EXPECT_EQ(at("/"), "/  \n");
  EXPECT_EQ(at("/x/1"), "/x/{a} 1 \n");
  EXPECT_EQ(at("/x/list"), "/x/list  \n");
  EXPECT_EQ(at("/x/l%69st"), "/x/list  \n");
  EXPECT_EQ(at("/x/list/all"), "/x/list/all  \n");
  EXPECT_EQ(at("/x/list/2"), "/x/{a}/{b} list 2\n") << "what looks like the literal may be a name after all";
  EXPECT_EQ(at("/x/1/last/"), "/x/{b}/last/  1\n");
  EXPECT_EQ(ask(request("GET /x")).status, 404);
  EXPECT_EQ(ask(request("GET /x/")).status, 404);
  EXPECT_EQ(ask(request("GET /x/1/2/3")).status, 404);
}

TEST_F(HttpRouterTest, EachMethodHasItsHandler) {
  add("GET", "/x");
  add("HEAD", "/x");
  add("POST", "/x");
  listen();
  EXPECT_EQ(ask(request("POST /x")).status, 200);
  EXPECT_EQ(ask(request("PUT /x")).value("Allow"), "GET, HEAD, POST");
}

TEST_F(HttpRouterTest, RoutesThatCannotBe) {
  const auto handler = [](const HttpRequest&) { return HttpResponse(); };
  EXPECT_OK(router_.add("GET", "/x/{a}", handler));
  EXPECT_FAILS(router_.add("GET", "/x/{b}", handler), ErrorKind::invalid_argument);
  for (const char* pattern : {"", "x", "/{", "/{}", "/{a}{b}", "/a{b}", "/{a b}", "/{a}/{a}", "/x?y", "/%20"})
    EXPECT_FAILS(router_.add("GET", pattern, handler), ErrorKind::invalid_argument);
  for (const char* method : {"", "G T", "GET\r\n"})
    EXPECT_FAILS(router_.add(method, "/y", handler), ErrorKind::invalid_argument);
  EXPECT_FAILS(router_.add_deferred("GET", "/x/{c}", [](HttpExchange) {}), ErrorKind::invalid_argument);
}

}  // namespace
}  // namespace cas::service
