// file_sd_configs: target groups in JSON and YAML files, read again when something changes beside them and every
// interval.
#include <condition_variable>
#include <map>
#include <mutex>

#include "config/glob.h"
#include "discovery/discovery_log.h"
#include "discovery/file_watcher.h"
#include "discovery/kind_metrics.h"
#include "discovery/kinds.h"
#include "model/case_mapping.h"

namespace epi::discovery {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{256} << 20;

std::string SourceOf(const std::string& path, size_t index) { return path + ":" + std::to_string(index); }

class FileDiscoverer final : public Discoverer {
 public:
  FileDiscoverer(const config::FileSdConfig& config, const DiscoveryParts& parts)
      : config_(config),
        files_(parts.files),
        clock_(parts.clock),
        logger_(parts, "file"),
        registry_(parts.registry),
        metrics_(parts.registry) {}

  ~FileDiscoverer() override {
    for (const auto& [path, groups] : group_counts_) ForgetTime(path);
  }

  void Run(TargetGroupSink& sink, std::stop_token stop) override {
    const std::stop_callback notify(stop, [this] { Wake(); });
    auto watcher = FileWatcher::Start([this] {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        changed_ = true;
      }
      Wake();
    });
    if (!watcher) {
      // The interval alone finds changes then, only later.
      logger_.Error("Error adding file watcher", {{"err", watcher.error().message()}});
      metrics_.watcher_errors.Increment();
    }
    while (!stop.stop_requested()) {
      // Watched before it is read, so that no change in between is lost.
      if (watcher) WatchDirectories(**watcher);
      Refresh(sink);
      std::unique_lock<std::mutex> lock(mutex_);
      const MonotonicNs deadline = clock_.Monotonic() + config_.refresh_interval * 1'000'000;
      clock_.WaitUntil(lock, wake_, deadline, [&] { return changed_ || stop.stop_requested(); });
      changed_ = false;
    }
  }

 private:
  void Wake() {
    const std::lock_guard<std::mutex> lock(mutex_);
    wake_.notify_all();
  }

  void WatchDirectories(FileWatcher& watcher) {
    for (const auto& pattern : config_.files) {
      const auto watched = watcher.Watch(std::string(DirectoryName(pattern)));
      if (!watched) logger_.Error("Error adding file watch", {{"path", pattern}, {"err", watched.error().message()}});
    }
  }

  void Refresh(TargetGroupSink& sink) {
    const MonotonicNs begin = clock_.Monotonic();
    std::map<std::string, size_t> counts;
    for (const auto& path : Paths()) {
      auto groups = ReadGroups(path);
      if (!groups) {
        metrics_.read_errors.Increment();
        logger_.Error("Error reading file", {{"path", path}, {"err", groups.error().message()}});
        counts[path] = group_counts_[path];  // its targets stay
        continue;
      }
      counts[path] = groups->size();
      sink.Update(std::move(*groups));
    }
    SendVanished(counts, sink);
    group_counts_ = std::move(counts);
    metrics_.scan_duration.Observe(static_cast<double>(clock_.Monotonic() - begin) / 1e9);
  }

  std::vector<std::string> Paths() {
    std::vector<std::string> out;
    for (const auto& pattern : config_.files) {
      auto paths = config::Glob(files_, pattern);
      if (!paths) {
        logger_.Error("Error expanding glob", {{"glob", pattern}, {"err", paths.error().message()}});
        continue;
      }
      out.insert(out.end(), std::make_move_iterator(paths->begin()), std::make_move_iterator(paths->end()));
    }
    return out;
  }

  Result<std::vector<TargetGroup>> ReadGroups(const std::string& path) {
    EPI_ASSIGN(const std::string text, files_.ReadFile(path, kMaxFileBytes));
    const bool json = ToLowerUtf8(path).ends_with(".json");
    EPI_ASSIGN(auto groups, json ? ParseTargetGroupsJson(text) : ParseTargetGroupsYaml(text));
    for (size_t i = 0; i < groups.size(); ++i) {
      groups[i].source = SourceOf(path, i);
      groups[i].labels = groups[i].labels.With("__meta_filepath", path);
    }
    if (const auto info = files_.Stat(path)) {
      registry_
          .AddGauge(kTimeName, "Timestamp (mtime) of files used by FileSD. Timestamp is set at read time.",
                    {{"filename", path}})
          .Set(static_cast<double>(info->modified_ns / 1'000'000'000));
    }
    return groups;
  }

  // Files and groups that were there the last time and are no more.
  void SendVanished(const std::map<std::string, size_t>& counts, TargetGroupSink& sink) {
    for (const auto& [path, before] : group_counts_) {
      const auto now = counts.find(path);
      const size_t left = now == counts.end() ? 0 : now->second;
      if (now == counts.end()) ForgetTime(path);
      std::vector<TargetGroup> gone;
      for (size_t i = left; i < before; ++i) gone.emplace_back().source = SourceOf(path, i);
      if (!gone.empty()) sink.Update(std::move(gone));
    }
  }

  void ForgetTime(const std::string& path) { registry_.Remove(kTimeName, {{"filename", path}}); }

  static constexpr const char* kTimeName = "prometheus_sd_file_mtime_seconds";
  const config::FileSdConfig config_;
  FileSystem& files_;
  Clock& clock_;
  DiscoveryLog logger_;
  MetricRegistry& registry_;
  const FileMetrics metrics_;
  std::map<std::string, size_t> group_counts_;  // groups last read, by path
  std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = false;  // guarded by mutex_
};

}  // namespace

MadeDiscoverer MakeFile(const config::FileSdConfig& config, const DiscoveryParts& parts) {
  return std::make_unique<FileDiscoverer>(config, parts);
}

}  // namespace epi::discovery
