#include <algorithm>

#include "promql/engine/join.h"

namespace epi::promql {
namespace {

void AddPresent(const RowView& row, size_t words, uint64_t* mask) {
  for (size_t w = 0; w < words; ++w) mask[w] |= row.bits[w];
  for (const auto& at : *row.histograms) SetBit(mask, at.step);
}

void Mask(Block& block, size_t row, const uint64_t* mask, bool keep_set) {
  for (size_t w = 0; w < block.words(); ++w) block.bits(row)[w] &= keep_set ? mask[w] : ~mask[w];
  std::erase_if(block.histograms(row), [&](const HistogramAt& at) { return TestBit(mask, at.step) != keep_set; });
  block.CountFloats(row);
}

}  // namespace

Result<void> Signatures::Build(const VectorMatching& matching, const SeriesList& left_series, const Matrix& left_rows,
                               const SeriesList& right_series, const Matrix& right_rows, QueryState& query) {
  LabelStore& labels = query.labels;
  std::vector<std::string> names = matching.labels;
  if (!matching.on) names.emplace_back(kMetricName);
  const LabelSelector selector(names, matching.on, labels);
  TupleMap<uint32_t> found;
  LabelBuffer key;
  Checkpoints checkpoints(query);
  const auto assign = [&](const SeriesList& series, const Matrix& rows, std::vector<uint32_t>& out) -> Result<void> {
    out.resize(rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      EPI_TRY(checkpoints.Pass(Checkpoints::kPerLabelSet));
      selector.Apply(series[rows.row(i).series].labels, key);
      auto at = found.find(LabelTuple(key));
      if (at == found.end()) at = found.emplace(labels.Store(key), count++).first;
      out[i] = at->second;
    }
    return {};
  };
  EPI_TRY(assign(left_series, left_rows, left));
  return assign(right_series, right_rows, right);
}

Result<void> SetOperator::Prepare() {
  EPI_TRY(PrepareInputs());
  series_ = inputs_[0]->series();
  if (options_.op == BinaryOp::kOr) {
    const SeriesList& right = inputs_[1]->series();
    series_.insert(series_.end(), right.begin(), right.end());
  }
  return {};
}

Result<void> SetOperator::Match() {
  EPI_TRY(left_.Drain(*inputs_[0], query_));
  EPI_TRY(right_.Drain(*inputs_[1], query_));
  EPI_TRY(signatures_.Build(options_.matching, inputs_[0]->series(), left_, inputs_[1]->series(), right_, query_));
  const size_t words = WordsFor(grid_.count);
  bytes_.Set(static_cast<int64_t>(signatures_.count * words * sizeof(uint64_t)));
  EPI_TRY(query_.meter.status());
  masks_.assign(signatures_.count * words, 0);
  const bool from_left = options_.op == BinaryOp::kOr;
  const Matrix& deciding = from_left ? left_ : right_;
  const auto& signatures = from_left ? signatures_.left : signatures_.right;
  for (size_t i = 0; i < deciding.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(words + deciding.row(i).histograms->size()));
    AddPresent(deciding.row(i), words, masks_.data() + signatures[i] * words);
  }
  return query_.Check();
}

Result<bool> SetOperator::Produce(Block& block) {
  if (!matched_) {
    matched_ = true;
    EPI_TRY(Match());
  }
  const bool either = options_.op == BinaryOp::kOr;
  const size_t rows = left_.size() + (either ? right_.size() : 0);
  if (next_ >= rows) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), rows - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    const size_t i = next_ + r;
    const bool from_left = i < left_.size();
    const size_t row = from_left ? i : i - left_.size();
    block.CopyRow(from_left ? left_.row(row) : right_.row(row), r);
    const uint32_t signature = from_left ? signatures_.left[row] : signatures_.right[row];
    const uint64_t* mask = masks_.data() + signature * block.words();
    if (!from_left) block.SetSeries(r, static_cast<uint32_t>(inputs_[0]->series().size()) + block.series(r));
    if (either && from_left) continue;
    Mask(block, r, mask, options_.op == BinaryOp::kAnd);
  }
  next_ += count;
  return true;
}

}  // namespace epi::promql
