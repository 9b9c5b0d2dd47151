#include "web/json_writer.h"

#include <array>
#include <charconv>
#include <ctime>

#include "model/histogram_buckets.h"
#include "model/number_format.h"
#include "model/utf8.h"
#include "web/rules_source.h"

namespace epi::web {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// Per byte: 0 for what is written as it is in both modes, 1 for what is escaped in both, 2 for what only HTML escapes.
constexpr std::array<unsigned char, 256> MakeEscapeClasses() {
  std::array<unsigned char, 256> classes{};
  for (size_t i = 0; i < 0x20; ++i) classes[i] = 1;
  classes['"'] = classes['\\'] = 1;
  classes['<'] = classes['>'] = classes['&'] = 2;
  for (size_t i = 0x80; i < 256; ++i) classes[i] = 2;  // may be invalid, or U+2028
  return classes;
}
constexpr auto kEscapeClasses = MakeEscapeClasses();

void AppendEscape(std::string& out, uint32_t code) {
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[code >> shift & 15];
}

void AppendEscapedByte(std::string& out, unsigned char byte) {
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      return AppendEscape(out, byte);
  }
}

int BoundariesCode(const Bucket& bucket) {
  if (bucket.lower_inclusive) return bucket.upper_inclusive ? 3 : 1;
  return bucket.upper_inclusive ? 0 : 2;
}

}  // namespace

void AppendJsonText(std::string& out, std::string_view text, bool html_escapes) {
  out += '"';
  const unsigned char limit = html_escapes ? 1 : 2;
  size_t from = 0, i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const unsigned char escape = kEscapeClasses[byte];
    if (escape == 0 || (escape == 2 && limit == 2)) {
      ++i;
      continue;
    }
    size_t length = 1;
    uint32_t rune = byte;
    if (byte >= 0x80) {
      length = DecodeUtf8(text.substr(i), rune);
      if (length != 0 && rune != 0x2028 && rune != 0x2029) {
        i += length;
        continue;
      }
    }
    out.append(text, from, i - from);
    if (byte >= 0x80) {
      AppendEscape(out, length == 0 ? kReplacementRune : rune);
    } else {
      AppendEscapedByte(out, byte);
    }
    i += std::max<size_t>(length, 1);
    from = i;
  }
  out.append(text, from);
  out += '"';
}

std::string FormatTime(int64_t time_ns) {
  if (time_ns == kNever) return "0001-01-01T00:00:00Z";
  constexpr int64_t kSecond = 1'000'000'000;
  int64_t seconds = time_ns / kSecond, nanos = time_ns % kSecond;
  if (nanos < 0) {
    nanos += kSecond;
    --seconds;
  }
  const auto whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  char text[64];
  std::string out(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts));
  if (nanos != 0) {
    std::string digits = std::to_string(kSecond + nanos).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += "." + digits;
  }
  return out + "Z";
}

void JsonWriter::Key(std::string_view name) {
  Separate();
  buffer_ += '"';
  buffer_ += name;
  buffer_ += "\":";
  comma_ = false;
}

void JsonWriter::DataKey(std::string_view name) {
  Separate();
  AppendJsonText(buffer_, name, false);
  buffer_ += ':';
  comma_ = false;
}

void JsonWriter::String(std::string_view text) {
  Separate();
  AppendJsonText(buffer_, text, true);
}

void JsonWriter::PlainString(std::string_view text) {
  Separate();
  AppendJsonText(buffer_, text, false);
}

void JsonWriter::Integer(int64_t value) {
  Separate();
  char text[24];
  buffer_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void JsonWriter::Unsigned(uint64_t value) {
  Separate();
  char text[24];
  buffer_.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void JsonWriter::Number(double value) {
  Separate();
  AppendJsonNumber(buffer_, value);
}

void JsonWriter::Raw(std::string_view json) {
  Separate();
  buffer_ += json;
}

void JsonWriter::LabelSet(const Labels& labels) {
  BeginObject();
  for (const auto label : labels) {
    DataKey(label.name);
    PlainString(label.value);
  }
  EndObject();
}

void JsonWriter::SampleTime(TimestampMs time) {
  Separate();
  AppendJsonSampleTime(buffer_, time);
}

void JsonWriter::SampleValue(double value) {
  Separate();
  buffer_ += '"';
  AppendJsonSampleValue(buffer_, value);
  buffer_ += '"';
}

void JsonWriter::Sample(std::string_view time, double value) {
  Separate();
  buffer_ += '[';
  buffer_ += time;
  buffer_ += ",\"";
  AppendJsonSampleValue(buffer_, value);
  buffer_ += "\"]";
}

void JsonWriter::Histogram(const FloatHistogram& histogram) {
  BeginObject();
  Key("count");
  SampleValue(histogram.count);
  Key("sum");
  SampleValue(histogram.sum);
  bool any = false;
  for (const Bucket& bucket : AllBuckets(histogram)) {
    if (bucket.count == 0) continue;
    if (!any) {
      Key("buckets");
      BeginArray();
      any = true;
    }
    BeginArray();
    Integer(BoundariesCode(bucket));
    SampleValue(bucket.lower);
    SampleValue(bucket.upper);
    SampleValue(bucket.count);
    EndArray();
  }
  if (any) EndArray();
  EndObject();
}

void JsonWriter::Time(int64_t time_ns) {
  Separate();
  buffer_ += '"';
  buffer_ += FormatTime(time_ns);
  buffer_ += '"';
}

void JsonWriter::HandOn() {
  if (status_ && !buffer_.empty()) status_ = sink_(buffer_);
  buffer_.clear();
}

bool JsonWriter::Drain() {
  if (buffer_.size() >= kLarge) HandOn();
  return status_.has_value();
}

Result<void> JsonWriter::Finish() {
  HandOn();
  return status_;
}

}  // namespace epi::web
