#include "promql/engine/join.h"

#include <algorithm>
#include <array>

#include "promql/engine/binary_kernels.h"
#include "promql/engine/merge_operator.h"
#include "promql/engine/sort_while_wanted.h"

namespace epi::promql {
namespace {

bool AnyBit(const std::vector<uint64_t>& bits) {
  return std::any_of(bits.begin(), bits.end(), [](uint64_t w) { return w != 0; });
}

// The operand of a row at a step; `next` walks along its histograms.
Operand OperandAt(const RowView& row, size_t step, size_t& next) {
  if (TestBit(row.bits, step)) return {row.values[step], nullptr};
  while (next < row.histograms->size() && (*row.histograms)[next].step < step) ++next;
  if (next < row.histograms->size() && (*row.histograms)[next].step == step) return {0, &(*row.histograms)[next].h};
  return {};
}

}  // namespace

void JoinOperator::PresentSteps(const RowView& row, std::vector<uint64_t>& steps) {
  std::copy_n(row.bits, steps.size(), steps.begin());
  for (const auto& at : *row.histograms) SetBit(steps.data(), at.step);
}

LabelTuple JoinOperator::LeftLabels(uint32_t row) const { return left_series_[left_.row(row).series].labels; }
LabelTuple JoinOperator::RightLabels(uint32_t row) const { return right_series_[right_.row(row).series].labels; }
Result<void> JoinOperator::Prepare() {
  EPI_TRY(PrepareInputs());
  swapped_ = options_.matching.card == MatchCardinality::kOneToMany;
  Operator& many = *inputs_[swapped_ ? 1 : 0];
  Operator& one = *inputs_[swapped_ ? 0 : 1];
  EPI_TRY((swapped_ ? right_ : left_).Drain(*inputs_[0], query_));
  EPI_TRY((swapped_ ? left_ : right_).Drain(*inputs_[1], query_));
  left_series_ = many.series();
  right_series_ = one.series();
  Signatures signatures;
  EPI_TRY(signatures.Build(options_.matching, left_series_, left_, right_series_, right_, query_));
  left_signature_ = std::move(signatures.left);
  right_signature_ = std::move(signatures.right);
  matches_.resize(signatures.count);
  EPI_TRY(BuildMatches());
  EPI_TRY(FindConflicts());
  EPI_TRY(BuildPairs());
  EPI_TRY(FindEqualResults());
  return query_.meter.status();
}

Result<void> JoinOperator::BuildMatches() {
  const size_t words = WordsFor(grid_.count);
  std::vector<uint64_t> any_left(words, 0);
  std::vector<uint64_t> any_right(words, 0);
  std::vector<uint64_t> steps(words);
  for (uint32_t i = 0; i < left_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(words));
    matches_[left_signature_[i]].left.push_back(i);
    PresentSteps(left_.row(i), steps);
    for (size_t w = 0; w < words; ++w) any_left[w] |= steps[w];
  }
  for (uint32_t i = 0; i < right_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(words));
    matches_[right_signature_[i]].right.push_back(i);
    PresentSteps(right_.row(i), steps);
    for (size_t w = 0; w < words; ++w) any_right[w] |= steps[w];
  }
  // Where one side has nothing at all, nothing is matched and nothing can conflict, unless there are fill values.
  const bool fill = options_.matching.fill_left || options_.matching.fill_right;
  both_sides_.resize(words);
  for (size_t w = 0; w < words; ++w) both_sides_[w] = fill ? any_left[w] | any_right[w] : any_left[w] & any_right[w];
  return {};
}

Result<void> JoinOperator::AddOverlaps(const Matrix& matrix, std::span<const uint32_t> rows,
                                       std::vector<uint64_t>& overlaps) {
  if (rows.size() < 2) return {};
  const size_t words = overlaps.size();
  std::vector<uint64_t>& seen = other_;
  std::vector<uint64_t>& steps = steps_;
  seen.assign(words, 0);
  steps.resize(words);
  for (const uint32_t row : rows) {
    EPI_TRY(checkpoints_.Pass(words));
    PresentSteps(matrix.row(row), steps);
    for (size_t w = 0; w < words; ++w) {
      overlaps[w] |= seen[w] & steps[w] & both_sides_[w];
      seen[w] |= steps[w];
    }
  }
  return {};
}

