// The storages a script can be run over.
#include <limits>

#include "base/file_system.h"
#include "promqltest/block_storage.h"
#include "promqltest/runner.h"
#include "testing/memory_storage.h"
#include "testing/simulated_clock.h"
#include "testing/temp_dir.h"
#include "tsdb/db.h"

namespace epi::promqltest {
namespace {

Result<std::unique_ptr<Storage>> MakeMemory() {
  std::unique_ptr<Storage> storage = std::make_unique<testing::MemoryStorage>();
  return storage;
}

// The database over a directory of its own, both gone with it.
class HeadStorage final : public Storage {
 public:
  static Result<std::unique_ptr<Storage>> Make() {
    auto out = std::make_unique<HeadStorage>();
    tsdb::DbOptions options;
    options.directory = out->directory_.path();
    // As upstream: scripts load series that are hours older than others.
    options.head.group.block_range_ms = int64_t{24} * 3600 * 1000;
    EPI_ASSIGN(out->db_, tsdb::Db::Open(options, {PosixFileSystem(), out->clock_, out->random_, Logger()}));
    EPI_TRY(out->db_->Load());
    return out;
  }
  Result<std::shared_ptr<const View>> OpenView(TimeRange range) const override { return db_->OpenView(range); }
  Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) override {
    return db_->OpenGroup(identity);
  }
  TimestampMs OldestTime() const override { return db_->OldestTime(); }

 private:
  testing::TempDir directory_;
  testing::SimulatedClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<tsdb::Db> db_;
};

Result<std::unique_ptr<Storage>> MakeBlock() {
  std::unique_ptr<Storage> storage = std::make_unique<BlockStorage>();
  return storage;
}

struct Kind {
  std::string_view name;
  Result<std::unique_ptr<Storage>> (*make)();
};
constexpr Kind kKinds[] = {{"memory", MakeMemory}, {"head", HeadStorage::Make}, {"block", MakeBlock}};

}  // namespace

StorageFactory FindStorage(std::string_view kind) {
  for (const Kind& k : kKinds) {
    if (k.name == kind) return k.make;
  }
  return nullptr;
}

}  // namespace epi::promqltest
