#include "app/web_settings_source.h"

#include <gtest/gtest.h>

#include "testing/temp_dir.h"

namespace epi::app {
namespace {

TEST(WebSettingsSource, FollowsTheFile) {
  testing::TempDir dir;
  const std::string path = dir.path() + "/web.yml";
  FileSystem& files = PosixFileSystem();
  WebSettingsSource source(path, files);
  EXPECT_FALSE(source.Current());
  ASSERT_TRUE(files.WriteFileAtomically(path, ""));
  const auto empty = source.Current();
  ASSERT_TRUE(empty);
  EXPECT_TRUE((*empty)->headers.empty());
  EXPECT_EQ(source.Current().value(), *empty);
  ASSERT_TRUE(files.WriteFileAtomically(path, "http_server_config: {headers: {X-Frame-Options: deny}}\n"));
  EXPECT_EQ(source.Current().value()->headers.size(), 1u);
  ASSERT_TRUE(files.WriteFileAtomically(path, "nonsense: 1\n"));
  const auto wrong = source.Current();
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message(), "yaml: unmarshal errors:\n  line 1: field nonsense not found in type web.Config");
}

}  // namespace
}  // namespace epi::app
