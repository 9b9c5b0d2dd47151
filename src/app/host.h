// What the process asks of the machine it runs on, once at the start.
#pragma once

#include <cstdint>
#include <string>

namespace epi::app {

struct HostInfo {
  std::string hostname;
  std::string working_directory;
  std::string platform;  // "linux/amd64", as Go names it
  std::string kernel;    // uname, one line
  unsigned cpus = 1;     // that this process may use
};
HostInfo ReadHostInfo();

struct FileLimit {
  uint64_t soft = 0;
  uint64_t hard = 0;
};
// Raises the soft limit of open files to the hard one, as a server with thousands of targets needs; returns what holds
// now.
FileLimit RaiseOpenFileLimit();
// "(soft=1048576, hard=1048576)", "unlimited" where there is none.
std::string FormatFileLimit(const FileLimit& limit);
std::string FormatMemoryLimit();  // of address space, likewise

// Which file system `path` is on, as linux/magic.h names it ("EXT4_SUPER_MAGIC"); hexadecimal digits of one that is not
// in the table, "0" when it cannot be asked.
std::string FileSystemType(const std::string& path);

}  // namespace epi::app
