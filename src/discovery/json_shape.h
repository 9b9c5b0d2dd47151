// What the answers of an API look like, written down as an example of one.
//
// An answer of another shape (a list where an object belongs, a number for a name) is not what it was taken for: read
// as far as it goes it would silently be an answer without targets.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "discovery/json.h"

namespace epi::discovery {

// Immutable, thread-safe.
class JsonShape {
 public:
  // `example` is JSON: "" stands for a string, 0 for an integer, false for a boolean, [x] for a list of x, {"*":x} for
  // an object with any names, {"a":x} for one whose member "a", when it is there, is x (others are not looked at), null
  // for anything. It has to be valid.
  explicit JsonShape(std::string_view example);

  // kInvalid `json: cannot unmarshal string into Ports.PrivatePort of type integer` for the first place where `value`
  // has another shape. null fits everywhere.
  Result<void> Check(const Json& value) const;

 private:
  Json example_;
};

}  // namespace epi::discovery
