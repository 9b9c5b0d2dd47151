// The database as the web handlers see it.
#pragma once

#include "tsdb/db.h"
#include "web/database.h"

namespace epi::app {

// Thread-safe. The database outlives it.
class DatabaseAdapter final : public web::Database {
 public:
  explicit DatabaseAdapter(tsdb::Db& db) : db_(db) {}
  Result<web::DatabaseStatus> Status(size_t limit) const override;
  Result<web::DatabaseCost> Cost(size_t limit) const override;
  Result<std::vector<std::string>> BlockMetas() const override;
  web::ReplayProgress Replay() const override;
  Result<void> DeleteSeries(std::span<const std::vector<Matcher>> matcher_sets, TimeRange range) override;
  Result<void> CleanTombstones() override;
  Result<std::string> Snapshot(bool with_head) override;

 private:
  tsdb::Db& db_;
};

}  // namespace epi::app
