#include "base/file_system.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "testing/temp_dir.h"

namespace epi {
namespace {

class PosixFileSystemTest : public ::testing::Test {
 protected:
  std::string Path(std::string_view name) const { return JoinPath(dir_.path(), name); }
  testing::TempDir dir_;
  FileSystem& fs_ = PosixFileSystem();
};

TEST_F(PosixFileSystemTest, AppendsReadsTruncates) {
  auto file = fs_.Open(Path("f"), OpenMode::kAppend);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->Append("hello "));
  ASSERT_TRUE((*file)->Append("world"));
  EXPECT_EQ((*file)->size(), 11u);
  char buffer[16];
  EXPECT_EQ((*file)->ReadAt(6, buffer, sizeof buffer).value(), 5u);
  EXPECT_EQ(std::string_view(buffer, 5), "world");
  ASSERT_TRUE((*file)->Truncate(5));
  EXPECT_EQ(fs_.ReadFile(Path("f")).value(), "hello");
  ASSERT_TRUE(fs_.Open(Path("f"), OpenMode::kTruncate));
  EXPECT_EQ(fs_.ReadFile(Path("f")).value(), "");
}

TEST_F(PosixFileSystemTest, ErrorsNameThePath) {
  const auto missing = fs_.Open(Path("none"), OpenMode::kRead);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(missing.error().message(), "open " + Path("none") + ": no such file or directory");
}

TEST_F(PosixFileSystemTest, AtomicWriteLeavesNoTemporaryFile) {
  ASSERT_TRUE(fs_.WriteFileAtomically(Path("a"), "one"));
  ASSERT_TRUE(fs_.WriteFileAtomically(Path("a"), "two"));
  EXPECT_EQ(fs_.ReadFile(Path("a")).value(), "two");
  EXPECT_EQ(fs_.List(dir_.path()).value(), std::vector<std::string>{"a"});
}

TEST_F(PosixFileSystemTest, ReadFileStopsAtItsLimit) {
  ASSERT_TRUE(fs_.WriteFileAtomically(Path("a"), std::string(10000, 'x')));
  EXPECT_EQ(fs_.ReadFile(Path("a"), 10000).value().size(), 10000u);
  const auto refused = fs_.ReadFile(Path("a"), 9999);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kLimit);
}

TEST_F(PosixFileSystemTest, ALockIsHeldOnce) {
  auto first = fs_.LockFile(Path("lock"));
  ASSERT_TRUE(first);
  const auto second = fs_.LockFile(Path("lock"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kExists);
  first->reset();
  EXPECT_TRUE(fs_.LockFile(Path("lock")));
}

TEST_F(PosixFileSystemTest, MapsAnEmptyFileToo) {
  ASSERT_TRUE(fs_.WriteFileAtomically(Path("empty"), ""));
  ASSERT_TRUE(fs_.WriteFileAtomically(Path("full"), "data"));
  EXPECT_EQ(fs_.Map(Path("empty")).value()->data(), "");
  EXPECT_EQ(fs_.Map(Path("full")).value()->data(), "data");
}

// Bytes of mapped files that count as memory of this process.
uint64_t MappedResidentBytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    uint64_t kibibytes = 0;
    if (word == "RssFile:" && status >> kibibytes) return kibibytes << 10;
  }
  return 0;
}

TEST_F(PosixFileSystemTest, DroppedPagesLeaveTheProcessAndComeBack) {
  const std::string content(size_t{16} << 20, 'x');
  ASSERT_TRUE(fs_.WriteFileAtomically(Path("large"), content));
  const auto map = fs_.Map(Path("large")).value();
  ASSERT_EQ(map->data(), content);
  const uint64_t before = MappedResidentBytes();
  map->DropResident();
  EXPECT_LT(MappedResidentBytes() + (content.size() >> 1), before);
  EXPECT_EQ(map->data(), content);
}

TEST(Paths, JoinAndSplit) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(DirectoryName("a/b"), "a");
  EXPECT_EQ(DirectoryName("b"), ".");
  EXPECT_EQ(DirectoryName("/b"), "/");
  EXPECT_EQ(BaseName("a/b"), "b");
}

}  // namespace
}  // namespace epi
