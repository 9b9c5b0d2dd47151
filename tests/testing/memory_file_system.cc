#include "testing/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace epi::testing {
namespace {
tl::unexpected<Error> Missing(const std::string& path) {
  return Fail(ErrorCode::kNotFound, "open " + path + ": no such file or directory");
}
tl::unexpected<Error> PowerIsOff() { return Fail(ErrorCode::kIo, "the power is off"); }
}  // namespace

class MemoryFileSystem::OpenFile final : public File {
 public:
  OpenFile(MemoryFileSystem& fs, std::shared_ptr<Node> node, bool writable)
      : fs_(fs), node_(std::move(node)), epoch_(fs.epoch_), writable_(writable) {}

  Result<void> Append(std::string_view data) override { return WriteFrom(std::nullopt, data); }
  Result<void> WriteAt(uint64_t offset, std::string_view data) override { return WriteFrom(offset, data); }

  Result<size_t> ReadAt(uint64_t offset, void* out, size_t size) const override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    EPI_TRY(fs_.Alive(epoch_));
    if (offset >= node_->data.size()) return 0;
    const size_t got = std::min<uint64_t>(size, node_->data.size() - offset);
    std::memcpy(out, node_->data.data() + offset, got);
    return got;
  }
  Result<void> Truncate(uint64_t size) override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    EPI_TRY(fs_.Alive(epoch_));
    EPI_TRY(fs_.Change());
    node_->data.resize(size);
    return {};
  }
  Result<void> Sync() override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    EPI_TRY(fs_.Alive(epoch_));
    EPI_TRY(fs_.Change());
    if (fs_.fail_syncs_) return Fail(ErrorCode::kIo, "sync: Input/output error");
    node_->durable = node_->data;
    return {};
  }
  uint64_t size() const override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    return node_->data.size();
  }
  void DropCache(uint64_t, uint64_t) override {}

 private:
  Result<void> WriteFrom(std::optional<uint64_t> at, std::string_view data) {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    EPI_TRY(fs_.Alive(epoch_));
    EPI_CHECK(writable_);
    bool last = false;
    if (auto on = fs_.Change(&last); !on) {
      if (last) Put(at.value_or(node_->data.size()), data.substr(0, data.size() / 2));
      return on;
    }
    const uint64_t offset = at.value_or(node_->data.size());
    const uint64_t used = fs_.UsedLocked();
    if (used + data.size() > fs_.space_) {
      Put(offset, data.substr(0, fs_.space_ > used ? fs_.space_ - used : 0));
      return Fail(ErrorCode::kIo, "write: No space left on device");
    }
    Put(offset, data);
    return {};
  }
  void Put(uint64_t offset, std::string_view data) {
    if (node_->data.size() < offset + data.size()) node_->data.resize(offset + data.size());
    std::copy(data.begin(), data.end(), node_->data.begin() + static_cast<std::ptrdiff_t>(offset));
  }

  MemoryFileSystem& fs_;
  std::shared_ptr<Node> node_;
  const uint64_t epoch_;
  const bool writable_;
};

class MemoryFileSystem::View final : public MappedFile {
 public:
  explicit View(std::string data) : data_(std::move(data)) {}
  std::string_view data() const override { return data_; }

 private:
  std::string data_;
};

class MemoryFileSystem::Lock final : public FileLock {
 public:
  Lock(MemoryFileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)), epoch_(fs.epoch_) {}
  ~Lock() override {
    const std::lock_guard<std::mutex> lock(fs_.mutex_);
    if (epoch_ == fs_.epoch_) fs_.locks_.erase(path_);
  }

 private:
  MemoryFileSystem& fs_;
  std::string path_;
  const uint64_t epoch_;
};

MemoryFileSystem::MemoryFileSystem() = default;
MemoryFileSystem::~MemoryFileSystem() = default;

uint64_t MemoryFileSystem::operations() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return operations_;
}

void MemoryFileSystem::CutAfter(uint64_t count) {
  const std::lock_guard<std::mutex> lock(mutex_);
  cut_at_ = operations_ + count;
}

bool MemoryFileSystem::cut() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return operations_ > cut_at_;
}

void MemoryFileSystem::SetSpace(uint64_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  space_ = bytes;
}

void MemoryFileSystem::FailSyncs(bool fail) {
  const std::lock_guard<std::mutex> lock(mutex_);
  fail_syncs_ = fail;
}

void MemoryFileSystem::Restart(Loss loss, Random* random) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++epoch_;
  locks_.clear();
  operations_ = 0;
  cut_at_ = UINT64_MAX;
  if (loss == Loss::kProcess) return;
  const auto luck = [&] { return random != nullptr && random->Below(2) == 0; };
  // A directory entry that was not synced may have reached the disk all the same.
  Entries kept = durable_entries_;
  for (const auto& [path, node] : entries_) {
    if (luck()) kept[path] = node;
  }
  entries_ = std::move(kept);
  for (auto& [path, node] : entries_) {
    std::string data = node->durable;
    if (luck() && node->data.size() > data.size() && node->data.compare(0, data.size(), data) == 0) {
      const size_t more = random->Below(node->data.size() - data.size() + 1);
      data = node->data.substr(0, data.size() + more);
      if (random->Below(4) == 0) data.append(random->Below(600), '\0');  // the size was written, the bytes were not
    }
    node->data = node->durable = data;
  }
  durable_entries_ = entries_;
}

void MemoryFileSystem::Format() {
  Restart(Loss::kProcess);
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.clear();
  durable_entries_.clear();
  directories_.clear();
  space_ = UINT64_MAX;
  fail_syncs_ = false;
}

