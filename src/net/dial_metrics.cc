#include "net/dial_metrics.h"

namespace epi::net {
namespace {

constexpr const char* kDialFailures[] = {"refused", "resolution", "timeout", "unknown"};

Counter& Dials(MetricRegistry& metrics, const std::string& what, const std::string& help, const std::string& dialer) {
  return metrics.AddCounter("net_conntrack_dialer_conn_" + what + "_total", help, {{"dialer_name", dialer}});
}

}  // namespace

DialCounters::DialCounters(MetricRegistry& metrics, const std::string& dialer)
    : attempted(Dials(metrics, "attempted", "Total number of connections attempted by the given dialer a given name.",
                      dialer)),
      established(Dials(metrics, "established",
                        "Total number of connections successfully established by the given dialer a given name.",
                        dialer)),
      closed(Dials(metrics, "closed",
                   "Total number of connections closed which originated from the dialer of a given "
                   "name.",
                   dialer)),
      failed{} {
  for (size_t i = 0; i < std::size(kDialFailures); ++i) {
    failed[i] = &metrics.AddCounter("net_conntrack_dialer_conn_failed_total",
                                    "Total number of connections failed to dial by the dialer a given name.",
                                    {{"dialer_name", dialer}, {"reason", kDialFailures[i]}});
  }
}

const DialCounters* DialMetrics::For(const std::string& dialer) {
  if (metrics_ == nullptr) return nullptr;
  const std::lock_guard lock(mutex_);
  auto& counters = dialers_[dialer];
  if (counters == nullptr) counters = std::make_unique<DialCounters>(*metrics_, dialer);
  return counters.get();
}

void DialMetrics::Opened(int socket, const DialCounters* dialer) { sockets_[socket] = {dialer, false}; }

bool DialMetrics::Established(int socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return false;
  found->second.established = true;
  if (const DialCounters* const dialer = found->second.dialer; dialer != nullptr) {
    dialer->attempted.Increment();
    dialer->established.Increment();
  }
  return true;
}

void DialMetrics::Closed(int socket) {
  const auto found = sockets_.find(socket);
  if (found == sockets_.end()) return;
  if (found->second.established && found->second.dialer != nullptr) found->second.dialer->closed.Increment();
  sockets_.erase(found);
}

void DialMetrics::Failed(const DialCounters* dialer, DialFailure reason) {
  if (dialer == nullptr) return;
  dialer->attempted.Increment();
  dialer->failed[static_cast<size_t>(reason)]->Increment();
}

void DialMetrics::EstablishedAndClosed(const DialCounters* dialer) {
  if (dialer == nullptr) return;
  for (Counter* counter : {&dialer->attempted, &dialer->established, &dialer->closed}) counter->Increment();
}

}  // namespace epi::net
