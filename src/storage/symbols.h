// Label text as small integers. Inside one view equal ids mean equal text and the other way round, so grouping and
// joining compare integers; text appears only at the edges.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace epi {

enum class SymbolId : uint32_t {};

struct LabelSymbols {
  SymbolId name{};
  SymbolId value{};
  friend auto operator<=>(const LabelSymbols&, const LabelSymbols&) = default;
};

// One label set, sorted by the *text* of the names.
using LabelTuple = std::span<const LabelSymbols>;

// The symbols as one view sees them. Thread-safe. Text stays valid as long as the view.
class SymbolSpace {
 public:
  virtual ~SymbolSpace() = default;
  virtual std::string_view Text(SymbolId id) const = 0;
  // The id of `text`, made new (for this view only) when storage does not know it.
  virtual SymbolId Intern(std::string_view text) const = 0;
  // Nothing when no label of this view has that text and nobody interned it.
  virtual std::optional<SymbolId> Find(std::string_view text) const = 0;
};

}  // namespace epi
