#include "rules/journal/alert_journal.h"

#include <algorithm>
#include <charconv>
#include <deque>

namespace epi::rules {
namespace {

constexpr int64_t kJournalNsPerMs = 1'000'000;
constexpr MonotonicNs kJournalSyncEveryNs = 1'000'000'000;
constexpr MonotonicNs kAliveEveryNs = 1'000'000'000;
// A segment is closed after a day, so that history goes day by day.
constexpr MonotonicNs kSegmentAgeNs = int64_t{24} * 3600 * 1'000'000'000;
// Restarts make a segment each; more than these are not kept.
constexpr size_t kMaxSegments = 4000;
constexpr std::string_view kSegmentSuffix = ".journal";
constexpr size_t kSegmentDigits = 8;

// The longest time that a resolved alert is of any use to a later run; see alerting_rule.cc.
constexpr int64_t kResolvedUsefulMs = 15 * 60 * 1000;

bool EndsAlert(AlertEventKind kind) { return kind == AlertEventKind::kCanceled || kind == AlertEventKind::kForgotten; }

bool IsOfRule(AlertEventKind kind) {
  return kind == AlertEventKind::kRuleFailed || kind == AlertEventKind::kRuleRecovered;
}

bool MatchesSet(const Labels& labels, const std::vector<Matcher>& set) {
  return std::all_of(set.begin(), set.end(),
                     [&](const Matcher& matcher) { return matcher.Matches(labels.Get(matcher.name())); });
}

bool IsWanted(const HistoryQuery& query, const AlertEvent& event) {
  if (event.time < query.start || event.time > query.end) return false;
  if (!query.group.empty() && event.alert.rule->group != query.group) return false;
  if (!query.rule.empty() && event.alert.rule->name != query.rule) return false;
  return query.label_sets.empty() || std::any_of(query.label_sets.begin(), query.label_sets.end(),
                                                 [&](const auto& set) { return MatchesSet(event.alert.labels, set); });
}

// Collects the answer to one query while records go by.
class HistoryReader {
 public:
  explicit HistoryReader(const HistoryQuery& query) : query_(query) {}

  void Read(std::string_view file) {
    JournalScanner scanner(file);
    for (JournalScanner::Record record; scanner.Next(record);) {
      if (record.type == JournalRecordType::kEvent) {
        if (auto event = DecodeAlertEvent(record.payload)) Add(std::move(*event));
      } else if (record.type == JournalRecordType::kDelivered) {
        if (auto delivery = DecodeDelivery(record.payload)) Attach(std::move(*delivery));
      }
    }
  }

  std::vector<HistoryEntry> Take() {
    return {std::make_move_iterator(entries_.begin()), std::make_move_iterator(entries_.end())};
  }

 private:
  void Add(AlertEvent event) {
    const std::string key = KeyOf(*event.alert.rule, event.alert.labels);
    if (!IsWanted(query_, event)) {
      if (!IsOfRule(event.kind)) latest_.erase(key);  // later answers are not about an entry we have
      return;
    }
    if (!IsOfRule(event.kind)) latest_[key] = first_ + entries_.size();
    entries_.push_back({std::move(event), {}});
    if (query_.limit > 0 && entries_.size() > query_.limit) {
      const AlertEvent& oldest = entries_.front().event;
      const auto place = latest_.find(KeyOf(*oldest.alert.rule, oldest.alert.labels));
      if (place != latest_.end() && place->second == first_) latest_.erase(place);
      entries_.pop_front();
      ++first_;
    }
  }

  void Attach(DeliveryRecord delivery) {
    const auto place = latest_.find(KeyOf(*delivery.rule, delivery.labels));
    if (place == latest_.end() || place->second < first_) return;
    entries_[place->second - first_].deliveries.push_back(std::move(delivery));
  }

  static std::string KeyOf(const RuleId& rule, const Labels& labels) { return EncodeRuleId(rule) + labels.ToString(); }

