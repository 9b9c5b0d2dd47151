#include "promql/engine/info_operator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "promql/engine/merge_operator.h"

namespace epi::promql {
namespace {

constexpr std::string_view kTargetInfo = "target_info";
// The labels that say which info series belongs to a series. Prometheus has them fixed.
constexpr std::array<std::string_view, 2> kIdentifyingLabels = {"instance", "job"};

bool IsPositive(const Matcher& m) { return m.type() == MatchType::kEqual || m.type() == MatchType::kRegexp; }

}  // namespace

// What selects info metrics by name: the given matchers; with only negative ones, everything that ends in _info
// besides.
std::vector<Matcher> InfoOperator::NameMatchers() const {
  std::vector<Matcher> names;
  for (const auto& m : options_.matchers) {
    if (m.name() == kMetricName) names.push_back(m);
  }
  if (std::any_of(names.begin(), names.end(), IsPositive)) return names;
  if (names.empty()) return {Matcher::Equal(std::string(kMetricName), std::string(kTargetInfo))};
  if (auto any_info = Matcher::Make(MatchType::kRegexp, std::string(kMetricName), ".+_info")) {
    names.insert(names.begin(), std::move(*any_info));
  }
  return names;
}

Result<void> InfoOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  EPI_TRY(base_.Drain(*child_, query_));
  const std::vector<Matcher> names = NameMatchers();
  for (uint32_t i = 0; i < base_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    const std::string_view name = query_.labels.MetricName(child_->series()[base_.row(i).series].labels);
    ignored_.push_back(std::all_of(names.begin(), names.end(), [&](const Matcher& m) { return m.Matches(name); }));
  }
  for (const auto& m : options_.matchers) {
    if (m.name() != kMetricName) data_matchers_[m.name()].push_back(m);
  }
  EPI_TRY(SelectInfoSeries());
  EPI_TRY(CheckDuplicates());
  for (uint32_t i = 0; i < base_.size(); ++i) EPI_TRY(EnrichRow(i));
  std::stable_sort(parts_.begin(), parts_.end(), [](const Part& a, const Part& b) { return a.output < b.output; });
  return query_.Check();
}

Result<void> InfoOperator::SelectInfoSeries() {
  LabelStore& labels = query_.labels;
  std::vector<Matcher> matchers;
  for (const std::string_view label : kIdentifyingLabels) {
    const SymbolId name = labels.Intern(label);
    std::set<std::string_view> values;
    for (uint32_t i = 0; i < base_.size(); ++i) {
      EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
      if (ignored_[i]) continue;
      const std::string_view value = labels.Get(child_->series()[base_.row(i).series].labels, name);
      if (!value.empty()) values.insert(value);
    }
    if (values.empty()) continue;
    matchers.push_back(Matcher::OneOf(std::string(label), {values.begin(), values.end()}));
    EPI_TRY(query_.Check());
  }
  if (matchers.empty()) return {};
  for (const auto& [name, list] : data_matchers_) matchers.insert(matchers.end(), list.begin(), list.end());
  for (auto& matcher : NameMatchers()) matchers.push_back(std::move(matcher));

  SelectHints hints;
  hints.range = {options_.at.value_or(grid_.start) - (query_.lookback_ms - 1) - options_.offset_ms,
                 options_.at.value_or(grid_.Last()) - options_.offset_ms};
  hints.step_ms = grid_.interval;
  hints.function = "info";
  auto source = std::make_unique<SelectionSource>(query_, std::move(matchers), std::move(hints));
  info_ = std::make_unique<SelectorOperator>(
      query_, grid_, std::move(source),
      SelectorOperator::Options{options_.offset_ms, options_.at, SelectorOperator::Output::kSampleTime});
  EPI_TRY(info_->Prepare());
  EPI_TRY(info_rows_.Drain(*info_, query_));
  LabelBuffer key;
  const std::vector<std::string> names(kIdentifyingLabels.begin(), kIdentifyingLabels.end());
  const LabelSelector selector(names, true, labels);
  for (uint32_t i = 0; i < info_rows_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    const LabelTuple tuple = InfoLabels(i);
    if (!info_rows_.row(i).histograms->empty()) {
      return Fail(ErrorCode::kExecution,
                  "this should be an info metric, with float samples: " + labels.ToLabels(tuple).ToString());
    }
    const SymbolId* metric = LabelStore::Find(tuple, labels.metric_name());
    if (metric == nullptr) continue;
    selector.Apply(tuple, key);
    auto& by_signature = by_metric_[*metric];
    auto at = by_signature.find(LabelTuple(key));
    if (at == by_signature.end()) at = by_signature.emplace(labels.Store(key), std::vector<uint32_t>()).first;
    at->second.push_back(i);
  }
  return {};
}

