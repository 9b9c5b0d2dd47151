#include "rules/template/value.h"

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

}  // namespace epi::rules
