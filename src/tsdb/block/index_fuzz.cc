// Any bytes as an index file: opened and walked, or an error; never a crash.
#include <cstdint>

#include "tsdb/block/block_meta.h"
#include "tsdb/block/index_reader.h"
#include "tsdb/block/tombstones.h"

namespace {

class Bytes final : public epi::MappedFile {
 public:
  explicit Bytes(std::string_view data) : data_(data) {}
  std::string_view data() const override { return data_; }

 private:
  std::string data_;
};

void Walk(const epi::tsdb::IndexReader& index) {
  epi::tsdb::IndexSeries series;
  for (const auto name : index.LabelNames()) {
    auto cursor = index.Values(name);
    epi::tsdb::PostingsList list;
    while (cursor.Next()) (void)index.ReadPostings(cursor.postings_offset(), list).has_value();
  }
  const auto all = index.AllPostings();
  if (!all) return;
  for (const auto ref : *all) {
    if (!index.Series(ref, series)) continue;
    for (const auto& label : series.labels) (void)index.Symbol(label.name).has_value();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  const std::string_view data(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  switch (bytes[0] % 3) {
    case 0:
      (void)epi::tsdb::DecodeTombstones(data).has_value();
      break;
    case 1:
      (void)epi::tsdb::DecodeBlockMeta(data).has_value();
      break;
    default:
      if (const auto index = epi::tsdb::IndexReader::Open(std::make_unique<Bytes>(data))) Walk(**index);
      break;
  }
  return 0;
}
