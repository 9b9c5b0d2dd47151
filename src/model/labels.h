// Label sets: a sorted list of name=value pairs with unique names and no empty values.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/utf8.h"

namespace epi {

inline constexpr std::string_view kMetricName = "__name__";
inline constexpr std::string_view kBucketLabel = "le";
inline constexpr std::string_view kQuantileLabel = "quantile";

struct LabelView {
  std::string_view name;
  std::string_view value;
  friend bool operator==(const LabelView&, const LabelView&) = default;
  friend auto operator<=>(const LabelView&, const LabelView&) = default;
};

// Immutable once built; copies are one string. Sorted by name, bytewise. An empty value means the label is absent, so
// it never occurs. Views handed out live as long as this object is neither moved nor assigned.
class Labels {
 public:
  Labels() = default;
  Labels(std::initializer_list<LabelView> pairs);
  // From pairs in any order; of equal names the last one counts; empty values are left out.
  static Labels FromPairs(std::vector<LabelView> pairs);

  class const_iterator {
   public:
    using value_type = LabelView;
    using difference_type = std::ptrdiff_t;
    const_iterator() = default;
    explicit const_iterator(const char* at) : at_(at) {}
    LabelView operator*() const;
    const_iterator& operator++();
    const_iterator operator++(int) {
      auto before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const const_iterator&, const const_iterator&) = default;

   private:
    const char* at_ = nullptr;
  };
  const_iterator begin() const { return const_iterator(data_.data()); }
  const_iterator end() const { return const_iterator(data_.data() + data_.size()); }

  bool empty() const { return data_.empty(); }
  size_t size() const;  // number of labels; linear
  // The value, or empty when absent. Linear in the number of labels.
  std::string_view Get(std::string_view name) const;
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  std::string_view MetricName() const { return Get(kMetricName); }
  // Equal sets have equal hashes. Ours, for tables in memory; see PrometheusHash for the one others can see.
  uint64_t Hash() const;
  // XXH64 over all names and values, each behind its length (a byte, or 0xff and three little-endian ones), as
  // Prometheus's released binaries hash label sets; it shows in the times of scrapes and rule groups.
  uint64_t PrometheusHash() const;
  // Prometheus's text form: {a="1", b="2"}, values quoted as Go's strconv.Quote does; names that are no legacy names
  // quoted.
  std::string ToString() const;
  // ToString() with the metric name in front: metric{a="1"}; what promqltest and error texts print.
  std::string ToMetricString() const;
  Labels Without(std::string_view name) const;
  Labels With(std::string_view name, std::string_view value) const;  // set, replaced, or removed when value is empty

  friend bool operator==(const Labels& a, const Labels& b) { return a.data_ == b.data_; }
  // Prometheus's order: pair by pair, name first, then value; a prefix sorts first.
  static int Compare(const Labels& a, const Labels& b);
  friend bool operator<(const Labels& a, const Labels& b) { return Compare(a, b) < 0; }
  size_t bytes() const { return data_.size(); }

 private:
  friend class LabelsBuilder;
  void AppendPair(std::string_view name, std::string_view value);
  // name length u32, value length u32, name, value; repeated.
  std::string data_;
};

// Collects changes on top of a label set. Reusable; not thread-safe.
class LabelsBuilder {
 public:
  LabelsBuilder() = default;
  explicit LabelsBuilder(const Labels& base) { Reset(base); }
  void Reset(const Labels& base = {});
  LabelsBuilder& Set(std::string_view name, std::string_view value);  // an empty value deletes
  LabelsBuilder& Del(std::string_view name);
  LabelsBuilder& Keep(std::span<const std::string_view> names);  // deletes all others
  std::string_view Get(std::string_view name) const;             // valid until the next change
  // Calls visit(LabelView) for every label, sorted by name.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const auto& [name, value] : pairs_) visit(LabelView{name, value});
  }
  Labels Build() const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;  // sorted by name, no empty values
};

// [a-zA-Z_][a-zA-Z0-9_]* and, for metric names, ':' too.
bool IsLegacyLabelName(std::string_view name);
bool IsLegacyMetricName(std::string_view name);

}  // namespace epi

template <>
struct std::hash<epi::Labels> {
  size_t operator()(const epi::Labels& labels) const noexcept { return labels.Hash(); }
};
