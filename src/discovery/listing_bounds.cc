#include "discovery/listing_bounds.h"

namespace epi::discovery {

Result<void> ListingBounds::AddAnswer(uint64_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= kMaxListingBytes) return {};
  return Fail(ErrorCode::kLimit, std::string(discovery_) + ": the answers to one listing have more than " +
                                     std::to_string(kMaxListingBytes >> 20) + " MiB");
}

Result<void> ListingBounds::Follow(const std::string& token) {
  const std::string name(discovery_);
  if (!tokens_.insert(token).second)
    return Fail(ErrorCode::kInvalid, name + ": the pages of a listing go in a circle: one is named twice as the next");
  if (tokens_.size() < kMaxListingPages) return {};
  return Fail(ErrorCode::kLimit, name + ": a listing has more than " + std::to_string(kMaxListingPages) + " pages");
}

}  // namespace epi::discovery
