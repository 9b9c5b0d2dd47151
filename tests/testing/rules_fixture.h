// Rules over storage in memory and a clock that tests move. For tests only.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "promql/engine/engine.h"
#include "rules/engine_querier.h"
#include "rules/rule_options.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"

namespace epi::rules {

class RecordingAlertSink final : public AlertSink {
 public:
  void Send(const std::string&, std::vector<Alert> alerts) override {
    const std::lock_guard lock(mutex_);
    for (Alert& alert : alerts) sent_.push_back(std::move(alert));
  }
  std::vector<Alert> Take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(sent_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<Alert> sent_;
};

struct RulesFixture {
  RulesFixture() : engine(EngineOptionsOf(clock)), querier(engine, storage) {
    options.storage = &storage;
    options.querier = &querier;
    options.files = &PosixFileSystem();
    options.clock = &clock;
    options.alerts = &alerts;
    options.external_url = "http://localhost:9090/";
    options.threads = 2;
  }
  static promql::EngineOptions EngineOptionsOf(Clock& clock) {
    promql::EngineOptions out;
    out.clock = &clock;
    return out;
  }
  // The last sample of a series at or before `t`, as text; "none" without one, "stale" for the marker.
  std::string At(const Labels& labels, TimestampMs t) const {
    std::string out = "none";
    for (const auto& sample : storage.Samples(labels)) {
      if (sample.t > t) break;
      out = IsStaleNaN(sample.value) ? "stale" : std::to_string(sample.value).substr(0, 4);
    }
    return out;
  }

  testing::SimulatedClock clock{1'700'000'000'000};
  testing::MemoryStorage storage;
  promql::Engine engine;
  EngineQuerier querier;
  RecordingAlertSink alerts;
  RuleOptions options;
};

}  // namespace epi::rules
