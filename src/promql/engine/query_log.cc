#include "promql/engine/query_log.h"

#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/escaping.h"
#include "model/number_format.h"

namespace epi::promql {
namespace {

// Members in the order given; what may be absent is left out by the caller.
class LogObject {
 public:
  explicit LogObject(std::string& out) : out_(out) { out_ += '{'; }
  std::string& Key(std::string_view name) {
    if (out_.back() != '{') out_ += ',';
    AppendJsonString(out_, name, JsonStyle::kEncoding);
    out_ += ':';
    return out_;
  }
  void Text(std::string_view name, std::string_view value) { AppendJsonString(Key(name), value, JsonStyle::kEncoding); }
  void Whole(std::string_view name, int64_t value) { Key(name) += std::to_string(value); }
  void Close() { out_ += '}'; }

 private:
  std::string& out_;
};

// "2006-01-02T15:04:05.000Z".
std::string LogTime(TimestampMs t) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(t)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  std::array<char, 64> text;
  const int size =
      std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                    static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                    static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                    static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return std::string(text.data(), static_cast<size_t>(size));
}

void AppendParams(std::string& out, const QueryLogEntry& entry) {
  LogObject params(out);
  params.Text("end", LogTime(entry.end));
  params.Text("query", entry.text);
  params.Text("start", LogTime(entry.start));
  params.Whole("step", entry.step_ms / 1000);
  params.Close();
}

void AppendSteps(LogObject& samples, std::string_view name, const std::vector<std::pair<TimestampMs, int64_t>>& steps) {
  if (steps.empty()) return;
  std::string& out = samples.Key(name);
  out += '[';
  for (const auto& [time, count] : steps) {
    if (out.back() != '[') out += ',';
    out += '[';
    AppendJsonSampleTime(out, time);
    out += ',' + std::to_string(count) + ']';
  }
  out += ']';
}

void AppendStats(std::string& out, const QueryStats& stats) {
  LogObject all(out);
  LogObject timings(all.Key("timings"));
  const QueryTimings& t = stats.timings;
  const std::pair<std::string_view, double> kRows[] = {
      {"evalTotalTime", t.eval_total}, {"resultSortTime", t.result_sort}, {"queryPreparationTime", t.query_preparation},
      {"innerEvalTime", t.inner_eval}, {"execQueueTime", t.exec_queue},   {"execTotalTime", t.exec_total}};
  for (const auto& [name, seconds] : kRows) AppendJsonNumber(timings.Key(name), seconds);
  timings.Close();
  LogObject samples(all.Key("samples"));
  AppendSteps(samples, "totalQueryableSamplesPerStep", stats.samples.total_queryable_per_step);
  samples.Whole("totalQueryableSamples", stats.samples.total_queryable);
  AppendSteps(samples, "samplesReadPerStep", stats.samples.samples_read_per_step);
  samples.Whole("samplesRead", stats.samples.samples_read);
  samples.Whole("peakSamples", stats.samples.peak);
  samples.Close();
  all.Close();
}

void AppendOrigin(LogObject& line, const QueryOrigin& origin) {
  if (!origin.path.empty()) {
    LogObject request(line.Key("httpRequest"));
    request.Text("clientIP", origin.client);
    request.Text("method", origin.method);
    request.Text("path", origin.path);
    request.Close();
  }
  if (!origin.rule_group.empty()) {
    LogObject group(line.Key("ruleGroup"));
    group.Text("file", origin.rule_file);
    group.Text("name", origin.rule_group);
    group.Close();
  }
}

}  // namespace

std::string FormatQueryLogEntry(const QueryLogEntry& entry, TimestampMs now) {
  std::string out;
  LogObject line(out);
  line.Text("time", LogTime(now));
  line.Text("level", "INFO");
  line.Text("msg", "promql query logged");
  AppendParams(line.Key("params"), entry);
  if (entry.error != nullptr) line.Text("error", entry.error->message());
  AppendStats(line.Key("stats"), entry.stats);
  // Nothing here is traced, and a span that is not there has these names.
  line.Text("spanID", "0000000000000000");
  line.Text("traceID", "00000000000000000000000000000000");
  if (entry.origin != nullptr) AppendOrigin(line, *entry.origin);
  line.Close();
  return out;
}

QueryLog::QueryLog(FileSystem& files, Clock& clock, MetricRegistry* metrics) : files_(files), clock_(clock) {
  if (metrics == nullptr) return;
  enabled_metric_ = &metrics->AddGauge("prometheus_engine_query_log_enabled", "State of the query log.");
  failures_ = &metrics->AddCounter("prometheus_engine_query_log_failures_total", "The number of query log failures.");
}

Result<void> QueryLog::SetFile(const std::string& path) {
  std::unique_ptr<File> opened;
  if (!path.empty()) {
    auto file = files_.Open(path, OpenMode::kAppend);
    if (!file) return Fail(file.error().WithContext("can't create json log file"));
    opened = std::move(*file);
  }
  if (enabled_metric_ != nullptr) enabled_metric_->Set(opened == nullptr ? 0 : 1);
  const std::lock_guard lock(mutex_);
  file_ = std::move(opened);
  return {};
}

bool QueryLog::enabled() const {
  const std::lock_guard lock(mutex_);
  return file_ != nullptr;
}

void QueryLog::Write(const QueryLogEntry& entry) {
  const std::string line = FormatQueryLogEntry(entry, clock_.NowMs()) + "\n";
  const std::lock_guard lock(mutex_);
  if (file_ == nullptr) return;
  if (!file_->Append(line) && failures_ != nullptr) failures_->Increment();
}

}  // namespace epi::promql
