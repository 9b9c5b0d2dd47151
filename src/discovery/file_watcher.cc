#include "discovery/file_watcher.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace epi::discovery {
namespace {

// Changes that matter; attribute changes do not, as in Prometheus.
constexpr uint32_t kChanges =
    IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

class InotifyWatcher final : public FileWatcher {
 public:
  InotifyWatcher(int inotify, int wake, std::function<void()> changed)
      : inotify_(inotify), wake_(wake), changed_(std::move(changed)) {
    thread_ = std::thread([this] { Loop(); });
  }
  ~InotifyWatcher() override {
    const uint64_t one = 1;
    // The counter cannot be full: this is its only write.
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
    thread_.join();
    ::close(inotify_);
    ::close(wake_);
  }

  Result<void> Watch(const std::string& directory) override {
    if (::inotify_add_watch(inotify_, directory.c_str(), kChanges) >= 0) return {};
    return Fail(ErrorCode::kIo, directory + ": " + ::strerror(errno));
  }

 private:
  void Loop() {
    std::array<pollfd, 2> waits = {pollfd{inotify_, POLLIN, 0}, pollfd{wake_, POLLIN, 0}};
    while (true) {
      const int ready = ::poll(waits.data(), waits.size(), -1);
      if (ready < 0 && errno != EINTR) return;
      if (ready > 0 && waits[1].revents != 0) return;
      if (ready > 0 && waits[0].revents != 0 && Drain()) changed_();
    }
  }

  // What happened does not matter, only that something did: files change by any sequence of events.
  bool Drain() {
    alignas(inotify_event) std::array<char, 16384> events;
    bool any = false;
    while (::read(inotify_, events.data(), events.size()) > 0) any = true;
    return any;
  }

  int inotify_;
  int wake_;
  std::function<void()> changed_;
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<FileWatcher>> FileWatcher::Start(std::function<void()> changed) {
  const int inotify = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (inotify < 0) return Fail(ErrorCode::kIo, std::string("inotify: ") + ::strerror(errno));
  const int wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) {
    const int error = errno;
    ::close(inotify);
    return Fail(ErrorCode::kIo, std::string("eventfd: ") + ::strerror(error));
  }
  return std::make_unique<InotifyWatcher>(inotify, wake, std::move(changed));
}

}  // namespace epi::discovery
