// SPDX-License-Identifier: LGPL-2.1-or-later
#include "support/private_pcscd.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <winscard.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <system_error>

namespace cas::test {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t slots_of_a_block = 2;
constexpr std::size_t most_readers = 16;
constexpr int port_attempts = 20;
// The longest wait for a state change while readers are still to come; what comes ends it sooner.
constexpr DWORD change_wait_ms = 200;
constexpr int change_waits = 50;

std::string error_text() { return std::system_category().message(errno); }

std::string first_existing(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (fs::exists(path)) return path;
  }
  return {};
}

std::string daemon_path() {
  return first_existing({"/usr/sbin/pcscd", "/usr/bin/pcscd", "/sbin/pcscd", "/usr/local/sbin/pcscd"});
}

std::string driver_path() {
  std::vector<std::string> paths;
  const std::vector<std::string> roots = {"/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu",
                                          "/usr/lib/aarch64-linux-gnu", "/usr/local/lib"};
  for (const std::string& root : roots) paths.push_back(root + "/pcsc/drivers/serial/libifdvpcd.so");
  return first_existing(paths);
}

// One directory and socket name for the life of the process, taken away when it ends.
class Folder {
 public:
  Folder() {
    std::string pattern = "/tmp/pcscd.XXXXXX";  // A socket's path has room for 107 bytes.
    if (::mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    owner_ = ::getpid();
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty() && owner_ == ::getpid()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string socket() const { return path_ + "/pcscd.comm"; }
  [[nodiscard]] std::string configuration() const { return path_ + "/reader.conf.d"; }

 private:
  std::string path_;
  pid_t owner_;
};

const Folder& folder() {
  static const Folder instance;
  return instance;
}

// As the driver will do it: on all addresses, with SO_REUSEADDR.
bool port_is_free(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  const bool free = ::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    ::listen(descriptor, 0) == 0;
  ::close(descriptor);
  return free;
}

// A pair of neighbouring free ports below the range from which the kernel gives ports to clients.
std::uint16_t free_port_pair(std::random_device& random, const std::vector<std::uint16_t>& taken) {
  for (;;) {
    const auto port = static_cast<std::uint16_t>(20'000 + random() % 6'000 * slots_of_a_block);
    const auto next = static_cast<std::uint16_t>(port + 1);
    if (std::find(taken.begin(), taken.end(), port) == taken.end() && port_is_free(port) && port_is_free(next))
      return port;
  }
}

Result<int> listening_socket(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (descriptor < 0 || path.size() >= sizeof address.sun_path) return fail(ErrorKind::io, "no socket at " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());
  if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(descriptor, 64) != 0) {
    const std::string why = error_text();
    ::close(descriptor);
    return fail(ErrorKind::io, "cannot listen at " + path + ": " + why);
  }
  return descriptor;
}

// The child between fork and exec: system calls only, on what was made before. Socket activation is sd_listen_fds(3).
[[noreturn]] void become_daemon(int socket, int log, pid_t parent, char* const* arguments, char** environment,
                                char* listen_pid) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  char* digit = listen_pid;
  std::array<char, 16> reversed{};
  std::size_t count = 0;
  for (pid_t rest = ::getpid(); rest > 0; rest /= 10) reversed[count++] = static_cast<char>('0' + rest % 10);
  while (count > 0) *digit++ = reversed[--count];
  *digit = '\0';
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  constexpr int first_passed_descriptor = 3;
  if (socket == first_passed_descriptor) {
    ::fcntl(socket, F_SETFD, 0);
  } else {
    ::dup2(socket, first_passed_descriptor);
  }
  // Whatever else the test holds open (sockets, locks) must not live on in the daemon.
  ::close_range(first_passed_descriptor + 1, ~0U, 0);
  ::execve(arguments[0], arguments, environment);
  ::_exit(127);
}

// The names of the daemon's readers; an error code of PC/SC when it cannot be asked.
LONG list_names(SCARDCONTEXT context, std::vector<std::string>& names) {
  std::array<char, PCSCLITE_MAX_READERS_CONTEXTS * MAX_READERNAME + 1> list{};
  DWORD size = list.size();
  names.clear();
  const LONG code = SCardListReaders(context, nullptr, list.data(), &size);
  if (code == SCARD_E_NO_READERS_AVAILABLE) return SCARD_S_SUCCESS;
  for (const char* name = list.data(); code == SCARD_S_SUCCESS && *name != '\0'; name += names.back().size() + 1)
    names.emplace_back(name);
  return code;
}

}  // namespace

std::string PrivatePcscd::missing() {
  if (daemon_path().empty()) return "pcscd is not installed: apt install pcscd";
  if (driver_path().empty()) return "the virtual reader driver is not installed: apt install vsmartcard-vpcd";
  const char* const run = "/run/pcscd";
  if (::access(run, F_OK) != 0 ? ::access("/run", W_OK) != 0 : ::access(run, W_OK) != 0) {
    return "this user may not write /run/pcscd, which pcscd needs: run as root";
  }
  return {};
}

