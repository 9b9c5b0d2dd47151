// --enable-feature: every command takes it, those that read queries heed it.
#pragma once

#include "epitool/arguments.h"
#include "epitool/command.h"
#include "promql/engine/features.h"
#include "promql/parser/parser.h"

namespace epi::tool {

inline constexpr FlagSpec kEnableFeatureFlag = {
    "enable-feature",
    true,
    "",
    "Comma separated feature names to enable. Valid options: promql-experimental-functions, "
    "promql-delayed-name-removal, promql-extended-range-selectors, promql-binop-fill-modifiers.",
    true,
    0,
    ValueForm::kText,
    0};

struct QueryFeatures {
  promql::ParseOptions parser;
  promql::FeatureSwitches engine;
};
// Names that nobody knows are warned of.
QueryFeatures ReadQueryFeatures(const Arguments& arguments, Console& console);

}  // namespace epi::tool
