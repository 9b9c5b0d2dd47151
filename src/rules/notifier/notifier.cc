#include "rules/notifier/notifier.h"

#include <algorithm>
#include <optional>

#include "config/config_schema.h"

namespace epi::rules {
namespace {

// Everything a section says, secrets included: equal texts mean equal sections.
std::string FingerprintOf(const config::AlertmanagerConfig& section) {
  config::Config whole;
  whole.alerting.alertmanagers.push_back(section);
  config::WriteOptions options;
  options.redact = false;
  return config::Codec<config::Config>::Write(whole, options).Text();
}

std::string NameOfSection(size_t place) { return "config-" + std::to_string(place); }

}  // namespace

// How many targets the discoveries of a section have found, under the name of its place in the configuration: a reload
// may move it. Thread-safe.
class Notifier::TargetCount {
 public:
  TargetCount(discovery::ManagerMetrics& metrics, const Clock& clock, std::string name)
      : metrics_(metrics), clock_(clock), name_(std::move(name)) {}
  void Set(size_t targets) {
    const std::lock_guard lock(mutex_);
    targets_ = targets;
    metrics_.Report(name_, targets, clock_.NowMs());
  }
  void MoveTo(std::string name) {
    const std::lock_guard lock(mutex_);
    name_ = std::move(name);
    if (targets_) metrics_.Report(name_, *targets_, clock_.NowMs());
  }

 private:
  discovery::ManagerMetrics& metrics_;
  const Clock& clock_;
  std::mutex mutex_;
  std::string name_;               // guarded by mutex_
  std::optional<size_t> targets_;  // guarded by mutex_; none: nothing was found yet
};

Notifier::Notifier(NotifierOptions options)
    : options_(std::move(options)),
      metrics_(AlertmanagerMetricsTable::Make(*options_.metrics)),
      discovered_(options_.metrics->AddGauge("prometheus_notifications_alertmanagers_discovered",
                                             "The number of alertmanagers discovered and active.")),
      discoveries_(*options_.metrics, "notify") {
  options_.metrics
      ->AddGauge("prometheus_notifications_queue_capacity", "The capacity of the alert notifications queue.")
      .Set(static_cast<double>(options_.limits.queue_capacity));
}

Notifier::~Notifier() { Stop(); }

Result<std::unique_ptr<Notifier::Section>> Notifier::MakeSection(const config::AlertmanagerConfig& config,
                                                                 const std::string& name, std::string fingerprint) {
  EPI_ASSIGN(auto profile, options_.client->Prepare(config.http, "alertmanager"));
  std::unique_ptr<discovery::AwsSigner> signer;
  if (config.sigv4) {
    discovery::AwsSettings settings;
    settings.region = config.sigv4->region;
    settings.access_key = config.sigv4->access_key;
    settings.secret_key = config.sigv4->secret_key;
    settings.profile = config.sigv4->profile;
    settings.role_arn = config.sigv4->role_arn;
    settings.external_id = config.sigv4->external_id;
    settings.fips_sts = config.sigv4->use_fips_sts_endpoint;
    // As Prometheus has it: an Alertmanager would get no alert, whatever else is right.
    if (discovery::ConfiguredAwsRegion(settings, *options_.files).empty())
      return Fail(ErrorCode::kInvalid, "region not configured in sigv4 or in default credentials chain");
    const std::string& service = config.sigv4->service_name;
    signer = std::make_unique<discovery::AwsSigner>(std::move(settings), service.empty() ? "aps" : service,
                                                    *options_.client, *options_.files, *options_.clock);
  }
  auto section = std::make_unique<Section>();
  section->fingerprint = std::move(fingerprint);
  section->target_count = std::make_shared<TargetCount>(discoveries_, *options_.clock, name);
  section->set =
      std::make_shared<AlertmanagerSet>(config, std::move(profile), *options_.client, options_.limits, metrics_,
                                        options_.logger, options_.deliveries, options_.clock, std::move(signer));
  const discovery::DiscoveryParts parts{*options_.client,        *options_.files,   *options_.clock,
                                        options_.logger,         *options_.metrics, name,
                                        options_.resolver_config};
  section->discovery = std::make_unique<DiscoveryRunner>(
      config.service_discovery, parts,
      [this, count = section->target_count, set = section->set](const discovery::TargetGroups& groups) {
        size_t targets = 0;
        for (const auto& group : groups) targets += group->targets.size();
        discoveries_.received.Increment();
        count->Set(targets);
        discoveries_.sent.Increment();
        set->Sync(groups);
        CountDiscovered();
      });
  return section;
}

Result<void> Notifier::Load(const config::AlertingConfig& config, const Labels& external_labels) {
  const std::lock_guard load_lock(load_mutex_);
  std::vector<std::shared_ptr<Section>> old;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return {};
    old = sections_;
  }
  std::vector<std::shared_ptr<Section>> next;
  for (size_t i = 0; i < config.alertmanagers.size(); ++i) {
    std::string fingerprint = FingerprintOf(config.alertmanagers[i]);
    const auto same = std::find_if(old.begin(), old.end(), [&](const std::shared_ptr<Section>& section) {
      return section != nullptr && section->fingerprint == fingerprint;
    });
    if (same != old.end()) {
      next.push_back(std::move(*same));
      same->reset();
      continue;
    }
    EPI_ASSIGN(std::shared_ptr<Section> made,
               MakeSection(config.alertmanagers[i], NameOfSection(i), std::move(fingerprint)));
    next.push_back(std::move(made));
  }
  {
    const std::lock_guard lock(mutex_);
    sections_ = next;
    relabel_configs_ = config.alert_relabel_configs;
    external_labels_ = external_labels;
  }
  CountDiscovered();
  for (const auto& section : old) {
    if (section != nullptr) section->discovery.reset();
  }
  for (size_t i = 0; i < next.size(); ++i) next[i]->target_count->MoveTo(NameOfSection(i));
  for (size_t i = next.size(); i < old.size(); ++i) discoveries_.Forget(NameOfSection(i));
  for (const auto& section : old) {
    if (section == nullptr) continue;
    section->set->Stop();
    section->set->AwaitEnd();
  }
  return {};
}

