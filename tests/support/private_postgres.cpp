// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/private_postgres.hpp"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <system_error>

namespace cas::test {

namespace {

namespace fs = std::filesystem;

constexpr int start_waits = 2000;
constexpr int wait_ms = 10;  // for the process to end; a server that answers ends it sooner

/// "/usr/lib/postgresql/15/bin", the newest; empty when there is none.
fs::path programs() {
  fs::path newest;
  int newest_version = 0;
  std::error_code error;
  for (fs::directory_iterator entry("/usr/lib/postgresql", error), end; !error && entry != end;
       entry.increment(error)) {
    const int version = std::atoi(entry->path().filename().c_str());
    if (version > newest_version && fs::exists(entry->path() / "bin" / "initdb")) {
      newest = entry->path() / "bin";
      newest_version = version;
    }
  }
  return newest;
}

/// Whom the programs run as; nobody where it is ourselves.
const passwd* other_user() { return ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr; }

std::string error_text() { return std::system_category().message(errno); }

// The child between fork and exec: system calls only, on what was made before.
[[noreturn]] void become(const std::vector<char*>& arguments, char* const* environment, int log, const passwd* user,
                         pid_t parent, const char* folder) {
  if (user != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
    ::_exit(127);
  // Behind the change of the user, which takes it back.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || ::chdir(folder) != 0) ::_exit(127);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  // Whatever else the test holds open (sockets, locks) must not live on in the server.
  ::close_range(3, ~0U, 0);
  ::execve(arguments[0], arguments.data(), environment);
  ::_exit(127);
}

Result<pid_t> spawn(std::vector<std::string> words, const fs::path& folder,
                    const std::map<std::string, std::string>& more_environment = {}) {
  const int log = ::open((folder / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return fail(ErrorKind::io, "cannot write a log in " + folder.string());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::vector<std::string> variables{"PATH=/usr/bin:/bin", "LC_ALL=C"};
  for (const auto& [name, value] : more_environment) variables.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  const passwd* const user = other_user();
  const std::string folder_name = folder.string();
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process == 0) become(arguments, environment.data(), log, user, parent, folder_name.c_str());
  const std::string why = error_text();
  ::close(log);
  if (process < 0) return fail(ErrorKind::io, "cannot start " + words[0] + ": " + why);
  return process;
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// A descriptor that is readable once the process has ended, whoever's child it is.
class ProcessEnd {
 public:
  explicit ProcessEnd(pid_t process) : file_(static_cast<int>(::syscall(SYS_pidfd_open, process, 0))) {}
  ~ProcessEnd() {
    if (file_ >= 0) ::close(file_);
  }
  ProcessEnd(const ProcessEnd&) = delete;
  ProcessEnd& operator=(const ProcessEnd&) = delete;
  [[nodiscard]] bool wait(int milliseconds) const {
    pollfd waiting{file_, POLLIN, 0};
    return file_ < 0 || ::poll(&waiting, 1, milliseconds) > 0;
  }

 private:
  int file_;
};

/// A folder that is the server's user's; empty when there is none to be had.
std::string make_folder() {
  std::string name = "/tmp/cas-postgres.XXXXXX";  // A socket's path has room for 107 bytes.
  if (::mkdtemp(name.data()) == nullptr) return {};
  const passwd* const user = other_user();
  return user == nullptr || ::chown(name.c_str(), user->pw_uid, user->pw_gid) == 0 ? name : std::string();
}

std::string log_of(const fs::path& folder) {
  std::ifstream file(folder / "log");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// A cluster as initdb makes it, once in the life of the process: to copy it takes a quarter of the time. Taken away
/// when the process ends.
class Template {
 public:
  ~Template() {
    std::error_code ignored;
    if (!folder_.empty() && owner_ == ::getpid()) fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] Result<fs::path> data() {
    if (made_) return folder_ / "data";
    if (folder_.empty()) folder_ = make_folder();
    if (folder_.empty()) return fail(ErrorKind::io, "no temporary folder: " + error_text());
    std::error_code ignored;
    fs::remove_all(folder_ / "data", ignored);
    CAS_TRY_ASSIGN(const pid_t process,
                   spawn({programs() / "initdb", "-D", folder_ / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                          "--locale=C", "--no-sync", "--no-instructions", "--wal-segsize=1"},
                         folder_));
    if (wait_for(process) != 0) return fail(ErrorKind::io, "initdb failed: " + log_of(folder_));
    // Written in place, so that it stays its user's.
    std::ofstream access(folder_ / "data" / "pg_hba.conf", std::ios::trunc);
    access << "local all guarded scram-sha-256\nlocal all all trust\n";
    access.close();
    if (!access) return fail(ErrorKind::io, "cannot write pg_hba.conf");
    made_ = true;
    return folder_ / "data";
  }

 private:
  fs::path folder_;
  pid_t owner_ = ::getpid();
  bool made_ = false;
};

}  // namespace

std::string PrivatePostgres::missing() {
  if (programs().empty()) return "PostgreSQL is not installed: apt install postgresql";
  if (::geteuid() == 0 && other_user() == nullptr) return "there is no user postgres for the server to run as";
  return {};
}

Result<std::unique_ptr<PrivatePostgres>> PrivatePostgres::start(const Options& options) {
  if (const std::string what = missing(); !what.empty()) return fail(ErrorKind::not_found, what);
  const std::string pattern = make_folder();
  if (pattern.empty()) return fail(ErrorKind::io, "no temporary folder: " + error_text());
  std::unique_ptr<PrivatePostgres> server(new PrivatePostgres);
  server->folder_ = pattern;
  server->options_ = options;
  CAS_TRY(server->make_cluster());
  if (!options.power_cuts.empty()) {
    CAS_TRY_ASSIGN(UnsyncedWrites watched, UnsyncedWrites::watch(options.power_cuts, server->folder_));
    server->unsynced_.emplace(std::move(watched));
  }
  CAS_TRY(server->restart());
  return server;
}

PrivatePostgres::~PrivatePostgres() {
  kill();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

Status PrivatePostgres::make_cluster() {
  static Template pristine;
  CAS_TRY_ASSIGN(const fs::path data, pristine.data());
  CAS_TRY_ASSIGN(const pid_t process, spawn({"/bin/cp", "-a", data, folder_ / "data"}, folder_));
  return wait_for(process) == 0 ? Status() : fail(ErrorKind::io, "cannot copy a cluster: " + log());
}

Status PrivatePostgres::restart() {
  kill();
  CAS_TRY(launch());
  Status status = await_answer();
  if (!status) kill();
  return status;
}

Status PrivatePostgres::launch() {
  std::vector<std::string> words = {programs() / "postgres", "-D", folder_ / "data", "-k", folder_};
  std::vector<std::string> settings = {"listen_addresses=", "shared_buffers=16MB", "max_connections=40", "ssl=off",
                                       std::string("fsync=") + (options_.durable ? "on" : "off")};
  settings.insert(settings.end(), options_.settings.begin(), options_.settings.end());
  for (const std::string& setting : settings) {
    words.emplace_back("-c");
    words.push_back(setting);
  }
  CAS_TRY_ASSIGN(process_, spawn(std::move(words), folder_,
                                 unsynced_ ? unsynced_->environment() : std::map<std::string, std::string>()));
  return {};
}

Status PrivatePostgres::await_answer() const {
  const ProcessEnd end(process_);
  for (int i = 0; i < start_waits; ++i) {
    if (PQping(url().c_str()) == PQPING_OK) return {};
    if (end.wait(wait_ms)) break;
  }
  return fail(ErrorKind::io, "PostgreSQL did not start: " + log());
}

std::string PrivatePostgres::url(const std::string& user) const {
  return "postgresql://" + user + "@/postgres?host=" + folder_.string();
}

std::string PrivatePostgres::log() const { return log_of(folder_); }

/// The server and its children, each of which is in a process group of its own.
std::vector<pid_t> PrivatePostgres::processes() const {
  std::vector<pid_t> all;
  if (process_ <= 0) return all;
  all.push_back(process_);
  const std::string name = std::to_string(process_);
  std::ifstream children("/proc/" + name + "/task/" + name + "/children");
  for (pid_t child = 0; children >> child;) all.push_back(child);
  return all;
}

Status PrivatePostgres::stop() {
  if (process_ <= 0) return {};
  ::kill(process_, SIGINT);  // fast shutdown
  const int status = wait_for(process_);
  process_ = -1;
  return status == 0 ? Status() : fail(ErrorKind::io, "PostgreSQL did not stop in order: " + log());
}

void PrivatePostgres::kill() {
  if (process_ <= 0) return;
  // Halted first, so that nobody has a child meanwhile that nobody knows of.
  ::kill(process_, SIGSTOP);
  const std::vector<pid_t> all = processes();
  std::vector<std::unique_ptr<ProcessEnd>> ends;
  for (const pid_t process : all) ends.push_back(std::make_unique<ProcessEnd>(process));
  for (const pid_t process : all) ::kill(process, SIGKILL);
  wait_for(process_);
  for (const auto& end : ends) (void)end->wait(10'000);
  process_ = -1;
}

Result<std::size_t> PrivatePostgres::cut_power(UnsyncedWrites::Left left, std::uint32_t seed) {
  if (!unsynced_) return fail(ErrorKind::invalid_argument, "the server was started without the library for power cuts");
  if (unsynced_->writes() == 0) return fail(ErrorKind::io, "the library for power cuts has seen no write: " + log());
  kill();
  return unsynced_->lose(folder_ / "data", left, seed);
}

void PrivatePostgres::halt() {
  if (process_ > 0) ::kill(process_, SIGSTOP);
  for (const pid_t process : processes()) ::kill(process, SIGSTOP);
}

void PrivatePostgres::go_on() {
  for (const pid_t process : processes()) ::kill(process, SIGCONT);
}

}  // namespace cas::test
