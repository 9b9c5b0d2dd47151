#include "telemetry/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <variant>

#include "base/clock.h"
#include "base/file_system.h"
#include "telemetry/native_buckets.h"
#include "telemetry/process_metrics.h"
#include "telemetry/summary_window.h"

namespace epi {
namespace {

class CounterHandle final : public Counter {
 public:
  void Increment(double by) override { counter_.Increment(by); }
  double Value() const override { return counter_.Value() - base_.load(std::memory_order_relaxed); }
  void Collect(MetricPoint& point) const { point.value = Value(); }
  void Reset() { base_.store(counter_.Value(), std::memory_order_relaxed); }

 private:
  prometheus::Counter counter_;
  std::atomic<double> base_{0};  // what had been counted when the member was last asked for anew
};

class GaugeHandle final : public Gauge {
 public:
  void Set(double value) override { gauge_.Set(value); }
  void Add(double by) override { gauge_.Increment(by); }
  double Value() const override { return gauge_.Value(); }
  void Collect(MetricPoint& point) const { point.value = gauge_.Value(); }
  void Reset() { gauge_.Set(0); }

 private:
  prometheus::Gauge gauge_;
};

class HistogramHandle final : public Observer {
 public:
  HistogramHandle(const std::vector<double>& bounds, bool native) : histogram_(bounds) {
    if (native) native_.emplace();
  }
  void Observe(double value) override {
    histogram_.Observe(value);
    if (native_) native_->Observe(value);
  }
  void Collect(MetricPoint& point) const {
    const auto collected = histogram_.Collect().histogram;
    point.histogram.sample_count = collected.sample_count;
    point.histogram.sample_sum = collected.sample_sum;
    for (const auto& bucket : collected.bucket) {
      MetricBucket out;
      out.upper_bound = bucket.upper_bound;
      out.cumulative_count = bucket.cumulative_count;
      point.histogram.buckets.push_back(std::move(out));
    }
    if (native_) native_->Collect(point.histogram);
  }

 private:
  prometheus::Histogram histogram_;
  std::optional<NativeBuckets> native_;
};

class SummaryHandle final : public Observer {
 public:
  explicit SummaryHandle(const std::vector<double>& quantiles) : quantiles_(quantiles), window_(quantiles) {}
  void Observe(double value) override { window_.Observe(value, SystemClock().Monotonic()); }
  void Collect(MetricPoint& point) const {
    const auto shown = window_.Show(SystemClock().Monotonic());
    point.sample_count = shown.count;
    point.sample_sum = shown.sum;
    for (size_t i = 0; i < quantiles_.size(); ++i) point.quantiles.emplace_back(quantiles_[i], shown.quantiles[i]);
  }

 private:
  const std::vector<double> quantiles_;
  mutable SummaryWindow window_;
};

using AnyHandle = std::variant<std::unique_ptr<CounterHandle>, std::unique_ptr<GaugeHandle>,
                               std::unique_ptr<HistogramHandle>, std::unique_ptr<SummaryHandle>>;

// One labelled member. A removed one stays in memory, because handles live as long as the registry; asking again shows
// it again.
struct Member {
  AnyHandle handle;
  bool visible = true;
};

struct Family {
  std::string help;
  ExposedType type = ExposedType::kUntyped;
  std::map<MetricLabels, Member> members;  // keys sorted by label name
  std::function<std::vector<CollectedSample>()> collect;
};

MetricLabels Sorted(MetricLabels labels) {
  std::sort(labels.begin(), labels.end());
  return labels;
}

}  // namespace

struct MetricRegistry::Impl {
  mutable std::mutex mutex;
  std::map<std::string, Family> families;  // guarded by mutex

