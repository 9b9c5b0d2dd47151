// Variables of the environment, which is where cloud machines and pods are told who they are.
#pragma once

#include <cstdlib>
#include <string>

namespace epi::discovery {

// Empty when it is not set.
inline std::string EnvironmentVariable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace epi::discovery
