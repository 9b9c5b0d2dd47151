#include "promql/engine/histogram_operators.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/number_format.h"

namespace epi::promql {

Result<void> HistogramValueOperator::MapLabels() {
  for (auto& series : series_) {
    if (!query_.features.delayed_name_removal) {
      series.labels = query_.labels.Drop(series.labels, query_.labels.metric_name());
    }
    series.drop_name = true;
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
  }
  return {};
}

Result<void> HistogramValueOperator::MapRow(Block& block, size_t row) {
  std::fill_n(block.bits(row), block.words(), uint64_t{0});
  for (const auto& at : block.histograms(row)) {
    block.values(row)[at.step] = kernel_(*at.h);
    SetBit(block.bits(row), at.step);
  }
  block.SetFloatCount(row, static_cast<uint32_t>(block.histograms(row).size()));
  block.histograms(row).clear();
  return {};
}

Result<void> BucketOperator::Prepare() {
  EPI_TRY(PrepareInputs());
  for (const size_t input : options_.scalar_inputs) {
    EPI_ASSIGN(auto values, DrainScalar(*inputs_[input], query_));
    scalars_.push_back(std::move(values));
  }
  EPI_TRY(GroupSeries());
  EPI_TRY(AnnounceOutputs());
  return query_.meter.status();
}

Result<void> BucketOperator::GroupSeries() {
  LabelStore& labels = query_.labels;
  const SeriesList& input = inputs_[options_.vector_input]->series();
  TupleMap<uint32_t> found;
  LabelBuffer key;
  for (uint32_t i = 0; i < input.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    const auto upper = ParseGoFloat(labels.Get(input[i].labels, labels.bucket()));
    if (!upper) {
      bad_bounds_.push_back(i);
      continue;
    }
    key.clear();
    std::copy_if(input[i].labels.begin(), input[i].labels.end(), std::back_inserter(key),
                 [&](const LabelSymbols& label) { return label.name != labels.bucket(); });
    auto at = found.find(LabelTuple(key));
    if (at == found.end()) {
      const LabelTuple stored = labels.Store(key);
      at = found.emplace(stored, static_cast<uint32_t>(classics_.size())).first;
      classics_.emplace_back().key = stored;
    }
    classics_[at->second].bounds.push_back({*upper, i});
  }
  for (auto& classic : classics_) {
    std::stable_sort(classic.bounds.begin(), classic.bounds.end(),
                     [](const auto& a, const auto& b) { return a.upper < b.upper; });
  }
  for (uint32_t i = 0; i < input.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    if (const auto at = found.find(input[i].labels); at != found.end()) classics_[at->second].native = i;
  }
  return {};
}

Result<void> BucketOperator::AnnounceOutputs() {
  LabelStore& labels = query_.labels;
  const SeriesList& input = inputs_[options_.vector_input]->series();
  const auto announce = [&](LabelTuple from, Output output) -> Result<void> {
    if (!query_.features.delayed_name_removal) from = labels.DropMetadata(from);
    if (options_.what == What::kQuantiles) {
      std::string text;
      AppendOpenMetricsValue(text, output.only);
      from = labels.With(from, labels.Intern(options_.quantile_label), text);
    }
    series_.push_back({from, true});
    outputs_.push_back(output);
    return checkpoints_.Pass(Checkpoints::kPerLabelSet);
  };
  const auto announce_all = [&](size_t argument, double only) -> Result<void> {
    for (uint32_t i = 0; i < input.size(); ++i) EPI_TRY(announce(input[i].labels, {true, i, argument, only}));
    for (uint32_t i = 0; i < classics_.size(); ++i) EPI_TRY(announce(classics_[i].key, {false, i, argument, only}));
    return {};
  };
  if (options_.what != What::kQuantiles) return announce_all(0, 0);
  for (size_t argument = 0; argument < scalars_.size(); ++argument) {
    std::vector<double> values = scalars_[argument];
    std::sort(values.begin(), values.end(),
              [](double a, double b) { return a < b || (std::isnan(b) && !std::isnan(a)); });
    const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    values.erase(std::unique(values.begin(), values.end(), same), values.end());
    for (const double only : values) EPI_TRY(announce_all(argument, only));
  }
  return {};
}

bool BucketOperator::ArgumentAt(size_t argument, double only, size_t step, double& out) const {
  out = scalars_[argument][step];
  if (options_.what != What::kQuantiles) return true;
  return out == only || (std::isnan(out) && std::isnan(only));
}

std::string_view BucketOperator::MetricFor(LabelTuple labels) const {
  // Without delayed removal the name is gone by the time it would be shown.
  return query_.features.delayed_name_removal ? query_.labels.MetricName(labels) : std::string_view();
}

void BucketOperator::NoteQuantiles() {
  if (options_.what == What::kFraction) return;
  for (size_t argument = 0; argument < scalars_.size(); ++argument) {
    for (const double q : scalars_[argument]) {
      if (!(q >= 0 && q <= 1)) notes_.InvalidQuantile(q, options_.scalar_pos[argument]);
    }
  }
}

void BucketOperator::NoteBadBounds() {
  const SeriesList& input = inputs_[options_.vector_input]->series();
  for (const uint32_t series : bad_bounds_) {
    if (row_of_[series] == kNone || matrix_.row(row_of_[series]).floats == 0) continue;
    const LabelTuple labels = input[series].labels;
    notes_.BadBucketLabel(MetricFor(labels), query_.labels.Get(labels, query_.labels.bucket()), options_.vector_pos);
  }
}

void BucketOperator::FindClashes() {
  const size_t words = WordsFor(grid_.count);
  clashes_.resize(row_of_.size());
  for (const Classic& classic : classics_) {
    if (classic.native == kNone || row_of_[classic.native] == kNone) continue;
    const RowView native = matrix_.row(row_of_[classic.native]);
    if (native.histograms->empty()) continue;
    std::vector<uint64_t> buckets(words, 0);
    for (const auto& bound : classic.bounds) {
      if (row_of_[bound.series] == kNone) continue;
      const RowView row = matrix_.row(row_of_[bound.series]);
      for (size_t w = 0; w < words; ++w) buckets[w] |= row.bits[w];
    }
    std::vector<uint64_t> clash(words, 0);
    for (const auto& at : *native.histograms) {
      if (TestBit(buckets.data(), at.step)) SetBit(clash.data(), at.step);
    }
    if (std::none_of(clash.begin(), clash.end(), [](uint64_t w) { return w != 0; })) continue;
    notes_.MixedClassicNativeHistograms(MetricFor(classic.key), options_.vector_pos);
    clashes_[classic.native] = std::move(clash);
  }
}

void BucketOperator::NoteNaN(NaNEffect effect, LabelTuple labels) {
  switch (effect) {
    case NaNEffect::kNone:
      return;
    case NaNEffect::kResult:
      return notes_.QuantileNaNResult(MetricFor(labels), options_.vector_pos);
    case NaNEffect::kSkew:
      return notes_.QuantileNaNSkew(MetricFor(labels), options_.vector_pos);
    case NaNEffect::kExcluded:
      return notes_.FractionNaNs(MetricFor(labels), options_.vector_pos);
  }
}

void BucketOperator::CountForced(std::string_view metric, size_t step, const BucketQuantileAnswer& answer) {
  auto at = std::find_if(forced_.begin(), forced_.end(), [&](const Forced& f) { return f.metric == metric; });
  const TimestampMs time = grid_.Time(step);
  if (at == forced_.end()) {
    forced_.push_back({std::string(metric),
                       std::vector<int64_t>(grid_.count, 0),
                       {time, time, answer.min_bucket, answer.max_bucket, answer.max_diff, 0}});
    at = forced_.end() - 1;
  }
  auto& what = at->what;
  what.min_time = std::min(what.min_time, time);
  what.max_time = std::max(what.max_time, time);
  what.min_bucket = std::min(what.min_bucket, answer.min_bucket);
  what.max_bucket = std::max(what.max_bucket, answer.max_bucket);
  what.max_diff = std::max(what.max_diff, answer.max_diff);
  ++at->per_step[step];
}

void BucketOperator::NoteForced() {
  for (auto& forced : forced_) {
    // Prometheus adds its running number to itself at every later step of a range query; the number shown is that one.
    uint64_t samples = 0;
    for (const int64_t count : forced.per_step) {
      samples = samples == 0 ? static_cast<uint64_t>(count) : 2 * (samples + static_cast<uint64_t>(count));
    }
    forced.what.samples = static_cast<int64_t>(samples);
    notes_.ForcedMonotonicity(forced.metric, forced.what, options_.vector_pos);
  }
}

Result<void> BucketOperator::ClassicRow(size_t index, size_t argument, double only, Block& block, size_t row) {
  Classic& classic = classics_[index];
  std::vector<RowView> rows;
  std::vector<double> uppers;
  for (const auto& bound : classic.bounds) {
    if (row_of_[bound.series] == kNone) continue;
    rows.push_back(matrix_.row(row_of_[bound.series]));
    uppers.push_back(bound.upper);
  }
  const std::vector<uint64_t>* clash =
      classic.native != kNone && !clashes_[classic.native].empty() ? &clashes_[classic.native] : nullptr;
  std::vector<ClassicBucket> buckets;
  for (size_t k = 0; k < grid_.count; ++k) {
    EPI_TRY(checkpoints_.Pass(rows.size() + 1));
    double first = 0;
    if (!ArgumentAt(argument, only, k, first) || (clash != nullptr && TestBit(clash->data(), k))) continue;
    buckets.clear();
    for (size_t i = 0; i < rows.size(); ++i) {
      if (TestBit(rows[i].bits, k)) buckets.push_back({uppers[i], rows[i].values[k]});
    }
    if (buckets.empty()) continue;
    double value = 0;
    if (options_.what == What::kFraction) {
      value = BucketFraction(first, scalars_[1][k], buckets);
    } else {
      const BucketQuantileAnswer answer = BucketQuantile(first, buckets);
      if (answer.forced_monotonicity) {
        classic.repaired.resize(WordsFor(grid_.count));
        if (!TestBit(classic.repaired.data(), k)) CountForced(MetricFor(classic.key), k, answer);
        SetBit(classic.repaired.data(), k);
      }
      value = answer.value;
    }
    block.values(row)[k] = value;
    SetBit(block.bits(row), k);
  }
  block.CountFloats(row);
  return {};
}

Result<void> BucketOperator::NativeRow(uint32_t series, size_t argument, double only, Block& block, size_t row) {
  if (row_of_[series] == kNone) return {};
  const LabelTuple labels = inputs_[options_.vector_input]->series()[series].labels;
  const std::vector<uint64_t>& clash = clashes_[series];
  for (const auto& at : *matrix_.row(row_of_[series]).histograms) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerHistogram));
    double first = 0;
    if (!ArgumentAt(argument, only, at.step, first) || (!clash.empty() && TestBit(clash.data(), at.step))) continue;
    const HistogramAnswer answer = options_.what == What::kFraction
                                       ? HistogramFraction(first, scalars_[1][at.step], *at.h)
                                       : HistogramQuantile(first, *at.h);
    NoteNaN(answer.nan, labels);
    block.values(row)[at.step] = answer.value;
    SetBit(block.bits(row), at.step);
  }
  block.CountFloats(row);
  return {};
}

