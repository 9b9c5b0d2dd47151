#include "rules/template/value.h"

#include "model/duration.h"
#include "model/histogram_format.h"
#include "model/number_format.h"
#include "rules/template/go_time.h"

namespace epi::rules {
namespace {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace

TemplateValue TemplateValue::List(TemplateList items, const char* go_type) {
  return TemplateValue(Data(ListValue{std::make_shared<const TemplateList>(std::move(items)), go_type}));
}

TemplateValue TemplateValue::Strings(const std::map<std::string, std::string>& entries) {
  auto out = std::make_shared<std::map<std::string, TemplateValue>>();
  for (const auto& [key, value] : entries) out->emplace(key, Text(value));
  return TemplateValue(Data(MapValue{std::move(out), true, 1}));
}

bool TemplateValue::Truth() const {
  return std::visit(
      Overloaded{
          [](const NoValue&) { return false; }, [](const NilValue&) { return false; }, [](bool v) { return v; },
          [](int64_t v) { return v != 0; }, [](uint64_t v) { return v != 0; }, [](double v) { return v != 0; },
          [](const ComplexValue& v) { return v.real != 0 || v.imaginary != 0; },
          [](const std::string& v) { return !v.empty(); }, [](const SafeHtmlValue& v) { return !v.text.empty(); },
          [](const TimeValue&) { return true; }, [](const DurationValue& v) { return v.pointer || v.nanoseconds != 0; },
          [](const MonthValue& v) { return v.number != 0; }, [](const WeekdayValue& v) { return v.number != 0; },
          [](const ListValue& v) { return !v.items->empty(); }, [](const MapValue& v) { return !v.entries->empty(); },
          [](const StructValue&) { return true; }, [](const HistogramPointer& v) { return v != nullptr; }},
      data_);
}

std::string TemplateValue::TypeName() const {
  return std::visit(
      Overloaded{
          [](const NoValue&) { return std::string("<nil>"); }, [](const NilValue&) { return std::string("<nil>"); },
          [](bool) { return std::string("bool"); }, [](int64_t) { return std::string("int"); },
          [](uint64_t) { return std::string("uint64"); }, [](double) { return std::string("float64"); },
          [](const ComplexValue&) { return std::string("complex128"); },
          [](const std::string&) { return std::string("string"); },
          [](const SafeHtmlValue&) { return std::string("template.HTML"); },
          [](const TimeValue& v) { return std::string(v.pointer ? "*time.Time" : "time.Time"); },
          [](const DurationValue& v) { return std::string(v.pointer ? "*time.Duration" : "time.Duration"); },
          [](const MonthValue&) { return std::string("time.Month"); },
          [](const WeekdayValue&) { return std::string("time.Weekday"); },
          [](const ListValue& v) { return std::string(v.go_type); },
          [](const MapValue& v) { return std::string(v.strings ? "map[string]string" : "map[string]interface {}"); },
          [](const StructValue& v) { return (v.pointer ? "*" : "") + std::string(v.go_type); },
          [](const HistogramPointer&) { return std::string("*histogram.FloatHistogram"); }},
      data_);
}

void AppendValue(std::string& out, const TemplateValue& value, size_t limit) {
  if (out.size() > limit) return;
  std::visit(Overloaded{[&](const NoValue&) { out += "<no value>"; }, [&](const NilValue&) { out += "<nil>"; },
                        [&](bool v) { out += v ? "true" : "false"; }, [&](int64_t v) { out += std::to_string(v); },
                        [&](uint64_t v) { out += std::to_string(v); }, [&](double v) { AppendFloatGeneral(out, v); },
                        [&](const ComplexValue& v) {
                          out += '(';
                          AppendFloatGeneral(out, v.real);
                          const std::string imaginary = FormatFloatGeneral(v.imaginary);
                          if (imaginary.front() != '-' && imaginary.front() != '+') out += '+';
                          out += imaginary + "i)";
                        },
                        [&](const std::string& v) { out += v; }, [&](const SafeHtmlValue& v) { out += v.text; },
                        [&](const TimeValue& v) { out += FormatTime(v, kGoDefaultTimeLayout); },
                        [&](const DurationValue& v) { out += FormatGoDuration(v.nanoseconds); },
                        [&](const MonthValue& v) { out += MonthName(v.number); },
                        [&](const WeekdayValue& v) { out += WeekdayName(v.number); },
                        [&](const ListValue& v) {
                          char separator = '[';
                          if (v.items->empty()) out += '[';
                          for (const TemplateValue& item : *v.items) {
                            out += separator;
                            separator = ' ';
                            AppendValue(out, item, limit);
                          }
                          out += ']';
                        },
                        [&](const MapValue& v) {
                          out += "map[";
                          std::string_view separator;
                          for (const auto& [key, item] : *v.entries) {
                            out.append(separator).append(key).append(":");
                            separator = " ";
                            AppendValue(out, item, limit);
                          }
                          out += ']';
                        },
                        [&](const StructValue& v) {
                          out += v.pointer ? "&{" : "{";
                          std::string_view separator;
                          for (const auto& field : *v.fields) {
                            out += separator;
                            separator = " ";
                            AppendValue(out, field.second, limit);
                          }
                          out += '}';
                        },
                        [&](const HistogramPointer& v) { out += v == nullptr ? "<nil>" : HistogramToString(*v); }},
             value.data());
}

std::string ValueText(const TemplateValue& value, size_t limit) {
  std::string out;
  AppendValue(out, value, limit);
  return out;
}

}  // namespace epi::rules