// Only signatures with several series on a side can be ambiguous; the first step that is decides what is reported, as
// when evaluating step by step.
Result<void> JoinOperator::FindConflicts() {
  const bool one_to_one = options_.matching.card == MatchCardinality::kOneToOne;
  std::vector<uint64_t> suspects(both_sides_.size(), 0);
  for (const Match& match : matches_) {
    EPI_TRY(AddOverlaps(right_, match.right, suspects));
    if (one_to_one && (!match.right.empty() || options_.matching.fill_right))
      EPI_TRY(AddOverlaps(left_, match.left, suspects));
  }
  if (one_to_one) return CheckSteps(suspects);
  // The first of them is wrong for sure, but one before may be wrong for what only pairs show.
  bool found = false;
  for (size_t w = 0; w < suspects.size(); ++w) {
    const uint64_t upto_first = suspects[w] ^ (suspects[w] - 1);
    const bool here = !found && suspects[w] != 0;
    suspects[w] = found ? 0 : here ? both_sides_[w] & upto_first : both_sides_[w];
    found = found || here;
  }
  return found ? CheckSteps(suspects) : Result<void>();
}

Result<void> JoinOperator::FindEqualResults() {
  if (options_.matching.card == MatchCardinality::kOneToOne) return {};
  std::vector<uint64_t> suspects(both_sides_.size(), 0);
  // Pairs of one output, each with a link to the one before.
  constexpr uint32_t kNoPair = 0xffffffff;
  TupleMap<uint32_t> last_pair;
  std::vector<uint32_t> before(pairs_.size(), kNoPair);
  for (uint32_t i = 0; i < pairs_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    if (pairs_[i].left == kFill) continue;
    const auto [at, fresh] = last_pair.try_emplace(series_[pairs_[i].output].labels, i);
    if (!fresh) before[i] = std::exchange(at->second, i);
  }
  std::vector<uint32_t> rows;
  const auto by_signature = [&](uint32_t x, uint32_t y) {
    return std::pair(left_signature_[x], x) < std::pair(left_signature_[y], y);
  };
  for (const auto& [labels, last] : last_pair) {
    if (before[last] == kNoPair) continue;
    rows.clear();
    for (uint32_t i = last; i != kNoPair; i = before[i]) rows.push_back(pairs_[i].left);
    std::sort(rows.begin(), rows.end(), by_signature);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    for (size_t first = 0, next = 0; first < rows.size(); first = next) {
      while (next < rows.size() && left_signature_[rows[next]] == left_signature_[rows[first]]) ++next;
      EPI_TRY(AddOverlaps(left_, std::span(rows).subspan(first, next - first), suspects));
    }
  }
  return CheckSteps(suspects);
}

Result<void> JoinOperator::CheckSteps(const std::vector<uint64_t>& steps) {
  Result<void> result;
  ForEachBit(steps.data(), steps.size(), [&](size_t k) {
    if (result) result = query_.Check();
    if (result) result = CheckStep(k);
  });
  return result;
}

