// topk, bottomk, limitk and limit_ratio.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/xxhash64.h"
#include "model/number_format.h"
#include "promql/engine/aggregate.h"
#include "promql/engine/sort_while_wanted.h"
#include "promql/functions/quantile.h"

namespace epi::promql {
namespace {

// The heap that Prometheus keeps the chosen elements in. Which of several equal elements is thrown out depends on its
// exact moves, so they are the same here.
struct Chosen {
  double v = 0;
  uint32_t row = 0;
};

class ChoiceHeap {
 public:
  explicit ChoiceHeap(bool reverse) : reverse_(reverse) {}
  void Clear() { items_.clear(); }
  size_t size() const { return items_.size(); }
  const Chosen& top() const { return items_.front(); }
  void Push(Chosen item) {
    items_.push_back(item);
    Up(items_.size() - 1);
  }
  void ReplaceTop(Chosen item, size_t k) {
    items_.front() = item;
    if (k > 1) Down(0);
  }
  // Takes the item when fewer than `k` are in, or when it is better than the worst of them.
  void Offer(Chosen item, size_t k, bool top_wanted) {
    if (items_.size() < k) {
      Push(item);
      return;
    }
    const double worst = top().v;
    const bool better = (top_wanted ? worst < item.v : worst > item.v) || (std::isnan(worst) && !std::isnan(item.v));
    if (better) ReplaceTop(item, k);
  }
  // The best first, NaN last and those the other way round, as Prometheus's insertion sort leaves them.
  Result<void> SortBestFirst(const QueryState& query) {
    const auto better = [this](const Chosen& a, const Chosen& b) {
      if (std::isnan(a.v) || std::isnan(b.v)) return std::isnan(b.v) && !std::isnan(a.v);
      return reverse_ ? a.v < b.v : a.v > b.v;
    };
    EPI_TRY(SortWhileWanted(items_, better, query));
    const auto first_nan = std::find_if(items_.begin(), items_.end(), [](const Chosen& c) { return std::isnan(c.v); });
    std::reverse(first_nan, items_.end());
    return {};
  }
  const std::vector<Chosen>& items() const { return items_; }

 private:
  bool Less(const Chosen& a, const Chosen& b) const {
    if (std::isnan(a.v)) return true;
    return reverse_ ? a.v > b.v : a.v < b.v;
  }
  void Up(size_t j) {
    while (j > 0) {
      const size_t parent = (j - 1) / 2;
      if (!Less(items_[j], items_[parent])) break;
      std::swap(items_[j], items_[parent]);
      j = parent;
    }
  }
  void Down(size_t i) {
    for (;;) {
      size_t child = 2 * i + 1;
      if (child >= items_.size()) break;
      if (child + 1 < items_.size() && Less(items_[child + 1], items_[child])) ++child;
      if (!Less(items_[child], items_[i])) break;
      std::swap(items_[i], items_[child]);
      i = child;
    }
  }

