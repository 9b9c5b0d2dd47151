#include "model/relabel.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "base/escaping.h"
#include "model/case_mapping.h"

namespace epi {
namespace {

using Action = RelabelAction;

enum Needs : unsigned {
  kTargetLabel = 1,         // target_label must be set
  kPlainTarget = 2,         // … and be a valid name as it stands, without references to groups
  kDefaultReplacement = 4,  // replacement must be left alone
};

struct ActionSpec {
  Action action;
  std::string_view name;
  unsigned needs;
};

// In the order of the enumeration.
constexpr ActionSpec kActions[] = {
    {Action::kReplace, "replace", kTargetLabel},
    {Action::kKeep, "keep", 0},
    {Action::kDrop, "drop", 0},
    {Action::kKeepEqual, "keepequal", kTargetLabel | kPlainTarget | kDefaultReplacement},
    {Action::kDropEqual, "dropequal", kTargetLabel | kPlainTarget | kDefaultReplacement},
    {Action::kHashMod, "hashmod", kTargetLabel | kPlainTarget},
    {Action::kLabelMap, "labelmap", 0},
    {Action::kLabelDrop, "labeldrop", 0},
    {Action::kLabelKeep, "labelkeep", 0},
    {Action::kLowercase, "lowercase", kTargetLabel | kPlainTarget | kDefaultReplacement},
    {Action::kUppercase, "uppercase", kTargetLabel | kPlainTarget | kDefaultReplacement},
};

constexpr std::string_view kDefaultReplacementText = "$1";
constexpr std::string_view kDefaultSeparator = ";";

bool IsReferenceCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
bool HasReference(std::string_view text) { return text.find('$') != std::string_view::npos; }

bool IsValidTemplate(std::string_view text, NameScheme scheme) {
  return scheme == NameScheme::kLegacy ? IsLegacyLabelTemplate(text) : IsValidLabelName(text, scheme);
}

// The last eight bytes of the MD5 sum, read big-endian, as Prometheus has always done.
uint64_t Md5Tail(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const bool ok = EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_md5(), nullptr) == 1;
  EPI_CHECK(ok && size == 16);
  return LoadBig<uint64_t>(digest.data() + 8);
}

std::string JoinedSources(const RelabelConfig& config, const LabelsBuilder& labels) {
  std::string out;
  for (size_t i = 0; i < config.source_labels.size(); ++i) {
    if (i > 0) out += config.separator;
    out += labels.Get(config.source_labels[i]);
  }
  return out;
}

void Replace(const RelabelConfig& config, const std::string& value, LabelsBuilder& labels) {
  std::string target;
  std::string replacement;
  if (!HasReference(config.target_label) && !HasReference(config.replacement)) {
    if (!config.regex->Matches(value)) return;
    if (IsValidLabelName(config.target_label, config.scheme)) labels.Set(config.target_label, config.replacement);
    return;
  }
  if (!config.regex->ExpandBoth(value, config.target_label, config.replacement, target, replacement)) return;
  if (IsValidLabelName(target, config.scheme)) labels.Set(target, replacement);
}

void HashMod(const RelabelConfig& config, const std::string& value, LabelsBuilder& labels) {
  char digits[20];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, Md5Tail(value) % std::max<uint64_t>(config.modulus, 1)).ptr;
  labels.Set(config.target_label, std::string_view(digits, static_cast<size_t>(end - digits)));
}

// labelmap, labeldrop and labelkeep look at the names as they are before the rule.
void ForMatchingNames(const RelabelConfig& config, LabelsBuilder& labels) {
  std::vector<std::pair<std::string, std::string>> changes;  // names to delete, or names and values to set
  std::string name;
  labels.ForEach([&](LabelView label) {
    if (config.action == Action::kLabelMap) {
      if (config.regex->Expand(label.name, config.replacement, name)) changes.emplace_back(name, label.value);
    } else if (config.regex->Matches(label.name) == (config.action == Action::kLabelDrop)) {
      changes.emplace_back(label.name, std::string());
    }
  });
  for (const auto& [changed, value] : changes) labels.Set(changed, value);
}

}  // namespace

std::string_view RelabelActionName(RelabelAction action) { return kActions[static_cast<size_t>(action)].name; }

Result<RelabelAction> RelabelActionFromName(std::string_view name) {
  const std::string lower = ToLowerUtf8(name);
  for (const auto& spec : kActions) {
    if (spec.name == lower) return spec.action;
  }
  return Fail(ErrorCode::kInvalid, "unknown relabel action " + Quoted(name));
}

const std::shared_ptr<const AnchoredRegex>& RelabelConfig::DefaultRegex() {
  static const auto* const kRegex =
      new std::shared_ptr<const AnchoredRegex>(AnchoredRegex::Compile("(.*)", AnchoredRegex::Form::kWrapped).value());
  return *kRegex;
}

