// query_fuzz [--seed N] [--queries N] [--threads N] [--storage memory|head|block] [--verbose 1]
//
// Random queries over random data, through the engine and through the naive evaluator. Prints the seed, every
// difference with the arguments that repeat it, and a summary; fails when there is a difference. Without --seed it is
// another one each time.
#include <cstdlib>
#include <iostream>
#include <string>

#include "base/random.h"
#include "naive/comparison.h"
#include "promqltest/runner.h"

int main(int argc, char** argv) {
  epi::naive::FuzzOptions options;
  // Few digits: it is going to be typed.
  options.seed = epi::SystemRandom().Next() % 1'000'000'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seed") {
      options.seed = value;
    } else if (name == "--queries") {
      options.queries = static_cast<int>(value);
    } else if (name == "--threads") {
      options.threads = value;
    } else if (name == "--storage") {
      options.storage = argv[i + 1];
    } else if (name == "--verbose") {
      options.verbose = value != 0;
    } else {
      std::cerr
          << "usage: query_fuzz [--seed N] [--queries N] [--threads N] [--storage memory|head|block] [--verbose 1]\n";
      return 2;
    }
  }
  if (epi::promqltest::FindStorage(options.storage) == nullptr) {
    std::cerr << "no storage is called " << options.storage << "\n";
    return 2;
  }
  std::cout << "seed " << options.seed << ", " << options.queries << " queries" << std::endl;
  const epi::naive::FuzzReport report = epi::naive::Fuzz(options);
  std::cout << report.compared << " compared (" << report.empty << " of them empty), " << report.failed_alike
            << " refused by both, " << report.skipped << " skipped, " << report.differences << " differ\n";
  return report.differences == 0 ? 0 : 1;
}
