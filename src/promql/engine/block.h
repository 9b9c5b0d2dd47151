// The data that flows between operators: rows of one series each, all steps of the evaluation at once. Floats are dense
// arrays with presence bits; histograms stand aside in a list per row.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/uninitialized_vector.h"
#include "model/histogram.h"
#include "promql/engine/memory_meter.h"

namespace epi::promql {

using HistogramPtr = std::shared_ptr<const FloatHistogram>;

struct HistogramAt {
  uint32_t step = 0;
  HistogramPtr h;
};
using HistogramList = std::vector<HistogramAt>;  // steps ascending

constexpr size_t WordsFor(size_t steps) { return (steps + 63) / 64; }
inline bool TestBit(const uint64_t* bits, size_t i) { return (bits[i / 64] >> (i % 64)) & 1; }
inline void SetBit(uint64_t* bits, size_t i) { bits[i / 64] |= uint64_t{1} << (i % 64); }
inline void ClearBit(uint64_t* bits, size_t i) { bits[i / 64] &= ~(uint64_t{1} << (i % 64)); }
// Sets the first `count` bits and no other of the words that hold them.
void SetAllBits(uint64_t* bits, size_t count);

// Calls visit(i) for every set bit, ascending.
template <typename Visit>
void ForEachBit(const uint64_t* bits, size_t words, Visit visit) {
  for (size_t w = 0; w < words; ++w) {
    for (uint64_t left = bits[w]; left != 0; left &= left - 1) {
      visit(w * 64 + static_cast<size_t>(std::countr_zero(left)));
    }
  }
}

// A row to read. At every step there is a float (its bit is set), a histogram (it is in the list) or nothing.
struct RowView {
  const double* values = nullptr;
  const uint64_t* bits = nullptr;
  const HistogramList* histograms = nullptr;
  uint32_t floats = 0;  // how many bits are set
  uint32_t series = 0;  // index in the operator's series list

  bool empty() const { return floats == 0 && histograms->empty(); }
};

// A batch of rows. Buffers are kept when it is refilled. Movable; the meter outlives it.
class Block {
 public:
  Block() = default;

  // `rows` rows without any point. Values are not initialised where there is no bit.
  void Reset(size_t rows, size_t steps, MemoryMeter& meter);
  size_t rows() const { return rows_; }
  size_t steps() const { return steps_; }
  size_t words() const { return words_; }

  double* values(size_t row) { return values_.data() + row * steps_; }
  uint64_t* bits(size_t row) { return bits_.data() + row * words_; }
  HistogramList& histograms(size_t row) { return histograms_[row]; }
  void SetSeries(size_t row, uint32_t series) { series_[row] = series; }
  uint32_t series(size_t row) const { return series_[row]; }
  uint32_t floats(size_t row) const { return floats_[row]; }
  // All floats are present.
  void SetFull(size_t row);
  // Counts the bits after a row's were changed.
  void CountFloats(size_t row);
  void SetFloatCount(size_t row, uint32_t floats) { floats_[row] = floats; }
  void ClearRow(size_t row);
  // Keeps the first `rows` rows.
  void Truncate(size_t rows) { rows_ = rows; }
  // Exchanges what two rows of this block hold.
  void MoveRow(size_t from, size_t to);
  void CopyRow(const RowView& from, size_t to);

  RowView row(size_t r) const {
    return {values_.data() + r * steps_, bits_.data() + r * words_, &histograms_[r], floats_[r], series_[r]};
  }
  // Charges for histograms that the rows hold now.
  void ChargeHistograms();

 private:
  size_t rows_ = 0;
  size_t steps_ = 0;
  size_t words_ = 0;
  UninitializedVector<double> values_;
  std::vector<uint64_t> bits_;
  std::vector<uint32_t> floats_;
  std::vector<uint32_t> series_;
  std::vector<HistogramList> histograms_;
  MeteredBytes bytes_;
};

// Bytes a histogram takes in memory here, roughly.
size_t HistogramBytes(const FloatHistogram& h);

// How many rows of `steps` steps make a batch that stays in the second-level cache.
size_t RowsPerBlock(size_t steps);

}  // namespace epi::promql
