// The queries that wait or run at this moment, for those who want to see them or stop one.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/budget.h"
#include "base/clock.h"

namespace epi::promql {

class ActiveQueryFile;
struct QuerySpec;

// Who asked. The texts of the other kind stay empty.
struct QueryOrigin {
  std::string client, method, path;  // of an HTTP request; the client without its port
  std::string rule_file, rule_group;
};

struct ActiveQuery {
  uint64_t id = 0;  // never used twice
  std::string text;
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t step_ms = 0;  // 0: instant
  bool of_rule = false;
  bool running = false;  // or waiting for its turn
  TimestampMs since = 0;
  double seconds = 0;  // since then
  int64_t bytes = 0;   // charged now
  int64_t peak_bytes = 0;
  QueryOrigin origin;
};

// Thread-safe.
class ActiveQueries {
 public:
  // `file`, which may be null, holds those that run; both outlive it.
  ActiveQueries(Clock& clock, ActiveQueryFile* file) : clock_(clock), file_(file) {}

  // Oldest first.
  std::vector<ActiveQuery> List() const;
  // Asks a query to end, which it does at its next batch. False when there is none with this id.
  bool Stop(uint64_t id);

  // One query, from before it waits until it is answered.
  class Entry {
   public:
    // Stops also when `outer` asks for it.
    Entry(ActiveQueries& all, const QuerySpec& spec, const std::string& text, bool of_rule, const QueryOrigin* origin,
          std::stop_token outer);
    ~Entry();
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    std::stop_token stop() const { return source_.get_token(); }
    // From now on it runs and charges `budget`, which lives until Finish.
    void Run(const Budget& budget);
    void Finish();

   private:
    struct Forward {
      std::stop_source source;
      void operator()() { source.request_stop(); }
    };
    ActiveQueries& all_;
    uint64_t id_ = 0;
    std::optional<size_t> slot_;  // in the file
    std::stop_source source_;
    std::stop_callback<Forward> forward_;
  };

 private:
  struct Known {
    ActiveQuery query;
    MonotonicNs began = 0;
    const Budget* budget = nullptr;
    std::stop_source source;
  };
  Clock& clock_;
  ActiveQueryFile* const file_;
  mutable std::mutex mutex_;
  uint64_t next_id_ = 1;             // guarded by mutex_
  std::map<uint64_t, Known> known_;  // guarded by mutex_
};

}  // namespace epi::promql
