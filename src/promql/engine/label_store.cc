#include "promql/engine/label_store.h"

#include <algorithm>
#include <cstring>

namespace epi::promql {
namespace {

constexpr size_t kChunkLabels = 4096;

}  // namespace

LabelStore::LabelStore(const SymbolSpace& symbols, MemoryMeter& meter)
    : symbols_(symbols),
      name_(symbols.Intern(kMetricName)),
      type_(symbols.Intern("__type__")),
      unit_(symbols.Intern("__unit__")),
      bucket_(symbols.Intern(kBucketLabel)),
      bytes_(&meter) {}

LabelTuple LabelStore::Store(LabelTuple labels) {
  if (labels.empty()) return {};
  if (used_ + labels.size() > capacity_) {
    capacity_ = std::max(kChunkLabels, labels.size());
    chunks_.push_back(std::make_unique<LabelSymbols[]>(capacity_));
    bytes_.Add(static_cast<int64_t>(capacity_ * sizeof(LabelSymbols)));
    used_ = 0;
  }
  LabelSymbols* at = chunks_.back().get() + used_;
  std::copy(labels.begin(), labels.end(), at);
  used_ += labels.size();
  return {at, labels.size()};
}

LabelTuple LabelStore::DropMetadata(LabelTuple labels) {
  const auto is_metadata = [this](const LabelSymbols& label) { return IsMetadataLabel(label.name); };
  if (std::none_of(labels.begin(), labels.end(), is_metadata)) return labels;
  dropped_type_or_unit_ = dropped_type_or_unit_ || HasTypeOrUnit(labels);
  LabelBuffer kept;
  kept.reserve(labels.size());
  std::copy_if(labels.begin(), labels.end(), std::back_inserter(kept),
               [&](const LabelSymbols& label) { return !is_metadata(label); });
  return Store(kept);
}

bool LabelStore::HasTypeOrUnit(LabelTuple labels) const {
  return std::any_of(labels.begin(), labels.end(),
                     [this](const LabelSymbols& label) { return label.name == type_ || label.name == unit_; });
}

LabelTuple LabelStore::Drop(LabelTuple labels, SymbolId name) {
  if (Find(labels, name) == nullptr) return labels;
  LabelBuffer kept;
  kept.reserve(labels.size());
  std::copy_if(labels.begin(), labels.end(), std::back_inserter(kept),
               [&](const LabelSymbols& label) { return label.name != name; });
  return Store(kept);
}

LabelTuple LabelStore::With(LabelTuple labels, SymbolId name, std::string_view value) {
  if (value.empty()) return Drop(labels, name);
  LabelBuffer changed(labels.begin(), labels.end());
  Set(changed, name, symbols_.Intern(value));
  return Store(changed);
}

void LabelStore::Set(LabelBuffer& buffer, SymbolId name, SymbolId value) const {
  for (auto& label : buffer) {
    if (label.name == name) {
      label.value = value;
      return;
    }
  }
  const std::string_view text = Text(name);
  const auto at =
      std::find_if(buffer.begin(), buffer.end(), [&](const LabelSymbols& l) { return Text(l.name) > text; });
  buffer.insert(at, LabelSymbols{name, value});
}

const SymbolId* LabelStore::Find(LabelTuple labels, SymbolId name) {
  for (const auto& label : labels) {
    if (label.name == name) return &label.value;
  }
  return nullptr;
}

std::string_view LabelStore::Get(LabelTuple labels, SymbolId name) const {
  const SymbolId* value = Find(labels, name);
  return value == nullptr ? std::string_view() : Text(*value);
}

int LabelStore::Compare(LabelTuple a, LabelTuple b) const {
  const size_t common = std::min(a.size(), b.size());
  for (size_t i = 0; i < common; ++i) {
    if (a[i].name != b[i].name) return Text(a[i].name) < Text(b[i].name) ? -1 : 1;
    if (a[i].value != b[i].value) return Text(a[i].value) < Text(b[i].value) ? -1 : 1;
  }
  return a.size() == b.size() ? 0 : a.size() < b.size() ? -1 : 1;
}

size_t TupleHash::operator()(LabelTuple labels) const noexcept {
  static_assert(sizeof(LabelSymbols) == 8);
  uint64_t hash = 0x9e3779b97f4a7c15ULL ^ labels.size();
  for (const auto& label : labels) {
    uint64_t word = (static_cast<uint64_t>(label.name) << 32) | static_cast<uint64_t>(label.value);
    word *= 0xff51afd7ed558ccdULL;
    word ^= word >> 32;
    hash = (hash ^ word) * 0xc4ceb9fe1a85ec53ULL;
    hash ^= hash >> 29;
  }
  return static_cast<size_t>(hash);
}

bool TupleEqual::operator()(LabelTuple a, LabelTuple b) const noexcept {
  if (a.size() != b.size()) return false;
  if (a.data() == b.data() || a.empty()) return true;
  return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

LabelSelector::LabelSelector(std::span<const std::string> names, bool keep, LabelStore& store) : keep_(keep) {
  for (const auto& name : names) {
    // A name that no label has needs no id, but a later operator may make the label: intern it.
    names_.push_back(store.Intern(name));
  }
  std::sort(names_.begin(), names_.end());
}

void LabelSelector::Apply(LabelTuple labels, LabelBuffer& out) const {
  out.clear();
  for (const auto& label : labels) {
    const bool named = std::find(names_.begin(), names_.end(), label.name) != names_.end();
    if (named == keep_) out.push_back(label);
  }
}

}  // namespace epi::promql
