#include "discovery/waiting.h"

#include <condition_variable>
#include <mutex>
#include <optional>

#include "net/gunzip.h"

namespace epi::discovery {
namespace {

struct Gate {
  std::mutex mutex;
  std::condition_variable wake;
};

}  // namespace

bool WaitFor(Clock& clock, int64_t milliseconds, std::stop_token stop) {
  Gate gate;
  const std::stop_callback notify(stop, [&gate] {
    // Taken so that the waiter is either before its check or waiting.
    const std::lock_guard<std::mutex> lock(gate.mutex);
    gate.wake.notify_all();
  });
  std::unique_lock<std::mutex> lock(gate.mutex);
  const MonotonicNs deadline = clock.Monotonic() + milliseconds * 1'000'000;
  return !clock.WaitUntil(lock, gate.wake, deadline, [&stop] { return stop.stop_requested(); });
}

Result<net::HttpResponse> CallUnlessStopped(net::HttpClient& client, net::HttpRequest request, std::stop_token stop) {
  struct Call {
    std::mutex mutex;
    std::condition_variable wake;
    std::optional<Result<net::HttpResponse>> answer;
  };
  if (stop.stop_requested()) return Fail(ErrorCode::kCanceled, "context canceled");
  auto call = std::make_shared<Call>();
  const auto id = client.Send(std::move(request), [call](Result<net::HttpResponse> answer) {
    const std::lock_guard<std::mutex> lock(call->mutex);
    call->answer = std::move(answer);
    call->wake.notify_all();
  });
  const std::stop_callback cancel(stop, [&client, id] { client.Cancel(id); });
  std::unique_lock<std::mutex> lock(call->mutex);
  call->wake.wait(lock, [&call] { return call->answer.has_value(); });
  return std::move(*call->answer);
}

Result<std::string> BodyText(const net::HttpResponse& response, uint64_t max_bytes) {
  const std::string_view body = response.body.view();
  if (response.headers.Get("Content-Encoding") == "gzip") {
    BudgetCharge unmetered;
    return net::GunzipAll(body, max_bytes, unmetered);
  }
  return std::string(body);
}

}  // namespace epi::discovery