// Two info series of one metric, for the same target, whose newest samples are equally new.
Result<void> InfoOperator::CheckDuplicates() {
  for (const auto& [metric, by_signature] : by_metric_) {
    for (const auto& [signature, rows] : by_signature) {
      for (size_t k = 0; rows.size() > 1 && k < grid_.count; ++k) {
        EPI_TRY(checkpoints_.Pass(rows.size()));
        uint32_t newest = ~uint32_t{0};
        for (const uint32_t row : rows) {
          const RowView info = info_rows_.row(row);
          if (!TestBit(info.bits, k)) continue;
          if (newest == ~uint32_t{0} || info.values[k] > info_rows_.row(newest).values[k]) {
            newest = row;
          } else if (info.values[k] == info_rows_.row(newest).values[k]) {
            const std::string time = std::to_string(static_cast<int64_t>(info.values[k]));
            return Fail(ErrorCode::kExecution, "found duplicate series for info metric: existing " +
                                                   query_.labels.ToLabels(InfoLabels(newest)).ToString() + " @ " +
                                                   time + ", new " +
                                                   query_.labels.ToLabels(InfoLabels(row)).ToString() + " @ " + time);
          }
        }
      }
    }
  }
  return {};
}

std::vector<uint32_t> InfoOperator::InfoRowsAt(const std::vector<std::vector<uint32_t>*>& candidates,
                                               size_t step) const {
  std::vector<uint32_t> chosen;
  for (const auto* rows : candidates) {
    std::optional<uint32_t> newest;
    for (const uint32_t row : *rows) {
      const RowView info = info_rows_.row(row);
      if (!TestBit(info.bits, step)) continue;
      if (!newest || info.values[step] > info_rows_.row(*newest).values[step]) newest = row;
    }
    if (newest) chosen.push_back(*newest);
  }
  return chosen;
}

Result<std::optional<LabelTuple>> InfoOperator::Enrich(LabelTuple base, const std::vector<uint32_t>& info_rows) {
  LabelStore& labels = query_.labels;
  LabelBuffer added;
  for (const uint32_t row : info_rows) {
    for (const auto& label : InfoLabels(row)) {
      if (label.name == labels.metric_name()) continue;
      if (!data_matchers_.empty() && data_matchers_.count(std::string(labels.Text(label.name))) == 0) continue;
      const SymbolId* before = LabelStore::Find(added, label.name);
      if (before != nullptr && *before != label.value) {
        return Fail(ErrorCode::kExecution, "conflicting label: " + std::string(labels.Text(label.name)));
      }
      if (LabelStore::Find(base, label.name) != nullptr || before != nullptr) continue;
      labels.Set(added, label.name, label.value);
    }
  }
  if (info_rows.empty()) {
    // Nothing to add: stays only if the wanted labels may be missing.
    for (const auto& [name, list] : data_matchers_) {
      for (const auto& matcher : list) {
        if (!matcher.MatchesEmpty()) return std::optional<LabelTuple>();
      }
    }
  }
  if (added.empty()) return std::optional(base);
  LabelBuffer out(base.begin(), base.end());
  for (const auto& label : added) labels.Set(out, label.name, label.value);
  return std::optional(labels.Store(out));
}

uint32_t InfoOperator::OutputFor(LabelTuple labels, bool drop_name) {
  const auto [at, fresh] = outputs_.try_emplace(labels, static_cast<uint32_t>(series_.size()));
  if (fresh) series_.push_back({labels, drop_name});
  return at->second;
}

