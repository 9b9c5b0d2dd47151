// What a target's scrape loop remembers of the lines of the last body: a hash of each line's text in place of the text,
// and what the line stands for. A body that lists the same lines in the same order is recognised without looking
// anything up.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "model/sample.h"
#include "scrape/parse/text_hash.h"
#include "storage/appender.h"

namespace epi::scrape {

enum class LineKind : unsigned char {
  kSeries,    // stored: ref is the series
  kDropped,   // dropped by relabeling
  kMetadata,  // HELP, TYPE, UNIT or a comment
};

struct CachedLine {
  static constexpr uint32_t kMaxLength = (1u << 26) - 1;  // longer texts are not remembered

  uint64_t hash = 0;
  // kSeries: the SeriesRef. kMetadata: what MetadataLine packs.
  uint64_t ref = 0;
  uint32_t length : 26 = 0;
  uint32_t kind : 2 = 0;
  uint32_t untracked : 1 = 0;  // last exposed with a timestamp of its own: gets no stale marker
  uint32_t histogram : 2 = 0;  // what the last sample was: 0 a float, 1 an integer histogram, 2 a float histogram
  uint32_t unused : 1 = 0;
  uint32_t scrape = 0;  // in which scrape it was seen last; only kept up in scrapes that left the known order

  LineKind line_kind() const { return static_cast<LineKind>(kind); }
  SeriesRef series() const { return SeriesRef{ref}; }
};
static_assert(sizeof(CachedLine) == 24);

// What a metadata line was, so that its effects are repeated without parsing it.
struct MetadataLine {
  uint32_t family = 0;  // index in the metadata cache; kNoFamily for comments
  bool is_type = false;
  MetricType type = MetricType::kUnknown;
  static constexpr uint32_t kNoFamily = 0xffffffff;
  uint64_t Pack() const { return family | uint64_t{is_type} << 32 | uint64_t{static_cast<unsigned char>(type)} << 40; }
  static MetadataLine Unpack(uint64_t packed) {
    return {static_cast<uint32_t>(packed), (packed >> 32 & 1) != 0, static_cast<MetricType>(packed >> 40)};
  }
};

// A series that needs a stale marker.
struct VanishedSeries {
  SeriesRef ref;
  unsigned char histogram;    // as CachedLine::histogram
  bool has_own_time = false;  // it is in this scrape, exposed with a timestamp
};

// Not thread-safe. Per scrape: Begin, then for every line of the body in order Expected/TakeExpected, Find or Insert;
// then Vanished if wanted, and exactly one of Finish and Abandon.
class SeriesCache {
 public:
  explicit SeriesCache(TextHashKey key) : key_(key) {}

  uint64_t Hash(std::string_view text) const { return HashText(text.data(), text.size(), key_); }
  const TextHashKey& key() const { return key_; }

  void Begin();

  // The lines that were not seen yet, in the order of the last body: the hot path walks them and then reports with
  // TakeExpected how many of them it met.
  std::span<const CachedLine> ExpectedRun() const { return {lines_.data() + next_, lines_.size() - next_}; }
  void TakeExpected(size_t count);
  // Whether the hot path may walk ExpectedRun blindly: false once lines came out of order.
  bool in_order() const { return in_order_; }
  uint32_t scrape() const { return scrape_; }  // this scrape's number in CachedLine::scrape

  struct Found {
    CachedLine* line = nullptr;  // null: not known
    bool repeated = false;       // was seen before in this scrape
  };
  // Looks for a line that is not the expected one, marks it as seen and goes on behind it.
  Found Find(uint64_t hash, size_t length);
  // A line seen for the first time. Valid until the next call.
  CachedLine& Insert(const CachedLine& line);
  // A series changed from "gets stale markers" to "exposes its own timestamps" in this scrape.
  void NoteUntracked(const CachedLine& line);

  // Series of the last finished scrape that were not seen in this one (all of them with `all`). By series, not by
  // text: a series written in another way counts as seen.
  std::vector<VanishedSeries> Vanished(bool all);

  // The scrape was stored: what it did not show is forgotten.
  void Finish();
  // The scrape failed or was empty: everything is remembered, but nothing counts as alive. Returns true when the cache
  // had to be cut back because failing scrapes made it grow.
  bool Abandon();

  // Forgets these series: the next scrape looks them up anew.
  void Forget(std::span<const SeriesRef> refs);
  // What the lines mean has changed: all are forgotten. Series that were alive count as vanished unless the next scrape
  // shows them again.
  void Clear();
  size_t size() const { return lines_.size(); }
  bool alive() const { return alive_; }

 private:
  bool Seen(size_t position) const { return position < prefix_ || lines_[position].scrape == scrape_; }
  void LeaveOrder();
  void BuildIndex();
  void AddToIndex(uint32_t code);
  const CachedLine& AtCode(uint32_t code) const;

  static constexpr uint32_t kTailBit = 0x80000000;

  TextHashKey key_;
  std::vector<CachedLine> lines_;        // in the order of the last body
  std::vector<VanishedSeries> retired_;  // alive when Clear came
  uint32_t scrape_ = 0;
  bool alive_ = false;  // the last scrape was stored: series in lines_ without `untracked` have a recent sample
  size_t last_finished_size_ = 0;

  // This scrape. While in_order_, lines_[0, next_) were seen and nothing else. Later, what is seen is copied to tail_
  // and lines_[0, prefix_) is what was seen before that.
  size_t next_ = 0;
  size_t prefix_ = 0;
  bool in_order_ = true;
  std::vector<CachedLine> tail_;
  std::vector<uint32_t> inserted_;  // positions in tail_ of lines that were new
  std::vector<VanishedSeries> untracked_;
  std::vector<uint32_t> index_;  // open addressing over lines_ and tail_: position + 1, with kTailBit for tail_; 0 free
  size_t indexed_ = 0;
};

}  // namespace epi::scrape
