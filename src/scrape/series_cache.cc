#include "scrape/series_cache.h"

#include <algorithm>
#include <bit>
#include <unordered_map>
#include <unordered_set>

namespace epi::scrape {
namespace {

// How far ahead of the expected line a line is looked for before the index is built.
constexpr size_t kLookAhead = 8;
// A cache that grew past twice its last useful size plus this in failing scrapes is cut back (as Prometheus's).
constexpr size_t kFailureSlack = 1000;

}  // namespace

void SeriesCache::Begin() {
  if (++scrape_ == 0) {
    for (auto& line : lines_) line.scrape = 0;
    scrape_ = 1;
  }
  next_ = prefix_ = 0;
  in_order_ = true;
  tail_.clear();
  inserted_.clear();
  untracked_.clear();
  index_.clear();
  indexed_ = 0;
}

void SeriesCache::LeaveOrder() {
  if (!in_order_) return;
  in_order_ = false;
  prefix_ = next_;
}

void SeriesCache::TakeExpected(size_t count) {
  if (in_order_) {
    next_ += count;
    return;
  }
  for (size_t i = 0; i < count; ++i, ++next_) {
    CachedLine& line = lines_[next_];
    line.scrape = scrape_;
    tail_.push_back(line);
  }
  while (next_ < lines_.size() && lines_[next_].scrape == scrape_) ++next_;
}

const CachedLine& SeriesCache::AtCode(uint32_t code) const {
  const uint32_t position = (code & ~kTailBit) - 1;
  return code & kTailBit ? tail_[position] : lines_[position];
}

void SeriesCache::AddToIndex(uint32_t code) {
  const size_t mask = index_.size() - 1;
  size_t slot = AtCode(code).hash & mask;
  while (index_[slot] != 0) slot = (slot + 1) & mask;
  index_[slot] = code;
  ++indexed_;
}

void SeriesCache::BuildIndex() {
  const size_t entries = lines_.size() + inserted_.size();
  index_.assign(std::bit_ceil(std::max<size_t>(16, entries * 2 + 1)), 0);
  indexed_ = 0;
  for (size_t i = 0; i < lines_.size(); ++i) AddToIndex(static_cast<uint32_t>(i + 1));
  for (const uint32_t position : inserted_) AddToIndex((position + 1) | kTailBit);
}

SeriesCache::Found SeriesCache::Find(uint64_t hash, size_t length) {
  const auto matches = [&](const CachedLine& line) { return line.hash == hash && line.length == length; };
  const auto take = [this](size_t position) -> Found {
    if (position == next_ && in_order_) {
      ++next_;
      return {&lines_[position], false};
    }
    LeaveOrder();
    lines_[position].scrape = scrape_;
    next_ = position + 1;
    while (next_ < lines_.size() && lines_[next_].scrape == scrape_) ++next_;
    tail_.push_back(lines_[position]);
    return {&tail_.back(), false};
  };
  const size_t end = std::min(lines_.size(), next_ + kLookAhead);
  for (size_t i = next_; i < end; ++i) {
    if (matches(lines_[i]) && !Seen(i)) return take(i);
  }
  if (index_.empty()) BuildIndex();
  const size_t mask = index_.size() - 1;
  for (size_t slot = hash & mask; index_[slot] != 0; slot = (slot + 1) & mask) {
    const uint32_t code = index_[slot];
    if (!matches(AtCode(code))) continue;
    const uint32_t position = (code & ~kTailBit) - 1;
    if (code & kTailBit) return {&tail_[position], true};
    if (Seen(position) || (in_order_ && position < next_)) return {&lines_[position], true};
    return take(position);
  }
  return {};
}

CachedLine& SeriesCache::Insert(const CachedLine& line) {
  LeaveOrder();
  const auto position = static_cast<uint32_t>(tail_.size());
  tail_.push_back(line);
  tail_.back().scrape = scrape_;
  inserted_.push_back(position);
  if (!index_.empty()) {
    if (2 * (indexed_ + 1) > index_.size()) {
      BuildIndex();
    } else {
      AddToIndex((position + 1) | kTailBit);
    }
  }
  return tail_.back();
}

void SeriesCache::NoteUntracked(const CachedLine& line) {
  if (alive_) untracked_.push_back({line.series(), static_cast<unsigned char>(line.histogram), true});
}

std::vector<VanishedSeries> SeriesCache::Vanished(bool all) {
  std::vector<VanishedSeries> vanished;
  if (!alive_ && retired_.empty()) return vanished;
  std::unordered_map<uint64_t, unsigned char> gone;
  for (const auto& series : retired_) gone.emplace(static_cast<uint64_t>(series.ref), series.histogram);
  const auto consider = [&](const CachedLine& line) {
    if (line.line_kind() == LineKind::kSeries && !line.untracked) {
      gone.emplace(line.ref, static_cast<unsigned char>(line.histogram));
    }
  };
  const size_t from = all ? 0 : in_order_ ? next_ : prefix_;
  for (size_t i = from; alive_ && i < lines_.size(); ++i) {
    if (all || lines_[i].scrape != scrape_ || (in_order_ && i >= next_)) consider(lines_[i]);
  }
  if (!all && !gone.empty()) {
    const auto keep = [&gone](const CachedLine& line) {
      if (line.line_kind() == LineKind::kSeries && !line.untracked) gone.erase(line.ref);
    };
    const size_t seen = in_order_ ? next_ : prefix_;
    for (size_t i = 0; i < seen; ++i) keep(lines_[i]);
    for (const auto& line : tail_) keep(line);
  }
  vanished = untracked_;
  vanished.reserve(gone.size() + untracked_.size());
  for (const auto& [ref, histogram] : gone) vanished.push_back({SeriesRef{ref}, histogram});
  // In the order of the refs, which is that of the group.
  std::sort(vanished.begin(), vanished.end(), [](const auto& a, const auto& b) { return a.ref < b.ref; });
  return vanished;
}

void SeriesCache::Finish() {
  if (in_order_) {
    lines_.resize(next_);
  } else {
    lines_.resize(prefix_);
    lines_.insert(lines_.end(), tail_.begin(), tail_.end());
    if (lines_.capacity() > 2 * lines_.size() + kFailureSlack) lines_.shrink_to_fit();
  }
  tail_ = {};
  index_ = {};
  retired_ = {};
  alive_ = true;
  last_finished_size_ = lines_.size();
}

bool SeriesCache::Abandon() {
  const size_t grown = lines_.size() + inserted_.size();
  const bool flush = grown > last_finished_size_ * 2 + kFailureSlack;
  if (flush) {
    const size_t useful = last_finished_size_;
    Finish();
    last_finished_size_ = useful;
  } else {
    for (const uint32_t position : inserted_) lines_.push_back(tail_[position]);
  }
  tail_ = {};
  index_ = {};
  retired_ = {};
  alive_ = false;
  return flush;
}

void SeriesCache::Forget(std::span<const SeriesRef> refs) {
  const std::unordered_set<SeriesRef> dead(refs.begin(), refs.end());
  std::erase_if(lines_, [&dead](const CachedLine& line) {
    return line.line_kind() == LineKind::kSeries && dead.contains(line.series());
  });
}

void SeriesCache::Clear() {
  for (const auto& line : lines_) {
    if (!alive_ || line.line_kind() != LineKind::kSeries || line.untracked) continue;
    retired_.push_back({line.series(), static_cast<unsigned char>(line.histogram)});
  }
  lines_ = {};
  last_finished_size_ = 0;
  alive_ = false;
}

}  // namespace epi::scrape
