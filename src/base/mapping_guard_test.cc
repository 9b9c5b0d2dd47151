#include "base/mapping_guard.h"

#include <gtest/gtest.h>
#include <signal.h>

#include "base/file_system.h"
#include "testing/temp_dir.h"

namespace epi {
namespace {

TEST(MappingGuard, ATruncatedFileReadsAsZerosAndIsNoticed) {
  const testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  const std::string path = dir.path() + "/file";
  const std::string other_path = dir.path() + "/other";
  for (const auto& name : {path, other_path})
    ASSERT_TRUE(fs.WriteFileAtomically(name, std::string(5 * 4096, 'x')).has_value());
  const auto map = fs.Map(path);
  const auto other = fs.Map(other_path);
  ASSERT_TRUE(map.has_value() && other.has_value());
  EXPECT_EQ((*map)->data()[4 * 4096], 'x');
  EXPECT_FALSE(MappingIsBroken((*map)->data().data()));
  const auto file = fs.Open(path, OpenMode::kAppend);
  ASSERT_TRUE((*file)->Truncate(4096).has_value());
  EXPECT_EQ((*map)->data()[100], 'x');
  EXPECT_EQ((*map)->data()[3 * 4096 + 7], '\0');
  EXPECT_EQ((*map)->data()[2 * 4096], '\0');
  EXPECT_TRUE(MappingIsBroken((*map)->data().data()));
  EXPECT_FALSE(MappingIsBroken((*other)->data().data()));
  // A new mapping starts afresh, wherever it lies.
  ASSERT_TRUE(fs.WriteFileAtomically(path, std::string(4096, 'y')).has_value());
  const auto again = fs.Map(path);
  EXPECT_EQ((*again)->data()[0], 'y');
  EXPECT_FALSE(MappingIsBroken((*again)->data().data()));
}

TEST(MappingGuardDeathTest, AFaultOutsideOfMappingsStillEndsTheProcess) {
  EXPECT_DEATH(
      {
        static_cast<void>(PosixFileSystem().Map("/proc/self/exe").has_value());
        ::raise(SIGBUS);
      },
      "");
}

}  // namespace
}  // namespace epi
