// What --enable-feature switches in PromQL, as the engine needs it; the parser has its own switches for syntax.
#pragma once

namespace epi::promql {

struct FeatureSwitches {
  bool experimental_functions = false;    // promql-experimental-functions
  bool extended_range_selectors = false;  // promql-extended-range-selectors: anchored, smoothed
  bool binop_fill_modifiers = false;      // promql-binop-fill-modifiers
  bool delayed_name_removal = false;      // promql-delayed-name-removal
  bool per_step_stats = false;            // promql-per-step-stats
  bool type_and_unit_labels = false;      // type-and-unit-labels
  bool use_start_timestamps = false;      // use-start-timestamps
  bool at_modifier = true;                // off only in embedding and in tests
  bool negative_offset = true;            // likewise
};

}  // namespace epi::promql
