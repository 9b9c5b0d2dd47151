#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/file_system.h"
#include "base/mapping_guard.h"

namespace epi {
namespace {

tl::unexpected<Error> SystemError(const char* what, const std::string& path, int number) {
  const ErrorCode code = number == ENOENT                      ? ErrorCode::kNotFound
                         : number == EEXIST                    ? ErrorCode::kExists
                         : number == EACCES || number == EPERM ? ErrorCode::kDenied
                                                               : ErrorCode::kIo;
  // In small letters, as Go's programs say it and people search for it.
  std::string reason = std::strerror(number);
  reason.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(reason.front())));
  return Fail(code, std::string(what) + " " + path + ": " + reason);
}

class PosixFile final : public File {
 public:
  PosixFile(int fd, std::string path, uint64_t size) : path_(std::move(path)), size_(size), fd_(fd) {}
  ~PosixFile() override { ::close(fd_); }

  Result<void> Append(std::string_view data) override {
    EPI_TRY(WriteAt(size_, data));
    return {};
  }
  Result<void> WriteAt(uint64_t offset, std::string_view data) override {
    while (!data.empty()) {
      const ssize_t wrote = ::pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
      if (wrote < 0) {
        if (errno == EINTR) continue;
        return SystemError("write", path_, errno);
      }
      data.remove_prefix(static_cast<size_t>(wrote));
      offset += static_cast<uint64_t>(wrote);
      size_ = std::max(size_, offset);
    }
    return {};
  }
  Result<size_t> ReadAt(uint64_t offset, void* out, size_t size) const override {
    size_t got = 0;
    while (got < size) {
      const ssize_t read = ::pread(fd_, static_cast<char*>(out) + got, size - got, static_cast<off_t>(offset + got));
      if (read < 0) {
        if (errno == EINTR) continue;
        return SystemError("read", path_, errno);
      }
      if (read == 0) break;
      got += static_cast<size_t>(read);
    }
    return got;
  }
  Result<void> Truncate(uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return SystemError("truncate", path_, errno);
    size_ = size;
    return {};
  }
  Result<void> Sync() override {
    if (::fdatasync(fd_) != 0) return SystemError("sync", path_, errno);
    return {};
  }
  uint64_t size() const override { return size_; }
  void DropCache(uint64_t offset, uint64_t size) override {
    ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
  }

 private:
  std::string path_;
  uint64_t size_;
  int fd_;
};

class PosixMapping final : public MappedFile {
 public:
  PosixMapping(void* at, size_t size) : at_(at), size_(size) {
    if (size_ > 0) guarded_ = GuardMapping(at_, size_);
  }
  ~PosixMapping() override {
    if (guarded_) EndGuard(at_);
    if (size_ > 0) ::munmap(at_, size_);
  }
  std::string_view data() const override { return {static_cast<const char*>(at_), size_}; }
  void DropResident() const override {
    if (size_ > 0) ::madvise(at_, size_, MADV_DONTNEED);
  }

 private:
  void* at_;
  size_t size_;
  bool guarded_ = false;
};

class PosixLock final : public FileLock {
 public:
  explicit PosixLock(int fd) : fd_(fd) {}
  ~PosixLock() override { ::close(fd_); }

 private:
  int fd_;
};

// A descriptor that closes itself, for the calls that need one only in passing.
class ScopedFd {
 public:
  ScopedFd(const std::string& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~ScopedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    const int flags = mode == OpenMode::kRead     ? O_RDONLY
                      : mode == OpenMode::kAppend ? O_RDWR | O_CREAT
                                                  : O_RDWR | O_CREAT | O_TRUNC;
    ScopedFd fd(path, flags);
    if (fd.get() < 0) return SystemError("open", path, errno);
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return SystemError("stat", path, errno);
    return std::make_unique<PosixFile>(fd.release(), path, static_cast<uint64_t>(info.st_size));
  }

  Result<std::unique_ptr<MappedFile>> Map(const std::string& path) override {
    ScopedFd fd(path, O_RDONLY);
    if (fd.get() < 0) return SystemError("open", path, errno);
    struct stat info;
    if (::fstat(fd.get(), &info) != 0) return SystemError("stat", path, errno);
    const auto size = static_cast<size_t>(info.st_size);
    if (size == 0) return std::make_unique<PosixMapping>(nullptr, 0);
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (at == MAP_FAILED) return SystemError("map", path, errno);
    return std::make_unique<PosixMapping>(at, size);
  }

  Result<FileInfo> Stat(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) != 0) return SystemError("stat", path, errno);
    return FileInfo{.size = static_cast<uint64_t>(info.st_size),
                    .is_directory = S_ISDIR(info.st_mode),
                    .modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
  }

  Result<std::vector<std::string>> List(const std::string& directory) override {
    DIR* dir = ::opendir(directory.c_str());
    if (dir == nullptr) return SystemError("list", directory, errno);
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(dir)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    ::closedir(dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<void> CreateDirectories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error && !std::filesystem::is_directory(path)) return SystemError("create directory", path, error.value());
    return {};
  }
  Result<void> Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return SystemError("rename", from + " to " + to, errno);
    return {};
  }
  Result<void> HardLink(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) != 0) return SystemError("link", from + " to " + to, errno);
    return {};
  }
  Result<void> RemoveFile(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return SystemError("remove", path, errno);
    return {};
  }
  Result<void> RemoveAll(const std::string& path) override {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return SystemError("remove", path, error.value());
    return {};
  }
  Result<void> SyncDirectory(const std::string& directory) override {
    ScopedFd fd(directory, O_RDONLY | O_DIRECTORY);
    if (fd.get() < 0) return SystemError("open", directory, errno);
    if (::fsync(fd.get()) != 0) return SystemError("sync", directory, errno);
    return {};
  }
  Result<std::unique_ptr<FileLock>> LockFile(const std::string& path) override {
    ScopedFd fd(path, O_RDWR | O_CREAT);
    if (fd.get() < 0) return SystemError("open", path, errno);
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return Fail(ErrorCode::kExists, path + " is locked by another process");
      return SystemError("lock", path, errno);
    }
    return std::make_unique<PosixLock>(fd.release());
  }
  Result<Space> DiskSpace(const std::string& path) override {
    struct statvfs info;
    if (::statvfs(path.c_str(), &info) != 0) return SystemError("statfs", path, errno);
    return Space{.total_bytes = uint64_t{info.f_blocks} * info.f_frsize,
                 .free_bytes = uint64_t{info.f_bavail} * info.f_frsize};
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static RealFileSystem file_system;
  return file_system;
}

}  // namespace epi
