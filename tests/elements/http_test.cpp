// SPDX-License-Identifier: LGPL-2.1-or-later
// Protected files from a web server.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "element_test.hpp"

namespace cas::test {
namespace {

/// range_server.py over the usual system's folder, for as long as the object lives.
class WebServer {
 public:
  explicit WebServer(const char* option = nullptr) {
    int to_server[2];
    int from_server[2];
    if (pipe(to_server) != 0 || pipe(from_server) != 0) throw std::runtime_error("no pipes");
    const std::string folder = usual_system().folder().string();
    process_ = fork();
    if (process_ == 0) {
      dup2(to_server[0], STDIN_FILENO);
      dup2(from_server[1], STDOUT_FILENO);
      for (const int end : {to_server[0], to_server[1], from_server[0], from_server[1]}) close(end);
      execlp("python3", "python3", CAS_RANGE_SERVER, folder.c_str(), option, nullptr);
      _exit(127);
    }
    close(to_server[0]);
    close(from_server[1]);
    life_ = to_server[1];
    FILE* said = fdopen(from_server[0], "r");
    if (said == nullptr || fscanf(said, "%d", &port_) != 1) port_ = 0;
    if (said != nullptr) fclose(said);
  }
  ~WebServer() {
    close(life_);
    waitpid(process_, nullptr, 0);
  }
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  [[nodiscard]] bool runs() const { return port_ != 0; }
  [[nodiscard]] std::string uri(const std::string& file) const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/" + file;
  }

 private:
  pid_t process_ = 0;
  int life_ = -1;
  int port_ = 0;
};

class Http : public testing::Test {
 protected:
  void SetUp() override {
    usual_system();
    const gst::ObjectPtr<GstElementFactory> source(gst_element_factory_find("souphttpsrc"));
    if (!source) GTEST_SKIP() << "this machine has no souphttpsrc";
  }
};

TEST_F(Http, SeeksWithRanges) {
  const Bytes content = noise(3'000'000);
  write_file("web.spro", protect(content, {{"key-period", "8"}}));
  const WebServer server;
  ASSERT_TRUE(server.runs());
  const auto out = usual_system().folder() / "web.bin";
  Pipeline pipeline("souphttpsrc location=" + server.uri("web.spro") +
                    " ! smartpro-descramble ! filesink location=" + out.string());
  ASSERT_TRUE(pipeline.reach(GST_STATE_PAUSED)) << pipeline.error->text;
  // Into another key period, whose licence stands far before the segment: two requests.
  ASSERT_TRUE(gst_element_seek_simple(pipeline.element(), GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, 2'050'000));
  ASSERT_TRUE(pipeline.run()) << pipeline.error->text;
  const Bytes written = read_file(out);
  ASSERT_EQ(written.size(), content.size());
  EXPECT_TRUE(equal(ByteView(written).subspan(2'050'000), ByteView(content).subspan(2'050'000)));
}

TEST_F(Http, ReadsFromAServerWithoutRanges) {
  const Bytes content = noise(3'000'000);
  write_file("web.spro", protect(content, {{"key-period", "8"}}));
  const WebServer server("--no-ranges");
  ASSERT_TRUE(server.runs());
  const auto out = usual_system().folder() / "web.bin";
  Pipeline pipeline("souphttpsrc location=" + server.uri("web.spro") +
                    " ! smartpro-descramble ! filesink location=" + out.string());
  ASSERT_TRUE(pipeline.run()) << pipeline.error->text;
  EXPECT_TRUE(equal(read_file(out), content));
}

TEST_F(Http, PlaysAMovieWhoseIndexStandsAtTheEnd) {
  const auto movie = usual_system().folder() / "movie.mp4";
  const std::string encode =
      "videotestsrc num-buffers=50 ! video/x-raw,width=320,height=240 ! x264enc key-int-max=10 ! mp4mux ! filesink "
      "location=";
  ASSERT_TRUE(Pipeline(encode + movie.string()).run());
  ASSERT_TRUE(Pipeline("filesrc location=" + movie.string() +
                       " ! smartpro-scramble segment-size=4096 key-period=4 ! filesink location=" +
                       (usual_system().folder() / "movie.spro").string())
                  .run());
  const WebServer server;
  ASSERT_TRUE(server.runs());
  for (const std::string player : {"playbin uri=", "playbin3 uri="}) {
    Pipeline pipeline(player + server.uri("movie.spro") + " video-sink=\"fakesink\" audio-sink=\"fakesink\"");
    EXPECT_TRUE(pipeline.run()) << player << (pipeline.error ? pipeline.error->text : "");
  }
}

}  // namespace
}  // namespace cas::test
