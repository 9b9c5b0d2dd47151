#include "app/memory_limit.h"

#include <gtest/gtest.h>

#include "base/budget.h"
#include "testing/memory_file_system.h"

namespace epi::app {
namespace {

void Put(FileSystem& files, const std::string& path, std::string_view text) {
  ASSERT_TRUE(files.CreateDirectories(std::string(DirectoryName(path))));
  ASSERT_TRUE(files.WriteFileAtomically(path, text));
}

TEST(MemoryLimit, IsTheMachinesMemory) {
  testing::MemoryFileSystem files;
  EXPECT_EQ(MemoryOfProcess(files), std::nullopt);
  Put(files, "/proc/meminfo", "MemTotal:        2048 kB\nMemFree:          100 kB\n");
  EXPECT_EQ(MemoryOfProcess(files), 2048 * 1024);
}

TEST(MemoryLimit, GroupsAndThoseAroundThemCount) {
  testing::MemoryFileSystem files;
  Put(files, "/proc/meminfo", "MemTotal:       16777216 kB\n");
  Put(files, "/proc/self/cgroup", "0::/a/b\n");
  Put(files, "/sys/fs/cgroup/a/b/memory.max", "max\n");
  EXPECT_EQ(MemoryOfProcess(files), int64_t{16} << 30);
  Put(files, "/sys/fs/cgroup/a/memory.max", "1000000\n");
  EXPECT_EQ(MemoryOfProcess(files), 1'000'000);
  Put(files, "/sys/fs/cgroup/a/b/memory.max", "999\n");
  EXPECT_EQ(MemoryOfProcess(files), 999);
}

TEST(MemoryLimit, VersionOneAndPathsOfTheHost) {
  testing::MemoryFileSystem files;
  Put(files, "/proc/meminfo", "MemTotal:       16777216 kB\n");
  Put(files, "/proc/self/cgroup", "5:cpu,memory:/docker/abc\n4:pids:/x\n0::/\n");
  Put(files, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "5000000\n");  // the container's own
  EXPECT_EQ(MemoryOfProcess(files), 5'000'000);
  Put(files, "/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(MemoryOfProcess(files), int64_t{16} << 30);
}

TEST(MemoryLimit, SharesOfQueries) {
  const auto limits = [](int64_t all, int64_t per_query, std::optional<int64_t> memory) {
    const QueryMemory out = QueryMemoryLimits(all, per_query, memory);
    return std::pair(out.all, out.per_query);
  };
  EXPECT_EQ(limits(0, 0, 1000), std::pair(int64_t{500}, int64_t{250}));
  EXPECT_EQ(limits(800, 0, 1000), std::pair(int64_t{800}, int64_t{400}));
  EXPECT_EQ(limits(0, 7, 1000), std::pair(int64_t{500}, int64_t{7}));
  EXPECT_EQ(limits(0, 0, std::nullopt), std::pair(Budget::kUnlimited, Budget::kUnlimited));
}

}  // namespace
}  // namespace epi::app
