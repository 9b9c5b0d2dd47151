// Values inside templates: the Go values that Prometheus's templates can meet, with Go's printing and truth.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/histogram.h"

namespace epi::rules {

class TemplateValue;

// Nothing at all: a missing map entry of type any, a field of no data. Prints "<no value>".
struct NoValue {};
// Go's nil, as a literal and in interfaces. Prints "<nil>".
struct NilValue {};
// time.Time in UTC.
struct TimeValue {
  int64_t seconds = 0;  // since the Unix epoch
  int32_t nanoseconds = 0;
  bool pointer = false;  // *time.Time
};
// time.Duration.
struct DurationValue {
  int64_t nanoseconds = 0;
  bool pointer = false;  // *time.Duration
};
// time.Month and time.Weekday: numbers with names.
struct MonthValue {
  int number = 1;  // January
};
struct WeekdayValue {
  int number = 0;  // Sunday
};
// complex128: only literals are of it.
struct ComplexValue {
  double real = 0;
  double imaginary = 0;
};
// html/template.HTML: text that is not escaped.
struct SafeHtmlValue {
  std::string text;
};
using TemplateList = std::vector<TemplateValue>;
// The Go type names show in error texts.
struct ListValue {
  std::shared_ptr<const TemplateList> items;
  const char* go_type = "[]interface {}";
};
// map[string]string when `strings`, else map[string]interface {}: what a missing key gives differs.
struct MapValue {
  std::shared_ptr<const std::map<std::string, TemplateValue>> entries;
  bool strings = true;
  int depth = 1;  // of maps in maps; limited where they are made
};
// A struct with fields. `pointer` prints as &{…}.
struct StructValue {
  std::shared_ptr<const std::vector<std::pair<std::string, TemplateValue>>> fields;
  const char* go_type = "struct";
  bool pointer = false;
};
using HistogramPointer = std::shared_ptr<const FloatHistogram>;

class TemplateValue {
 public:
  using Data = std::variant<NoValue, NilValue, bool, int64_t, uint64_t, double, ComplexValue, std::string,
                            SafeHtmlValue, TimeValue, DurationValue, MonthValue, WeekdayValue, ListValue, MapValue,
                            StructValue, HistogramPointer>;
  TemplateValue() = default;
  TemplateValue(Data data) : data_(std::move(data)) {}  // implicit: any of the alternatives is a value
  static TemplateValue Int(int64_t v) { return TemplateValue(Data(v)); }
  static TemplateValue Float(double v) { return TemplateValue(Data(v)); }
  static TemplateValue Text(std::string v) { return TemplateValue(Data(std::move(v))); }
  static TemplateValue Bool(bool v) { return TemplateValue(Data(v)); }
  static TemplateValue List(TemplateList items, const char* go_type);
  static TemplateValue Strings(const std::map<std::string, std::string>& entries);

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&data_);
  }
  const Data& data() const { return data_; }
  bool IsNone() const { return As<NoValue>() != nullptr; }
  bool IsNil() const { return As<NilValue>() != nullptr; }
  // What `if` and `and` ask: not the zero value, not empty.
  bool Truth() const;
  // Go's type, as %T prints it.
  std::string TypeName() const;

 private:
  Data data_ = NoValue{};
};

}  // namespace epi::rules
