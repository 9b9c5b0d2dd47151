#include "epitool/tsdb_directory.h"

#include <algorithm>
#include <cstdio>

#include "base/clock.h"
#include "base/random.h"
#include "tsdb/block/block_files.h"
#include "tsdb/import/prometheus_head.h"

namespace epi::tool {
namespace {

constexpr size_t kCopyBytes = 1 << 20;
constexpr std::string_view kHeadDirectories[] = {"epimetheus", "wal", "wbl", "chunks_head"};

Result<void> CopyFile(FileSystem& files, const std::string& from, const std::string& to) {
  EPI_ASSIGN(const auto source, files.Open(from, OpenMode::kRead));
  EPI_ASSIGN(const auto target, files.Open(to, OpenMode::kTruncate));
  std::string buffer(kCopyBytes, '\0');
  for (uint64_t at = 0;;) {
    EPI_ASSIGN(const size_t got, source->ReadAt(at, buffer.data(), buffer.size()));
    if (got == 0) return {};
    EPI_TRY(target->Append(std::string_view(buffer).substr(0, got)));
    at += got;
  }
}

// Files that go while they are copied are left out: a running server removes what it does not need any more.
Result<void> TransferTree(FileSystem& files, const std::string& from, const std::string& to, bool link) {
  EPI_TRY(files.CreateDirectories(to));
  EPI_ASSIGN(const auto names, files.List(from));
  for (const auto& name : names) {
    const std::string source = JoinPath(from, name);
    const auto info = files.Stat(source);
    if (!info) continue;
    const std::string target = JoinPath(to, name);
    const auto done = info->is_directory ? TransferTree(files, source, target, link)
                      : link             ? files.HardLink(source, target)
                                         : CopyFile(files, source, target);
    if (!done && done.error().code() != ErrorCode::kNotFound) return done;
  }
  return {};
}

}  // namespace

std::string DataDirectoryArgument(const Arguments& arguments, size_t place) {
  return arguments.positional().size() > place ? arguments.positional()[place] : std::string(kDefaultDataDirectory);
}

Result<void> CheckDataDirectory(FileSystem& files, const std::string& directory) {
  if (files.Exists(directory)) return {};
  return Fail(ErrorCode::kNotFound, "opening the db dir: stat " + directory + ": no such file or directory");
}

Result<std::vector<std::shared_ptr<const tsdb::Block>>> OpenStoredBlocks(FileSystem& files,
                                                                         const std::string& directory) {
  EPI_TRY(CheckDataDirectory(files, directory));
  EPI_ASSIGN(const auto directories, tsdb::ListBlockDirectories(files, directory));
  std::vector<std::shared_ptr<const tsdb::Block>> out;
  for (const auto& path : directories) {
    EPI_ASSIGN(auto block, tsdb::Block::Open(files, path));
    out.push_back(std::move(block));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const auto& a, const auto& b) { return a->meta().min_time < b->meta().min_time; });
  return out;
}

Result<std::unique_ptr<SandboxDb>> SandboxDb::Open(FileSystem& files, const std::string& directory,
                                                   const std::string& root) {
  EPI_TRY(CheckDataDirectory(files, directory));
  EPI_ASSIGN(const auto blocks, tsdb::ListBlockDirectories(files, directory));
  const bool has_head = std::any_of(std::begin(kHeadDirectories), std::end(kHeadDirectories),
                                    [&](const auto head) { return files.Exists(JoinPath(directory, head)); });
  if (blocks.empty() && !has_head)
    return Fail(ErrorCode::kNotFound, directory + " is no data directory: it has neither blocks nor a head");
  char name[40];
  std::snprintf(name, sizeof name, "tsdb_sandbox_%016llx", static_cast<unsigned long long>(SystemRandom().Next()));
  std::unique_ptr<SandboxDb> out(new SandboxDb(files, JoinPath(root, name)));
  EPI_TRY(files.CreateDirectories(out->path_));
  for (const auto& block : blocks) EPI_TRY(TransferTree(files, block, JoinPath(out->path_, BaseName(block)), true));
  for (const auto head : kHeadDirectories) {
    const std::string from = JoinPath(directory, head);
    if (files.Exists(from)) EPI_TRY(TransferTree(files, from, JoinPath(out->path_, head), false));
  }
  tsdb::DbOptions options;
  options.directory = out->path_;
  options.no_lock_file = true;
  // Where both have a head, ours is the one that the server would read.
  options.take_over = !tsdb::HasNativeHead(files, JoinPath(out->path_, "epimetheus"));
  EPI_ASSIGN(out->db_, tsdb::Db::Open(options, {files, SystemClock(), SystemRandom(), Logger()}));
  EPI_TRY(out->db_->Load());
  return out;
}

SandboxDb::~SandboxDb() {
  db_.reset();
  static_cast<void>(files_.RemoveAll(path_).has_value());
}

}  // namespace epi::tool