// What a step-by-step evaluation finds wrong at one step.
Result<void> JoinOperator::CheckStep(size_t step) {
  const auto histogram = [step](const RowView& row) {
    const auto at = std::lower_bound(row.histograms->begin(), row.histograms->end(), step,
                                     [](const HistogramAt& h, size_t k) { return h.step < k; });
    return static_cast<size_t>(at - row.histograms->begin());
  };
  const auto present = [&](const RowView& row) {
    if (TestBit(row.bits, step)) return true;
    const size_t at = histogram(row);
    return at < row.histograms->size() && (*row.histograms)[at].step == step;
  };
  const auto operand = [&](const RowView& row) {
    size_t next = histogram(row);
    return OperandAt(row, step, next);
  };
  std::vector<uint32_t> one(matches_.size(), kFill);
  for (uint32_t i = 0; i < right_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass());
    if (!present(right_.row(i))) continue;
    uint32_t& slot = one[right_signature_[i]];
    if (slot == kFill) {
      slot = i;
      continue;
    }
    std::string a = query_.labels.ToLabels(RightLabels(i)).ToString();
    std::string b = query_.labels.ToLabels(RightLabels(slot)).ToString();
    if (a > b) std::swap(a, b);
    return Fail(ErrorCode::kExecution,
                "found duplicate series for the match group " +
                    query_.labels.ToLabels(MatchLabels(RightLabels(i))).ToString() + " on the " +
                    (swapped_ ? "left" : "right") + " hand-side of the operation: [" + a + ", " + b +
                    "];many-to-many matching not allowed: matching labels must be unique on one side");
  }
  const bool one_to_one = options_.matching.card == MatchCardinality::kOneToOne;
  std::vector<bool> matched(matches_.size(), false);
  std::vector<TupleMap<bool>> results(one_to_one ? 0 : matches_.size());
  for (uint32_t i = 0; i < left_.size(); ++i) {
    EPI_TRY(checkpoints_.Pass(Checkpoints::kPerLabelSet));
    const RowView left = left_.row(i);
    if (!present(left)) continue;
    const uint32_t signature = left_signature_[i];
    const uint32_t right = one[signature];
    if (right == kFill && !options_.matching.fill_right) continue;
    Operand a = operand(left);
    Operand b = right == kFill ? Operand{*options_.matching.fill_right, nullptr} : operand(right_.row(right));
    if (swapped_) std::swap(a, b);
    if (a.h != nullptr || b.h != nullptr || (!IsArithmetic(options_.op) && !IsComparison(options_.op))) {
      if (!HistogramBinary(options_.op, a, b).joins()) continue;  // dropped before it could clash
    }
    if (one_to_one) {
      if (matched[signature]) {
        return Fail(ErrorCode::kExecution,
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)");
      }
      matched[signature] = true;
      continue;
    }
    const LabelTuple labels =
        ResultLabels(LeftLabels(i), right == kFill ? MatchLabels(LeftLabels(i)) : RightLabels(right));
    if (!results[signature].try_emplace(labels, true).second) {
      return Fail(ErrorCode::kExecution, "multiple matches for labels: grouping labels must ensure unique matches");
    }
  }
  return {};
}

LabelTuple JoinOperator::MatchLabels(LabelTuple labels) const {
  std::vector<std::string> names = options_.matching.labels;
  if (!options_.matching.on) names.emplace_back(kMetricName);
  LabelBuffer out;
  LabelSelector(names, options_.matching.on, query_.labels).Apply(labels, out);
  return query_.labels.Store(out);
}

LabelTuple JoinOperator::ResultLabels(LabelTuple left, LabelTuple right) const {
  LabelStore& store = query_.labels;
  const VectorMatching& matching = options_.matching;
  LabelBuffer out(left.begin(), left.end());
  const bool drop_now = (options_.return_bool && !query_.features.delayed_name_removal) || IsArithmetic(options_.op);
  if (drop_now) std::erase_if(out, [&](const LabelSymbols& label) { return store.IsMetadataLabel(label.name); });
  if (matching.card == MatchCardinality::kOneToOne) {
    LabelBuffer kept;
    LabelSelector(matching.labels, matching.on, store).Apply(out, kept);
    out = std::move(kept);
  }
  for (const auto& include : matching.include) {
    const SymbolId name = store.Intern(include);
    if (const SymbolId* value = LabelStore::Find(right, name)) {
      store.Set(out, name, *value);
    } else {
      std::erase_if(out, [&](const LabelSymbols& label) { return label.name == name; });
    }
  }
  return store.Store(out);
}

