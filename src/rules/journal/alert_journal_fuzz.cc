// Any bytes are a journal: what is whole is read, the rest is left.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rules/journal/journal_format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  epi::rules::JournalScanner scanner(bytes);
  for (epi::rules::JournalScanner::Record record; scanner.Next(record);) {
    if (const auto event = epi::rules::DecodeAlertEvent(record.payload)) {
      static_cast<void>(epi::rules::DecodeAlertEvent(epi::rules::EncodeAlertEvent(*event)).value());
    }
    static_cast<void>(epi::rules::DecodeDelivery(record.payload));
  }
  if (const auto event = epi::rules::DecodeAlertEvent(bytes)) {
    static_cast<void>(epi::rules::DecodeAlertEvent(epi::rules::EncodeAlertEvent(*event)).value());
  }
  static_cast<void>(epi::rules::DecodeDelivery(bytes));
  static_cast<void>(epi::rules::DecodeRuleId(bytes));
  return 0;
}
