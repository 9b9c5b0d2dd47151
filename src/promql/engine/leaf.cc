#include "promql/engine/leaf.h"

#include <algorithm>

#include "promql/engine/column_cache.h"

namespace epi::promql {
namespace {

// Pieces in flight for each working thread: enough that a slow one does not leave the others idle for long.
constexpr size_t kPiecesPerThread = 2;

}  // namespace

Result<bool> LeafOperator::Produce(Block& block) {
  if (!opened_) {
    opened_ = true;
    EPI_TRY(Open());
  }
  if (handed_ == ready_) ComputeNext();
  if (ready_ == 0) return false;
  Piece& piece = *pieces_[handed_++];
  if (piece.error) return Fail(*piece.error);
  Absorb(piece);
  std::swap(block, piece.block);
  return true;
}

void LeafOperator::ComputeNext() {
  const bool parallel = query_.pool != nullptr && query_.threads > 1;
  const size_t wanted = parallel ? query_.threads * kPiecesPerThread : 1;
  const size_t rows = RowsPerBlock(grid_.count);
  ready_ = handed_ = 0;
  while (ready_ < wanted && position_ < source_->size()) {
    if (pieces_.size() <= ready_) pieces_.push_back(std::make_unique<Piece>());
    Piece& piece = *pieces_[ready_++];
    piece.first = position_;
    piece.count = std::min(rows, source_->size() - position_);
    position_ += piece.count;
  }
  if (ready_ > 1) {
    query_.pool->ParallelFor(ready_, query_.threads - 1, [this](size_t i) { ComputePiece(*pieces_[i]); });
  } else if (ready_ == 1) {
    ComputePiece(*pieces_[0]);
  }
}

void LeafOperator::ComputePiece(Piece& piece) {
  piece.error.reset();
  piece.notes.Clear();
  piece.noted_metric = nullptr;
  piece.decoded = 0;
  piece.counts.peaks.clear();
  std::fill(piece.counts.total.begin(), piece.counts.total.end(), 0);
  std::fill(piece.counts.read.begin(), piece.counts.read.end(), 0);
  if (!piece.columns) piece.columns = std::make_shared<ColumnCache>();
  piece.block.Reset(piece.count, grid_.count, query_.meter);
  for (size_t done = 0, count = 0; done < piece.count; done += count) {
    if (Ends(piece, query_.Check())) return;
    count = piece.read_size.Next(piece.count - done);
    if (Ends(piece, source_->Read(piece.first + done, count, piece.batch))) return;
    piece.decoded += static_cast<int64_t>(piece.read_size.Note(piece.batch));
    piece.columns->StartBatch();
    for (size_t i = 0; i < count; ++i) piece.block.SetSeries(done + i, source_->SeriesAt(piece.first + done + i));
    Compute(piece, piece.first + done, done);
    if (piece.error) return;
  }
  piece.block.ChargeHistograms();
}

void LeafOperator::Absorb(const Piece& piece) {
  notes_.Merge(piece.notes);
  if (decoded_stats_ != nullptr) decoded_stats_->decoded += piece.decoded;
  for (const auto& series : piece.counts.peaks) {
    relative_peak_ =
        std::max({relative_peak_, held_output_ + series.widest, held_output_ + series.last + series.output});
    held_output_ += series.output;
  }
  const auto add = [this](std::vector<int64_t>& sums, const std::vector<int64_t>& counts) {
    if (counts.empty()) return;
    sums.resize(grid_.count, 0);
    for (size_t k = 0; k < grid_.count; ++k) sums[k] += counts[k];
  };
  add(total_, piece.counts.total);
  add(read_, piece.counts.read);
}

}  // namespace epi::promql
