// What the tests of this module share: one running discovery with a clock that stands still, and an HTTP server that
// plays the API it asks. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/file_system.h"
#include "config/discovery_config.h"
#include "discovery/discoverer.h"
#include "net/http_client.h"
#include "testing/loopback.h"
#include "testing/simulated_clock.h"

namespace epi::discovery {

struct ApiAnswer {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};
};

// The *_sd_configs keys of one section.
inline Result<config::SdConfigs> ParseSections(const std::string& yaml) {
  EPI_ASSIGN(const auto document, config::YamlDocument::Parse(yaml, config::DuplicateKeys::kKeep));
  config::YamlReader reader;
  config::SdConfigs out;
  for (const auto& entry : document.root().entries()) {
    if (!config::ReadSdSection(reader, entry, out)) reader.UnknownField(entry.key, "test");
  }
  EPI_TRY(reader.Finish());
  return out;
}

// Waits in a handler until the client goes away, as a blocking query without news does.
inline void HoldUntilGone(const net::Request& request) {
  std::mutex mutex;
  std::condition_variable wake;
  const std::stop_callback gone(request.stop, [&] {
    const std::lock_guard<std::mutex> inner(mutex);
    wake.notify_all();
  });
  std::unique_lock<std::mutex> lock(mutex);
  wake.wait_for(lock, std::chrono::seconds(20), [&] { return request.stop.stop_requested(); });
}

class DiscoveryFixture final : public TargetGroupSink {
 public:
  DiscoveryFixture()
      : client_(net::HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger()).value()),
        logger_(Logger::ToFunction(LogLevel::kDebug, LogFormat::kLogfmt, &DiscoveryFixture::OnLog, this)) {}
  ~DiscoveryFixture() override { Stop(); }

  DiscoveryParts parts() { return {*client_, PosixFileSystem(), clock_, logger_, registry_, "job", resolver_config}; }
  testing::SimulatedClock& clock() { return clock_; }
  MetricRegistry& registry() { return registry_; }

  // Answers every request by its target (path and query).
  void Serve(std::function<ApiAnswer(const std::string& target)> answer) {
    ServeRequests([answer = std::move(answer)](const net::Request& request) { return answer(request.target); });
  }
  void ServeRequests(std::function<ApiAnswer(const net::Request& request)> answer) {
    ServeStreams([answer = std::move(answer)](net::Request& request, net::ResponseWriter& response) {
      Send(answer(request), response);
    });
  }
  void ServeStreams(net::FunctionDispatcher::Serving serving) {
    server_ = std::make_unique<net::TestServer>(std::move(serving));
  }
  static void Send(const ApiAnswer& answer, net::ResponseWriter& response) {
    response.SetStatus(answer.status);
    response.headers().Add("Content-Type", answer.content_type);
    for (const auto& [name, value] : answer.headers) response.headers().Add(name, value);
    static_cast<void>(response.Write(answer.body));
  }
  std::string url() const { return server_->Url(""); }
  std::string address() const { return server_->Url("").substr(7); }

  void Start(const std::string& yaml) {
    const auto sections = ParseSections(yaml);
    ASSERT_TRUE(sections.has_value()) << sections.error().message();
    ASSERT_EQ(sections->size(), 1u);
    auto made = MakeDiscoverer(sections->at(0), parts());
    ASSERT_TRUE(made.has_value()) << made.error().message();
    discoverer_ = std::move(*made);
    thread_ = std::thread([this] { discoverer_->Run(*this, stop_.get_token()); });
  }
  void Stop() {
    stop_.request_stop();
    if (thread_.joinable()) thread_.join();
    discoverer_.reset();
  }

  void Update(std::vector<TargetGroup> groups) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto& group : groups) {
      if (group.targets.empty()) {
        groups_.erase(group.source);
      } else {
        sources_.insert(group.source);
        std::string source = group.source;
        groups_[std::move(source)] = std::move(group);
      }
    }
    ++updates_;
    updating_threads_.insert(std::this_thread::get_id());
    changed_.notify_all();
  }
  // How many threads the discovery sent from.
  size_t UpdatingThreads() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return updating_threads_.size();
  }

  // The groups there are, by source.
  std::vector<TargetGroup> Groups() {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<TargetGroup> out;
    for (const auto& [source, group] : groups_) out.push_back(group);
    return out;
  }
  // All targets with their group's labels, sorted.
  std::vector<Labels> Targets() {
    std::vector<Labels> out;
    for (const auto& group : Groups()) {
      for (const auto& target : group.targets) {
        LabelsBuilder labels(group.labels);
        for (const auto label : target) labels.Set(label.name, label.value);
        out.push_back(labels.Build());
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  void AwaitUpdates(int count) {
    Await([&] { return updates_ >= count; });
  }
  void AwaitGroups(size_t count) {
    Await([&] { return groups_.size() == count && updates_ > 0; });
  }
  // Looks again at least every 10 ms, for conditions that nothing here signals.
  void Await(const std::function<bool()>& done) {
    std::unique_lock<std::mutex> lock(mutex_);
    for (int i = 0; i < 2000 && !done(); ++i) changed_.wait_for(lock, std::chrono::milliseconds(10));
    ASSERT_TRUE(done()) << log_;
  }
  // For something to happen, but no longer.
  void AwaitAtMost(int milliseconds) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(milliseconds));
  }
  // Every source that ever had targets.
  std::set<std::string> Sources() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return sources_;
  }
  void AwaitMetric(const std::string& name, double value) {
    for (int i = 0; i < 2000 && Metric(name) < value; ++i) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait_for(lock, std::chrono::milliseconds(10));
    }
    EXPECT_GE(Metric(name), value);
  }
  // Lets time pass until `done`.
  void AwaitInTime(const std::function<bool()>& done) {
    for (int i = 0; i < 2000 && !done(); ++i) {
      Advance(1'000);
      AwaitAtMost(2);
    }
    ASSERT_TRUE(done()) << log();
  }
  // Until the discovery waits for its clock.
  void AwaitWaiting(size_t waiters = 1) { clock_.AwaitWaiters(waiters); }
  void Advance(int64_t ms) { clock_.AdvanceMs(ms); }

  // The sum of the members that have all of `labels`.
  double Metric(const std::string& name, const MetricLabels& labels = {}) {
    double out = 0;
    for (const auto& family : registry_.Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.points) {
        const bool meant = std::all_of(labels.begin(), labels.end(), [&](const auto& label) {
          return std::find(metric.labels.begin(), metric.labels.end(), label) != metric.labels.end();
        });
        if (meant) out += metric.value;
      }
    }
    return out;
  }
  std::string log() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return log_;
  }

  std::string resolver_config;

 private:
  static void OnLog(void* context, std::string_view line) {
    auto& self = *static_cast<DiscoveryFixture*>(context);
    const std::lock_guard<std::mutex> lock(self.mutex_);
    self.log_ += line;
    self.changed_.notify_all();
  }

  testing::SimulatedClock clock_;
  MetricRegistry registry_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, TargetGroup> groups_;   // guarded by mutex_
  std::set<std::string> sources_;               // guarded by mutex_
  std::string log_;                             // guarded by mutex_
  int updates_ = 0;                             // guarded by mutex_
  std::set<std::thread::id> updating_threads_;  // guarded by mutex_
  std::unique_ptr<net::TestServer> server_;
  std::unique_ptr<net::HttpClient> client_;
  Logger logger_;
  std::stop_source stop_;
  std::unique_ptr<Discoverer> discoverer_;
  std::thread thread_;
};

}  // namespace epi::discovery
