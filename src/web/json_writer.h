// Writes JSON as Prometheus's API prints it, piece by piece, to a response: memory is bounded by one buffer whatever
// the size of the answer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

namespace epi::web {

// Commas are its own affair: values, keys and begins are written one after the other. Not thread-safe. A failed write
// is remembered: what follows is dropped, and status() tells.
class JsonWriter {
 public:
  using Sink = std::function<Result<void>(std::string_view)>;
  explicit JsonWriter(Sink sink) : sink_(std::move(sink)) {}

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  // Names of our own, which need no escaping.
  void Key(std::string_view name);
  // A name from data; escaped without HTML escapes.
  void DataKey(std::string_view name);

  // As encoding/json with HTML escapes (<, >, & as \u003c …).
  void String(std::string_view text);
  // As label names and values are written: without them.
  void PlainString(std::string_view text);
  void Bool(bool value) { Raw(value ? "true" : "false"); }
  void Null() { Raw("null"); }
  void Integer(int64_t value);
  void Unsigned(uint64_t value);
  void Number(double value);  // as encoding/json; not NaN or infinite
  // Text that is JSON already.
  void Raw(std::string_view json);

  void LabelSet(const Labels& labels);
  void SampleTime(TimestampMs time);                 // 1435781451.781
  void SampleValue(double value);                    // "1.5"
  void Sample(std::string_view time, double value);  // [1435781451.781,"1.5"], the time as text
  void Histogram(const FloatHistogram& histogram);
  // RFC 3339 with nanoseconds as needed, UTC; kNever as Go's zero time.
  void Time(int64_t time_ns);

  // To be called now and then by long loops: hands the buffer on when it is large. False once writing has failed.
  bool Drain();
  // Hands everything on.
  Result<void> Finish();

 private:
  void Separate() {
    if (comma_) buffer_ += ',';
    comma_ = true;
  }
  void Open(char bracket) {
    Separate();
    buffer_ += bracket;
    comma_ = false;
  }
  void Close(char bracket) {
    buffer_ += bracket;
    comma_ = true;
  }
  void HandOn();

  static constexpr size_t kLarge = 32u << 10;
  Sink sink_;
  std::string buffer_;
  bool comma_ = false;  // something stands before the next value in its list
  Result<void> status_;
};

// "2024-01-02T03:04:05.123Z"; kNever is "0001-01-01T00:00:00Z".
std::string FormatTime(int64_t time_ns);

}  // namespace epi::web
