// Series that expose timestamps and are tracked all the same (track_timestamps_staleness): one whose samples storage
// refuses counts as not exposed.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "storage/appender.h"

namespace epi::scrape {

// Not thread-safe. Per scrape: Begin, Note where needed, and TakeRefusals after the commit.
class TimedSeries {
 public:
  // `alive`: the last scrape was stored.
  void Begin(bool alive);
  // A sample with a timestamp that is not the only one of a series that was alive: it is `fresh`, of a series that the
  // last scrape did not show, or one more of its series in this scrape.
  void Note(SeriesRef ref, bool fresh);
  // Whether all the last scrape's samples of the series were refused.
  bool IsRefused(SeriesRef ref) const { return refused_.contains(ref); }
  // Ends the scrape. The series that were alive until all their samples were refused in it.
  std::vector<SeriesRef> TakeRefusals(std::span<const AppendReport::Refusal> refusals);

 private:
  struct Noted {
    uint32_t repeated = 0;
    bool fresh = false;
  };
  bool alive_ = false;
  std::unordered_map<SeriesRef, Noted> noted_;  // in this scrape
  std::unordered_set<SeriesRef> refused_;       // in the last
};

}  // namespace epi::scrape
