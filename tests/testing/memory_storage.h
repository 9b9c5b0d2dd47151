// Storage kept in plain maps and vectors, for tests of whatever reads or writes through the storage interfaces.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/storage.h"

namespace epi::testing {

struct MemoryStorageOptions {
  // How much older than the newest sample of all series a late sample may be; 0 refuses every late sample.
  int64_t out_of_order_window_ms = 0;
  // Intern refuses (kLimit) a series beyond this many.
  size_t max_series = std::numeric_limits<size_t>::max();
  // Whether series of a batch that share all their timestamps are given one column; off, every series is a loner.
  bool share_columns = true;
};

// One stored sample. Exactly one of: a float (no pointer set), an integer histogram (both set), a float histogram
// (floats set).
struct StoredSample {
  TimestampMs t = 0;
  TimestampMs start_time = 0;
  double value = 0;
  std::shared_ptr<const Histogram> integer;      // as it was appended
  std::shared_ptr<const FloatHistogram> floats;  // what views hand out
  uint64_t commit = 0;
  CounterResetHint appended_hint = CounterResetHint::kUnknown;  // of a histogram; views show what chunks would say
  bool is_histogram() const { return floats != nullptr; }
};

// Series come in the order they were interned, or sorted by labels where a select asks for that. A view sees exactly
// the commits up to the moment it was opened. Thread-safe as Storage says. Samples are judged at Commit as Prometheus's
// head does it: the same value again at a series's newest time is accepted and not stored, another value is a
// duplicate, an older one out of order. A float stale marker after a histogram is stored as a stale histogram. The
// counter reset hints of histograms handed out are what Prometheus's chunks would say. Views and appenders may outlive
// the storage object.
class MemoryStorage final : public Storage {
 public:
  explicit MemoryStorage(MemoryStorageOptions options = {});
  ~MemoryStorage() override;

  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override;
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override;
  TimestampMs OldestTime() const override;

  // Convenience for tests: one float sample as a batch of its own; must be accepted.
  void Append(const Labels& labels, TimestampMs time, double value, TimestampMs start_time = 0);
  void Append(const Labels& labels, TimestampMs time, FloatHistogram histogram, TimestampMs start_time = 0);
  void AppendExemplar(const Labels& labels, Exemplar exemplar);
  // Forgets everything; refs given out before name no series any more.
  void Clear();

  // What is stored, for expectations. Series without samples are included in SeriesLabels.
  std::vector<Labels> SeriesLabels() const;
  std::vector<StoredSample> Samples(const Labels& labels) const;  // by time; empty for an unknown series
  std::vector<Exemplar> ExemplarsOf(const Labels& labels) const;
  std::optional<MetricMetadata> MetadataOf(const Labels& labels) const;
  uint64_t last_commit() const;

  // Every later Commit, Select, OpenView fails with this until it is called with nothing.
  void FailCommits(std::optional<Error> error);
  void FailSelects(std::optional<Error> error);
  void FailViews(std::optional<Error> error);
  // The selects asked of all views so far, oldest first.
  struct RecordedSelect {
    std::vector<Matcher> matchers;
    SelectHints hints;
  };
  std::vector<RecordedSelect> RecordedSelects() const;

  struct State;  // shared with views and appenders

 private:
  std::shared_ptr<State> state_;
};

}  // namespace epi::testing
