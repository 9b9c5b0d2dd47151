#include "base/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

namespace epi {
namespace {

// One file of each block and of the snapshot is mapped at a time.
constexpr size_t kMostMappings = 16384;

// A slot is taken when `begin` is not 0. The handler only reads, and everything it reads is atomic.
struct MappingSlot {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> broken{false};
};
std::array<MappingSlot, kMostMappings> mapping_slots;
std::atomic<size_t> mapping_slots_used{0};  // no slot at or behind it was ever taken
std::atomic<uint64_t> mapping_faults{0};
std::mutex mapping_mutex;  // held by those who take and give back slots
struct sigaction previous_bus_action;

MappingSlot* SlotOf(uintptr_t address) {
  const size_t used = mapping_slots_used.load(std::memory_order_acquire);
  for (size_t i = 0; i < used; ++i) {
    MappingSlot& slot = mapping_slots[i];
    const uintptr_t begin = slot.begin.load(std::memory_order_acquire);
    if (begin != 0 && begin <= address && address < slot.end.load(std::memory_order_relaxed)) return &slot;
  }
  return nullptr;
}

// Only what may be done in a handler of signals: atomics and mmap.
void OnBusError(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const bool sent = info->si_code <= 0;  // by kill or raise: no fault, and no address
  MappingSlot* const slot = sent ? nullptr : SlotOf(address);
  if (slot != nullptr) {
    const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
    void* const at = reinterpret_cast<void*>(address / page * page);
    slot->broken.store(true, std::memory_order_release);
    mapping_faults.fetch_add(1, std::memory_order_release);
    if (::mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) return;
  }
  // Not ours: as it would be without us. The fault comes again on return.
  if ((previous_bus_action.sa_flags & SA_SIGINFO) != 0 && previous_bus_action.sa_sigaction != nullptr) {
    previous_bus_action.sa_sigaction(signal, info, context);
    return;
  }
  ::sigaction(SIGBUS, &previous_bus_action, nullptr);
  if (sent) ::raise(signal);
}

void InstallBusHandler() {
  struct sigaction action = {};
  action.sa_sigaction = OnBusError;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGBUS, &action, &previous_bus_action);
}

}  // namespace

bool GuardMapping(void* at, size_t size) {
  const std::lock_guard<std::mutex> lock(mapping_mutex);
  static std::once_flag installed;
  std::call_once(installed, InstallBusHandler);
  const size_t used = mapping_slots_used.load(std::memory_order_relaxed);
  for (size_t i = 0; i < kMostMappings; ++i) {
    MappingSlot& slot = mapping_slots[i];
    if (slot.begin.load(std::memory_order_relaxed) != 0) continue;
    const auto begin = reinterpret_cast<uintptr_t>(at);
    slot.broken.store(false, std::memory_order_relaxed);
    slot.end.store(begin + size, std::memory_order_relaxed);
    slot.begin.store(begin, std::memory_order_release);
    if (i >= used) mapping_slots_used.store(i + 1, std::memory_order_release);
    return true;
  }
  return false;
}

void EndGuard(void* at) {
  const std::lock_guard<std::mutex> lock(mapping_mutex);
  MappingSlot* const slot = SlotOf(reinterpret_cast<uintptr_t>(at));
  if (slot != nullptr) slot->begin.store(0, std::memory_order_release);
}

bool MappingIsBroken(const void* at) {
  if (mapping_faults.load(std::memory_order_acquire) == 0) return false;
  const MappingSlot* const slot = SlotOf(reinterpret_cast<uintptr_t>(at));
  return slot != nullptr && slot->broken.load(std::memory_order_acquire);
}

}  // namespace epi
