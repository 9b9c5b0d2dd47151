// Methods of Go's time.Time and time.Duration.
#include <array>
#include <cmath>

#include "model/duration.h"
#include "rules/template/go_time.h"
#include "rules/template/template_functions.h"
#include "rules/template/value_text.h"

namespace epi::rules {
namespace {

constexpr int64_t kNanosecondsPerSecond = 1'000'000'000;

TemplateValue Int(int64_t v) { return TemplateValue::Int(v); }
TemplateValue Duration(int64_t ns) { return TemplateValue(TemplateValue::Data(DurationValue{ns})); }
TemplateValue Time(TimeValue t) { return TemplateValue(TemplateValue::Data(t)); }
const TimeValue& TimeOf(const TemplateValue& v) { return *v.As<TimeValue>(); }
int64_t NsOf(const TemplateValue& v) { return v.As<DurationValue>()->nanoseconds; }

TimeValue Plus(const TimeValue& t, int64_t ns) {  // a value, also when `t` is pointed to
  int64_t seconds = t.seconds + ns / kNanosecondsPerSecond;
  int64_t rest = t.nanoseconds + ns % kNanosecondsPerSecond;
  if (rest < 0) {
    rest += kNanosecondsPerSecond;
    --seconds;
  } else if (rest >= kNanosecondsPerSecond) {
    rest -= kNanosecondsPerSecond;
    ++seconds;
  }
  return {seconds, static_cast<int32_t>(rest)};
}

int Compare(const TimeValue& a, const TimeValue& b) {
  if (a.seconds != b.seconds) return a.seconds < b.seconds ? -1 : 1;
  return a.nanoseconds == b.nanoseconds ? 0 : a.nanoseconds < b.nanoseconds ? -1 : 1;
}

// Nanoseconds between, at most what a duration holds.
int64_t Difference(const TimeValue& a, const TimeValue& b) {
  const auto ns =
      (static_cast<__int128>(a.seconds) - b.seconds) * kNanosecondsPerSecond + a.nanoseconds - b.nanoseconds;
  return ns > INT64_MAX ? INT64_MAX : ns < INT64_MIN ? INT64_MIN : static_cast<int64_t>(ns);
}

// Go truncates times since the year 1.
TimeValue Truncated(const TimeValue& t, int64_t unit, bool round) {
  if (unit <= 0) return Plus(t, 0);
  constexpr int64_t kSecondsToYearOne = 62'135'596'800;
  const __int128 ns = (static_cast<__int128>(t.seconds) + kSecondsToYearOne) * kNanosecondsPerSecond + t.nanoseconds;
  auto rest = static_cast<int64_t>(ns % unit);
  if (rest < 0) rest += unit;
  const bool up = round && rest + rest >= unit;
  return Plus(t, up ? unit - rest : -rest);
}

int64_t TruncatedDuration(int64_t ns, int64_t unit, bool round) {
  if (unit <= 0) return ns;
  const int64_t rest = ns % unit;
  if (!round) return ns - rest;
  const int64_t magnitude = rest < 0 ? -rest : rest;
  if (magnitude + magnitude < unit) return ns - rest;
  return ns < 0 ? ns - rest - unit : ns - rest + unit;
}

using Args = TemplateArgs;
using V = TemplateValue;
Result<V> Format(const V& t, Args args) { return V::Text(FormatTime(TimeOf(t), *args[0].As<std::string>())); }
Result<V> TimeString(const V& t, Args) { return V::Text(FormatTime(TimeOf(t), kGoDefaultTimeLayout)); }
Result<V> Year(const V& t, Args) { return Int(ToCivil(TimeOf(t).seconds).year); }
Result<V> Month(const V& t, Args) { return V(V::Data(MonthValue{ToCivil(TimeOf(t).seconds).month})); }
Result<V> Day(const V& t, Args) { return Int(ToCivil(TimeOf(t).seconds).day); }
Result<V> Hour(const V& t, Args) { return Int(ToCivil(TimeOf(t).seconds).hour); }
Result<V> Minute(const V& t, Args) { return Int(ToCivil(TimeOf(t).seconds).minute); }
Result<V> Second(const V& t, Args) { return Int(ToCivil(TimeOf(t).seconds).second); }
Result<V> Nanosecond(const V& t, Args) { return Int(TimeOf(t).nanoseconds); }
Result<V> Weekday(const V& t, Args) { return V(V::Data(WeekdayValue{ToCivil(TimeOf(t).seconds).weekday})); }
Result<V> YearDay(const V& t, Args) { return Int(ToCivil(TimeOf(t).seconds).year_day); }
Result<V> Unix(const V& t, Args) { return Int(TimeOf(t).seconds); }
Result<V> UnixMilli(const V& t, Args) { return Int(TimeOf(t).seconds * 1000 + TimeOf(t).nanoseconds / 1'000'000); }
Result<V> UnixMicro(const V& t, Args) { return Int(TimeOf(t).seconds * 1'000'000 + TimeOf(t).nanoseconds / 1000); }
Result<V> UnixNano(const V& t, Args) {
  const auto ns =
      static_cast<uint64_t>(TimeOf(t).seconds) * kNanosecondsPerSecond + static_cast<uint64_t>(TimeOf(t).nanoseconds);
  return Int(static_cast<int64_t>(ns));
}
Result<V> Add(const V& t, Args args) { return Time(Plus(TimeOf(t), NsOf(args[0]))); }
Result<V> Sub(const V& t, Args args) { return Duration(Difference(TimeOf(t), TimeOf(args[0]))); }
Result<V> AddDate(const V& t, Args args) {
  const CivilTime civil = ToCivil(TimeOf(t).seconds);
  constexpr int64_t kLimit = 1'000'000;
  int64_t parts[3];
  for (size_t i = 0; i < 3; ++i) {
    parts[i] = *args[i].As<int64_t>();
    if (parts[i] > kLimit || parts[i] < -kLimit) return Fail(ErrorCode::kInvalid, "date is out of range");
  }
  const int64_t midnight = FromCivil(civil.year + parts[0], civil.month + static_cast<int>(parts[1]),
                                     civil.day + static_cast<int>(parts[2]));
  return Time({midnight + civil.hour * 3600 + civil.minute * 60 + civil.second, TimeOf(t).nanoseconds});
}
Result<V> Truncate(const V& t, Args args) { return Time(Truncated(TimeOf(t), NsOf(args[0]), false)); }
Result<V> Round(const V& t, Args args) { return Time(Truncated(TimeOf(t), NsOf(args[0]), true)); }
Result<V> Before(const V& t, Args args) { return V::Bool(Compare(TimeOf(t), TimeOf(args[0])) < 0); }
Result<V> After(const V& t, Args args) { return V::Bool(Compare(TimeOf(t), TimeOf(args[0])) > 0); }
Result<V> EqualTime(const V& t, Args args) { return V::Bool(Compare(TimeOf(t), TimeOf(args[0])) == 0); }
Result<V> CompareTime(const V& t, Args args) { return Int(Compare(TimeOf(t), TimeOf(args[0]))); }
Result<V> IsZero(const V& t, Args) {
  return V::Bool(TimeOf(t).seconds == -62'135'596'800 && TimeOf(t).nanoseconds == 0);
}
Result<V> Same(const V& t, Args) {
  TimeValue same = TimeOf(t);
  same.pointer = false;
  return Time(same);
}
Result<V> IsDst(const V&, Args) { return V::Bool(false); }
Result<V> Location(const V&, Args) { return V::Text("UTC"); }

Result<V> DurationString(const V& d, Args) { return V::Text(FormatGoDuration(NsOf(d))); }
Result<V> Seconds(const V& d, Args) {
  return V::Float(static_cast<double>(NsOf(d) / kNanosecondsPerSecond) +
                  static_cast<double>(NsOf(d) % kNanosecondsPerSecond) / 1e9);
}
Result<V> Minutes(const V& d, Args) {
  constexpr int64_t kUnit = 60 * kNanosecondsPerSecond;
  return V::Float(static_cast<double>(NsOf(d) / kUnit) + static_cast<double>(NsOf(d) % kUnit) / (60 * 1e9));
}
Result<V> Hours(const V& d, Args) {
  constexpr int64_t kUnit = 3600 * kNanosecondsPerSecond;
  return V::Float(static_cast<double>(NsOf(d) / kUnit) + static_cast<double>(NsOf(d) % kUnit) / (3600 * 1e9));
}
Result<V> Milliseconds(const V& d, Args) { return Int(NsOf(d) / 1'000'000); }
Result<V> Microseconds(const V& d, Args) { return Int(NsOf(d) / 1000); }
Result<V> Nanoseconds(const V& d, Args) { return Int(NsOf(d)); }
Result<V> Abs(const V& d, Args) {
  return Duration(NsOf(d) == INT64_MIN ? INT64_MAX : NsOf(d) < 0 ? -NsOf(d) : NsOf(d));
}
Result<V> TruncateDuration(const V& d, Args args) { return Duration(TruncatedDuration(NsOf(d), NsOf(args[0]), false)); }
Result<V> RoundDuration(const V& d, Args args) { return Duration(TruncatedDuration(NsOf(d), NsOf(args[0]), true)); }

Result<V> PlainString(const V& v, Args) { return V::Text(ValueText(v)); }

using P = ParameterType;
constexpr std::span<const P> kNoParameters{};
constexpr std::array<P, 1> kString{P::kString};
constexpr std::array<P, 1> kDuration{P::kDuration};
constexpr std::array<P, 1> kTime{P::kTime};
constexpr std::array<P, 3> kInts{P::kInt, P::kInt, P::kInt};

constexpr TemplateMethod kTimeMethods[] = {
    {"Add", kDuration, Add},
    {"AddDate", kInts, AddDate},
    {"After", kTime, After},
    {"Before", kTime, Before},
    {"Compare", kTime, CompareTime},
    {"Day", kNoParameters, Day},
    {"Equal", kTime, EqualTime},
    {"Format", kString, Format},
    {"Hour", kNoParameters, Hour},
    {"IsDST", kNoParameters, IsDst},
    {"IsZero", kNoParameters, IsZero},
    {"Local", kNoParameters, Same},
    {"Location", kNoParameters, Location},
    {"Minute", kNoParameters, Minute},
    {"Month", kNoParameters, Month},
    {"Nanosecond", kNoParameters, Nanosecond},
    {"Round", kDuration, Round},
    {"Second", kNoParameters, Second},
    {"String", kNoParameters, TimeString},
    {"Sub", kTime, Sub},
    {"Truncate", kDuration, Truncate},
    {"UTC", kNoParameters, Same},
    {"Unix", kNoParameters, Unix},
    {"UnixMicro", kNoParameters, UnixMicro},
    {"UnixMilli", kNoParameters, UnixMilli},
    {"UnixNano", kNoParameters, UnixNano},
    {"Weekday", kNoParameters, Weekday},
    {"Year", kNoParameters, Year},
    {"YearDay", kNoParameters, YearDay},
};
constexpr TemplateMethod kDurationMethods[] = {
    {"Abs", kNoParameters, Abs},
    {"Hours", kNoParameters, Hours},
    {"Microseconds", kNoParameters, Microseconds},
    {"Milliseconds", kNoParameters, Milliseconds},
    {"Minutes", kNoParameters, Minutes},
    {"Nanoseconds", kNoParameters, Nanoseconds},
    {"Round", kDuration, RoundDuration},
    {"Seconds", kNoParameters, Seconds},
    {"String", kNoParameters, DurationString},
    {"Truncate", kDuration, TruncateDuration},
};
constexpr TemplateMethod kStringer[] = {{"String", kNoParameters, PlainString}};

std::span<const TemplateMethod> MethodsOf(const TemplateValue& v) {
  if (v.As<TimeValue>() != nullptr) return kTimeMethods;
  if (v.As<DurationValue>() != nullptr) return kDurationMethods;
  const bool stringer =
      v.As<MonthValue>() != nullptr || v.As<WeekdayValue>() != nullptr || v.As<HistogramPointer>() != nullptr;
  if (stringer) return kStringer;
  return {};
}

// Methods of time.Time that return several values, which templates cannot take.
constexpr std::pair<std::string_view, int> kManyResults[] = {
    {"Clock", 3}, {"Date", 3}, {"ISOWeek", 2}, {"Zone", 2}, {"ZoneBounds", 2}};

}  // namespace

int ManyResultsOf(const TemplateValue& receiver, std::string_view name) {
  if (receiver.As<TimeValue>() == nullptr) return 0;
  for (const auto& [method, results] : kManyResults) {
    if (method == name) return results;
  }
  return 0;
}

const TemplateMethod* FindTemplateMethod(const TemplateValue& receiver, std::string_view name) {
  for (const TemplateMethod& method : MethodsOf(receiver)) {
    if (method.name == name) return &method;
  }
  return nullptr;
}

}  // namespace epi::rules
