#include "epitool/query_features.h"

#include <ostream>

namespace epi::tool {
namespace {

struct QueryFeatureRow {
  std::string_view name;
  void (*enable)(QueryFeatures& features);  // null: always on
};

constexpr QueryFeatureRow kQueryFeatures[] = {
    {"promql-experimental-functions",
     [](QueryFeatures& features) {
       features.parser.experimental_functions = features.engine.experimental_functions = true;
     }},
    {"promql-delayed-name-removal", [](QueryFeatures& features) { features.engine.delayed_name_removal = true; }},
    {"promql-extended-range-selectors",
     [](QueryFeatures& features) {
       features.parser.extended_range_selectors = features.engine.extended_range_selectors = true;
     }},
    {"promql-binop-fill-modifiers",
     [](QueryFeatures& features) {
       features.parser.binop_fill_modifiers = features.engine.binop_fill_modifiers = true;
     }},
    {"promql-duration-expr", nullptr},
};

void EnableQueryFeature(std::string_view name, QueryFeatures& features, Console& console) {
  if (name.empty()) return;
  for (const QueryFeatureRow& row : kQueryFeatures) {
    if (row.name != name) continue;
    if (row.enable != nullptr) row.enable(features);
    return;
  }
  console.out << "  WARNING: Unknown feature passed to --enable-feature: " << name << "\n";
}

}  // namespace

QueryFeatures ReadQueryFeatures(const Arguments& arguments, Console& console) {
  QueryFeatures features;
  for (const std::string& list : arguments.Values("enable-feature")) {
    std::string_view rest = list;
    while (!rest.empty()) {
      const size_t comma = rest.find(',');
      EnableQueryFeature(rest.substr(0, comma), features, console);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return features;
}

}  // namespace epi::tool
