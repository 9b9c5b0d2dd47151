// tsdb create-blocks-from rules: blocks with what recording rules would have given, asked of a server.
#include <ostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "epitool/command.h"
#include "epitool/create_blocks_flags.h"
#include "epitool/range_answer.h"
#include "epitool/rule_check.h"
#include "model/duration.h"
#include "net/http_client.h"
#include "net/url.h"
#include "promql/parser/parser.h"
#include "rules/rule_file.h"
#include "tsdb/block/backfill.h"
#include "web/api/parameters.h"

namespace epi::tool {
namespace {

constexpr int64_t kBackfillHourMs = int64_t{3600} * 1000;

constexpr FlagSpec kCreateFromRulesFlags[] = {
    {"url", true, "http://localhost:9090",
     "The URL for the Prometheus API with the data where the rule will be backfilled from.", false, 0, ValueForm::kUrl},
    {"start", true, "",
     "The time to start backfilling the new rule from. Must be a RFC3339 formatted date or Unix timestamp. Required.",
     false, 0, ValueForm::kText, kWholeCommand, true},
    {"end", true, "",
     "If an end time is provided, all recording rules in the rule files provided will be backfilled to the end time. "
     "Default will backfill up to 3 hours ago. Must be a RFC3339 formatted date or Unix timestamp."},
    {"output-dir", true, "data/", "Output directory for generated blocks."},
    {"eval-interval", true, "60s",
     "How frequently to evaluate rules when backfilling if a value is not set in the recording rule files.", false, 0,
     ValueForm::kDuration},
    kCreateHumanReadableFlag,
    kCreateQuietFlag,
    kCreateMaxDurationFlag,
};

struct BackfillJob {
  std::string url;
  TimestampMs start = 0;
  TimestampMs end = 0;
  int64_t interval_ms = 60'000;
  int64_t block_ms = 2 * kBackfillHourMs;
};

Result<BackfillJob> ReadJob(const Arguments& arguments) {
  BackfillJob job;
  job.url = std::string(arguments.Value("url"));
  while (job.url.ends_with('/')) job.url.pop_back();
  if (job.url.find("://") == std::string::npos) job.url = "http://" + job.url;
  EPI_ASSIGN(job.start, web::ParseTime(arguments.Value("start")));
  job.end = SystemClock().NowMs() - 3 * kBackfillHourMs;
  if (!arguments.Value("end").empty()) {
    EPI_ASSIGN(job.end, web::ParseTime(arguments.Value("end")));
  }
  if (job.start >= job.end) return Fail(ErrorCode::kInvalid, "start time is not before end time");
  job.interval_ms = arguments.DurationMs("eval-interval");
  if (job.interval_ms <= 0) return Fail(ErrorCode::kInvalid, "eval-interval must be positive");
  job.block_ms = tsdb::BackfillBlockRange(arguments.DurationMs(kCreateMaxDurationFlag.name));
  return job;
}

// The group's place in its interval, as a server that evaluates it has it.
int64_t SlotOffset(const std::string& file, const std::string& group, int64_t interval_ms) {
  constexpr int64_t kNsPerMs = 1'000'000;
  const Labels identity{{"name", group}, {"file", file}};
  return static_cast<int64_t>(identity.PrometheusHash() % static_cast<uint64_t>(interval_ms * kNsPerMs)) / kNsPerMs;
}

std::string SecondsText(TimestampMs t) {
  std::string text = std::to_string(t / 1000) + ".";
  const std::string ms = std::to_string(t % 1000);
  return text + std::string(3 - ms.size(), '0') + ms;
}

class RuleImporter {
 public:
  RuleImporter(net::HttpClient& client, const BackfillJob& job, tsdb::Backfill& blocks, Console& console)
      : client_(client), job_(job), blocks_(blocks), console_(console) {}

  // Window by window, so that no answer is longer than a block.
  Result<void> Import(const std::string& file, const rules::RuleGroupSpec& group, const rules::RuleSpec& rule) {
    const int64_t interval = group.interval_ms == 0 ? job_.interval_ms : group.interval_ms;
    const int64_t offset = SlotOffset(file, group.name, interval);
    const Labels labels = rules::ToLabels(rules::MergedLabels(group, rule));
    const auto [first_window, unused] = tsdb::BackfillWindow(job_.start, job_.block_ms);
    static_cast<void>(unused);
    for (TimestampMs window = first_window; window <= job_.end; window += job_.block_ms) {
      const TimestampMs from = std::max(window, job_.start);
      const TimestampMs to = std::min(window + job_.block_ms - 1, job_.end);
      TimestampMs first = from - from % interval + offset;
      while (first - interval >= from) first -= interval;
      while (first < from) first += interval;
      if (first > to) continue;
      EPI_ASSIGN(const RangeAnswer answer, Ask(rule.expr, first, to, interval));
      if (answer.histograms > 0) {
        console_.err << "WARNING: rule " << rule.name() << ": " << answer.histograms << " histograms are left out\n";
      }
      EPI_TRY(Store(answer.matrix, rule, labels));
    }
    return {};
  }