bool BucketOperator::HasPoints(const Output& output) const {
  if (output.native) {
    const uint32_t row = row_of_[output.source];
    return row != kNone && !matrix_.row(row).histograms->empty();
  }
  const auto& bounds = classics_[output.source].bounds;
  return std::any_of(bounds.begin(), bounds.end(), [&](const auto& bound) { return row_of_[bound.series] != kNone; });
}

Result<bool> BucketOperator::Produce(Block& block) {
  if (!drained_) {
    drained_ = true;
    Operator& input = *inputs_[options_.vector_input];
    EPI_TRY(matrix_.Drain(input, query_));
    row_of_.assign(input.series().size(), kNone);
    for (uint32_t i = 0; i < matrix_.size(); ++i) row_of_[matrix_.row(i).series] = i;
    NoteQuantiles();
    NoteBadBounds();
    FindClashes();
    for (uint32_t i = 0; i < outputs_.size(); ++i) {
      if (HasPoints(outputs_[i])) live_.push_back(i);
    }
  }
  if (next_ >= live_.size()) {
    if (!noted_) NoteForced();
    noted_ = true;
    return false;
  }
  const size_t count = std::min(RowsPerBlock(grid_.count), live_.size() - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    const Output& output = outputs_[live_[next_ + r]];
    block.SetSeries(r, live_[next_ + r]);
    EPI_TRY(output.native ? NativeRow(output.source, output.argument, output.only, block, r)
                          : ClassicRow(output.source, output.argument, output.only, block, r));
  }
  next_ += count;
  return true;
}

}  // namespace epi::promql
