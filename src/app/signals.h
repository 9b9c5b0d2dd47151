// Signals as messages: SIGTERM and SIGINT ask to stop, SIGHUP to reload; everything else in the process blocks them.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace epi::app {

enum class SignalEvent : unsigned char { kStop, kReload, kTimeout };

// Made before the first thread starts, so that every thread inherits the mask. One user at a time, except Interrupt.
class SignalSource {
 public:
  static Result<SignalSource> Install();
  SignalSource(SignalSource&& other) noexcept;
  ~SignalSource();
  // Waits for the next signal, an interrupt (then kStop) or the timeout; negative waits without one.
  SignalEvent Wait(int timeout_ms);
  // Which signal Wait has last returned kStop for, as Go names it ("terminated"); empty before one, and for an
  // interrupt.
  std::string_view stop_signal() const { return stop_signal_; }
  // Makes Wait return kStop, now and from then on. Any thread.
  void Interrupt();

 private:
  SignalSource(int signal_fd, int wake_fd) : signal_fd_(signal_fd), wake_fd_(wake_fd) {}
  int signal_fd_ = -1;
  int wake_fd_ = -1;
  std::string_view stop_signal_;
};

}  // namespace epi::app
