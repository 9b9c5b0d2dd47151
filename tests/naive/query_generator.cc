#include <array>
#include <initializer_list>

#include "naive/workload.h"

namespace epi::naive {
namespace {

constexpr int kMaxDepth = 4;

class Generator {
 public:
  explicit Generator(Random& random) : random_(random) {}

  std::string Vector(int depth) {
    if (depth <= 0) return Selector();
    switch (random_.Below(16)) {
      case 0:
      case 1:
        return Selector();
      case 2:
      case 3:
      case 4:
        return RangeCall(depth);
      case 5:
      case 6:
      case 7:
        return Aggregate(depth);
      case 8:
      case 9:
        return Binary(depth);
      case 10:
        return SetOperation(depth);
      case 11:
        return FloatCall(depth);
      case 12:
        return HistogramCall(depth);
      case 13:
        return "-" + Vector(depth - 1);
      case 14:
        return LabelCall(depth);
      default:
        return Odd(depth);
    }
  }

  // Only outermost: the order of what it answers is not defined, so nothing may depend on it.
  std::string CountValues(int depth) { return "count_values" + Grouping() + "(\"value\", " + Vector(depth) + ")"; }

  std::string Scalar(int depth) {
    switch (random_.Below(depth > 0 ? 7 : 3)) {
      case 0:
        return Pick({"1", "2", "0.5", "10", "-3", "0", "NaN", "Inf", "1e3"});
      case 1:
        return std::to_string(random_.Below(100));
      case 2:
        return Pick({"time()", "pi()", "3"});
      case 3:
        return "scalar(" + Vector(depth - 1) + ")";
      case 4:
        return "(" + Scalar(depth - 1) + " " + Pick({"+", "-", "*", "/", "%", "^"}) + " " + Scalar(depth - 1) + ")";
      case 5:
        return "(" + Scalar(depth - 1) + " " + Pick({"==", "<", ">="}) + " bool " + Scalar(depth - 1) + ")";
      default:
        return "-" + Scalar(depth - 1);
    }
  }

 private:
  std::string Pick(std::initializer_list<const char*> choices) {
    return *(choices.begin() + random_.Below(choices.size()));
  }
  bool OneIn(uint64_t n) { return random_.Below(n) == 0; }

  std::string Modifiers() {
    std::string out;
    if (OneIn(6)) out += Pick({" offset 1m", " offset 5m", " offset -2m", " offset 7s"});
    if (OneIn(10)) out += Pick({" @ 600", " @ start()", " @ end()", " @ 1234.5"});
    return out;
  }

  std::string Matchers() {
    const std::string name = Pick({"requests_total", "requests_total", "seconds_total", "temperature", "temperature",
                                   "load", "latency", "latency", "sizes", "mixed", "classic_bucket"});
    if (OneIn(40)) return "absent_metric";
    if (OneIn(12)) return Pick({"{__name__=~\"requests_total|seconds_total\"}", "{job=\"x\"}", "{__name__=~\"l.+\"}"});
    std::string out = name;
    if (OneIn(3))
      out += Pick({"{job=\"x\"}", "{instance!=\"a\"}", "{instance=~\"a|b\"}", "{job!~\"y\",instance=\"b\"}"});
    return out;
  }

  std::string Selector() { return Matchers() + Modifiers(); }

  std::string Range(int depth) {
    const std::string range = Pick({"1m", "2m", "5m", "5m", "10m", "37s", "30m", "15s"});
    if (depth <= 1 || OneIn(4) == false) return Matchers() + "[" + range + "]" + Modifiers();
    const std::string step = Pick({"", "30s", "1m", "17s"});
    return "(" + Vector(depth - 2) + ")[" + range + ":" + step + "]" + Modifiers();
  }

  std::string RangeCall(int depth) {
    if (OneIn(12)) return "quantile_over_time(" + Share() + ", " + Range(depth) + ")";
    if (OneIn(16)) return "predict_linear(" + Range(depth) + ", " + Scalar(0) + ")";
    if (OneIn(20)) return "double_exponential_smoothing(" + Range(depth) + ", 0.5, 0.3)";
    return Pick({"rate",
                 "rate",
                 "rate",
                 "increase",
                 "increase",
                 "delta",
                 "irate",
                 "idelta",
                 "sum_over_time",
                 "avg_over_time",
                 "avg_over_time",
                 "min_over_time",
                 "max_over_time",
                 "count_over_time",
                 "last_over_time",
                 "first_over_time",
                 "present_over_time",
                 "stddev_over_time",
                 "stdvar_over_time",
                 "mad_over_time",
                 "changes",
                 "resets",
                 "deriv",
                 "ts_of_min_over_time",
                 "ts_of_max_over_time",
                 "ts_of_last_over_time"}) +
           "(" + Range(depth) + ")";
  }

