// check service-discovery: runs a job's service discovery for a while and prints what becomes of each target.
#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "config/config.h"
#include "discovery/discoverer.h"
#include "epitool/command.h"
#include "epitool/config_options.h"
#include "epitool/rule_check.h"
#include "model/duration.h"
#include "net/http_client.h"
#include "scrape/job_from_config.h"
#include "scrape/target.h"

namespace epi::tool {
namespace {

constexpr FlagSpec kFlags[] = {
    {"timeout", true, "30s", "The time to wait for discovery results.", false, 0, ValueForm::kDuration},
    kExpandReferencesFlag};

// Keeps the last group of each source.
class CollectingSink final : public discovery::TargetGroupSink {
 public:
  void Update(std::vector<discovery::TargetGroup> groups) override {
    const std::lock_guard lock(mutex_);
    for (auto& group : groups) {
      std::string source = group.source;
      groups_[std::move(source)] = std::move(group);
    }
  }
  void Ended() {
    const std::lock_guard lock(mutex_);
    --running_;
    changed_.notify_all();
  }
  void Began() {
    const std::lock_guard lock(mutex_);
    ++running_;
  }
  // Until every discovery has ended by itself, at most until `deadline`.
  void Await(MonotonicNs deadline) {
    std::unique_lock lock(mutex_);
    SystemClock().WaitUntil(lock, changed_, deadline, [this] { return running_ == 0; });
  }
  std::vector<discovery::TargetGroup> Take() {
    const std::lock_guard lock(mutex_);
    std::vector<discovery::TargetGroup> out;
    for (auto& [source, group] : groups_) out.push_back(std::move(group));
    return out;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, discovery::TargetGroup> groups_;  // guarded by mutex_
  size_t running_ = 0;                                    // guarded by mutex_
};

// As encoding/json prints it.
void AppendJson(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
      static constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void AppendJson(std::string& out, const Labels& labels) {
  if (labels.empty()) {
    out += "{}";
    return;
  }
  out += "{";
  bool first = true;
  for (const LabelView label : labels) {
    out += first ? "\n      " : ",\n      ";
    first = false;
    AppendJson(out, label.name);
    out += ": ";
    AppendJson(out, label.value);
  }
  out += "\n    }";
}

struct Outcome {
  Labels discovered;
  Labels labels;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

std::string ToJson(const std::vector<Outcome>& outcomes) {
  if (outcomes.empty()) return "[]";
  std::string out = "[";
  for (const auto& outcome : outcomes) {
    out += out.size() == 1 ? "\n  {\n" : ",\n  {\n";
    out += "    \"discoveredLabels\": ";
    AppendJson(out, outcome.discovered);
    out += ",\n    \"labels\": ";
    AppendJson(out, outcome.labels);
    if (!outcome.error.empty()) {
      out += ",\n    \"error\": ";
      AppendJson(out, outcome.error);
    }
    out += "\n  }";
  }
  return out + "\n]";
}

std::vector<Outcome> Outcomes(const std::vector<discovery::TargetGroup>& groups, const scrape::ScrapeJob& job) {
  std::vector<Outcome> outcomes;
  for (const auto& group : groups) {
    for (const Labels& target : group.targets) {
      Outcome outcome;
      outcome.discovered = scrape::DiscoveredLabels(target, group.labels, job);
      auto populated = scrape::PopulateLabels(outcome.discovered, job);
      if (populated) {
        outcome.labels = std::move(populated->labels);
      } else {
        outcome.error = populated.error().message();
      }
      if (std::find(outcomes.begin(), outcomes.end(), outcome) == outcomes.end())
        outcomes.push_back(std::move(outcome));
    }
  }
  return outcomes;
}

int Discover(const config::ScrapeConfig& job, int64_t timeout_ms, Console& console) {
  auto http = net::HttpClient::Start({}, console.files, SystemClock(), Logger());
  if (!http) {
    console.err << "Could not create new discoverer " << http.error().message() << "\n";
    return kFailure;
  }
  MetricRegistry registry;
  // Why there are no targets is told as the server would.
  const Logger logger = Logger::ToStderr(LogLevel::kInfo, LogFormat::kLogfmt);
  const discovery::DiscoveryParts parts{**http, console.files, SystemClock(), logger, registry, {}, {}};
  const MonotonicNs deadline = SystemClock().Monotonic() + timeout_ms * 1'000'000;
  CollectingSink sink;
  {
    std::vector<std::unique_ptr<discovery::Discoverer>> discoverers;
    for (const auto& sd : job.service_discovery) {
      auto made = discovery::MakeDiscoverer(sd, parts);
      if (!made) {
        console.err << "Could not create new discoverer " << made.error().message() << "\n";
        return kFailure;
      }
      discoverers.push_back(std::move(*made));
    }
    std::vector<std::jthread> threads;  // stopped and joined before what they use goes
    for (auto& discoverer : discoverers) {
      sink.Began();
      threads.emplace_back([&sink, &one = *discoverer](std::stop_token stop) {
        one.Run(sink, stop);
        sink.Ended();
      });
    }
    sink.Await(deadline);
  }
  console.out << ToJson(Outcomes(sink.Take(), scrape::JobFromConfig(job)));
  return kSuccess;
}

int Run(const Arguments& arguments, Console& console) {
  const config::LoadOptions options = ConfigOptions(arguments, console);
  const auto loaded = config::LoadConfig(console.files, arguments.positional()[0], options);
  if (!loaded) {
    console.err << "Cannot load config " << loaded.error().message() << "\n";
    return kFailure;
  }
  const auto jobs = config::LoadScrapeConfigs(console.files, *loaded, options);
  if (!jobs) {
    console.err << "Cannot load scrape configs " << jobs.error().message() << "\n";
    return kFailure;
  }
  const std::string& wanted = arguments.positional()[1];
  for (const auto& job : *jobs) {
    if (job.job_name == wanted) return Discover(job, arguments.DurationMs("timeout"), console);
  }
  console.err << "Job " << wanted << " not found. Select one of:\n";
  for (const auto& job : *jobs) console.err << "\t" << job.job_name << "\n";
  return kFailure;
}

}  // namespace

const Command kCheckServiceDiscovery = {
    "check service-discovery",
    "<config-file> <job>",
    "Perform service discovery for the given job name and report the results, including relabeling.",
    kFlags,
    2,
    2,
    1,
    Run};

}  // namespace epi::tool
