// ULIDs, the names of blocks: 48 bits of milliseconds, 80 random bits, 26 characters of Crockford's base 32.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"

namespace epi::tsdb {

class Ulid {
 public:
  Ulid() = default;  // all zero: "no block"
  static Ulid Make(TimestampMs now, Random& random);
  // Strict: 26 upper-case characters of the alphabet, the first at most '7'.
  static std::optional<Ulid> Parse(std::string_view text);
  std::string ToString() const;
  TimestampMs time() const;
  bool zero() const { return *this == Ulid(); }
  friend auto operator<=>(const Ulid&, const Ulid&) = default;

 private:
  std::array<uint8_t, 16> bytes_{};
};

}  // namespace epi::tsdb
