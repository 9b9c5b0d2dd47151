#include "rules/sample_writer.h"

#include <algorithm>

namespace epi::rules {
namespace {

void Queue(BatchAppender& appender, SeriesRef ref, const RuleSample& sample) {
  if (sample.h == nullptr) {
    appender.AddAt(ref, sample.t, sample.v);
  } else {
    appender.AddHistogram({ref, sample.t, 0, nullptr, sample.h});
  }
}

}  // namespace

SampleWriter::SampleWriter(Storage& storage, std::string key) : storage_(storage), key_(std::move(key)) {}

Result<BatchAppender*> SampleWriter::Appender() {
  if (appender_ == nullptr) {
    EPI_ASSIGN(appender_, storage_.OpenGroup({GroupIdentity::Kind::kRules, key_}));
  }
  appender_->Rollback();
  // What a rule had to say about an earlier time it has said.
  appender_->set_on_late(BatchAppender::OnLate::kRefuse);
  return appender_.get();
}

Result<WriteOutcome> SampleWriter::Write(const std::vector<RuleSample>& samples, TimestampMs stale_time,
                                         SeriesSet& previous) {
  EPI_ASSIGN(BatchAppender* const appender, Appender());
  WriteOutcome outcome;
  SeriesSet current;
  current.reserve(samples.size());
  appender->set_list_refusals(true);
  // A series can die between being looked up and the commit; once is enough to find them all anew.
  constexpr int kAttempts = 2;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    current.clear();
    outcome.discarded.clear();
    for (const RuleSample& sample : samples) {
      const auto known = previous.find(sample.labels);
      SeriesRef ref = known != previous.end() && attempt == 0 ? known->second : kNoSeries;
      if (ref == kNoSeries) {
        auto made = appender->Intern(sample.labels);
        if (!made) {
          outcome.discarded.push_back({&sample, std::nullopt, made.error().message()});
          continue;
        }
        ref = *made;
      }
      current.emplace(sample.labels, ref);
      Queue(*appender, ref, sample);
    }
    for (const auto& [labels, ref] : previous) {
      if (!current.contains(labels)) appender->AddAt(ref, stale_time, StaleNaN());
    }
    EPI_ASSIGN(const AppendReport report, appender->Commit(stale_time));
    // Looked up only when something went wrong.
    std::unordered_map<SeriesRef, const RuleSample*> by_ref;
    if (!report.dead.empty() || !report.refusals.empty()) {
      for (const RuleSample& sample : samples) {
        if (const auto made = current.find(sample.labels); made != current.end()) by_ref.emplace(made->second, &sample);
      }
    }
    const bool current_died =
        std::any_of(report.dead.begin(), report.dead.end(), [&](SeriesRef dead) { return by_ref.contains(dead); });
    if (current_died && attempt + 1 < kAttempts) continue;
    for (const AppendReport::Refusal& refusal : report.refusals) {
      const auto series = by_ref.find(refusal.ref);
      if (series == by_ref.end()) continue;  // a stale marker: nothing is lost
      outcome.discarded.push_back({series->second, refusal.reason, std::string(refusal.text())});
      current.erase(series->second->labels);
      by_ref.erase(series);
    }
    break;
  }
  previous = std::move(current);
  return outcome;
}

Result<void> SampleWriter::MarkStale(const std::vector<Labels>& series, TimestampMs time) {
  EPI_ASSIGN(BatchAppender* const appender, Appender());
  bool any = false;
  for (const Labels& labels : series) {
    const SeriesRef ref = appender->Find(labels);
    if (ref == kNoSeries) continue;
    appender->AddAt(ref, time, StaleNaN());
    any = true;
  }
  if (!any) return {};
  EPI_ASSIGN(const AppendReport report, appender->Commit(time));
  static_cast<void>(report);
  return {};
}

}  // namespace epi::rules
