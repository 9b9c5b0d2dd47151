// How much one listing of an API may take that needs many answers: pages, or one question for each thing listed.
//
// An API says itself how many answers it has. One that always names a next page, because it is broken or not what it
// was taken for, would otherwise be followed for ever and fill the memory; a single answer is bounded by
// kMaxAnswerBytes already.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace epi::discovery {

// Five million objects in Kubernetes' pages of 500, ten million in the thousands of EC2: far above what either runs.
inline constexpr size_t kMaxListingPages = 10'000;
// All answers together, inflated. The pods of the largest cluster that Kubernetes is made for (150 000) are below it.
inline constexpr uint64_t kMaxListingBytes = uint64_t{2} << 30;

// One listing. Not thread-safe.
class ListingBounds {
 public:
  // `discovery` stands in the errors: "ec2".
  explicit ListingBounds(std::string_view discovery) : discovery_(discovery) {}

  // Counts an answer. kLimit when all answers together are too large.
  Result<void> AddAnswer(uint64_t bytes);
  // Before the page that `token` names is asked for. kLimit when it is one too many; kInvalid when it was named
  // before, which would go on for ever.
  Result<void> Follow(const std::string& token);

 private:
  std::string_view discovery_;
  uint64_t bytes_ = 0;
  std::set<std::string> tokens_;
};

}  // namespace epi::discovery
