// Storage as the rest of the server sees it: open a view, open a group for writing. tsdb implements it; fakes do in
// tests.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "storage/appender.h"
#include "storage/backfill.h"
#include "storage/view.h"

namespace epi {

// Who writes together: one scrape target, one rule group, one remote-write lane. Series of a group share timestamps and
// neighbouring ids. The key persists over reloads and restarts: a scrape target's labels, "rule group file;name", ….
struct GroupIdentity {
  enum class Kind : unsigned char { kScrape, kRules, kRemoteWrite, kImport };
  Kind kind = Kind::kScrape;
  std::string key;
  friend bool operator==(const GroupIdentity&, const GroupIdentity&) = default;
};

class ChangeLog;  // storage/change_log.h

// Thread-safe.
class Storage {
 public:
  virtual ~Storage() = default;
  // What is stored in `range` (a hint of what will be selected: blocks outside are not opened), as of now.
  virtual Result<std::shared_ptr<const View>> OpenView(TimeRange range) const = 0;
  // At most one open appender per group should write at a time; two are safe but their batches interleave.
  virtual Result<std::unique_ptr<BatchAppender>> OpenGroup(const GroupIdentity& identity) = 0;
  // For samples of any age; see BackfillAppender. kUnsupported unless the storage can.
  virtual Result<std::unique_ptr<BackfillAppender>> OpenBackfill(const BackfillOptions& options);
  // The oldest stored sample's time, or max when empty.
  virtual TimestampMs OldestTime() const = 0;
  // Where every change of what is stored is noted; null when nobody can tell (what is read comes from elsewhere), and
  // then no answer may be kept.
  virtual ChangeLog* changes() const { return nullptr; }
};

}  // namespace epi