Result<void> InfoOperator::EnrichRow(uint32_t index) {
  const RowView row = base_.row(index);
  const SeriesLabels& base = child_->series()[row.series];
  const size_t words = WordsFor(grid_.count);
  std::vector<uint64_t> present(row.bits, row.bits + words);
  for (const auto& at : *row.histograms) SetBit(present.data(), at.step);
  if (ignored_[index]) {
    parts_.push_back({OutputFor(base.labels, base.drop_name), index, present});
    return {};
  }
  const std::vector<std::string> names(kIdentifyingLabels.begin(), kIdentifyingLabels.end());
  LabelBuffer key;
  LabelSelector(names, true, query_.labels).Apply(base.labels, key);
  std::vector<std::vector<uint32_t>*> candidates;
  for (auto& [metric, by_signature] : by_metric_) {
    if (const auto at = by_signature.find(LabelTuple(key)); at != by_signature.end()) candidates.push_back(&at->second);
  }
  std::map<std::vector<uint32_t>, size_t> part_of;  // by the info rows used; index of a part, or none
  constexpr size_t kDropped = ~size_t{0};
  std::optional<Error> error;
  ForEachBit(present.data(), words, [&](size_t k) {
    if (error) return;
    if (const auto wanted = checkpoints_.Pass(Checkpoints::kPerLabelSet); !wanted) {
      error = wanted.error();
      return;
    }
    std::vector<uint32_t> used = InfoRowsAt(candidates, k);
    auto at = part_of.find(used);
    if (at == part_of.end()) {
      auto labels = Enrich(base.labels, used);
      if (!labels) {
        error = labels.error();
        return;
      }
      size_t part = kDropped;
      if (*labels) {
        part = parts_.size();
        parts_.push_back({OutputFor(**labels, base.drop_name), index, std::vector<uint64_t>(words, 0)});
      }
      at = part_of.emplace(std::move(used), part).first;
    }
    if (at->second != kDropped) SetBit(parts_[at->second].steps.data(), k);
  });
  if (error) return Fail(*error);
  return {};
}

Result<bool> InfoOperator::Produce(Block& block) {
  if (next_part_ >= parts_.size()) return false;
  const size_t rows = RowsPerBlock(grid_.count);
  size_t end = next_part_;
  size_t outputs = 0;
  for (; end < parts_.size(); ++end) {
    const bool starts = end == next_part_ || parts_[end].output != parts_[end - 1].output;
    if (starts && outputs == rows) break;
    outputs += starts ? 1 : 0;
  }
  block.Reset(outputs, grid_.count, query_.meter);
  size_t r = 0;
  for (size_t i = next_part_; i < end; ++i) {
    const Part& part = parts_[i];
    if (i > next_part_ && part.output != parts_[i - 1].output) ++r;
    block.SetSeries(r, part.output);
    const RowView row = base_.row(part.row);
    for (const auto& at : block.histograms(r)) {
      if (TestBit(part.steps.data(), at.step)) return Fail(SameLabelsetError());
    }
    for (size_t w = 0; w < block.words(); ++w) {
      const uint64_t bits = row.bits[w] & part.steps[w];
      if ((block.bits(r)[w] & part.steps[w]) != 0) return Fail(SameLabelsetError());
      block.bits(r)[w] |= bits;
    }
    ForEachBit(part.steps.data(), block.words(), [&](size_t k) { block.values(r)[k] = row.values[k]; });
    for (const auto& at : *row.histograms) {
      if (TestBit(part.steps.data(), at.step)) block.histograms(r).push_back(at);
    }
    std::sort(block.histograms(r).begin(), block.histograms(r).end(),
              [](const HistogramAt& a, const HistogramAt& b) { return a.step < b.step; });
  }
  for (size_t i = 0; i < outputs; ++i) block.CountFloats(i);
  next_part_ = end;
  return true;
}

void InfoOperator::Account(SampleAccount& account, Annotations& notes) const {
  child_->Account(account, notes);
  std::vector<int64_t> gathered = child_->tally().Elements();
  if (info_) {
    info_->Account(account, notes);
    const std::vector<int64_t> info = info_->tally().Elements();
    for (size_t k = 0; k < gathered.size(); ++k) gathered[k] += info[k];
  }
  account.StepwiseEvaluation(account.current, gathered, tally());
  notes.Merge(notes_);
}

}  // namespace epi::promql
