// net_conntrack_dialer_*: the connections that clients make, by who wants them.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "telemetry/metrics.h"

namespace epi::net {

// Prometheus's reasons.
enum class DialFailure : unsigned char { kRefused, kResolution, kTimeout, kUnknown };

struct DialCounters {
  DialCounters(MetricRegistry& metrics, const std::string& dialer);
  Counter& attempted;
  Counter& established;
  Counter& closed;
  Counter* failed[4];  // by DialFailure
};

// For is thread-safe, the rest belongs to the client's thread.
class DialMetrics {
 public:
  // `metrics` outlives it; null: nothing is counted.
  explicit DialMetrics(MetricRegistry* metrics) : metrics_(metrics) {}
  // The counters of a scrape job, of "alertmanager", of "consul_sd"; they are there, as 0, from now on. Null without a
  // registry.
  const DialCounters* For(const std::string& dialer);

  // A socket that may become a connection; without a dialer nothing is counted.
  void Opened(int socket, const DialCounters* dialer);
  // It has become one. False when it is closed already.
  bool Established(int socket);
  void Closed(int socket);
  // Whether it was opened for a connection: libcurl waits for others too, of its resolver.
  bool IsOpen(int socket) const { return sockets_.contains(socket); }
  // No connection came of an attempt.
  static void Failed(const DialCounters* dialer, DialFailure reason);
  // One came and was of no use, so that nobody else counts it.
  static void EstablishedAndClosed(const DialCounters* dialer);

 private:
  struct Socket {
    const DialCounters* dialer = nullptr;
    bool established = false;
  };
  MetricRegistry* const metrics_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<DialCounters>> dialers_;  // guarded by mutex_
  std::unordered_map<int, Socket> sockets_;
};

}  // namespace epi::net