uint32_t JoinOperator::OutputFor(LabelTuple left, LabelTuple right) {
  const LabelTuple labels = ResultLabels(left, right);
  // In an instant evaluation equal labels stay apart until the end of the query; otherwise they are one series.
  if (grid_.instant()) {
    series_.push_back({labels, options_.return_bool});
    return static_cast<uint32_t>(series_.size() - 1);
  }
  const auto [at, fresh] = outputs_.try_emplace(labels, static_cast<uint32_t>(series_.size()));
  if (fresh) series_.push_back({labels, options_.return_bool});
  return at->second;
}

Result<void> JoinOperator::AddPair(Pair pair) {
  if (pairs_.size() == pairs_.capacity()) {
    constexpr size_t kFirst = 64;
    const size_t room = std::max(kFirst, 2 * pairs_.capacity());
    // The pairs and what is kept for each output.
    bytes_.Set(static_cast<int64_t>(room * (sizeof(Pair) + sizeof(SeriesLabels) + sizeof(LabelTuple))));
    EPI_TRY(query_.Check());
    pairs_.reserve(room);
  }
  pairs_.push_back(pair);
  return checkpoints_.Pass(2 * Checkpoints::kPerLabelSet);
}

Result<void> JoinOperator::BuildPairs() {
  for (uint32_t i = 0; i < left_.size(); ++i) {
    for (const uint32_t right : matches_[left_signature_[i]].right) {
      EPI_TRY(AddPair({i, right, OutputFor(LeftLabels(i), RightLabels(right))}));
    }
    if (options_.matching.fill_right)
      EPI_TRY(AddPair({i, kFill, OutputFor(LeftLabels(i), MatchLabels(LeftLabels(i)))}));
  }
  if (options_.matching.fill_left) {
    for (uint32_t i = 0; i < right_.size(); ++i) {
      EPI_TRY(AddPair({kFill, i, OutputFor(MatchLabels(RightLabels(i)), RightLabels(i))}));
    }
  }
  const auto before = [](const Pair& a, const Pair& b) { return a.output < b.output; };
  if (std::is_sorted(pairs_.begin(), pairs_.end(), before)) return {};
  return SortWhileWanted(pairs_, before, query_);
}

Result<void> JoinOperator::PairSteps(const Pair& pair, std::vector<uint64_t>& steps) {
  const size_t words = steps.size();
  std::vector<uint64_t>& other = other_;
  other.resize(words);
  if (pair.left != kFill) {
    PresentSteps(left_.row(pair.left), steps);
  } else {
    PresentSteps(right_.row(pair.right), steps);
  }
  if (pair.left != kFill && pair.right != kFill) {
    PresentSteps(right_.row(pair.right), other);
    for (size_t w = 0; w < words; ++w) steps[w] &= other[w];
    return {};
  }
  // A fill value stands in where no series of the other side matches.
  const bool fill_right = pair.right == kFill;
  const Match& match = matches_[fill_right ? left_signature_[pair.left] : right_signature_[pair.right]];
  for (const uint32_t row : fill_right ? match.right : match.left) {
    EPI_TRY(checkpoints_.Pass(words));
    PresentSteps(fill_right ? right_.row(row) : left_.row(row), other);
    if (!fill_right) DropUndefinedSteps(left_.row(row), right_.row(pair.right), other);
    for (size_t w = 0; w < words; ++w) steps[w] &= ~other[w];
  }
  return {};
}

void JoinOperator::DropUndefinedSteps(const RowView& left, const RowView& right, std::vector<uint64_t>& steps) const {
  const bool trims = !IsArithmetic(options_.op) && !IsComparison(options_.op);
  if (left.histograms->empty() && right.histograms->empty() && !trims) return;
  size_t next_left = 0;
  size_t next_right = 0;
  const std::vector<uint64_t> asked = steps;
  std::vector<uint64_t> also(steps.size());
  PresentSteps(right, also);
  ForEachBit(asked.data(), asked.size(), [&](size_t k) {
    if (!TestBit(also.data(), k)) return;
    if (!trims && TestBit(left.bits, k) && TestBit(right.bits, k)) return;
    Operand a = OperandAt(left, k, next_left);
    Operand b = OperandAt(right, k, next_right);
    if (swapped_) std::swap(a, b);
    if (!HistogramBinary(options_.op, a, b).joins()) ClearBit(steps.data(), k);
  });
}

