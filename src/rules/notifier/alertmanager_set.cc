#include "rules/notifier/alertmanager_set.h"

#include <algorithm>
#include <set>

#include "base/escaping.h"
#include "net/url.h"

namespace epi::rules {
namespace {

constexpr std::string_view kAddress = "__address__";
constexpr std::string_view kScheme = "__scheme__";
constexpr std::string_view kPath = "__alerts_path__";

std::string UrlOf(const LabelsBuilder& labels) {
  net::Url url;
  url.scheme.assign(labels.Get(kScheme));
  url.has_authority = true;
  url.host.assign(labels.Get(kAddress));
  url.path.assign(labels.Get(kPath));
  return url.ToString();
}

}  // namespace

Result<FoundAlertmanagers> AlertmanagersOf(const discovery::TargetGroup& group,
                                           const config::AlertmanagerConfig& config) {
  FoundAlertmanagers out;
  for (const Labels& target : group.targets) {
    LabelsBuilder labels(target);
    labels.Set(kScheme, config.scheme);
    labels.Set(kPath, AlertsPath(config.path_prefix, config.api_version));
    for (const LabelView& label : group.labels) {
      if (!target.Has(label.name)) labels.Set(label.name, label.value);
    }
    std::string before = UrlOf(labels);
    if (!Relabel(config.relabel_configs, labels)) {
      out.dropped.push_back(std::move(before));
      continue;
    }
    const std::string address(labels.Get(kAddress));
    if (address.find('/') != std::string::npos) {
      std::string message;
      AppendQuoted(message, address);
      return Fail(ErrorCode::kInvalid, message + " is not a valid hostname");
    }
    out.urls.push_back(UrlOf(labels));
  }
  return out;
}

AlertmanagerSet::AlertmanagerSet(const config::AlertmanagerConfig& config,
                                 std::shared_ptr<const net::HttpProfile> profile, net::HttpClient& client,
                                 NotifierLimits limits, std::shared_ptr<AlertmanagerMetricsTable> metrics,
                                 Logger logger, DeliveryObserver* observer, const Clock* clock,
                                 std::unique_ptr<discovery::AwsSigner> signer)
    : config_(config),
      profile_(std::move(profile)),
      client_(client),
      limits_(limits),
      metrics_(std::move(metrics)),
      logger_(std::move(logger)),
      observer_(observer),
      clock_(clock),
      signer_(std::move(signer)) {}

AlertmanagerSet::~AlertmanagerSet() {
  Stop();
  AwaitEnd();
}

void AlertmanagerSet::Sync(const discovery::TargetGroups& groups) {
  std::set<std::string> urls;
  std::vector<std::string> dropped;
  for (const auto& group : groups) {
    auto found = AlertmanagersOf(*group, config_);
    if (!found) {
      logger_.Error("Creating discovered Alertmanagers failed", {{"err", found.error().message()}});
      continue;
    }
    urls.insert(found->urls.begin(), found->urls.end());
    dropped.insert(dropped.end(), found->dropped.begin(), found->dropped.end());
  }
  std::sort(dropped.begin(), dropped.end());
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  dropped_ = std::move(dropped);
  for (auto it = loops_.begin(); it != loops_.end();) {
    if (urls.contains(it->first)) {
      ++it;
      continue;
    }
    it->second->Stop();
    ending_.push_back(std::move(it->second));
    it = loops_.erase(it);
  }
  Forget();
  for (const std::string& url : urls) {
    if (loops_.contains(url)) {
      logger_.Debug("Alertmanager already has send loop running, skipping", {{"alertmanager", url}});
      continue;
    }
    SendLoop::Settings settings{url, profile_, config_.timeout, limits_, observer_, clock_, signer_.get()};
    loops_.emplace(url, SendLoop::Make(std::move(settings), client_, metrics_->Of(url), logger_));
  }
}

void AlertmanagerSet::Forget() {
  std::erase_if(ending_, [](const std::shared_ptr<SendLoop>& loop) { return loop->ended(); });
}

void AlertmanagerSet::Send(const std::vector<Notification>& notifications) {
  std::vector<Notification> own = notifications;
  if (!config_.alert_relabel_configs.empty())
    own = RelabelNotifications(std::move(own), {}, config_.alert_relabel_configs);
  if (own.empty()) return;
  std::vector<std::shared_ptr<SendLoop>> loops;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : loops_) loops.push_back(entry.second);
  }
  for (const auto& loop : loops) loop->Add(own);
}

std::vector<std::string> AlertmanagerSet::active() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& entry : loops_) out.push_back(entry.first);
  return out;
}

std::vector<std::string> AlertmanagerSet::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void AlertmanagerSet::Stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& entry : loops_) {
    entry.second->Stop();
    ending_.push_back(std::move(entry.second));
  }
  loops_.clear();
}

void AlertmanagerSet::AwaitEnd() {
  std::vector<std::shared_ptr<SendLoop>> ending;
  {
    const std::lock_guard lock(mutex_);
    ending.swap(ending_);
  }
  for (const auto& loop : ending) loop->AwaitEnd();
}

}  // namespace epi::rules
