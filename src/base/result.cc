#include "base/result.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace epi {
namespace {

constexpr std::array<std::string_view, 13> kNames = {
    "invalid",     "not found", "exists",      "execution", "limit", "timeout", "canceled",
    "unavailable", "denied",    "unsupported", "data loss", "i/o",   "internal"};
static_assert(kNames.size() == static_cast<size_t>(ErrorCode::kInternal) + 1);

}  // namespace

std::string_view ErrorCodeName(ErrorCode code) { return kNames[static_cast<size_t>(code)]; }

Error Error::WithContext(std::string_view context) const {
  std::string text(context);
  text += ": ";
  text += message_;
  return Error(code_, std::move(text));
}

namespace internal {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace internal
}  // namespace epi