 private:
  Result<RangeAnswer> Ask(const std::string& expr, TimestampMs start, TimestampMs end, int64_t step_ms) {
    net::HttpRequest request;
    request.url = job_.url + "/api/v1/query_range";
    request.method = "POST";
    request.headers.Set("Content-Type", "application/x-www-form-urlencoded");
    request.body = "query=" + net::EscapeQuery(expr) + "&start=" + SecondsText(start) + "&end=" + SecondsText(end) +
                   "&step=" + SecondsText(step_ms);
    request.timeout_ms = 120'000;
    request.max_body_bytes = uint64_t{1} << 30;
    auto response = client_.Call(std::move(request));
    if (!response) return Fail(response.error().WithContext("query range"));
    return ParseRangeAnswer(response->body.view());
  }

  Result<void> Store(const promql::MatrixValue& matrix, const rules::RuleSpec& rule, const Labels& labels) {
    LabelsBuilder builder;
    for (const promql::MatrixSeries& series : matrix) {
      builder.Reset(series.labels);
      builder.Set(kMetricName, rule.name());
      for (const LabelView& label : labels) builder.Set(label.name, label.value);
      const Labels out = builder.Build();
      for (const promql::FloatPoint& point : series.floats) EPI_TRY(blocks_.Add(out, point.t, point.v));
    }
    return {};
  }

  net::HttpClient& client_;
  const BackfillJob& job_;
  tsdb::Backfill& blocks_;
  Console& console_;
};

Result<void> CreateBlocks(const Arguments& arguments, Console& console) {
  EPI_ASSIGN(const BackfillJob job, ReadJob(arguments));
  net::HttpClient::Options http;
  http.user_agent = "promtool/3.14.0";
  EPI_ASSIGN(const auto client, net::HttpClient::Start(http, console.files, SystemClock(), Logger()));
  const std::string directory(arguments.Value("output-dir"));
  EPI_TRY(console.files.CreateDirectories(directory));
  tsdb::BackfillLayout layout;
  layout.ranges_ms = {job.block_ms};
  layout.refuse_conflicts = false;
  tsdb::Backfill blocks(console.files, directory, SystemClock(), SystemRandom(), layout);
  rules::RuleFileOptions options;
  options.parser = promql::ParseOptions::AllEnabled();
  RuleImporter importer(*client, job, blocks, console);
  for (const std::string& path : arguments.positional()) {
    EPI_ASSIGN(const std::string text, console.files.ReadFile(path));
    const rules::RuleFileOutcome outcome = ParseRuleFile(text, options);
    if (!outcome.ok()) return Fail(ErrorCode::kInvalid, path + ": " + outcome.errors.front());
    for (const rules::RuleGroupSpec& group : outcome.file.groups) {
      console.err << "processing group, name: " << path << ";" << group.name << "\n";
      for (size_t i = 0; i < group.rules.size(); ++i) {
        const rules::RuleSpec& rule = group.rules[i];
        if (rule.record.empty()) continue;
        console.err << "processing rule, id: " << i << ", name: " << rule.name() << "\n";
        EPI_TRY(importer.Import(path, group, rule));
      }
    }
  }
  EPI_ASSIGN(const BackfillReport report, blocks.Commit());
  console.err << report.stored << " samples in " << report.blocks.size() << " blocks\n";
  return {};
}

int RunCreateFromRules(const Arguments& arguments, Console& console) {
  if (auto done = CreateBlocks(arguments, console); !done) {
    console.err << "epitool: error: " << done.error().message() << "\n";
    return kFailure;
  }
  return kSuccess;
}

}  // namespace

const Command kCreateBlocksFromRules = {
    "tsdb create-blocks-from rules",
    "<rule-files>...",
    "Create blocks of data for new recording rules.",
    kCreateFromRulesFlags,
    1,
    SIZE_MAX,
    SIZE_MAX,
    &RunCreateFromRules,
};

}  // namespace epi::tool
