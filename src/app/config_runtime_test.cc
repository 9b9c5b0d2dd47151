#include "app/config_runtime.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "discovery/discoverer.h"
#include "testing/temp_dir.h"

namespace epi::app {
namespace {

Result<void> Check(const std::string& text) {
  const testing::TempDir dir;
  FileSystem& files = PosixFileSystem();
  EXPECT_TRUE(files.WriteFileAtomically(dir.path() + "/prometheus.yml", text));
  auto config = config::LoadConfig(files, dir.path() + "/prometheus.yml", {});
  EXPECT_TRUE(config) << config.error().message();
  if (!config) return {};
  const auto jobs = config::LoadScrapeConfigs(files, *config, {});
  return CheckSupported(*config, *jobs);
}

TEST(CheckSupported, NamesTheDiscoveryThatIsNotBuilt) {
  EXPECT_TRUE(Check("scrape_configs: [{job_name: a, dns_sd_configs: [{names: [x]}]}]"));
  const auto scrape = Check("scrape_configs: [{job_name: a, eureka_sd_configs: [{server: 'http://e'}]}]");
  ASSERT_FALSE(scrape);
  EXPECT_EQ(
      scrape.error().message(),
      "scrape config \"a\": service discovery of kind \"eureka\" is not built yet: its targets would silently not be "
      "scraped");
  const auto alerting = Check(
      "alerting: {alertmanagers: [{static_configs: [{targets: [a]}]}, {puppetdb_sd_configs: [{url: 'http://p', query: "
      "q}]}]}");
  ASSERT_FALSE(alerting);
  EXPECT_EQ(alerting.error().message(),
            "alertmanager config 1: service discovery of kind \"puppetdb\" is not built yet: its Alertmanagers would "
            "silently get no alerts");
}

// The document, the table of configurations and the table of discoverers say the same.
TEST(Discoveries, TheDocumentListsEachWhereItBelongs) {
  const auto text = PosixFileSystem().ReadFile(std::string(EPI_SOURCE_DIR) + "/docs/discovery.md");
  ASSERT_TRUE(text);
  const size_t come_next = text->find("They come next");
  ASSERT_NE(come_next, std::string::npos);
  const auto made = discovery::BuiltDiscoveries();
  for (const auto& kind : config::SdKinds()) {
    const bool built = std::find(made.begin(), made.end(), kind.name) != made.end();
    EXPECT_EQ(kind.built, built) << kind.name;
    const std::string named = kind.name == "static" ? "`static_configs`" : "`" + std::string(kind.name) + "`";
    const size_t at = text->find(named);
    EXPECT_NE(at, std::string::npos) << kind.name;
    EXPECT_EQ(at > come_next, !built) << kind.name;
  }
}

}  // namespace
}  // namespace epi::app