void JoinOperator::ComputeFloats(const double* left, const double* right, const std::vector<uint64_t>& both,
                                 Block& block, size_t row) {
  // Many-to-one may be written the other way round; the operation keeps the order as written.
  const double* a = swapped_ ? right : left;
  const double* b = swapped_ ? left : right;
  const size_t steps = grid_.count;
  double* values = block.values(row);
  uint64_t* bits = block.bits(row);
  std::vector<double> computed(steps);
  std::vector<uint64_t> keep(both);
  if (IsArithmetic(options_.op)) {
    ArithmeticKernel(options_.op, a, b, computed.data(), steps);
  } else {
    std::vector<uint64_t> holds(both.size());
    ComparisonKernel(options_.op, a, b, holds.data(), steps);
    for (size_t k = 0; k < steps; ++k) computed[k] = options_.return_bool ? (TestBit(holds.data(), k) ? 1 : 0) : a[k];
    if (!options_.return_bool) {
      for (size_t w = 0; w < keep.size(); ++w) keep[w] &= holds[w];
    }
  }
  ForEachBit(keep.data(), keep.size(), [&](size_t k) { values[k] = computed[k]; });
  for (size_t w = 0; w < keep.size(); ++w) bits[w] |= keep[w];
}

// The first pair of an output, floats on both sides: straight into the output's row.
void JoinOperator::ComputeDirectly(const RowView& left, const RowView& right, const std::vector<uint64_t>& both,
                                   Block& block, size_t row) {
  const double* a = swapped_ ? right.values : left.values;
  const double* b = swapped_ ? left.values : right.values;
  double* values = block.values(row);
  uint64_t* bits = block.bits(row);
  std::copy(both.begin(), both.end(), bits);
  if (IsArithmetic(options_.op)) {
    ArithmeticKernel(options_.op, a, b, values, grid_.count);
    return;
  }
  holds_.resize(both.size());
  ComparisonKernel(options_.op, a, b, holds_.data(), grid_.count);
  if (options_.return_bool) {
    for (size_t k = 0; k < grid_.count; ++k) values[k] = TestBit(holds_.data(), k) ? 1 : 0;
    return;
  }
  std::copy_n(a, grid_.count, values);
  for (size_t w = 0; w < both.size(); ++w) bits[w] &= holds_[w];
}

