#include "rules/journal/journal_format.h"

#include "base/bytes.h"
#include "base/crc32c.h"

namespace epi::rules {
namespace {

constexpr size_t kFrameBytes = 8;  // length and checksum

void WriteRule(ByteWriter& out, const RuleId* rule) {
  static const RuleId kNone;
  if (rule == nullptr) rule = &kNone;
  out.UvarintString(rule->group);
  out.UvarintString(rule->name);
  out.UvarintString(rule->key);
}

RuleId ReadRule(ByteReader& in) {
  RuleId out;
  out.group = in.UvarintString();
  out.name = in.UvarintString();
  out.key = in.UvarintString();
  return out;
}

void WritePairs(ByteWriter& out, const RuleLabels& pairs) {
  out.Uvarint(pairs.size());
  for (const auto& [name, value] : pairs) {
    out.UvarintString(name);
    out.UvarintString(value);
  }
}

RuleLabels ReadPairs(ByteReader& in) {
  RuleLabels out;
  const uint64_t count = in.Uvarint();
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    std::string name(in.UvarintString());
    out.emplace_back(std::move(name), in.UvarintString());
  }
  return out;
}

void WriteTime(ByteWriter& out, const std::optional<TimestampMs>& time) {
  out.U8(time ? 1 : 0);
  if (time) out.Varint(*time);
}

std::optional<TimestampMs> ReadTime(ByteReader& in) {
  if (in.U8() == 0) return std::nullopt;
  return in.Varint();
}

void WriteAlert(ByteWriter& out, const Alert& alert) {
  WriteRule(out, alert.rule.get());
  WritePairs(out, ToRuleLabels(alert.labels));
  WritePairs(out, alert.annotations);
  out.U8(static_cast<uint8_t>(alert.state));
  out.Little64(std::bit_cast<uint64_t>(alert.value));
  out.Varint(alert.active_at);
  WriteTime(out, alert.fired_at);
  WriteTime(out, alert.resolved_at);
  WriteTime(out, alert.keep_firing_since);
}

Alert ReadAlert(ByteReader& in) {
  Alert out;
  out.rule = std::make_shared<const RuleId>(ReadRule(in));
  out.labels = ToLabels(ReadPairs(in));
  out.annotations = ReadPairs(in);
  out.state = static_cast<AlertState>(std::min<uint8_t>(in.U8(), static_cast<uint8_t>(AlertState::kFiring)));
  out.value = std::bit_cast<double>(in.Little64());
  out.active_at = in.Varint();
  out.fired_at = ReadTime(in);
  out.resolved_at = ReadTime(in);
  out.keep_firing_since = ReadTime(in);
  return out;
}

auto BrokenRecord() { return Fail(ErrorCode::kDataLoss, "a record of the alert journal is damaged"); }

}  // namespace

std::string JournalHeader() {
  std::string out;
  ByteWriter writer(out);
  writer.Little32(kJournalMagic);
  writer.Little32(kJournalVersion);
  return out;
}

bool IsJournalHeader(std::string_view file) { return file.starts_with(JournalHeader()); }

void AppendJournalRecord(std::string& out, JournalRecordType type, std::string_view payload) {
  std::string body(1, static_cast<char>(type));
  body += payload;
  ByteWriter writer(out);
  writer.Little32(static_cast<uint32_t>(body.size()));
  writer.Little32(Crc32c(body));
  writer.Bytes(body);
}

std::string EncodeAlertEvent(const AlertEvent& event) {
  std::string out;
  ByteWriter writer(out);
  writer.U8(static_cast<uint8_t>(event.kind));
  writer.Varint(event.time);
  WriteAlert(writer, event.alert);
  writer.UvarintString(event.detail);
  return out;
}

Result<AlertEvent> DecodeAlertEvent(std::string_view payload) {
  ByteReader in(payload);
  AlertEvent out;
  const uint8_t kind = in.U8();
  out.kind = static_cast<AlertEventKind>(kind);
  out.time = in.Varint();
  out.alert = ReadAlert(in);
  out.detail = in.UvarintString();
  if (!in.ok() || kind == 0 || kind > static_cast<uint8_t>(AlertEventKind::kRuleRecovered)) return BrokenRecord();
  return out;
}

std::string EncodeDelivery(const DeliveryRecord& delivery) {
  std::string out;
  ByteWriter writer(out);
  WriteRule(writer, delivery.rule.get());
  WritePairs(writer, ToRuleLabels(delivery.labels));
  writer.U8(delivery.resolved ? 1 : 0);
  writer.Varint(delivery.time);
  writer.UvarintString(delivery.alertmanager);
  writer.UvarintString(delivery.error);
  return out;
}

Result<DeliveryRecord> DecodeDelivery(std::string_view payload) {
  ByteReader in(payload);
  DeliveryRecord out;
  out.rule = std::make_shared<const RuleId>(ReadRule(in));
  out.labels = ToLabels(ReadPairs(in));
  out.resolved = in.U8() != 0;
  out.time = in.Varint();
  out.alertmanager = in.UvarintString();
  out.error = in.UvarintString();
  if (!in.ok()) return BrokenRecord();
  return out;
}

std::string EncodeAlive(TimestampMs time) {
  std::string out;
  ByteWriter(out).Varint(time);
  return out;
}

Result<TimestampMs> DecodeAlive(std::string_view payload) {
  ByteReader in(payload);
  const TimestampMs time = in.Varint();
  if (!in.ok()) return BrokenRecord();
  return time;
}

std::string EncodeRuleId(const RuleId& rule) {
  std::string out;
  ByteWriter writer(out);
  WriteRule(writer, &rule);
  return out;
}

Result<RuleId> DecodeRuleId(std::string_view payload) {
  ByteReader in(payload);
  RuleId out = ReadRule(in);
  if (!in.ok()) return BrokenRecord();
  return out;
}

JournalScanner::JournalScanner(std::string_view file) : file_(file) {
  if (IsJournalHeader(file)) at_ = kJournalHeaderBytes;
}

bool JournalScanner::Next(Record& record) {
  if (at_ == 0 || file_.size() - at_ < kFrameBytes) return false;
  const auto length = LoadLittle<uint32_t>(file_.data() + at_);
  const auto checksum = LoadLittle<uint32_t>(file_.data() + at_ + sizeof(uint32_t));
  if (length == 0 || length > kMaxJournalRecordBytes || length > file_.size() - at_ - kFrameBytes) return false;
  const std::string_view body = file_.substr(at_ + kFrameBytes, length);
  if (Crc32c(body) != checksum) return false;
  at_ += kFrameBytes + length;
  record.type = static_cast<JournalRecordType>(body.front());
  record.payload = body.substr(1);
  return true;
}

}  // namespace epi::rules
