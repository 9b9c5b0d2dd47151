#include "tsdb/head/head.h"

#include <algorithm>

#include "tsdb/head/head_appender.h"
#include "tsdb/head/head_view.h"

namespace epi::tsdb {
namespace {
void LowerTo(std::atomic<TimestampMs>& to, TimestampMs value) {
  TimestampMs seen = to.load(std::memory_order_relaxed);
  while (value < seen && !to.compare_exchange_weak(seen, value, std::memory_order_acq_rel)) {
  }
}
void RaiseTo(std::atomic<TimestampMs>& to, TimestampMs value) {
  TimestampMs seen = to.load(std::memory_order_relaxed);
  while (value > seen && !to.compare_exchange_weak(seen, value, std::memory_order_acq_rel)) {
  }
}
}  // namespace

Head::Head(const HeadOptions& options, CommitLog& log, SeriesJournal* journal)
    : options_(options),
      log_(log),
      journal_(journal),
      postings_(symbols_),
      exemplars_(options.max_exemplars, options.out_of_order_window_ms),
      min_time_(std::numeric_limits<TimestampMs>::max()),
      max_time_(std::numeric_limits<TimestampMs>::min()),
      min_valid_time_(std::numeric_limits<TimestampMs>::min()),
      clip_(std::numeric_limits<TimestampMs>::min()),
      out_of_order_window_(options.out_of_order_window_ms) {}

Head::~Head() = default;

// --- views ---

Head::Moment Head::Pin() const {
  const std::lock_guard<std::mutex> lock(views_mutex_);
  Moment moment{log_.written(), clip(), 0};
  moment.symbols = symbols_.now();
  ++views_[moment.visible];
  ++clips_[moment.clip];
  ++moments_[moment.symbols];
  return moment;
}

void Head::Unpin(const Moment& moment) const {
  const auto release = [](auto& counts, auto key) {
    const auto found = counts.find(key);
    if (--found->second == 0) counts.erase(found);
  };
  const std::lock_guard<std::mutex> lock(views_mutex_);
  release(views_, moment.visible);
  release(clips_, moment.clip);
  release(moments_, moment.symbols);
}

uint64_t Head::Settled() const {
  const std::lock_guard<std::mutex> lock(views_mutex_);
  return views_.empty() ? log_.written() : views_.begin()->first;
}

std::shared_ptr<const View> Head::OpenView(TimeRange) const { return std::make_shared<HeadView>(*this); }

// --- groups and series ---

Group& Head::PlaceForGroup(uint32_t id, const GroupIdentity& identity) {
  if (id < groups_.size()) {
    groups_[id]->Adopt(identity);
  } else {
    groups_.Append(std::make_unique<Group>(id, identity, series_, unspilled_, options_.group));
  }
  return *groups_[id];
}

Result<Group*> Head::FindOrMakeGroup(const GroupIdentity& identity) {
  const std::lock_guard<std::mutex> lock(creation_);
  const auto [found, made] = group_ids_.try_emplace({identity.kind, identity.key}, 0);
  if (made) {
    if (free_groups_.empty() && groups_.full()) {
      group_ids_.erase(found);
      return Fail(ErrorCode::kLimit, "too many groups of series in the head");
    }
    found->second = static_cast<uint32_t>(groups_.size());
    if (!free_groups_.empty()) {
      found->second = free_groups_.back();
      free_groups_.pop_back();
    }
    PlaceForGroup(found->second, identity);
  }
  Group& group = *groups_[found->second];
  group.appenders.fetch_add(1, std::memory_order_relaxed);
  return &group;
}

Result<std::unique_ptr<BatchAppender>> Head::OpenGroup(const GroupIdentity& identity) {
  EPI_ASSIGN(Group * group, FindOrMakeGroup(identity));
  counters_.appenders_created.fetch_add(1, std::memory_order_relaxed);
  return std::unique_ptr<BatchAppender>(std::make_unique<HeadAppender>(*this, *group));
}

Labels Head::LabelsOf(uint32_t id) const {
  std::vector<LabelSymbols> tuple;
  labels_.Decode(series_.cold(id).labels, tuple);
  std::vector<LabelView> pairs;
  for (const auto& label : tuple) pairs.push_back({symbols_.Text(label.name), symbols_.Text(label.value)});
  return Labels::FromPairs(std::move(pairs));
}

SeriesRef Head::Find(const Labels& labels) const {
  const uint64_t hash = labels.Hash();
  const auto id = by_labels_.Find(hash, [&](uint32_t candidate) {
    return series_.cold(candidate).label_hash == hash && LabelsOf(candidate) == labels;
  });
  if (!id) return kNoSeries;
  const uint32_t generation = series_.cold(*id).generation.load(std::memory_order_acquire);
  return (generation & 1) != 0 ? MakeRef(*id, generation) : kNoSeries;
}

std::optional<uint32_t> Head::NewId(Group& group) {
  if (!group.free_ids.empty()) {
    const uint32_t id = group.free_ids.back();
    group.free_ids.pop_back();
    return id;
  }
  if (group.next_free_id == kNoSeriesId) {
    std::optional<uint32_t> slab;
    if (free_slabs_.empty()) {
      slab = series_.AddSlab(group.id());
    } else {
      slab = free_slabs_.back();
      free_slabs_.pop_back();
      series_.slab(*slab).group = group.id();
    }
    if (!slab) return std::nullopt;
    group.AddSlab(*slab);
    group.next_free_id = *slab;
  }
  const uint32_t id = group.next_free_id;
  group.next_free_id = (id + 1) % Slab::kSeries == 0 ? kNoSeriesId : id + 1;
  return id;
}

void Head::NoteSymbol(SymbolId id, std::string_view text) {
  const auto number = static_cast<size_t>(id);
  if (noted_symbols_.size() <= number) noted_symbols_.resize(number + 1);
  if (journal_ != nullptr && !noted_symbols_[number]) journal_->NoteSymbol(id, text);
  noted_symbols_[number] = true;
}

Result<SeriesRef> Head::Intern(Group& group, const Labels& labels) {
  if (labels.empty()) return Fail(ErrorCode::kInvalid, "empty labelset: invalid sample");
  if (const SeriesRef known = Find(labels); known != kNoSeries) return known;
  const std::lock_guard<std::mutex> lock(creation_);
  if (const SeriesRef known = Find(labels); known != kNoSeries) return known;
  if (options_.max_series != 0 && series_count() >= options_.max_series) {
    return Fail(ErrorCode::kLimit, "the limit of " + std::to_string(options_.max_series) + " series is reached");
  }
  std::vector<LabelSymbols> tuple;
  for (const LabelView label : labels) {
    if (symbols_.full()) return Fail(ErrorCode::kLimit, "too many different label texts");
    LabelSymbols pair;
    for (const bool is_name : {true, false}) {
      const std::string_view text = is_name ? label.name : label.value;
      const SymbolId id = symbols_.Intern(text);
      NoteSymbol(id, text);
      (is_name ? pair.name : pair.value) = id;
    }
    tuple.push_back(pair);
  }
  const auto offset = labels_.Add(group.id(), tuple);
  const auto id = offset ? NewId(group) : std::nullopt;
  if (!id) {
    if (offset) labels_.Free(*offset);
    return Fail(ErrorCode::kLimit, "the head has no room for more series");
  }
  const uint32_t generation = series_.cold(*id).generation.load(std::memory_order_relaxed) + 1;
  if (journal_ != nullptr) {
    if (!group.noted) journal_->NoteGroup(group.id(), group.identity());
    group.noted = true;
    journal_->NoteSeries(group.id(), *id, generation, tuple);
  }
  Place(group.id(), *id, generation, labels.Hash(), *offset, tuple);
  counters_.series_created.fetch_add(1, std::memory_order_relaxed);
  return MakeRef(*id, generation);
}

void Head::Place(uint32_t group, uint32_t id, uint32_t generation, uint64_t hash, LabelStore::Offset offset,
                 LabelTuple labels) {
  static_cast<void>(group);
  ColdRecord& cold = series_.cold(id);
  cold.label_hash = hash;
  cold.labels = offset;
  cold.generation.store(generation, std::memory_order_release);
  by_labels_.Add(hash, id);
  postings_.Add(id, labels);
  live_series_.fetch_add(1, std::memory_order_relaxed);
}

// --- times and metadata ---

void Head::NoteTimes(TimestampMs min, TimestampMs max) {
  LowerTo(min_time_, min);
  RaiseTo(max_time_, max);
}

void Head::SetMinValidTime(TimestampMs time) {
  RaiseTo(min_valid_time_, time);
  for (size_t i = 0; i < groups_.size(); ++i) {
    groups_[i]->BeginTurn();
    groups_[i]->Abandon();
  }
}

void Head::SetClip(TimestampMs time) {
  // A view takes number and clip together.
  const std::lock_guard<std::mutex> lock(views_mutex_);
  RaiseTo(clip_, time);
}

void Head::SetInBlocks(TimestampMs time, uint64_t lsn) {
  in_blocks_time_ = time;
  in_blocks_lsn_ = lsn;
}

void Head::SetOutOfOrderWindow(int64_t ms) {
  out_of_order_window_.store(ms, std::memory_order_relaxed);
  exemplars_.SetLateWindow(ms);
}

void Head::SetMetadata(const std::string& metric, const MetricMetadata& metadata) {
  const std::unique_lock<std::shared_mutex> lock(metadata_mutex_);
  metadata_[metric] = metadata;
}

std::optional<MetricMetadata> Head::Metadata(const std::string& metric) const {
  const std::shared_lock<std::shared_mutex> lock(metadata_mutex_);
  const auto found = metadata_.find(metric);
  if (found == metadata_.end()) return std::nullopt;
  return found->second;
}

Batch Head::TakeBatch() {
  const std::lock_guard<std::mutex> lock(batches_mutex_);
  if (batches_.empty()) return {};
  Batch batch = std::move(batches_.back());
  batches_.pop_back();
  return batch;
}

void Head::GiveBatch(Batch batch) {
  constexpr size_t kKept = 16;
  batch.Clear();
  const std::lock_guard<std::mutex> lock(batches_mutex_);
  if (batches_.size() < kKept) batches_.push_back(std::move(batch));
}

// --- replay ---

Result<void> Head::RestoreGroup(uint32_t id, const GroupIdentity& identity) {
  const std::lock_guard<std::mutex> lock(creation_);
  if (id >= decltype(groups_)::kCapacity)
    return Fail(ErrorCode::kDataLoss, "group " + std::to_string(id) + " is out of range");
  // A lost definition leaves a group without a writer.
  while (groups_.size() < id)
    groups_.Append(std::make_unique<Group>(static_cast<uint32_t>(groups_.size()), GroupIdentity{}, series_, unspilled_,
                                           options_.group));
  bool clean = true;
  const bool known_before = id < groups_.size() && groups_[id]->identity() == identity;
  if (id < groups_.size() && !known_before) {
    Group& known = *groups_[id];
    // The number was free in between: whatever is left of the earlier group is gone, though a record that says so may
    // be lost.
    for (const uint32_t slab : std::vector<uint32_t>(known.slabs())) {
      for (uint32_t series = slab; series < slab + Slab::kSeries; ++series) {
        if (!series_.Alive(series)) continue;
        clean = false;
        EPI_TRY(RestoreRemoved(series));
      }
    }
    const auto old = group_ids_.find({known.identity().kind, known.identity().key});
    if (old != group_ids_.end() && old->second == id) group_ids_.erase(old);
  }
  if (!known_before) PlaceForGroup(id, identity);
  groups_[id]->noted = true;
  group_ids_[{identity.kind, identity.key}] = id;
  if (!clean) return Fail(ErrorCode::kDataLoss, "group " + std::to_string(id) + " is defined twice");
  return {};
}

void Head::NoteAll(SeriesJournal& journal, const std::function<void()>& begin) {
  const std::lock_guard<std::mutex> lock(creation_);
  begin();
  noted_symbols_.assign(symbols_.count(), false);
  for (size_t i = 0; i < groups_.size(); ++i) groups_[i]->noted = false;
  std::vector<LabelSymbols> labels;
  for (uint32_t id = 0; id < series_.id_limit(); ++id) {
    if (!series_.Alive(id)) continue;
    Group& group = *groups_[series_.slab(id).group];
    if (!group.noted) journal.NoteGroup(group.id(), group.identity());
    group.noted = true;
    labels.clear();
    labels_.Decode(series_.cold(id).labels, labels);
    for (const auto& label : labels) {
      for (const SymbolId symbol : {label.name, label.value}) {
        if (noted_symbols_[static_cast<size_t>(symbol)]) continue;
        journal.NoteSymbol(symbol, symbols_.Text(symbol));
        noted_symbols_[static_cast<size_t>(symbol)] = true;
      }
    }
    journal.NoteSeries(group.id(), id, series_.cold(id).generation.load(std::memory_order_relaxed), labels);
  }
}

void Head::FinishReplay() {
  DropRefused();
  const std::lock_guard<std::mutex> lock(creation_);
  symbols_.FinishRestore();
  first_lsn_ = {};
  indexed_ = {};
  std::sort(unknown_ids_.begin(), unknown_ids_.end());
  const auto in_log = [&](uint32_t first, uint32_t count) {
    const auto at = std::lower_bound(unknown_ids_.begin(), unknown_ids_.end(), first);
    return at != unknown_ids_.end() && *at < first + count;
  };
  if (!unknown_ids_.empty() && unknown_ids_.back() / Slab::kSeries < SeriesTable::kMaxSlabs) {
    series_.RestoreSlab(unknown_ids_.back(), kNoSeriesId);
  }
  // From the highest down, so that the lowest number is handed out first.
  for (uint32_t first = series_.id_limit(); first >= Slab::kSeries;) {
    first -= Slab::kSeries;
    if (!series_.HasSlab(first)) {
      series_.RestoreSlab(first, kNoSeriesId);
    }
    if (series_.slab(first).group == kNoSeriesId) {
      if (!in_log(first, Slab::kSeries)) free_slabs_.push_back(first);
      continue;
    }
    auto& free = groups_[series_.slab(first).group]->free_ids;
    for (uint32_t id = first + Slab::kSeries; id > first; --id) {
      if (!series_.Alive(id - 1) && !in_log(id - 1, 1)) free.push_back(id - 1);
    }
  }
  unknown_ids_ = {};
  for (size_t id = groups_.size(); id-- > 0;) {
    // Of lost definitions, and of targets that had another number in their next life.
    Group& group = *groups_[id];
    const auto known = group_ids_.find({group.identity().kind, group.identity().key});
    if (!group.Empty() || (known != group_ids_.end() && known->second == id)) continue;
    if (!group.identity().key.empty()) group.Adopt({});
    free_groups_.push_back(static_cast<uint32_t>(id));
  }
}

// --- maintenance ---

void Head::SealAll() {
  const uint64_t settled = Settled();
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = *groups_[i];
    group.BeginTurn();
    group.Seal(settled);
    group.Abandon();
  }
}