  const HistoryQuery& query_;
  std::deque<HistoryEntry> entries_;
  uint64_t first_ = 0;                      // number of the first of entries_
  std::map<std::string, uint64_t> latest_;  // of each alert
};

}  // namespace

AlertJournal::AlertJournal(FileSystem& files, Clock& clock, AlertJournalOptions options, Logger logger)
    : files_(files), clock_(clock), options_(std::move(options)), logger_(std::move(logger)) {}

AlertJournal::~AlertJournal() { Sync(); }

Result<std::unique_ptr<AlertJournal>> AlertJournal::Open(FileSystem& files, Clock& clock, AlertJournalOptions options,
                                                         Logger logger) {
  std::unique_ptr<AlertJournal> journal(new AlertJournal(files, clock, std::move(options), std::move(logger)));
  EPI_TRY(journal->Load());
  return journal;
}

std::string AlertJournal::PathOf(uint64_t number) const {
  std::string digits = std::to_string(number);
  if (digits.size() < kSegmentDigits) digits.insert(0, kSegmentDigits - digits.size(), '0');
  return JoinPath(options_.directory, digits + std::string(kSegmentSuffix));
}

// Ascending.
Result<std::vector<uint64_t>> AlertJournal::Segments() const {
  std::vector<uint64_t> out;
  if (!files_.Stat(options_.directory)) return out;
  EPI_ASSIGN(const std::vector<std::string> names, files_.List(options_.directory));
  for (const std::string& name : names) {
    if (!name.ends_with(kSegmentSuffix)) continue;
    const char* const end = name.data() + name.size() - kSegmentSuffix.size();
    uint64_t number = 0;
    const auto parsed = std::from_chars(name.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) out.push_back(number);
  }
  std::sort(out.begin(), out.end());
  return out;
}

Result<void> AlertJournal::Load() {
  EPI_ASSIGN(const std::vector<uint64_t> segments, Segments());
  if (!segments.empty()) number_ = segments.back();
  // A newest segment without its whole state was begun when the process died; nothing is behind it.
  for (auto segment = segments.rbegin(); segment != segments.rend(); ++segment) {
    if (LoadSegment(PathOf(*segment))) break;
  }
  state_ = before_;
  return {};
}

bool AlertJournal::LoadSegment(const std::string& path) {
  const auto text = files_.ReadFile(path);
  if (!text) {
    logger_.Warn("Alert journal cannot be read", {{"file", path}, {"err", text.error().message()}});
    return false;
  }
  State state;
  std::optional<TimestampMs> alive;
  bool whole = false;
  JournalScanner scanner(*text);
  for (JournalScanner::Record record; scanner.Next(record);) {
    switch (record.type) {
      case JournalRecordType::kEvent:
      case JournalRecordType::kState:
        if (const auto event = DecodeAlertEvent(record.payload)) Apply(*event, record.payload, state);
        break;
      case JournalRecordType::kStateEnd:
        whole = true;
        break;
      case JournalRecordType::kAlive:
        if (const auto time = DecodeAlive(record.payload)) alive = *time;
        break;
      case JournalRecordType::kRuleDropped:
        std::erase_if(state, [&](const auto& entry) { return entry.first.first == record.payload; });
        break;
      case JournalRecordType::kDelivered:
        break;
    }
  }
  if (!whole) return false;
  if (scanner.damaged()) logger_.Info("Alert journal has a torn end", {{"file", path}});
  before_ = std::move(state);
  alive_before_ = alive_ = alive;
  return true;
}

void AlertJournal::Apply(const AlertEvent& event, std::string_view payload, State& state) {
  if (IsOfRule(event.kind)) return;
  std::pair<std::string, std::string> key(EncodeRuleId(*event.alert.rule), event.alert.labels.ToString());
  if (EndsAlert(event.kind)) {
    state.erase(key);
  } else {
    state.insert_or_assign(std::move(key), StoredAlert{std::string(payload), {}});
  }
}

std::vector<Alert> AlertJournal::StateOf(const RuleId& rule) const {
  std::vector<Alert> out;
  const std::string key = EncodeRuleId(rule);
  for (auto it = before_.lower_bound({key, ""}); it != before_.end() && it->first.first == key; ++it) {
    if (auto event = DecodeAlertEvent(it->second.payload)) out.push_back(std::move(event->alert));
  }
  return out;
}

void AlertJournal::Begin() {
  const TimestampMs useful_from = clock_.NowMs() - kResolvedUsefulMs;
  std::string text = JournalHeader();
  for (auto it = state_.begin(); it != state_.end();) {
    const auto event = DecodeAlertEvent(it->second.payload);
    const bool useful = event && !(event->kind == AlertEventKind::kResolved && event->time < useful_from);
    if (!useful) {
      it = state_.erase(it);
      continue;
    }
    AppendJournalRecord(text, JournalRecordType::kState, it->second.payload);
    ++it;
  }
  if (alive_) AppendJournalRecord(text, JournalRecordType::kAlive, EncodeAlive(*alive_));
  AppendJournalRecord(text, JournalRecordType::kStateEnd, {});
  if (file_ != nullptr) static_cast<void>(file_->Sync());  // its records are in the new segment's state too
  file_.reset();
  const std::string path = PathOf(++number_);
  static_cast<void>(files_.CreateDirectories(options_.directory));  // if it fails, so does the next line
  auto opened = files_.Open(path, OpenMode::kTruncate);
  Result<void> written = opened ? (*opened)->Append(text) : Result<void>(Fail(opened.error()));
  if (written) written = (*opened)->Sync();
  if (written) written = files_.SyncDirectory(options_.directory);
  if (!written) {
    if (!failing_) logger_.Error("Alert journal cannot be written", {{"err", written.error().message()}});
    failing_ = true;
    return;
  }
  failing_ = false;
  file_ = std::move(*opened);
  state_bytes_ = text.size();
  begun_ = synced_ = clock_.Monotonic();
  sync_due_ = INT64_MAX;
  RemoveOld();
}

void AlertJournal::RemoveOld() {
  const auto segments = Segments();
  if (!segments) return;
  const int64_t oldest = clock_.NowNs() - options_.history_ms * kJournalNsPerMs;
  uint64_t bytes = 0;
  size_t count = 0;
  for (auto segment = segments->rbegin(); segment != segments->rend(); ++segment) {
    const std::string path = PathOf(*segment);
    const auto info = files_.Stat(path);
    if (!info) continue;
    bytes += info->size;
    ++count;
    if (*segment == number_) continue;
    if (info->modified_ns >= oldest && bytes <= options_.max_bytes && count <= kMaxSegments) continue;
    static_cast<void>(files_.RemoveFile(path));  // tried again with the next segment
  }
}

void AlertJournal::Append(const std::string& records) {
  const MonotonicNs now = clock_.Monotonic();
  const bool full = file_ != nullptr && file_->size() >= state_bytes_ + std::max(options_.segment_bytes, state_bytes_);
  if (file_ == nullptr || full || now - begun_ > kSegmentAgeNs) {
    // The state that the new segment begins with already has what the records say; as history they follow.
    Begin();
    if (file_ == nullptr) return;
  }
  if (auto written = file_->Append(records); !written) {
    if (!failing_) logger_.Error("Alert journal cannot be written", {{"err", written.error().message()}});
    failing_ = true;
    file_.reset();  // what lies behind half a record would be lost
    return;
  }
  if (now - synced_ < kJournalSyncEveryNs) {
    sync_due_ = synced_ + kJournalSyncEveryNs;
    return;
  }
  synced_ = now;
  sync_due_ = INT64_MAX;
  if (auto synced = file_->Sync(); !synced) {
    logger_.Error("Alert journal cannot be synced", {{"err", synced.error().message()}});
    file_.reset();
  }
}

void AlertJournal::Record(const std::vector<AlertEvent>& events) {
  if (events.empty()) return;
  std::string records;
  const std::lock_guard lock(mutex_);
  for (const AlertEvent& event : events) {
    const std::string payload = EncodeAlertEvent(event);
    Apply(event, payload, state_);
    AppendJournalRecord(records, JournalRecordType::kEvent, payload);
  }
  Append(records);
}

void AlertJournal::NoteAlive(TimestampMs time) {
  const std::lock_guard lock(mutex_);
  const MonotonicNs now = clock_.Monotonic();
  if (noted_alive_ != INT64_MIN && now - noted_alive_ < kAliveEveryNs) return;
  noted_alive_ = now;
  alive_ = time;
  std::string record;
  AppendJournalRecord(record, JournalRecordType::kAlive, EncodeAlive(time));
  Append(record);
}

void AlertJournal::KeepRules(const std::vector<std::shared_ptr<const RuleId>>& rules) {
  std::set<std::string> wanted;
  for (const auto& rule : rules) wanted.insert(EncodeRuleId(*rule));
  std::set<std::string> dropped;
  const std::lock_guard lock(mutex_);
  std::erase_if(state_, [&](const auto& entry) {
    const bool drop = !wanted.contains(entry.first.first);
    if (drop) dropped.insert(entry.first.first);
    return drop;
  });
  if (dropped.empty()) return;
  std::string records;
  for (const std::string& rule : dropped) AppendJournalRecord(records, JournalRecordType::kRuleDropped, rule);
  Append(records);
}

void AlertJournal::Delivered(DeliveryRecord delivery) {
  if (delivery.rule == nullptr) return;
  const std::lock_guard lock(mutex_);
  const auto known = state_.find({EncodeRuleId(*delivery.rule), delivery.labels.ToString()});
  if (known == state_.end()) return;
  const std::string answer = (delivery.resolved ? "r" : "f") + delivery.error;
  auto [before, first] = known->second.answers.emplace(delivery.alertmanager, answer);
  if (!first && before->second == answer) return;
  before->second = answer;
  std::string record;
  AppendJournalRecord(record, JournalRecordType::kDelivered, EncodeDelivery(delivery));
  Append(record);
}

void AlertJournal::Sync() {
  const std::lock_guard lock(mutex_);
  if (sync_due_ == INT64_MAX) return;
  sync_due_ = INT64_MAX;
  if (file_ == nullptr) return;
  synced_ = clock_.Monotonic();
  if (auto synced = file_->Sync(); !synced) {
    logger_.Error("Alert journal cannot be synced", {{"err", synced.error().message()}});
    file_.reset();  // what reached the device is not known: the next segment begins with the whole state
  }
}

Result<std::vector<HistoryEntry>> AlertJournal::History(const HistoryQuery& query) const {
  HistoryReader reader(query);
  EPI_ASSIGN(const std::vector<uint64_t> segments, Segments());
  for (const uint64_t segment : segments) {
    const std::string path = PathOf(segment);
    const auto info = files_.Stat(path);
    // Nothing in a file is newer than its last change.
    if (info && info->modified_ns / kJournalNsPerMs < query.start) continue;
    const auto text = files_.ReadFile(path);
    if (!text) {
      if (text.error().code() == ErrorCode::kNotFound) continue;  // removed meanwhile
      return Fail(text.error());
    }
    reader.Read(*text);
  }
  return reader.Take();
}

}  // namespace epi::rules
