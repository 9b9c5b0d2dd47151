#include "app/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace epi::app {

Result<SignalSource> SignalSource::Install() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  if (::pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) return Fail(ErrorCode::kInternal, "cannot block signals");
  // A peer that closes its connection must not end the server.
  ::signal(SIGPIPE, SIG_IGN);
  const int signal_fd = ::signalfd(-1, &set, SFD_CLOEXEC);
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC);
  if (signal_fd < 0 || wake_fd < 0) {
    return Fail(ErrorCode::kInternal, std::string("cannot listen for signals: ") + std::strerror(errno));
  }
  return SignalSource(signal_fd, wake_fd);
}

SignalSource::SignalSource(SignalSource&& other) noexcept
    : signal_fd_(std::exchange(other.signal_fd_, -1)), wake_fd_(std::exchange(other.wake_fd_, -1)) {}

SignalSource::~SignalSource() {
  if (signal_fd_ >= 0) ::close(signal_fd_);
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

SignalEvent SignalSource::Wait(int timeout_ms) {
  pollfd fds[2] = {{signal_fd_, POLLIN, 0}, {wake_fd_, POLLIN, 0}};
  for (;;) {
    const int ready = ::poll(fds, 2, timeout_ms);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return SignalEvent::kTimeout;
    if (fds[1].revents != 0) return SignalEvent::kStop;  // stays readable: every later Wait stops too
    signalfd_siginfo info;
    if (::read(signal_fd_, &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGHUP) return SignalEvent::kReload;
    stop_signal_ = info.ssi_signo == SIGTERM ? "terminated" : "interrupt";
    return SignalEvent::kStop;
  }
}

void SignalSource::Interrupt() {
  const uint64_t one = 1;
  // An eventfd write fails only when its counter is full: then it is readable already.
  if (::write(wake_fd_, &one, sizeof one) < 0) return;
}

}  // namespace epi::app