Result<std::unique_ptr<PrivatePcscd>> PrivatePcscd::start(std::size_t readers) {
  if (readers == 0 || readers > most_readers)
    return fail(ErrorKind::invalid_argument, "pcscd takes 1 to 16 virtual readers");
  if (const std::string what = missing(); !what.empty()) return fail(ErrorKind::not_found, what);
  if (folder().path().empty()) return fail(ErrorKind::io, "no temporary directory");
  std::unique_ptr<PrivatePcscd> daemon(new PrivatePcscd);
  Status status;
  // A port may be taken by another program between our look and the driver's bind; pcscd then runs without that reader.
  for (int attempt = 0; attempt < port_attempts; ++attempt) {
    CAS_TRY(daemon->configure(readers));
    status = daemon->restart();
    if (status) return daemon;
  }
  return fail_in("no private pcscd after several attempts", status.error());
}

PrivatePcscd::~PrivatePcscd() { kill(); }

Status PrivatePcscd::configure(std::size_t readers) {
  std::error_code error;
  fs::remove_all(folder().configuration(), error);
  fs::create_directories(folder().configuration(), error);
  ports_.clear();
  std::random_device random;
  std::ofstream file(folder().configuration() + "/vpcd");
  for (std::size_t block = 0; ports_.size() < readers; ++block) {
    // The driver keeps its state per library file, so that each block needs a copy of its own.
    const std::string library = folder().path() + "/vpcd" + std::to_string(block) + ".so";
    fs::copy_file(driver_path(), library, fs::copy_options::overwrite_existing, error);
    if (error) return fail(ErrorKind::io, "cannot copy the vpcd driver: " + error.message());
    const std::uint16_t port = free_port_pair(random, ports_);
    // The first two are named as those of a system with vsmartcard.
    file << "FRIENDLYNAME \"Virtual PCD";
    if (block > 0) file << ' ' << block;
    file << "\"\nDEVICENAME /dev/null:" << port << "\nLIBPATH " << library << "\nCHANNELID " << port << "\n\n";
    ports_.push_back(port);
    ports_.push_back(static_cast<std::uint16_t>(port + 1));
  }
  file.close();
  if (!file) return fail(ErrorKind::io, "cannot write the reader configuration in " + folder().configuration());
  std::string list;
  for (std::size_t i = 0; i < readers; ++i) list += (i == 0 ? "" : " ") + std::to_string(ports_[i]);
  ::setenv("VPCD_PORTS", list.c_str(), 1);
  ::setenv("PCSCLITE_CSOCK_NAME", folder().socket().c_str(), 1);
  return {};
}

Status PrivatePcscd::restart() {
  kill();
  CAS_TRY(launch());
  Status status = await_readers();
  if (!status) kill();
  return status;
}

Status PrivatePcscd::launch() {
  CAS_TRY_ASSIGN(const int socket, listening_socket(folder().socket()));
  const int log = ::open((folder().path() + "/pcscd.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::string program = daemon_path();
  std::string configuration = folder().configuration();
  std::array<std::string, 4> words{program, "--foreground", "-c", configuration};
  const std::array<char*, 5> arguments{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  std::string listen_fds = "LISTEN_FDS=1";
  std::string listen_pid = "LISTEN_PID=" + std::string(16, '\0');
  std::array<char*, 3> environment{listen_fds.data(), listen_pid.data(), nullptr};
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0)
    become_daemon(socket, log, parent, arguments.data(), environment.data(),
                  listen_pid.data() + std::strlen("LISTEN_PID="));
  // Ours is closed, so that clients see the daemon's end instead of a queue that nobody serves.
  ::close(socket);
  if (log >= 0) ::close(log);
  if (process_ < 0) return fail(ErrorKind::io, "cannot start " + program + ": " + error_text());
  return {};
}

// The socket listens already, so that the first question waits until the daemon answers it.
Status PrivatePcscd::await_readers() {
  SCARDCONTEXT context = 0;
  LONG code = SCardEstablishContext(SCARD_SCOPE_SYSTEM, nullptr, nullptr, &context);
  if (code != SCARD_S_SUCCESS)
    return fail(ErrorKind::io, std::string("pcscd did not start: ") + pcsc_stringify_error(code));
  for (int waits = 0; waits < change_waits && running(); ++waits) {
    code = list_names(context, names_);
    if (code != SCARD_S_SUCCESS || names_.size() == ports_.size()) break;
    SCARD_READERSTATE list{};
    list.szReader = "\\\\?PnP?\\Notification";
    (void)SCardGetStatusChange(context, change_wait_ms, &list, 1);
  }
  (void)SCardReleaseContext(context);
  if (code == SCARD_S_SUCCESS && names_.size() == ports_.size()) return {};
  return fail(ErrorKind::io, "pcscd came up with " + std::to_string(names_.size()) + " of " +
                                 std::to_string(ports_.size()) + " virtual readers");
}

bool PrivatePcscd::running() { return process_ > 0 && ::waitpid(process_, nullptr, WNOHANG) == 0; }

void PrivatePcscd::kill() {
  if (process_ <= 0) return;
  ::kill(process_, SIGKILL);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  ::unlink(folder().socket().c_str());
}

}  // namespace cas::test