  // The handle of that member, made by `make` when it is new.
  template <typename Handle, typename Make>
  Handle& Get(const std::string& name, const std::string& help, ExposedType type, const MetricLabels& labels,
              const Make& make) {
    const std::lock_guard lock(mutex);
    Family& family = families[name];
    if (family.help.empty()) family.help = help;
    if (family.members.empty()) family.type = type;
    const auto [at, added] = family.members.try_emplace(Sorted(labels));
    Member& member = at->second;
    if (added || !std::holds_alternative<std::unique_ptr<Handle>>(member.handle)) {
      EPI_CHECK(added);  // one name, one type
      member.handle = make();
    }
    auto& handle = *std::get<std::unique_ptr<Handle>>(member.handle);
    if constexpr (requires { handle.Reset(); }) {
      if (!member.visible) handle.Reset();
    }
    member.visible = true;
    return handle;
  }
};

MetricRegistry::MetricRegistry() : impl_(std::make_unique<Impl>()) {}
MetricRegistry::~MetricRegistry() = default;

Counter& MetricRegistry::AddCounter(const std::string& name, const std::string& help, const MetricLabels& labels) {
  return impl_->Get<CounterHandle>(name, help, ExposedType::kCounter, labels,
                                   [] { return std::make_unique<CounterHandle>(); });
}

Gauge& MetricRegistry::AddGauge(const std::string& name, const std::string& help, const MetricLabels& labels) {
  return impl_->Get<GaugeHandle>(name, help, ExposedType::kGauge, labels,
                                 [] { return std::make_unique<GaugeHandle>(); });
}

Observer& MetricRegistry::AddHistogram(const std::string& name, const std::string& help,
                                       const std::vector<double>& bounds, const MetricLabels& labels) {
  return impl_->Get<HistogramHandle>(name, help, ExposedType::kHistogram, labels,
                                     [&] { return std::make_unique<HistogramHandle>(bounds, false); });
}

Observer& MetricRegistry::AddNativeHistogram(const std::string& name, const std::string& help,
                                             const std::vector<double>& bounds, const MetricLabels& labels) {
  return impl_->Get<HistogramHandle>(name, help, ExposedType::kHistogram, labels,
                                     [&] { return std::make_unique<HistogramHandle>(bounds, true); });
}

Observer& MetricRegistry::AddSummary(const std::string& name, const std::string& help,
                                     const std::vector<double>& quantiles, const MetricLabels& labels) {
  return impl_->Get<SummaryHandle>(name, help, ExposedType::kSummary, labels,
                                   [&] { return std::make_unique<SummaryHandle>(quantiles); });
}

void MetricRegistry::AddCallback(const std::string& name, const std::string& help, FamilyType type,
                                 std::function<std::vector<CollectedSample>()> collect) {
  const std::lock_guard lock(impl_->mutex);
  Family& family = impl_->families[name];
  family.help = help;
  family.type = type == FamilyType::kCounter ? ExposedType::kCounter : ExposedType::kGauge;
  family.collect = std::move(collect);
}

void MetricRegistry::Remove(const std::string& name, const MetricLabels& labels) {
  const std::lock_guard lock(impl_->mutex);
  const auto family = impl_->families.find(name);
  if (family == impl_->families.end()) return;
  const auto member = family->second.members.find(Sorted(labels));
  if (member != family->second.members.end()) member->second.visible = false;
}

std::vector<MetricFamily> MetricRegistry::Collect() const {
  std::vector<MetricFamily> out = CollectProcessMetrics(PosixFileSystem());
  std::vector<std::pair<size_t, std::function<std::vector<CollectedSample>()>>> callbacks;
  {
    const std::lock_guard lock(impl_->mutex);
    for (const auto& [name, family] : impl_->families) {
      MetricFamily& collected = out.emplace_back();
      collected.name = name;
      collected.help = family.help;
      collected.type = family.type;
      for (const auto& [labels, member] : family.members) {
        if (!member.visible) continue;
        MetricPoint& point = collected.points.emplace_back();
        point.labels = labels;
        std::visit([&](const auto& handle) { handle->Collect(point); }, member.handle);
      }
      if (family.collect) callbacks.emplace_back(out.size() - 1, family.collect);
    }
  }
  // Outside the lock: a callback may take locks whose holders are asking for handles.
  for (const auto& [index, collect] : callbacks) {
    for (auto& sample : collect()) {
      MetricPoint& point = out[index].points.emplace_back();
      point.labels = Sorted(std::move(sample.labels));
      point.value = sample.value;
    }
  }
  std::erase_if(out, [](const MetricFamily& family) { return family.points.empty(); });
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::string MetricRegistry::Expose(const Exposition& exposition, const std::vector<std::string_view>& names) const {
  std::string out;
  for (const auto& family : Collect()) {
    if (!names.empty() && std::find(names.begin(), names.end(), family.name) == names.end()) continue;
    // Cannot fail: collected families have names and points.
    EPI_CHECK(AppendFamily(out, family, exposition).has_value());
  }
  out += ExpositionEnd(exposition.format);
  return out;
}

std::string MetricRegistry::Expose(Format format) const {
  static constexpr ExpositionFormat kFormats[] = {ExpositionFormat::kText004, ExpositionFormat::kText100,
                                                  ExpositionFormat::kOpenMetrics100, ExpositionFormat::kProtobuf};
  return Expose({kFormats[static_cast<unsigned>(format)], NameEscaping::kUnderscores});
}

}  // namespace epi
