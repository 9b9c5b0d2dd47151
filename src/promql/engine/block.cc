#include "promql/engine/block.h"

#include <algorithm>
#include <cstring>

namespace epi::promql {
namespace {

// 64 Ki values are half a megabyte.
constexpr size_t kBlockValues = size_t{1} << 16;
constexpr size_t kMaxBlockRows = 4096;

}  // namespace

void SetAllBits(uint64_t* bits, size_t count) {
  const size_t whole = count / 64;
  std::fill_n(bits, whole, ~uint64_t{0});
  if (count % 64 != 0) bits[whole] = (uint64_t{1} << (count % 64)) - 1;
}

size_t HistogramBytes(const FloatHistogram& h) {
  return sizeof(FloatHistogram) + 32 + (h.positive_spans.size() + h.negative_spans.size()) * sizeof(HistogramSpan) +
         (h.positive_buckets.size() + h.negative_buckets.size() + h.custom_values.size()) * sizeof(double);
}

size_t RowsPerBlock(size_t steps) {
  return std::clamp(kBlockValues / std::max<size_t>(steps, 1), size_t{1}, kMaxBlockRows);
}

void Block::Reset(size_t rows, size_t steps, MemoryMeter& meter) {
  rows_ = rows;
  steps_ = steps;
  words_ = WordsFor(steps);
  if (values_.size() < rows * steps) values_.resize(rows * steps);
  bits_.assign(rows * words_, 0);
  floats_.assign(rows, 0);
  series_.assign(rows, 0);
  for (auto& list : histograms_) list.clear();
  if (histograms_.size() < rows) histograms_.resize(rows);
  const size_t held = values_.capacity() * sizeof(double) + bits_.capacity() * sizeof(uint64_t) +
                      rows * (2 * sizeof(uint32_t) + sizeof(HistogramList));
  if (values_.empty() && rows == 0) return;
  bytes_.Set(0);
  bytes_ = MeteredBytes(&meter);
  bytes_.Set(static_cast<int64_t>(held));
}

void Block::SetFull(size_t row) {
  SetAllBits(bits(row), steps_);
  floats_[row] = static_cast<uint32_t>(steps_);
}

void Block::CountFloats(size_t row) {
  uint32_t count = 0;
  const uint64_t* words = bits(row);
  for (size_t w = 0; w < words_; ++w) count += static_cast<uint32_t>(std::popcount(words[w]));
  floats_[row] = count;
}

void Block::ClearRow(size_t row) {
  std::fill_n(bits(row), words_, uint64_t{0});
  floats_[row] = 0;
  histograms_[row].clear();
}

void Block::MoveRow(size_t from, size_t to) {
  if (from == to) return;
  std::memcpy(values(to), values(from), steps_ * sizeof(double));
  std::memcpy(bits(to), bits(from), words_ * sizeof(uint64_t));
  std::swap(histograms_[to], histograms_[from]);
  floats_[to] = floats_[from];
  series_[to] = series_[from];
}

void Block::CopyRow(const RowView& from, size_t to) {
  std::memcpy(values(to), from.values, steps_ * sizeof(double));
  std::memcpy(bits(to), from.bits, words_ * sizeof(uint64_t));
  histograms_[to] = *from.histograms;
  floats_[to] = from.floats;
  series_[to] = from.series;
}

void Block::ChargeHistograms() {
  size_t held = 0;
  for (size_t r = 0; r < rows_; ++r) {
    const FloatHistogram* last = nullptr;
    held += histograms_[r].capacity() * sizeof(HistogramAt);
    for (const auto& at : histograms_[r]) {
      if (at.h.get() != last) held += HistogramBytes(*at.h);
      last = at.h.get();
    }
  }
  if (held != 0) bytes_.Add(static_cast<int64_t>(held));
}

}  // namespace epi::promql