bool operator==(const RelabelConfig& a, const RelabelConfig& b) {
  return a.source_labels == b.source_labels && a.source_labels_given == b.source_labels_given &&
         a.separator == b.separator && a.regex->pattern() == b.regex->pattern() && a.regex_given == b.regex_given &&
         a.modulus == b.modulus && a.target_label == b.target_label && a.replacement == b.replacement &&
         a.action == b.action && a.scheme == b.scheme;
}

bool IsLegacyLabelTemplate(std::string_view text) {
  if (text.empty() || (text.front() >= '0' && text.front() <= '9')) return false;
  while (!text.empty()) {
    if (IsReferenceCharacter(text.front())) {
      text.remove_prefix(1);
      continue;
    }
    if (text.front() != '$') return false;
    text.remove_prefix(1);
    const bool braces = text.starts_with('{');
    if (braces) text.remove_prefix(1);
    const auto length =
        static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsReferenceCharacter) - text.begin());
    if (length == 0) return false;
    text.remove_prefix(length);
    if (!braces) continue;
    if (!text.starts_with('}')) return false;
    text.remove_prefix(1);
  }
  return true;
}

Result<void> ValidateRelabelConfig(const RelabelConfig& config) {
  const ActionSpec& spec = kActions[static_cast<size_t>(config.action)];
  const std::string name(spec.name);
  const auto invalid = [](std::string text) { return Fail(ErrorCode::kInvalid, std::move(text)); };
  if (config.action == Action::kHashMod && config.modulus == 0) {
    return invalid("relabel configuration for hashmod requires non-zero modulus");
  }
  if ((spec.needs & kTargetLabel) != 0 && config.target_label.empty()) {
    return invalid("relabel configuration for " + name + " action requires 'target_label' value");
  }
  const bool plain = (spec.needs & kPlainTarget) != 0 || !HasReference(config.target_label);
  const bool valid_target = plain ? IsValidLabelName(config.target_label, config.scheme)
                                  : IsValidTemplate(config.target_label, config.scheme);
  if ((spec.needs & kTargetLabel) != 0 && !valid_target) {
    return invalid(Quoted(config.target_label) + " is invalid 'target_label' for " + name + " action");
  }
  const bool default_replacement = config.replacement == kDefaultReplacementText;
  if ((spec.needs & kDefaultReplacement) != 0 && !default_replacement) {
    return invalid("'replacement' can not be set for " + name + " action");
  }
  if (config.action == Action::kLabelMap && !IsValidTemplate(config.replacement, config.scheme)) {
    return invalid(Quoted(config.replacement) + " is invalid 'replacement' for labelmap action");
  }
  const bool default_separator = config.separator == kDefaultSeparator;
  if (config.action == Action::kDropEqual || config.action == Action::kKeepEqual) {
    if (config.regex_given || config.modulus != 0 || !default_separator) {
      return invalid(name + " action requires only 'source_labels' and `target_label`, and no other fields");
    }
  }
  if (config.action == Action::kLabelDrop || config.action == Action::kLabelKeep) {
    if (config.source_labels_given || !config.source_labels.empty() || !config.target_label.empty() ||
        config.modulus != 0 || !default_separator || !default_replacement) {
      return invalid(name + " action requires only 'regex', and no other fields");
    }
  }
  return {};
}

bool ApplyRelabelConfig(const RelabelConfig& config, LabelsBuilder& labels) {
  switch (config.action) {
    case Action::kLabelMap:
    case Action::kLabelDrop:
    case Action::kLabelKeep:
      ForMatchingNames(config, labels);
      return true;
    default:
      break;
  }
  const std::string value = JoinedSources(config, labels);
  switch (config.action) {
    case Action::kReplace:
      Replace(config, value, labels);
      return true;
    case Action::kKeep:
      return config.regex->Matches(value);
    case Action::kDrop:
      return !config.regex->Matches(value);
    case Action::kKeepEqual:
      return labels.Get(config.target_label) == value;
    case Action::kDropEqual:
      return labels.Get(config.target_label) != value;
    case Action::kHashMod:
      HashMod(config, value, labels);
      return true;
    case Action::kLowercase:
      labels.Set(config.target_label, ToLowerUtf8(value));
      return true;
    case Action::kUppercase:
      labels.Set(config.target_label, ToUpperUtf8(value));
      return true;
    default:
      return true;
  }
}

bool Relabel(std::span<const RelabelConfig> configs, LabelsBuilder& labels) {
  return std::all_of(configs.begin(), configs.end(),
                     [&](const RelabelConfig& config) { return ApplyRelabelConfig(config, labels); });
}

}  // namespace epi
