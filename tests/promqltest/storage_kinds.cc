// The storages a script can be run over.
#include "promqltest/runner.h"
#include "testing/memory_storage.h"

namespace epi::promqltest {
namespace {

Result<std::unique_ptr<Storage>> MakeMemory() {
  std::unique_ptr<Storage> storage = std::make_unique<testing::MemoryStorage>();
  return storage;
}

struct Kind {
  std::string_view name;
  Result<std::unique_ptr<Storage>> (*make)();
};
constexpr Kind kKinds[] = {{"memory", MakeMemory}};

}  // namespace

StorageFactory FindStorage(std::string_view kind) {
  for (const Kind& k : kKinds) {
    if (k.name == kind) return k.make;
  }
  return nullptr;
}

}  // namespace epi::promqltest
