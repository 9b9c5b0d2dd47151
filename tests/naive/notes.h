// Warnings and infos as the naive evaluator collects them: texts without the place in the query, each once.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace epi::naive {

class Notes {
 public:
  void Warn(const std::string& text) { warnings_.insert("PromQL warning: " + text); }
  void Inform(const std::string& text) { infos_.insert("PromQL info: " + text); }
  void Merge(const Notes& other) {
    warnings_.insert(other.warnings_.begin(), other.warnings_.end());
    infos_.insert(other.infos_.begin(), other.infos_.end());
  }
  const std::set<std::string>& warnings() const { return warnings_; }
  const std::set<std::string>& infos() const { return infos_; }

  // About samples of one metric, or about an operation.
  void MixedKinds(const std::string& of);
  void MixedBuckets(std::string_view metric);
  void HistogramsIgnored(std::string_view metric);
  void BadQuantile(double q);
  // "addition", "subtraction", "aggregation"
  void Reconciled(const std::string& operation);
  void ConflictingResets(const std::string& operation);

 private:
  std::set<std::string> warnings_;
  std::set<std::string> infos_;
};

std::string QuotedName(std::string_view name);
// A note as the engine renders it, without its place and without what it counts.
std::string WithoutPlace(const std::string& note);

}  // namespace epi::naive
