#include "scrape/timed_series.h"

#include <utility>

namespace epi::scrape {

void TimedSeries::Begin(bool alive) {
  alive_ = alive;
  noted_.clear();
}

void TimedSeries::Note(SeriesRef ref, bool fresh) {
  if (!fresh) {
    ++noted_[ref].repeated;
  } else if (alive_) {
    noted_[ref].fresh = true;
  }
}

std::vector<SeriesRef> TimedSeries::TakeRefusals(std::span<const AppendReport::Refusal> refusals) {
  const auto before = std::exchange(refused_, {});
  std::vector<SeriesRef> ended;
  for (const auto& refusal : refusals) {
    Noted& noted = noted_[refusal.ref];
    if (noted.repeated > 0) {  // as long as others of its samples may have been stored
      --noted.repeated;
      continue;
    }
    refused_.insert(refusal.ref);
    if (alive_ && !noted.fresh && !before.contains(refusal.ref)) ended.push_back(refusal.ref);
  }
  return ended;
}

}  // namespace epi::scrape
