// Relabeling: rules that rewrite or drop label sets of targets, samples, alerts and remote-written series.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/anchored_regex.h"
#include "model/label_names.h"
#include "model/labels.h"

namespace epi {

enum class RelabelAction : unsigned char {
  kReplace,
  kKeep,
  kDrop,
  kKeepEqual,
  kDropEqual,
  kHashMod,
  kLabelMap,
  kLabelDrop,
  kLabelKeep,
  kLowercase,
  kUppercase,
};

std::string_view RelabelActionName(RelabelAction action);  // "replace", "keepequal", …
// Case does not matter. kInvalid, `unknown relabel action "x"`.
Result<RelabelAction> RelabelActionFromName(std::string_view name);

// One rule. The defaults are Prometheus's; whoever builds one validates it before use.
struct RelabelConfig {
  std::vector<std::string> source_labels;
  bool source_labels_given = false;  // written out, even as []: some actions refuse it
  std::string separator = ";";
  std::shared_ptr<const AnchoredRegex> regex = DefaultRegex();  // never null
  bool regex_given = false;                                     // written out, even as (.*): some actions refuse it
  uint64_t modulus = 0;
  std::string target_label;
  std::string replacement = "$1";
  RelabelAction action = RelabelAction::kReplace;
  NameScheme scheme = NameScheme::kUtf8;  // which target label names count as valid

  static const std::shared_ptr<const AnchoredRegex>& DefaultRegex();  // (.*)
  friend bool operator==(const RelabelConfig& a, const RelabelConfig& b);
};

// What is wrong with the rule under its scheme, in Prometheus's words.
Result<void> ValidateRelabelConfig(const RelabelConfig& config);

// Applies the rules in order. False when one of them drops the label set, whose state is then of no use. Thread-safe.
bool Relabel(std::span<const RelabelConfig> configs, LabelsBuilder& labels);
bool ApplyRelabelConfig(const RelabelConfig& config, LabelsBuilder& labels);

// Whether a legacy label name may come out of this template: letters, digits and '_', with $1, ${1} or ${name}
// anywhere.
bool IsLegacyLabelTemplate(std::string_view text);

}  // namespace epi
