#include "testing/temp_dir.h"

#include <stdlib.h>

#include <filesystem>

#include "base/file_system.h"
#include "base/result.h"

namespace epi::testing {

TempDir::TempDir() {
  const char* base = ::getenv("TMPDIR");
  path_ = JoinPath(base != nullptr && *base != '\0' ? base : "/tmp", "epi-test-XXXXXX");
  EPI_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempDir::~TempDir() {
  // A test that cannot clean up has already said why; nothing to add in a destructor.
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string ConformanceDir() {
  const char* set = ::getenv("EPI_CONFORMANCE");
  const std::string path = set != nullptr ? set : EPI_CHECKOUT "/../shared/conformance";
  return std::filesystem::is_directory(path) ? std::filesystem::canonical(path).string() : std::string();
}

}  // namespace epi::testing
