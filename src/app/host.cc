#include "app/host.h"

#include <linux/magic.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <charconv>
#include <climits>

namespace epi::app {
namespace {

std::string LimitText(uint64_t value) { return value == RLIM_INFINITY ? "unlimited" : std::to_string(value); }

std::string PairText(uint64_t soft, uint64_t hard) {
  return "(soft=" + LimitText(soft) + ", hard=" + LimitText(hard) + ")";
}

struct FileSystemName {
  uint32_t magic;
  std::string_view name;
};
constexpr FileSystemName kFileSystems[] = {{BTRFS_SUPER_MAGIC, "BTRFS_SUPER_MAGIC"},
                                           {CEPH_SUPER_MAGIC, "CEPH_SUPER_MAGIC"},
                                           {CIFS_SUPER_MAGIC, "CIFS_SUPER_MAGIC"},
                                           {EXT4_SUPER_MAGIC, "EXT4_SUPER_MAGIC"},
                                           {F2FS_SUPER_MAGIC, "F2FS_SUPER_MAGIC"},
                                           {FUSE_SUPER_MAGIC, "FUSE_SUPER_MAGIC"},
                                           {NFS_SUPER_MAGIC, "NFS_SUPER_MAGIC"},
                                           {OCFS2_SUPER_MAGIC, "OCFS2_SUPER_MAGIC"},
                                           {OVERLAYFS_SUPER_MAGIC, "OVERLAYFS_SUPER_MAGIC"},
                                           {RAMFS_MAGIC, "RAMFS_MAGIC"},
                                           {SMB2_SUPER_MAGIC, "SMB2_SUPER_MAGIC"},
                                           {SMB_SUPER_MAGIC, "SMB_SUPER_MAGIC"},
                                           {SQUASHFS_MAGIC, "SQUASHFS_MAGIC"},
                                           {TMPFS_MAGIC, "TMPFS_MAGIC"},
                                           {V9FS_MAGIC, "V9FS_MAGIC"},
                                           {XFS_SUPER_MAGIC, "XFS_SUPER_MAGIC"}};

}  // namespace

HostInfo ReadHostInfo() {
  HostInfo out;
  char buffer[PATH_MAX];
  if (::gethostname(buffer, sizeof buffer) == 0) out.hostname = buffer;
  if (::getcwd(buffer, sizeof buffer) != nullptr) out.working_directory = buffer;
  utsname name;
  if (::uname(&name) == 0) {
    out.kernel = std::string("(") + name.sysname + " " + name.release + " " + name.version + " " + name.machine + " " +
                 name.nodename + " " + name.domainname + ")";
    const std::string machine = name.machine;
    out.platform = "linux/" + (machine == "x86_64" ? std::string("amd64") : machine);
  }
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) out.cpus = static_cast<unsigned>(CPU_COUNT(&set));
  return out;
}

FileLimit RaiseOpenFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = raised.rlim_max;
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return {limit.rlim_cur, limit.rlim_max};
}

std::string FormatFileLimit(const FileLimit& limit) { return PairText(limit.soft, limit.hard); }

std::string FormatMemoryLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0) return "unknown";
  return PairText(limit.rlim_cur, limit.rlim_max);
}

std::string FileSystemType(const std::string& path) {
  struct statfs info {};
  if (::statfs(path.c_str(), &info) != 0) return "0";
  const auto magic = static_cast<uint32_t>(info.f_type);
  for (const auto& known : kFileSystems) {
    if (known.magic == magic) return std::string(known.name);
  }
  char digits[16];
  const auto end = std::to_chars(digits, digits + sizeof digits, magic, 16).ptr;
  return std::string(digits, end);
}

}  // namespace epi::app
