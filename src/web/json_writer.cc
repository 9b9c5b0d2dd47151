#include "web/json_writer.h"

#include <charconv>

#include "base/escaping.h"
#include "model/histogram_buckets.h"
#include "model/number_format.h"
#include "model/rfc3339.h"
#include "web/rules_source.h"

namespace epi::web {
namespace {

int BoundariesCode(const Bucket& bucket) {
  if (bucket.lower_inclusive) return bucket.upper_inclusive ? 3 : 1;
  return bucket.upper_inclusive ? 0 : 2;
}

}  // namespace

std::string FormatTime(int64_t time_ns) {
  if (time_ns == kNever) return "0001-01-01T00:00:00Z";
  return FormatRfc3339(time_ns);
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
  AppendJsonString(buffer_, name, JsonStyle::kIterator);
  buffer_ += ':';
  comma_ = false;
}

void JsonWriter::String(std::string_view text) {
  Separate();
  AppendJsonString(buffer_, text, JsonStyle::kIteratorHtml);
}

void JsonWriter::PlainString(std::string_view text) {
  Separate();
  AppendJsonString(buffer_, text, JsonStyle::kIterator);
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