void Notifier::CountDiscovered() { discovered_.Set(static_cast<double>(ActiveAlertmanagers().size())); }

void Notifier::Send(const std::string& query, std::vector<Alert> alerts) {
  const std::string url = GeneratorUrl(options_.external_url, query);
  std::vector<Notification> notifications;
  notifications.reserve(alerts.size());
  for (const Alert& alert : alerts) notifications.push_back(ToNotification(alert, url));
  Send(std::move(notifications));
}

void Notifier::Send(std::vector<Notification> notifications) {
  std::vector<std::shared_ptr<Section>> sections;
  std::vector<RelabelConfig> relabel_configs;
  Labels external_labels;
  {
    const std::lock_guard lock(mutex_);
    sections = sections_;
    relabel_configs = relabel_configs_;
    external_labels = external_labels_;
  }
  notifications = RelabelNotifications(std::move(notifications), external_labels, relabel_configs);
  if (notifications.empty()) return;
  for (const auto& section : sections) section->set->Send(notifications);
}

void Notifier::Stop() {
  std::vector<std::shared_ptr<Section>> sections;
  {
    const std::lock_guard load_lock(load_mutex_);
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    options_.logger.Info("Stopping notification manager...");
    stopped_ = true;
    sections.swap(sections_);
  }
  for (const auto& section : sections) section->discovery.reset();
  for (const auto& section : sections) section->set->Stop();
  for (const auto& section : sections) section->set->AwaitEnd();
}

std::vector<std::string> Notifier::ActiveAlertmanagers() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& section : sections_) {
    const auto urls = section->set->active();
    out.insert(out.end(), urls.begin(), urls.end());
  }
  return out;
}

std::vector<std::string> Notifier::DroppedAlertmanagers() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& section : sections_) {
    const auto urls = section->set->dropped();
    out.insert(out.end(), urls.begin(), urls.end());
  }
  return out;
}

}  // namespace epi::rules
