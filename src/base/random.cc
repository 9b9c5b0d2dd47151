#include "base/random.h"

#include <sys/random.h>

#include "base/result.h"

namespace epi {
namespace {

class RealRandom final : public Random {
 public:
  uint64_t Next() override {
    uint64_t value = 0;
    EPI_CHECK(::getrandom(&value, sizeof value, 0) == sizeof value);
    return value;
  }
};

}  // namespace

Random& SystemRandom() {
  static RealRandom random;
  return random;
}

}  // namespace epi
