// A fresh directory that is removed with all its content at the end of its scope.
#pragma once

#include <string>

namespace epi::testing {

class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Where the conformance data lies (EPI_CONFORMANCE, else ../shared/conformance beside the checkout), or empty when it
// is absent; then the test reports a skip with that reason.
std::string ConformanceDir();

}  // namespace epi::testing