// --- statistics ---

HeadMemory Head::Memory() const {
  HeadMemory memory;
  memory.series = series_.bytes();
  memory.labels = labels_.bytes();
  memory.symbols = symbols_.bytes();
  memory.postings = postings_.bytes();
  memory.hash_table = by_labels_.bytes();
  for (size_t i = 0; i < groups_.size(); ++i) {
    const GroupMemory of_group = groups_[i]->Memory();
    memory.arenas += of_group.arena;
    memory.columns += of_group.columns + sizeof(Group);
    memory.runs += of_group.runs;
    memory.sides += of_group.sides;
  }
  return memory;
}

GroupCounts Head::CountTotals() const {
  GroupCounts totals;
  for (size_t i = 0; i < groups_.size(); ++i) totals += groups_[i]->Counts();
  return totals;
}

namespace {
// A text with its length in front: one byte, or four for long ones.
uint64_t SizeAsPrometheusCounts(std::string_view text) { return text.size() + (text.size() < 255 ? 1 : 4); }
}  // namespace

HeadStatus Head::Status(size_t limit) const {
  const HeadView view(*this);  // keeps the texts
  HeadStatus status;
  status.series = series_count();
  status.chunks = CountTotals().chunks();
  status.min_time = min_time();
  status.max_time = max_time();
  const auto keep_top = [limit](std::vector<NamedCount>& counts) {
    std::sort(counts.begin(), counts.end(), [](const NamedCount& a, const NamedCount& b) {
      return a.count != b.count ? a.count > b.count : a.name < b.name;
    });
    if (counts.size() > limit) counts.resize(limit);
  };
  const PostingsIndex::ReadLock index(postings_);
  for (const SymbolId name : index.Names()) {
    const std::string text(symbols_.Text(name));
    const NamePostings& postings = *index.Name(name);
    uint64_t bytes = 0;
    std::vector<NamedCount> pairs;
    for (const auto& value : postings.values()) {
      const std::string_view value_text = symbols_.Text(value.value);
      bytes += (SizeAsPrometheusCounts(text) + SizeAsPrometheusCounts(value_text)) * value.ids.size();
      pairs.push_back({text + "=" + std::string(value_text), value.ids.size()});
      if (text == kMetricName) status.series_by_metric.push_back({std::string(value_text), value.ids.size()});
    }
    status.label_pairs += postings.values().size();
    status.values_by_label.push_back({text, postings.values().size()});
    status.bytes_by_label.push_back({text, bytes});
    keep_top(pairs);
    status.series_by_pair.insert(status.series_by_pair.end(), pairs.begin(), pairs.end());
  }
  for (auto* counts :
       {&status.series_by_metric, &status.values_by_label, &status.bytes_by_label, &status.series_by_pair}) {
    keep_top(*counts);
  }
  return status;
}

}  // namespace epi::tsdb