  std::string Share() { return OneIn(6) ? Scalar(0) : Pick({"0.5", "0.9", "0.99", "0.1", "0", "1", "0.333"}); }

  std::string Grouping() {
    return Pick({"", " by (instance)", " by (job)", " by (instance, job)", " without (instance)", " without (le)",
                 " by (absent)", " by (__name__)"});
  }

  std::string Aggregate(int depth) {
    if (OneIn(10)) return "quantile" + Grouping() + "(" + Share() + ", " + Vector(depth - 1) + ")";
    if (OneIn(8)) {
      return Pick({"topk", "bottomk", "limitk"}) + Grouping() + "(" + Pick({"1", "2", "3", "5", "100", "0"}) + ", " +
             Vector(depth - 1) + ")";
    }
    if (OneIn(20))
      return "limit_ratio" + Grouping() + "(" + Pick({"0.5", "-0.3", "1", "0"}) + ", " + Vector(depth - 1) + ")";
    return Pick({"sum", "sum", "sum", "avg", "avg", "min", "max", "count", "group", "stddev", "stdvar"}) + Grouping() +
           "(" + Vector(depth - 1) + ")";
  }

  std::string Binary(int depth) {
    if (OneIn(4)) return OneIn(2) ? JoinOfSides() : GroupedJoinOfSides();
    const std::string op = Pick({"+", "-", "*", "/", "%", "^", "atan2", "==", "!=", "<", "<=", ">", ">=", "</", ">/"});
    const bool comparison = op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=";
    const std::string modifier = comparison && OneIn(2) ? " bool" : "";
    if (OneIn(2)) return "(" + Vector(depth - 1) + " " + op + modifier + " " + Scalar(depth - 1) + ")";
    if (OneIn(4)) return "(" + Scalar(depth - 1) + " " + op + modifier + " " + Vector(depth - 1) + ")";
    if (!comparison && OneIn(6)) {
      return "(" + Vector(depth - 1) + " " + op + Pick({" on (instance, job) ", " ignoring (le) "}) +
             Pick({"fill (0) ", "fill_left (1) ", "fill_right (-2) ", "fill_left (3) fill_right (4) "}) +
             Vector(depth - 1) + ")";
    }
    const std::string matching =
        Pick({"", "", " on (instance, job)", " ignoring (job)", " on (instance) group_left", " on (job) group_right",
              " on (instance) group_left (job)", " ignoring (le) group_left"});
    return "(" + Vector(depth - 1) + " " + op + modifier + matching + " " + Vector(depth - 1) + ")";
  }

  // A side of a join that matchers can go into and come from.
  std::string Side() {
    const std::string selector =
        Pick({"requests_total", "seconds_total", "temperature", "load", "latency", "mixed", "classic_bucket"}) +
        Pick({"", "", "{job=\"x\"}", "{instance!=\"a\"}", "{instance=~\"a|b\"}", "{job!~\"y\",instance=\"b\"}",
              "{le!=\"\"}"});
    const std::string mapped =
        Pick({"", "", "-", "abs", "1 + ", "timestamp", "2 < bool "}) + "(" + selector + Modifiers() + ")";
    const std::string range =
        Pick({"rate", "increase", "last_over_time", "count_over_time", "max_over_time", "deriv"}) + "(" + selector +
        "[5m]" + Modifiers() + ")";
    const std::string inner = OneIn(2) ? mapped : range;
    if (OneIn(3)) return inner;
    if (OneIn(6)) return "topk" + Grouping() + "(2, " + inner + ")";
    return Pick({"sum", "count", "max", "avg"}) +
           Pick({"", " by (instance)", " by (instance, job)", " by (job)", " without (le)", " without (instance)"}) +
           "(" + inner + ")";
  }