void MemoryFileSystem::Corrupt(const std::string& path, uint64_t offset, uint8_t flip) {
  const std::lock_guard<std::mutex> lock(mutex_);
  char& byte = entries_.at(path)->data.at(offset);
  byte = static_cast<char>(static_cast<uint8_t>(byte) ^ flip);
}

Result<void> MemoryFileSystem::Change(bool* last) {
  if (operations_ > cut_at_) return PowerIsOff();
  ++operations_;
  if (operations_ <= cut_at_) return {};
  if (last != nullptr) *last = true;
  return PowerIsOff();
}

Result<void> MemoryFileSystem::Alive(uint64_t epoch) const {
  if (epoch != epoch_) return Fail(ErrorCode::kIo, "the file was open before the restart");
  return {};
}

uint64_t MemoryFileSystem::UsedLocked() const {
  uint64_t used = 0;
  for (const auto& [path, node] : entries_) used += node->data.size();
  return used;
}

Result<std::unique_ptr<File>> MemoryFileSystem::Open(const std::string& path, OpenMode mode) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(path);
  if (mode == OpenMode::kRead && found == entries_.end()) return Missing(path);
  std::shared_ptr<Node> node = found == entries_.end() ? nullptr : found->second;
  if (node == nullptr) {
    if (!directories_.contains(std::string(DirectoryName(path)))) return Missing(path);
    EPI_TRY(Change());
    node = entries_[path] = std::make_shared<Node>();
  } else if (mode == OpenMode::kTruncate) {
    EPI_TRY(Change());
    node->data.clear();
  }
  return std::unique_ptr<File>(std::make_unique<OpenFile>(*this, std::move(node), mode != OpenMode::kRead));
}

Result<std::unique_ptr<MappedFile>> MemoryFileSystem::Map(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(path);
  if (found == entries_.end()) return Missing(path);
  return std::unique_ptr<MappedFile>(std::make_unique<View>(found->second->data));
}

Result<FileInfo> MemoryFileSystem::Stat(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (directories_.contains(path)) return FileInfo{0, true, 0};
  const auto found = entries_.find(path);
  if (found == entries_.end()) return Missing(path);
  return FileInfo{found->second->data.size(), false, 0};
}

Result<std::vector<std::string>> MemoryFileSystem::List(const std::string& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!directories_.contains(directory)) return Missing(directory);
  std::set<std::string> names;
  for (const auto& [path, node] : entries_) {
    if (DirectoryName(path) == directory) names.emplace(BaseName(path));
  }
  for (const auto& path : directories_) {
    if (path != directory && DirectoryName(path) == directory) names.emplace(BaseName(path));
  }
  return std::vector<std::string>(names.begin(), names.end());
}

Result<void> MemoryFileSystem::CreateDirectories(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (std::string at = path;; at = DirectoryName(at)) {
    if (entries_.contains(at)) return Fail(ErrorCode::kExists, "mkdir " + at + ": Not a directory");
    directories_.insert(at);
    if (at == "." || at == "/") return {};
  }
}

Result<void> MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  EPI_TRY(Change());
  if (directories_.contains(from)) {
    const auto moved = [&](const std::string& path) { return to + path.substr(from.size()); };
    const auto inside = [&](const std::string& path) { return path == from || path.starts_with(from + "/"); };
    for (Entries* all : {&entries_, &durable_entries_}) {  // directories are durable at once
      Entries kept;
      for (auto& [path, node] : *all) kept[inside(path) ? moved(path) : path] = node;
      all->swap(kept);
    }
    std::set<std::string> kept;
    for (const auto& path : directories_) kept.insert(inside(path) ? moved(path) : path);
    directories_.swap(kept);
    return {};
  }
  const auto found = entries_.find(from);
  if (found == entries_.end()) return Missing(from);
  entries_[to] = found->second;
  entries_.erase(from);
  return {};
}

Result<void> MemoryFileSystem::HardLink(const std::string& from, const std::string& to) {
  const std::lock_guard<std::mutex> lock(mutex_);
  EPI_TRY(Change());
  const auto found = entries_.find(from);
  if (found == entries_.end()) return Missing(from);
  if (entries_.contains(to)) return Fail(ErrorCode::kExists, "link " + to + ": File exists");
  entries_[to] = found->second;
  return {};
}

Result<void> MemoryFileSystem::RemoveFile(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  EPI_TRY(Change());
  if (entries_.erase(path) == 0) return Missing(path);
  return {};
}

Result<void> MemoryFileSystem::RemoveAll(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  EPI_TRY(Change());
  const auto inside = [&](const std::string& at) { return at == path || at.starts_with(path + "/"); };
  std::erase_if(entries_, [&](const auto& entry) { return inside(entry.first); });
  std::erase_if(directories_, inside);
  return {};
}

Result<void> MemoryFileSystem::SyncDirectory(const std::string& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  EPI_TRY(Change());
  const auto in = [&](const auto& entry) { return DirectoryName(entry.first) == directory; };
  std::erase_if(durable_entries_, in);
  for (const auto& entry : entries_) {
    if (in(entry)) durable_entries_.insert(entry);
  }
  return {};
}

Result<std::unique_ptr<FileLock>> MemoryFileSystem::LockFile(const std::string& path) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (locks_.contains(path)) return Fail(ErrorCode::kExists, path + " is locked by another process");
  EPI_TRY(Change());
  locks_.insert(path);
  if (!entries_.contains(path)) entries_[path] = std::make_shared<Node>();
  return std::unique_ptr<FileLock>(std::make_unique<Lock>(*this, path));
}

Result<FileSystem::Space> MemoryFileSystem::DiskSpace(const std::string&) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const uint64_t used = UsedLocked();
  return Space{space_, space_ > used ? space_ - used : 0};
}

}  // namespace epi::testing