Result<void> JoinOperator::ComputePair(const Pair& pair, bool first, Block& block, size_t row) {
  const size_t words = block.words();
  std::vector<uint64_t>& steps = steps_;
  steps.resize(words);
  EPI_TRY(PairSteps(pair, steps));
  if (!AnyBit(steps)) return {};
  const bool trims = !IsArithmetic(options_.op) && !IsComparison(options_.op);
  if (first && pair.left != kFill && pair.right != kFill && !trims) {
    const RowView many = left_.row(pair.left);
    const RowView one = right_.row(pair.right);
    if (many.histograms->empty() && one.histograms->empty()) {
      ComputeDirectly(many, one, steps, block, row);
      return {};
    }
  }
  // Rows of one output that meet at a step are the same series twice.
  static const HistogramList kNone;
  const std::vector<double> fill_left(pair.left == kFill ? grid_.count : 0, options_.matching.fill_left.value_or(0));
  const std::vector<double> fill_right(pair.right == kFill ? grid_.count : 0, options_.matching.fill_right.value_or(0));
  std::vector<uint64_t> all(words, ~uint64_t{0});
  const RowView left = pair.left == kFill ? RowView{fill_left.data(), all.data(), &kNone, 0, 0} : left_.row(pair.left);
  const RowView right =
      pair.right == kFill ? RowView{fill_right.data(), all.data(), &kNone, 0, 0} : right_.row(pair.right);

  Block scratch;
  Block& out = scratch;
  out.Reset(1, grid_.count, query_.meter);
  if (left.histograms->empty() && right.histograms->empty() && !trims) {
    ComputeFloats(left.values, right.values, steps, out, 0);
  } else {
    std::vector<uint64_t> floats(words);
    for (size_t w = 0; w < words; ++w) floats[w] = trims ? 0 : steps[w] & left.bits[w] & right.bits[w];
    ComputeFloats(left.values, right.values, floats, out, 0);
    size_t next_left = 0;
    size_t next_right = 0;
    // Elements of the one side that nothing matches come last.
    const auto order = static_cast<uint32_t>(pair.left == kFill ? left_.size() + pair.right : pair.left);
    ForEachBit(steps.data(), words, [&](size_t k) {
      if (TestBit(floats.data(), k)) return;
      Operand a = OperandAt(left, k, next_left);
      Operand b = OperandAt(right, k, next_right);
      if (swapped_) std::swap(a, b);
      BinaryOutcome outcome = HistogramBinary(options_.op, a, b);
      last_notes_.Offer(grid_, k, order, a, b, outcome.note);
      if (!outcome.joins()) return;
      if (options_.return_bool) {
        out.values(0)[k] = outcome.keep ? 1 : 0;
        SetBit(out.bits(0), k);
      } else if (outcome.keep) {
        out.histograms(0).push_back({static_cast<uint32_t>(k), std::move(outcome.h)});
      }
    });
  }
  // Into the output series, which other pairs may have filled at other steps.
  uint64_t* bits = block.bits(row);
  HistogramList& list = block.histograms(row);
  bool conflict = false;
  for (const auto& at : list) conflict = conflict || TestBit(out.bits(0), at.step);
  for (size_t w = 0; w < words; ++w) conflict = conflict || (bits[w] & out.bits(0)[w]) != 0;
  ForEachBit(out.bits(0), words, [&](size_t k) { block.values(row)[k] = out.values(0)[k]; });
  for (size_t w = 0; w < words; ++w) bits[w] |= out.bits(0)[w];
  if (!out.histograms(0).empty()) {
    HistogramList merged;
    std::merge(list.begin(), list.end(), out.histograms(0).begin(), out.histograms(0).end(), std::back_inserter(merged),
               [](const HistogramAt& x, const HistogramAt& y) { return x.step < y.step; });
    for (size_t i = 0; i < merged.size(); ++i) {
      conflict = conflict || TestBit(bits, merged[i].step) || (i > 0 && merged[i - 1].step == merged[i].step);
    }
    list = std::move(merged);
  }
  if (conflict) return Fail(SameLabelsetError());
  return {};
}

void JoinOperator::Account(SampleAccount& account, Annotations& notes) const {
  StepwiseOperator::Account(account, notes);
  last_notes_.AddTo(notes, options_.op, options_.pos);
}

Result<bool> JoinOperator::Produce(Block& block) {
  if (next_pair_ >= pairs_.size()) return false;
  // Pairs of one output stay together in one row.
  const size_t rows = RowsPerBlock(grid_.count);
  size_t end = next_pair_;
  size_t outputs = 0;
  while (end < pairs_.size() && (outputs < rows || pairs_[end].output == pairs_[end - 1].output)) {
    if (end == next_pair_ || pairs_[end].output != pairs_[end - 1].output) ++outputs;
    if (outputs > rows) break;
    ++end;
  }
  block.Reset(outputs, grid_.count, query_.meter);
  size_t row = 0;
  for (size_t i = next_pair_; i < end; ++i) {
    const bool first = i == next_pair_ || pairs_[i].output != pairs_[i - 1].output;
    if (first && i > next_pair_) ++row;
    block.SetSeries(row, pairs_[i].output);
    const bool histograms = pairs_[i].left != kFill && !left_.row(pairs_[i].left).histograms->empty();
    EPI_TRY(checkpoints_.Pass(grid_.count * (histograms ? Checkpoints::kPerHistogram : 1)));
    EPI_TRY(ComputePair(pairs_[i], first, block, row));
  }
  for (size_t r = 0; r < outputs; ++r) block.CountFloats(r);
  next_pair_ = end;
  return true;
}

}  // namespace epi::promql
