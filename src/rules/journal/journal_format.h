// The bytes of the alert journal (docs/formats/alert-journal.md): segments of checksummed records.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "rules/alert_event.h"

namespace epi::rules {

inline constexpr uint32_t kJournalMagic = 0x4a4c4145;  // "EALJ"
inline constexpr uint32_t kJournalVersion = 1;
inline constexpr size_t kJournalHeaderBytes = 8;
// No record is longer; a larger length is damage.
inline constexpr uint32_t kMaxJournalRecordBytes = 16u << 20;

// Numbers are written to disk.
enum class JournalRecordType : unsigned char {
  kEvent = 1,
  kState = 2,        // of one alert when the segment began; an event that is not part of the history
  kStateEnd = 3,     // the state above it is whole
  kAlive = 4,        // rules were evaluated at this time
  kDelivered = 5,    // an Alertmanager's answer
  kRuleDropped = 6,  // the rule is no longer configured: its alerts are forgotten
};

// What an Alertmanager answered to one alert.
struct DeliveryRecord {
  std::shared_ptr<const RuleId> rule;
  Labels labels;  // before relabeling
  bool resolved = false;
  TimestampMs time = 0;  // wall clock
  std::string alertmanager;
  std::string error;  // empty: it was taken
};

std::string JournalHeader();
bool IsJournalHeader(std::string_view file);
// Adds one framed record to `out`.
void AppendJournalRecord(std::string& out, JournalRecordType type, std::string_view payload);

std::string EncodeAlertEvent(const AlertEvent& event);
Result<AlertEvent> DecodeAlertEvent(std::string_view payload);
std::string EncodeDelivery(const DeliveryRecord& delivery);
Result<DeliveryRecord> DecodeDelivery(std::string_view payload);
std::string EncodeAlive(TimestampMs time);
Result<TimestampMs> DecodeAlive(std::string_view payload);
std::string EncodeRuleId(const RuleId& rule);
Result<RuleId> DecodeRuleId(std::string_view payload);

// Walks the records of one segment in memory. Ends at the first record that is not whole: what lies behind cannot be
// told apart from garbage.
class JournalScanner {
 public:
  // `file` outlives the scanner; nothing is read from a file with another header.
  explicit JournalScanner(std::string_view file);
  struct Record {
    JournalRecordType type{};
    std::string_view payload;
  };
  bool Next(Record& record);
  // After Next() was false: whether bytes were left over.
  bool damaged() const { return at_ < file_.size(); }

 private:
  std::string_view file_;
  size_t at_ = 0;
};

}  // namespace epi::rules
