// Chance comes in from outside, so that a seed repeats a run.
#pragma once

#include <cstdint>

namespace epi {

// Thread-safe unless an implementation says otherwise.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;  // uniform over all 64-bit values
  // Uniform in [0, bound); bound > 0. The bias for bounds far below 2^64 does not matter to any caller.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // uniform in [0, 1)
};

// splitmix64: a small generator whose seeds keep their meaning. Not thread-safe; for tests and workload generators.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// The system's entropy (getrandom). Thread-safe; lives for the whole process.
Random& SystemRandom();

}  // namespace epi
