#include "promql/engine/active_queries.h"

#include <utility>

#include "promql/engine/active_query_file.h"
#include "promql/engine/engine.h"

namespace epi::promql {

std::vector<ActiveQuery> ActiveQueries::List() const {
  const MonotonicNs now = clock_.Monotonic();
  const std::lock_guard lock(mutex_);
  std::vector<ActiveQuery> out;
  for (const auto& [id, known] : known_) {
    ActiveQuery& query = out.emplace_back(known.query);
    query.seconds = static_cast<double>(now - known.began) / 1e9;
    if (known.budget == nullptr) continue;
    query.bytes = known.budget->used();
    query.peak_bytes = known.budget->peak();
  }
  return out;
}

bool ActiveQueries::Stop(uint64_t id) {
  std::stop_source source{std::nostopstate};
  {
    const std::lock_guard lock(mutex_);
    const auto found = known_.find(id);
    if (found == known_.end()) return false;
    source = found->second.source;
  }
  // Callbacks run here, so not under the lock.
  source.request_stop();
  return true;
}

ActiveQueries::Entry::Entry(ActiveQueries& all, const QuerySpec& spec, const std::string& text, bool of_rule,
                            const QueryOrigin* origin, std::stop_token outer)
    : all_(all), forward_(std::move(outer), Forward{source_}) {
  Known known;
  known.query.text = text;
  known.query.start = spec.start;
  known.query.end = spec.end;
  known.query.step_ms = spec.step_ms;
  known.query.of_rule = of_rule;
  known.query.since = all_.clock_.NowMs();
  if (origin != nullptr) known.query.origin = *origin;
  known.began = all_.clock_.Monotonic();
  known.source = source_;
  const std::lock_guard lock(all_.mutex_);
  id_ = known.query.id = all_.next_id_++;
  all_.known_.emplace(id_, std::move(known));
}

ActiveQueries::Entry::~Entry() {
  if (slot_) all_.file_->Remove(*slot_);
  const std::lock_guard lock(all_.mutex_);
  all_.known_.erase(id_);
}

void ActiveQueries::Entry::Run(const Budget& budget) {
  std::string text;
  {
    const std::lock_guard lock(all_.mutex_);
    Known& known = all_.known_.at(id_);
    known.query.running = true;
    known.budget = &budget;
    if (all_.file_ != nullptr) text = known.query.text;
  }
  if (all_.file_ != nullptr) slot_ = all_.file_->Insert(text);
}

void ActiveQueries::Entry::Finish() {
  const std::lock_guard lock(all_.mutex_);
  all_.known_.at(id_).budget = nullptr;
}

}  // namespace epi::promql