  const bool reverse_;
  std::vector<Chosen> items_;
};

constexpr size_t kTile = 64;
// More groups than this would hold too many heaps at once.
constexpr size_t kMaxTileGroups = 1024;

// Where a series falls in [0, 1): Prometheus's hash of its labels, whose form shows here.
double RatioOffset(LabelTuple labels, const LabelStore& store) {
  std::string flat;
  const auto append = [&flat](std::string_view text) {
    if (text.size() < 255) {
      flat += static_cast<char>(text.size());
    } else {
      flat += '\xff';
      for (int shift = 0; shift < 24; shift += 8) flat += static_cast<char>((text.size() >> shift) & 0xff);
    }
    flat += text;
  };
  for (const auto& label : labels) {
    append(store.Text(label.name));
    append(store.Text(label.value));
  }
  return static_cast<double>(XxHash64(flat)) / static_cast<double>(std::numeric_limits<uint64_t>::max());
}

}  // namespace

Result<void> ChooseOperator::Prepare() {
  EPI_TRY(child_->Prepare());
  EPI_TRY(param_->Prepare());
  series_ = child_->series();
  EPI_TRY(grouping_.Build(series_, options_, query_));
  return query_.meter.status();
}

// False when nothing can be chosen at any step.
Result<bool> ChooseOperator::CheckParameter() {
  double highest = -std::numeric_limits<double>::max();
  double lowest = std::numeric_limits<double>::max();
  bool any_nan = false;
  if (options_.param_is_number && !param_values_.empty()) highest = lowest = param_values_[0];
  for (const double v : param_values_) {
    if (!options_.param_is_number) {
      highest = GoMax(highest, v);
      lowest = GoMin(lowest, v);
    }
    any_nan = any_nan || std::isnan(v);
  }
  if (options_.op == AggregateOp::kLimitRatio) {
    if (highest == 0 && lowest == 0) return false;
    if (any_nan) return Fail(ErrorCode::kExecution, "Ratio value is NaN");
    if (highest > 1) notes_.InvalidRatio(highest, 1, options_.param_pos);
    if (lowest < -1) notes_.InvalidRatio(lowest, -1, options_.param_pos);
    return true;
  }
  constexpr double kLimit = 9223372036854775808.0;
  if (highest < 1) return false;
  if (any_nan) return Fail(ErrorCode::kExecution, "Parameter value is NaN");
  if (lowest <= -kLimit) {
    return Fail(ErrorCode::kExecution, "Scalar value " + FormatFloatGeneral(lowest) + " underflows int64");
  }
  if (highest >= kLimit) {
    return Fail(ErrorCode::kExecution, "Scalar value " + FormatFloatGeneral(highest) + " overflows int64");
  }
  return true;
}

bool ChooseOperator::InRatio(double ratio, uint32_t row) const {
  const double offset = ratio_offsets_[row];
  return ratio >= 0 ? offset < ratio : offset >= 1.0 + ratio;
}

Result<void> ChooseOperator::ChooseAtStep(size_t step, double parameter, std::vector<uint32_t>* order) {
  const bool top = options_.op == AggregateOp::kTopk;
  const bool by_value = top || options_.op == AggregateOp::kBottomk;
  const bool by_ratio = options_.op == AggregateOp::kLimitRatio;
  const auto rows = static_cast<uint32_t>(matrix_.size());
  size_t k = 0;
  if (!by_ratio) {
    k = parameter < 1 ? 0 : static_cast<size_t>(std::min(parameter, static_cast<double>(rows)));
    if (k == 0) return {};
  } else if (parameter == 0) {
    return {};
  }
  const double ratio = std::clamp(parameter, -1.0, 1.0);
  std::vector<ChoiceHeap> heaps(grouping_.groups.size(), ChoiceHeap(options_.op == AggregateOp::kBottomk));
  std::vector<uint32_t> group_order;
  std::vector<bool> seen(grouping_.groups.size(), false);
  for (uint32_t i = 0; i < rows; ++i) {
    EPI_TRY(checkpoints_.Pass());
    const RowView row = matrix_.row(i);
    const bool is_float = TestBit(row.bits, step);
    const bool is_histogram =
        !is_float &&
        std::binary_search(row.histograms->begin(), row.histograms->end(), HistogramAt{static_cast<uint32_t>(step), {}},
                           [](const HistogramAt& a, const HistogramAt& b) { return a.step < b.step; });
    if (!is_float && !is_histogram) continue;
    const uint32_t group = grouping_.group_of[row.series];
    if (!seen[group]) {
      seen[group] = true;
      group_order.push_back(group);
    }
    if (!by_value) {
      // Nothing is thrown out, but the heap settles the order of an instant query's answer. A histogram counts as zero.
      if (by_ratio ? InRatio(ratio, i) : heaps[group].size() < k)
        heaps[group].Push({is_float ? row.values[step] : 0, i});
      continue;
    }
    if (is_histogram) {
      notes_.HistogramIgnoredInAggregation(AggregateOpName(options_.op), options_.pos);
      continue;
    }
    heaps[group].Offer({row.values[step], i}, k, top);
  }
  const size_t words = WordsFor(grid_.count);
  const auto choose = [&](uint32_t row) {
    SetBit(chosen_.data() + row * words, step);
    if (order != nullptr) order->push_back(row);
  };
  std::sort(group_order.begin(), group_order.end());
  for (const uint32_t group : group_order) {
    if (order != nullptr && by_value) EPI_TRY(heaps[group].SortBestFirst(query_));
    for (const Chosen& item : heaps[group].items()) choose(item.row);
  }
  return {};
}

void ChooseOperator::NoteHistograms(const RowView& row, size_t base, const size_t* wanted) {
  for (const auto& at : *row.histograms) {
    if (at.step < base || at.step >= base + kTile || wanted[at.step - base] == 0) continue;
    notes_.HistogramIgnoredInAggregation(AggregateOpName(options_.op), options_.pos);
  }
}

// topk and bottomk of a range, up to 64 steps at once: rows are walked along their values instead of across them. Each
// step's heap sees the rows in the same order as one step after the other would show them.
Result<void> ChooseOperator::ChooseTile(size_t base) {
  const bool top = options_.op == AggregateOp::kTopk;
  const auto rows = static_cast<uint32_t>(matrix_.size());
  const size_t steps = std::min(kTile, grid_.count - base);
  size_t wanted[kTile] = {};
  uint64_t any = 0;
  for (size_t s = 0; s < steps; ++s) {
    const double parameter = param_values_[base + s];
    if (parameter < 1) continue;
    wanted[s] = static_cast<size_t>(std::min(parameter, static_cast<double>(rows)));
    any |= static_cast<uint64_t>(wanted[s] > 0) << s;
  }
  if (any == 0) return {};
  std::vector<ChoiceHeap> heaps(grouping_.groups.size() * kTile, ChoiceHeap(options_.op == AggregateOp::kBottomk));
  for (uint32_t i = 0; i < rows; ++i) {
    EPI_TRY(checkpoints_.Pass(kTile));
    const RowView row = matrix_.row(i);
    if (!row.histograms->empty()) NoteHistograms(row, base, wanted);
    ChoiceHeap* of_group = heaps.data() + grouping_.group_of[row.series] * kTile;
    const double* values = row.values + base;
    for (uint64_t left = row.bits[base / 64] & any; left != 0; left &= left - 1) {
      const auto s = static_cast<size_t>(std::countr_zero(left));
      of_group[s].Offer({values[s], i}, wanted[s], top);
    }
  }
  const size_t words = WordsFor(grid_.count);
  for (size_t h = 0; h < heaps.size(); ++h) {
    for (const Chosen& item : heaps[h].items()) SetBit(chosen_.data() + item.row * words, base + h % kTile);
  }
  return {};
}

Result<void> ChooseOperator::Choose() {
  EPI_ASSIGN(param_values_, DrainScalar(*param_, query_));
  EPI_TRY(matrix_.Drain(*child_, query_));
  EPI_ASSIGN(const bool any, CheckParameter());
  if (!any) return {};
  const size_t words = WordsFor(grid_.count);
  bytes_.Set(static_cast<int64_t>(matrix_.size() * (words + 1) * sizeof(uint64_t)));
  EPI_TRY(query_.meter.status());
  chosen_.assign(matrix_.size() * words, 0);
  if (options_.op == AggregateOp::kLimitRatio) {
    for (size_t i = 0; i < matrix_.size(); ++i) {
      EPI_TRY(checkpoints_.Pass(4 * Checkpoints::kPerLabelSet));
      ratio_offsets_.push_back(RatioOffset(series_[matrix_.row(i).series].labels, query_.labels));
    }
  }
  const bool by_value = options_.op == AggregateOp::kTopk || options_.op == AggregateOp::kBottomk;
  const bool tiles = by_value && !grid_.instant() && grouping_.groups.size() <= kMaxTileGroups;
  for (size_t k = 0; k < grid_.count; k += tiles ? kTile : 1) {
    EPI_TRY(query_.Check());
    if (tiles) {
      EPI_TRY(ChooseTile(k));
      continue;
    }
    EPI_TRY(ChooseAtStep(k, param_values_[k], grid_.instant() ? &order_ : nullptr));
  }
  if (grid_.instant()) return {};
  for (uint32_t i = 0; i < matrix_.size(); ++i) {
    const uint64_t* bits = chosen_.data() + i * words;
    if (std::any_of(bits, bits + words, [](uint64_t w) { return w != 0; })) order_.push_back(i);
  }
  return {};
}

Result<bool> ChooseOperator::Produce(Block& block) {
  if (!done_) {
    done_ = true;
    EPI_TRY(Choose());
  }
  if (next_ >= order_.size()) return false;
  const size_t count = std::min(RowsPerBlock(grid_.count), order_.size() - next_);
  block.Reset(count, grid_.count, query_.meter);
  for (size_t r = 0; r < count; ++r) {
    const uint32_t row = order_[next_ + r];
    block.CopyRow(matrix_.row(row), r);
    const uint64_t* chosen = chosen_.data() + row * block.words();
    for (size_t w = 0; w < block.words(); ++w) block.bits(r)[w] &= chosen[w];
    std::erase_if(block.histograms(r), [&](const HistogramAt& at) { return !TestBit(chosen, at.step); });
    block.CountFloats(r);
  }
  next_ += count;
  return true;
}

void ChooseOperator::Account(SampleAccount& account, Annotations& notes) const {
  const int64_t before = account.current;
  param_->Account(account, notes);
  child_->Account(account, notes);
  account.current = before + tally().total_size();
  account.RaisePeak(account.current);
  notes.Merge(notes_);
}

}  // namespace epi::promql
