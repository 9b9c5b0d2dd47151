// tsdb create-blocks-from rules: blocks with what recording rules would have given, asked of a server.
#include <memory>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "config/http_client_config.h"
#include "epitool/command.h"
#include "epitool/create_blocks_flags.h"
#include "epitool/range_answer.h"
#include "epitool/rule_check.h"
#include "model/duration.h"
#include "net/http_client.h"
#include "net/url.h"
#include "promql/parser/parser.h"
#include "rules/rule_file.h"
#include "rules/template/go_time.h"
#include "telemetry/log.h"
#include "tsdb/block/backfill.h"
#include "web/api/parameters.h"

namespace epi::tool {
namespace {

constexpr int64_t kBackfillHourMs = int64_t{3600} * 1000;

constexpr FlagSpec kCreateFromRulesFlags[] = {
    {"http.config.file", true, "", "HTTP client configuration file for promtool to connect to Prometheus."},
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
  const auto time = [&arguments](std::string_view flag) -> Result<TimestampMs> {
    auto parsed = web::ParseTime(arguments.Value(flag));
    if (!parsed) return Fail(parsed.error().WithContext("error parsing " + std::string(flag) + " time"));
    return *parsed;
  };
  EPI_ASSIGN(job.start, time("start"));
  job.end = SystemClock().NowMs() - 3 * kBackfillHourMs;
  if (!arguments.Value("end").empty()) {
    EPI_ASSIGN(job.end, time("end"));
  }
  if (job.start >= job.end) return Fail(ErrorCode::kInvalid, "start time is not before end time");
  job.interval_ms = arguments.DurationMs("eval-interval");
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
  RuleImporter(net::HttpClient& client, std::shared_ptr<const net::HttpProfile> profile, const BackfillJob& job,
               tsdb::Backfill& blocks, Console& console)
      : client_(client), profile_(std::move(profile)), job_(job), blocks_(blocks), console_(console) {}

  // Window by window, so that no answer is longer than a block.
  Result<void> Import(const std::string& file, const rules::RuleGroupSpec& group, const rules::RuleSpec& rule) {
    const int64_t interval = group.interval_ms == 0 ? job_.interval_ms : group.interval_ms;
    if (interval <= 0) return Fail(ErrorCode::kInvalid, "eval-interval must be positive");
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
    request.profile = profile_;
    request.timeout_ms = 120'000;
    request.max_body_bytes = uint64_t{1} << 30;
    auto response = client_.Call(std::move(request));
    if (!response) return Fail(response.error().WithContext("query range"));
    auto answer = AnswerOf(*response);
    if (!answer) return Fail(answer.error().WithContext("query range"));
    return answer;
  }

  // Errors of queries come with their text; of other statuses the number is all there is.
  static Result<RangeAnswer> AnswerOf(const net::HttpResponse& response) {
    const int status = response.status;
    if (status / 100 == 2 || status == 400 || status == 422) return ParseRangeAnswer(response.body.view());
    const std::string_view words = status / 100 == 4   ? "client_error: client error: "
                                   : status / 100 == 5 ? "server_error: server error: "
                                                       : "bad_response: bad response code ";
    return Fail(ErrorCode::kExecution, std::string(words) + std::to_string(status));
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
  std::shared_ptr<const net::HttpProfile> profile_;
  const BackfillJob& job_;
  tsdb::Backfill& blocks_;
  Console& console_;
};

// As time.RFC822 shows it.
std::string ShortTime(TimestampMs time) { return rules::FormatTime({time / 1000, 0}, "02 Jan 06 15:04 MST"); }

struct BackfillFile {
  std::string path;
  rules::RuleFile rules;
};

// Nothing when a file cannot be read; what is wrong has been printed.
std::optional<std::vector<BackfillFile>> ReadBackfillFiles(const std::vector<std::string>& paths, Console& console) {
  rules::RuleFileOptions options;
  options.parser = promql::ParseOptions::AllEnabled();
  std::vector<BackfillFile> out;
  for (const std::string& path : std::set<std::string>(paths.begin(), paths.end())) {
    const auto text = console.files.ReadFile(path);
    rules::RuleFileOutcome outcome;
    if (text) {
      outcome = ParseRuleFile(*text, options);
      for (std::string& error : outcome.errors) error.insert(0, path + ": ");
    } else {
      outcome.errors.push_back(text.error().message());
    }
    for (const std::string& error : outcome.errors) console.err << "rule importer parse error: " << error << "\n";
    if (!outcome.ok()) return std::nullopt;
    out.push_back({path, std::move(outcome.file)});
  }
  return out;
}

// The errors of rules; the others are imported all the same.
std::vector<std::string> ImportFiles(const std::vector<BackfillFile>& files, RuleImporter& importer,
                                     const Logger& logger) {
  std::vector<std::string> errors;
  for (const BackfillFile& file : files) {
    for (const rules::RuleGroupSpec& group : file.rules.groups) {
      logger.Info("processing group", {{"name", file.path + ";" + group.name}});
      for (size_t i = 0; i < group.rules.size(); ++i) {
        const rules::RuleSpec& rule = group.rules[i];
        logger.Info("processing rule", {{"id", i}, {"name", rule.name()}});
        if (rule.record.empty()) continue;
        if (auto done = importer.Import(file.path, group, rule); !done) errors.push_back(done.error().message());
      }
    }
  }
  return errors;
}

int RunCreateFromRules(const Arguments& arguments, Console& console) {
  const auto refused = [&console](const std::string& message) {
    console.err << message << "\n";
    return kFailure;
  };
  config::HttpClientConfig http;
  if (const std::string path(arguments.Value("http.config.file")); !path.empty()) {
    auto read = config::LoadHttpClientConfig(console.files, path);
    if (!read && read.error().code() == ErrorCode::kNotFound) {
      return refused("epitool: error: path '" + path + "' does not exist, try --help");
    }
    if (!read) return refused("epitool: error: Failed to load HTTP config file: " + read.error().message());
    http = std::move(*read);
  }
  const auto job = ReadJob(arguments);
  if (!job) return refused(job.error().message());
  net::HttpClient::Options client_options;
  client_options.user_agent = "promtool/3.14.0";
  const auto client = net::HttpClient::Start(client_options, console.files, SystemClock(), Logger());
  if (!client) return refused("epitool: error: " + client.error().message());
  const auto profile = (*client)->Prepare(http, "promtool");
  if (!profile) return refused("new api client error: " + profile.error().message());

  const auto write = [](void* context, std::string_view line) { static_cast<Console*>(context)->err << line; };
  const Logger logger = Logger::ToFunction(LogLevel::kInfo, LogFormat::kLogfmt, write, &console).Named("backfiller");
  logger.Info("new rule importer", {{"start", ShortTime(job->start)}, {"end", ShortTime(job->end)}});
  const auto files = ReadBackfillFiles(arguments.positional(), console);
  if (!files) return kFailure;
  const std::string directory(arguments.Value("output-dir"));
  tsdb::BackfillLayout layout;
  layout.ranges_ms = {job->block_ms};
  layout.refuse_conflicts = false;
  tsdb::Backfill blocks(console.files, directory, SystemClock(), SystemRandom(), layout);
  if (auto made = console.files.CreateDirectories(directory); !made) return refused(made.error().message());
  RuleImporter importer(**client, *profile, *job, blocks, console);
  std::vector<std::string> errors = ImportFiles(*files, importer, logger);
  if (const auto stored = blocks.Commit(); !stored) errors.push_back(stored.error().message());
  for (const std::string& error : errors) console.err << "rule importer error: " << error << "\n";
  return errors.empty() ? kSuccess : refused("error importing rules");
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