  std::string JoinOfSides() {
    return "(" + Side() + Pick({" + ", " / ", " > bool ", " == ", " and ", " unless ", " and "}) +
           Pick({"", "on (instance, job) ", "on (instance) ", "ignoring (le) ", "ignoring (job) ", "on (job) "}) +
           Side() + ")";
  }

  std::string GroupedJoinOfSides() {
    return "(" + Side() + Pick({" * ", " - ", " <= "}) +
           Pick({"on (instance, job) group_left ", "on (instance) group_right ", "on (job) group_left (instance) ",
                 "ignoring (le) group_right ", "on (instance) group_left (job) "}) +
           Side() + ")";
  }

  std::string SetOperation(int depth) {
    return "(" + Vector(depth - 1) + Pick({" and ", " or ", " unless "}) +
           Pick({"", "on (instance) ", "ignoring (job) "}) + Vector(depth - 1) + ")";
  }

  std::string FloatCall(int depth) {
    if (OneIn(6)) return "clamp(" + Vector(depth - 1) + ", " + Scalar(0) + ", " + Scalar(0) + ")";
    if (OneIn(6)) return "round(" + Vector(depth - 1) + ", " + Scalar(0) + ")";
    if (OneIn(6)) return Pick({"clamp_min", "clamp_max"}) + "(" + Vector(depth - 1) + ", " + Scalar(0) + ")";
    return Pick({"abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "sgn", "rad", "deg", "sin", "atan", "round",
                 "log10", "tan", "asinh", "cosh", "atanh"}) +
           "(" + Vector(depth - 1) + ")";
  }

  std::string HistogramCall(int depth) {
    const std::string inner = OneIn(2) ? Pick({"latency", "sizes", "classic_bucket", "mixed", "rate(latency[5m])",
                                               "sum(rate(latency[2m]))", "sum by (le) (rate(classic_bucket[5m]))"})
                                       : Vector(depth - 1);
    if (OneIn(3)) return "histogram_quantile(" + Share() + ", " + inner + ")";
    if (OneIn(5)) return "histogram_quantiles(" + inner + ", \"q\", " + Share() + ", " + Share() + ")";
    if (OneIn(4)) return "histogram_fraction(" + Scalar(0) + ", " + Scalar(0) + ", " + inner + ")";
    return Pick({"histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"}) + "(" +
           inner + ")";
  }

  std::string LabelCall(int depth) {
    if (OneIn(2)) {
      return "label_replace(" + Vector(depth - 1) + ", " + Pick({"\"new\"", "\"job\"", "\"instance\""}) +
             ", \"$1\", \"instance\", \"(.*)\")";
    }
    return "label_join(" + Vector(depth - 1) + ", \"joined\", \"-\", \"job\", \"instance\")";
  }

  std::string Odd(int depth) {
    switch (random_.Below(6)) {
      case 5:
        return Pick(
                   {"minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"}) +
               Pick({"()", "(timestamp(latency))", "(vector(time() * 1e5))", "(round(seconds_total * 1e6))"});
      case 0:
        return "vector(" + Scalar(depth - 1) + ")";
      case 1:
        return "timestamp(" + (OneIn(2) ? Selector() : Vector(depth - 1)) + ")";
      case 2:
        return "absent(" + Vector(depth - 1) + ")";
      case 3:
        return "absent_over_time(" + Range(depth) + ")";
      default:
        return "(" + Vector(depth - 1) + ")";
    }
  }

  Random& random_;
};

}  // namespace

Query MakeQuery(Random& random) {
  Generator generator(random);
  Query out;
  const int depth = 1 + static_cast<int>(random.Below(kMaxDepth));
  switch (random.Below(40)) {
    case 0:
      out.text = generator.Scalar(depth);
      break;
    case 1:
      out.text = generator.CountValues(depth);
      break;
    default:
      out.text = generator.Vector(depth);
  }
  out.start = static_cast<TimestampMs>(random.Below(2'400'000));
  if (random.Below(3) == 0) {
    out.end = out.start;
    return out;
  }
  constexpr std::array<int64_t, 6> kSteps = {1000, 7000, 15'000, 30'000, 60'000, 300'000};
  out.step = kSteps[random.Below(kSteps.size())];
  out.end = out.start + out.step * static_cast<int64_t>(random.Below(30));
  return out;
}

}  // namespace epi::naive
