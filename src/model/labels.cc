#include "model/labels.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/escaping.h"
#include "base/xxhash64.h"

namespace epi {
namespace {

constexpr size_t kHeader = 8;  // two u32 lengths

uint32_t NameLength(const char* at) { return LoadLittle<uint32_t>(at); }
uint32_t ValueLength(const char* at) { return LoadLittle<uint32_t>(at + 4); }

auto FindPair(const std::vector<std::pair<std::string, std::string>>& pairs, std::string_view name) {
  return std::lower_bound(pairs.begin(), pairs.end(), name,
                          [](const auto& pair, std::string_view n) { return pair.first < n; });
}

}  // namespace

Labels::Labels(std::initializer_list<LabelView> pairs) : Labels(FromPairs(std::vector<LabelView>(pairs))) {}

Labels Labels::FromPairs(std::vector<LabelView> pairs) {
  const auto by_name = [](const LabelView& a, const LabelView& b) { return a.name < b.name; };
  // Mostly they come in order, and the sort would allocate.
  if (!std::is_sorted(pairs.begin(), pairs.end(), by_name)) std::stable_sort(pairs.begin(), pairs.end(), by_name);
  Labels out;
  size_t bytes = 0;
  for (const auto& pair : pairs) bytes += kHeader + pair.name.size() + pair.value.size();
  out.data_.reserve(bytes);
  for (size_t i = 0; i < pairs.size(); ++i) {
    const bool overridden = i + 1 < pairs.size() && pairs[i + 1].name == pairs[i].name;
    if (!overridden && !pairs[i].value.empty()) out.AppendPair(pairs[i].name, pairs[i].value);
  }
  return out;
}

void Labels::AppendPair(std::string_view name, std::string_view value) {
  ByteWriter writer(data_);
  writer.Little32(static_cast<uint32_t>(name.size()));
  writer.Little32(static_cast<uint32_t>(value.size()));
  writer.Bytes(name);
  writer.Bytes(value);
}

LabelView Labels::const_iterator::operator*() const {
  const uint32_t name = NameLength(at_);
  return {{at_ + kHeader, name}, {at_ + kHeader + name, ValueLength(at_)}};
}

Labels::const_iterator& Labels::const_iterator::operator++() {
  at_ += kHeader + NameLength(at_) + ValueLength(at_);
  return *this;
}

size_t Labels::size() const { return static_cast<size_t>(std::distance(begin(), end())); }

std::string_view Labels::Get(std::string_view name) const {
  for (const auto label : *this) {
    if (label.name == name) return label.value;
    if (label.name > name) break;
  }
  return {};
}

uint64_t Labels::Hash() const { return XxHash64(data_); }

uint64_t Labels::PrometheusHash() const {
  std::string flat;
  flat.reserve(data_.size());
  ByteWriter writer(flat);
  const auto append = [&](std::string_view text) {
    constexpr size_t kLong = 255;
    if (text.size() < kLong) {
      writer.U8(static_cast<uint8_t>(text.size()));
    } else {
      writer.Little32(static_cast<uint32_t>(text.size() << 8 | kLong));
    }
    writer.Bytes(text);
  };
  for (const auto label : *this) {
    append(label.name);
    append(label.value);
  }
  return XxHash64(flat);
}

namespace {

void AppendSet(std::string& out, const Labels& labels, bool skip_metric_name) {
  bool first = true;
  for (const auto label : labels) {
    if (skip_metric_name && label.name == kMetricName) continue;
    out += first ? "{" : ", ";
    first = false;
    if (IsLegacyLabelName(label.name)) {
      out += label.name;
    } else {
      AppendQuoted(out, label.name);
    }
    out += '=';
    AppendQuoted(out, label.value);
  }
  if (!first) out += '}';
}

}  // namespace

std::string Labels::ToString() const {
  if (empty()) return "{}";
  std::string out;
  AppendSet(out, *this, false);
  return out;
}

std::string Labels::ToMetricString() const {
  const std::string_view name = MetricName();
  if (name.empty()) return ToString();
  if (!IsLegacyMetricName(name)) {
    std::string out = "{";
    AppendQuoted(out, name);
    std::string rest;
    AppendSet(rest, *this, true);
    out += rest.empty() ? "}" : ", " + rest.substr(1);
    return out;
  }
  std::string out(name);
  AppendSet(out, *this, true);
  return out;
}

Labels Labels::Without(std::string_view name) const { return With(name, {}); }

Labels Labels::With(std::string_view name, std::string_view value) const {
  Labels out;
  out.data_.reserve(data_.size() + kHeader + name.size() + value.size());
  bool placed = value.empty();
  for (const auto label : *this) {
    if (!placed && label.name >= name) {
      out.AppendPair(name, value);
      placed = true;
    }
    if (label.name != name) out.AppendPair(label.name, label.value);
  }
  if (!placed) out.AppendPair(name, value);
  return out;
}

int Labels::Compare(const Labels& a, const Labels& b) {
  auto left = a.begin();
  auto right = b.begin();
  for (; left != a.end() && right != b.end(); ++left, ++right) {
    const auto order = *left <=> *right;
    if (order != 0) return order < 0 ? -1 : 1;
  }
  if (left == a.end()) return right == b.end() ? 0 : -1;
  return 1;
}

void LabelsBuilder::Reset(const Labels& base) {
  pairs_.clear();
  for (const auto label : base) pairs_.emplace_back(label.name, label.value);
}

LabelsBuilder& LabelsBuilder::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Del(name);
  const auto at = FindPair(pairs_, name);
  if (at != pairs_.end() && at->first == name) {
    pairs_[static_cast<size_t>(at - pairs_.begin())].second = std::string(value);
  } else {
    pairs_.insert(at, {std::string(name), std::string(value)});
  }
  return *this;
}

LabelsBuilder& LabelsBuilder::Del(std::string_view name) {
  const auto at = FindPair(pairs_, name);
  if (at != pairs_.end() && at->first == name) pairs_.erase(at);
  return *this;
}

LabelsBuilder& LabelsBuilder::Keep(std::span<const std::string_view> names) {
  const auto unwanted = [&](const auto& pair) {
    return std::find(names.begin(), names.end(), pair.first) == names.end();
  };
  pairs_.erase(std::remove_if(pairs_.begin(), pairs_.end(), unwanted), pairs_.end());
  return *this;
}

std::string_view LabelsBuilder::Get(std::string_view name) const {
  const auto at = FindPair(pairs_, name);
  return at != pairs_.end() && at->first == name ? std::string_view(at->second) : std::string_view();
}

Labels LabelsBuilder::Build() const {
  Labels out;
  for (const auto& [name, value] : pairs_) out.AppendPair(name, value);
  return out;
}

bool IsLegacyLabelName(std::string_view name) {
  return name.find(':') == std::string_view::npos && IsLegacyMetricName(name);
}

bool IsLegacyMetricName(std::string_view name) {
  if (name.empty()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    if (!letter && (i == 0 || c < '0' || c > '9')) return false;
  }
  return true;
}

}  // namespace epi
