// What a start brings back: definitions, batches of the log, and what a snapshot says of the whole head.
#include <algorithm>

#include "tsdb/head/head.h"

namespace epi::tsdb {

// --- definitions ---

Result<void> Head::RestoreSeries(uint32_t group, uint32_t id, uint32_t generation, uint64_t first_lsn) {
  const auto bad = [&](const char* why) {
    return Fail(ErrorCode::kDataLoss, "series " + std::to_string(id) + ": " + why);
  };
  if (group >= groups_.size()) return bad("its group is not defined");
  const bool fresh = !series_.HasSlab(id) || series_.slab(id).group == kNoSeriesId;
  if (!fresh && series_.Alive(id)) {
    // Written again after a failed sync.
    if (series_.Alive(MakeRef(id, generation))) return {};
    return bad("it is defined twice");
  }
  if (!series_.RestoreSlab(id, group)) return bad("its number belongs to another group");
  if (fresh) groups_[group]->AddSlab(id / Slab::kSeries * Slab::kSeries);
  if (first_lsn_.size() <= id) first_lsn_.resize(std::max<size_t>(id + 1, first_lsn_.size() * 2));
  first_lsn_[id] = first_lsn;
  last_first_lsn_ = std::max(last_first_lsn_, first_lsn);
  series_.cold(id).generation.store(generation, std::memory_order_release);
  live_series_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

Result<void> Head::RestoreRemoved(uint32_t id) {
  if (!series_.Alive(id))
    return Fail(ErrorCode::kDataLoss, "series " + std::to_string(id) + " is removed but was not defined");
  series_.cold(id).generation.fetch_add(1, std::memory_order_acq_rel);
  live_series_.fetch_sub(1, std::memory_order_relaxed);
  // Its number may come again in another group, when all of its slab are gone.
  const uint32_t first = id / Slab::kSeries * Slab::kSeries;
  Slab& slab = series_.slab(id);
  for (const ColdRecord& other : slab.cold) {
    if ((other.generation.load(std::memory_order_relaxed) & 1) != 0) return {};
  }
  groups_[slab.group]->RemoveSlab(first);
  slab.group = kNoSeriesId;
  return {};
}

// A symbol gets another text, and a text another symbol, when nobody uses what it was before. If somebody does, the
// record that says so is lost: better no series than one with wrong labels.
Result<void> Head::RestoreSymbol(SymbolId id, std::string_view text) {
  const auto number = static_cast<uint32_t>(id);
  const auto forget = [&](SymbolId old) {
    const bool used = Unindex(old);
    symbols_.Forget(old);
    if (static_cast<size_t>(old) < noted_symbols_.size()) noted_symbols_[static_cast<size_t>(old)] = false;
    return used;
  };
  bool misused = false;
  if (number < symbols_.count() && !symbols_.Text(id).empty() && symbols_.Text(id) != text) misused |= forget(id);
  if (const auto twin = symbols_.Find(text); twin && *twin != id) misused |= forget(*twin);
  EPI_TRY(symbols_.Restore(id, text));
  if (noted_symbols_.size() <= number) noted_symbols_.resize(size_t{number} + 1);
  noted_symbols_[number] = true;
  if (misused) return Fail(ErrorCode::kDataLoss, "symbol " + std::to_string(number) + " is defined twice");
  return {};
}

// Makes the series that have the symbol unknown to the index again. Whether there are any.
bool Head::Unindex(SymbolId symbol) {
  PostingsIndex::Gone gone;
  if (!postings_.Uses(symbol, gone.ids)) return false;
  for (const uint32_t id : gone.ids) {
    const ColdRecord& cold = series_.cold(id);
    by_labels_.Remove(cold.label_hash, id);
    labels_.Decode(cold.labels, gone.labels);
    labels_.Free(cold.labels);
    indexed_[id] = false;
  }
  postings_.Remove(std::move(gone));
  return true;
}

Result<void> Head::IndexSeries(uint32_t id, uint32_t generation, LabelTuple labels) {
  if (!series_.Alive(MakeRef(id, generation))) return {};
  if (indexed_.empty()) by_labels_.Reserve(live_series_.load(std::memory_order_relaxed));
  if (indexed_.size() <= id) indexed_.resize(std::max<size_t>(series_.id_limit(), id + 1));
  if (indexed_[id]) return {};
  const auto bad = [&](const char* why) {
    return Fail(ErrorCode::kDataLoss, "series " + std::to_string(id) + ": " + why);
  };
  if (labels.empty()) return bad("it has no labels");
  std::vector<LabelView> pairs;
  pairs.reserve(labels.size());
  for (const auto& label : labels) {
    const auto text_of = [&](SymbolId symbol) {
      return static_cast<uint32_t>(symbol) < symbols_.count() ? symbols_.Text(symbol) : std::string_view();
    };
    pairs.push_back({text_of(label.name), text_of(label.value)});
    if (pairs.back().name.empty() || pairs.back().value.empty()) return bad("a symbol is not defined");
  }
  const Labels text = Labels::FromPairs(std::move(pairs));
  const uint64_t hash = text.Hash();
  const auto twin = by_labels_.FindOrAdd(
      hash, id, [&](uint32_t other) { return series_.cold(other).label_hash == hash && LabelsOf(other) == text; });
  if (twin) return bad("its labels are defined twice");
  const auto offset = labels_.Add(series_.slab(id).group, labels);
  if (!offset) {
    by_labels_.Remove(hash, id);
    return Fail(ErrorCode::kLimit, "the head has no room for more series");
  }
  ColdRecord& cold = series_.cold(id);
  cold.label_hash = hash;
  cold.labels = *offset;
  postings_.Add(id, labels);
  indexed_[id] = true;
  return {};
}

// Series that live but cannot be found: their definition was of no use. The log may name them, so nobody gets their
// numbers.
void Head::DropRefused() {
  for (uint32_t id = 0; id < series_.id_limit(); ++id) {
    if (!series_.Alive(id) || (id < indexed_.size() && indexed_[id])) continue;
    series_.cold(id).generation.fetch_add(1, std::memory_order_acq_rel);
    live_series_.fetch_sub(1, std::memory_order_relaxed);
    unknown_ids_.push_back(id);
  }
}

// --- the whole head ---

void Head::RestoreTimes(TimestampMs min, TimestampMs max) {
  // What is in blocks since the snapshot was taken has left, but for late samples.
  NoteTimes(std::max(min, in_blocks_time_), max);
  NoteTimes(OldestLate(std::numeric_limits<uint64_t>::max()), max);
}

void Head::NoteUnknown(std::span<const uint32_t> ids) {
  unknown_ids_.insert(unknown_ids_.end(), ids.begin(), ids.end());
}

void Head::PrepareReplay(Batch& batch, uint64_t lsn, ReplayPlan& plan) const {
  plan.owners.clear();
  plan.unknown.clear();
  plan.dropped = 0;
  if (lsn <= in_blocks_lsn_) {
    const auto in_block = [&](const auto& row) { return row.time < in_blocks_time_; };
    if (batch.time < in_blocks_time_) batch.series.clear();
    std::erase_if(batch.timed, in_block);
    std::erase_if(batch.histograms, in_block);
  }
  const auto unknown = [&](uint32_t id) {
    const bool is = !series_.Alive(id) || (id < first_lsn_.size() && lsn < first_lsn_[id]);
    if (is) {
      ++plan.dropped;
      if (plan.unknown.empty() || plan.unknown.back() != id) plan.unknown.push_back(id);
    }
    return is;
  };
  const auto own = [&](uint32_t group) {
    auto& owners = plan.owners;
    if (owners.empty() || (owners.back() != group && std::find(owners.begin(), owners.end(), group) == owners.end())) {
      owners.push_back(group);
    }
  };
  // Neighbours lie in one slab.
  size_t kept = 0;
  const Slab* slab = nullptr;
  uint32_t slab_number = kNoSeriesId;
  const bool first_life = lsn >= last_first_lsn_;
  for (size_t i = 0; i < batch.series.size(); ++i) {
    const uint32_t id = batch.series[i];
    if (id / Slab::kSeries != slab_number) {
      slab_number = id / Slab::kSeries;
      slab = series_.HasSlab(id) ? &series_.slab(id) : nullptr;
      if (slab != nullptr && slab->group != kNoSeriesId) own(slab->group);
    }
    const bool plain = first_life && slab != nullptr &&
                       (slab->cold[id % Slab::kSeries].generation.load(std::memory_order_relaxed) & 1) != 0;
    if (!plain && unknown(id)) continue;
    batch.series[kept] = id;
    batch.values[kept++] = batch.values[i];
  }
  batch.series.resize(kept);
  batch.values.resize(kept);
  std::erase_if(batch.timed, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.histograms, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.exemplars, [&](const auto& row) { return unknown(row.series); });
  std::erase_if(batch.tombstones, [&](const auto& row) { return unknown(row.series); });
  for (const auto& row : batch.timed) own(series_.slab(row.series).group);
  for (const auto& row : batch.histograms) own(series_.slab(row.series).group);
  for (const auto& row : batch.tombstones) own(series_.slab(row.series).group);
}

void Head::ReplayInto(uint32_t group, const Batch& batch, uint64_t lsn) {
  Group& owner = *groups_[group];
  if (lsn <= restored_lsn_ || lsn <= owner.applied_lsn()) return;
  owner.BeginTurn();
  owner.Apply(batch, {lsn, lsn, min_valid_time()});
}

void Head::FinishReplayOf(const Batch& batch, uint64_t lsn, const ReplayPlan& plan) {
  NoteUnknown(plan.unknown);
  if (lsn <= restored_lsn_) return;
  for (const auto& row : batch.exemplars) {
    // A snapshot may have exemplars of batches that came while it was taken, and the log those that were written again.
    if (exemplars_.Has(row.series, row.exemplar)) continue;
    exemplars_.Add(row.series, row.exemplar);
  }
  for (const auto& row : batch.metadata) SetMetadata(row.metric, row.metadata);
  if (!batch.series.empty()) NoteTimes(batch.time, batch.time);
  for (const auto& row : batch.timed) NoteTimes(row.time, row.time);
  for (const auto& row : batch.histograms) NoteTimes(row.time, row.time);
}

}  // namespace epi::tsdb
