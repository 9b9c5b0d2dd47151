// kubernetes_sd_configs: pods, services, endpoints, endpoint slices, nodes and ingresses of a cluster, by list and
// watch.
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "discovery/discovery_log.h"
#include "discovery/kind_metrics.h"
#include "discovery/kinds.h"
#include "discovery/kubernetes_access.h"
#include "discovery/kubernetes_targets.h"
#include "discovery/kubernetes_watch.h"

namespace epi::discovery {
namespace {

// Changes that come together are worked on together.
constexpr int64_t kGatherMs = 200;

class KubernetesDiscoverer final : public Discoverer, private KubeChanges {
 public:
  KubernetesDiscoverer(const config::KubernetesSdConfig& config, KubernetesAccess access, const DiscoveryParts& parts)
      : config_(config),
        access_(std::move(access)),
        clock_(parts.clock),
        logger_(parts, "kubernetes"),
        registry_(parts.registry),
        failures_(KubernetesFailures(parts.registry)),
        primary_(KubeKindsOf(config_).front()) {
    for (const std::string& name_space : Namespaces()) {
      for (const KubeKind kind : KubeKindsOf(config_)) AddWatch(kind, name_space);
    }
  }

  void Run(TargetGroupSink& sink, std::stop_token stop) override {
    const std::stop_callback notify(stop, [this] {
      const std::lock_guard<std::mutex> lock(mutex_);
      wake_.notify_all();
    });
    std::vector<std::thread> threads;
    for (const auto& watch : watches_) {
      threads.emplace_back(
          [this, &watch, stop] { RunKubeWatch(watch, access_.api, clock_, logger_, failures_, *this, stop); });
    }
    while (!stop.stop_requested()) {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop.stop_requested() || (IsSynced() && HasWork()); });
      // The first groups go out at once, later ones with what comes right behind.
      if (sent_ && clock_.WaitUntil(lock, wake_, clock_.Monotonic() + kGatherMs * 1'000'000,
                                    [&] { return stop.stop_requested(); }))
        break;
      if (stop.stop_requested()) break;
      std::vector<TargetGroup> groups = TakeChanged();
      sent_ = true;
      lock.unlock();
      if (!groups.empty()) sink.Update(std::move(groups));
    }
    for (auto& thread : threads) thread.join();
  }

 private:
  std::vector<std::string> Namespaces() const {
    std::set<std::string> out(config_.namespaces.names.begin(), config_.namespaces.names.end());
    if (config_.namespaces.own_namespace && !access_.own_namespace.empty()) out.insert(access_.own_namespace);
    if (out.empty()) return {""};
    return {out.begin(), out.end()};
  }

  // Kinds outside namespaces are watched once, whatever the namespaces.
  void AddWatch(KubeKind kind, const std::string& name_space) {
    const KubeResource& resource = KubeResourceOf(kind);
    KubeWatch watch;
    watch.id = watches_.size();
    watch.kind = kind;
    if (resource.namespaced) watch.name_space = name_space;
    for (const auto& other : watches_) {
      if (other.kind == kind && other.name_space == watch.name_space) return;
    }
    for (const auto& selector : config_.selectors) {
      if (selector.role != resource.role) continue;
      watch.label_selector = selector.label;
      watch.field_selector = selector.field;
    }
    watches_.push_back(std::move(watch));
    events_.emplace_back(registry_, kind);
  }

  std::map<std::string, KubeObject>& ObjectsOf(size_t watch) {
    return objects_.by_kind[static_cast<size_t>(watches_[watch].kind)];
  }

  void Replaced(size_t watch, std::vector<KubeObject> objects) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto& known = ObjectsOf(watch);
    const std::string& name_space = watches_[watch].name_space;
    // Of this watch's namespace all goes that the list does not have.
    std::map<std::string, KubeObject> before;
    for (auto entry = known.begin(); entry != known.end();) {
      const bool ours = name_space.empty() || entry->first.starts_with(name_space + "/");
      const auto next = std::next(entry);
      if (ours) before.insert(known.extract(entry));
      entry = next;
    }
    const KubernetesEvents& events = events_[watch];
    for (auto& object : objects) {
      std::string key = KubeKey(*object);
      Count(before.erase(key) > 0 ? events.updated : events.added);
      known[std::move(key)] = std::move(object);
    }
    for (size_t gone = before.size(); gone > 0; --gone) Count(events.deleted);
    synced_.insert(watch);
    all_dirty_ = true;
    wake_.notify_all();
  }

  void Changed(size_t watch, KubeObject object) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::string key = KubeKey(*object);
    KubeObject& known = ObjectsOf(watch)[key];
    Count(known != nullptr ? events_[watch].updated : events_[watch].added);
    known = std::move(object);
    Mark(watch, std::move(key));
  }

  void Deleted(size_t watch, const std::string& key) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ObjectsOf(watch).erase(key);
    Count(events_[watch].deleted);
    Mark(watch, key);
  }

  static void Count(Counter* event) {
    if (event != nullptr) event->Increment();
  }

  // A change of the role's own kind concerns one group; others may concern any.
  void Mark(size_t watch, std::string key) {
    if (watches_[watch].kind == primary_) {
      dirty_.insert(std::move(key));
    } else {
      all_dirty_ = true;
    }
    wake_.notify_all();
  }

  bool IsSynced() const { return synced_.size() == watches_.size(); }
  bool HasWork() const { return all_dirty_ || !dirty_.empty(); }

  // The groups that differ from what was sent. Called with the lock held.
  std::vector<TargetGroup> TakeChanged() {
    const auto& primaries = objects_.by_kind[static_cast<size_t>(primary_)];
    std::vector<TargetGroup> out;
    if (all_dirty_) {
      dirty_.clear();
      for (const auto& [key, object] : primaries) dirty_.insert(key);
      for (const auto& [key, group] : last_) dirty_.insert(key);
    }
    for (const auto& key : dirty_) {
      const auto object = primaries.find(key);
      TargetGroup group;
      if (object != primaries.end()) group = KubeTargets(config_, *object->second, objects_);
      group.source = KubeSource(primary_, key);
      const auto last = last_.find(key);
      if (group.targets.empty()) {
        if (last == last_.end()) continue;
        last_.erase(last);
      } else if (last != last_.end() && last->second == group) {
        continue;
      } else {
        last_[key] = group;
      }
      out.push_back(std::move(group));
    }
    dirty_.clear();
    all_dirty_ = false;
    return out;
  }

  const config::KubernetesSdConfig config_;
  KubernetesAccess access_;
  Clock& clock_;
  DiscoveryLog logger_;
  MetricRegistry& registry_;
  Counter& failures_;
  KubeKind primary_;
  std::vector<KubernetesEvents> events_;  // by watch
  std::vector<KubeWatch> watches_;        // not changed after construction
  std::mutex mutex_;
  std::condition_variable wake_;
  KubeObjects objects_;                      // guarded by mutex_
  std::set<size_t> synced_;                  // guarded by mutex_: watches whose first list has come
  std::set<std::string> dirty_;              // guarded by mutex_: keys of the role's kind
  bool all_dirty_ = false;                   // guarded by mutex_
  bool sent_ = false;                        // guarded by mutex_
  std::map<std::string, TargetGroup> last_;  // guarded by mutex_: as last sent, by key
};

}  // namespace

MadeDiscoverer MakeKubernetes(const config::KubernetesSdConfig& config, const DiscoveryParts& parts) {
  EPI_ASSIGN(auto access, OpenKubernetes(config, parts.http, parts.files));
  return std::make_unique<KubernetesDiscoverer>(config, std::move(access), parts);
}

}  // namespace epi::discovery
