// The snapshot's readers on arbitrary bytes: as a whole file, and as the image of a group whose series are known.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "testing/memory_file_system.h"
#include "tsdb/head/head.h"
#include "tsdb/head/head_view.h"
#include "tsdb/head/series_reader.h"
#include "tsdb/snapshot/head_snapshot.h"
#include "tsdb/wal/volatile_log.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace epi;
  using namespace epi::tsdb;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  {
    testing::MemoryFileSystem fs;
    static_cast<void>(fs.CreateDirectories("/snapshot"));
    static_cast<void>(fs.WriteFileAtomically("/snapshot/00000001.snapshot", input));
    static_cast<void>(CheckHeadSnapshot(fs, "/snapshot/00000001.snapshot"));
  }
  VolatileLog log;
  Head head({}, log, nullptr);
  const auto appender = *head.OpenGroup({GroupIdentity::Kind::kScrape, "t"});
  for (const char* name : {"a", "b", "c", "d"}) {
    const auto ref = *appender->Intern({{"__name__", name}});
    appender->Add(ref, 1);
  }
  static_cast<void>(appender->Commit(1000));
  Group& group = head.group(0);
  // A valid image with the input over a part of it reaches further than the input alone.
  std::string image;
  group.AppendImage(image);
  const size_t at = size == 0 ? 0 : data[0] % image.size();
  const std::string patched = image.substr(0, at) + std::string(input.substr(size == 0 ? 0 : 1)) +
                              image.substr(std::min(image.size(), at + size));
  Group::ImageContext context;
  context.open_runs = [](uint64_t, uint64_t) -> Result<std::shared_ptr<const RunFile>> {
    return Fail(ErrorCode::kNotFound, "no runs");
  };
  for (const std::string_view bytes : {input, std::string_view(patched)}) {
    std::vector<uint32_t> unknown;
    group.Forget();
    if (!group.RestoreImage(bytes, context, unknown)) continue;
    // What was taken can be read and written to.
    const HeadView view(head);
    SeriesReader reader;
    std::vector<SeriesSamples> samples;
    const uint32_t ids[] = {0, 1, 2, 3};
    static_cast<void>(reader.Read(view, {}, ids, samples));
    for (uint32_t id = 0; id < 4; ++id) appender->Add(MakeRef(id, 1), id * 0.5);
    static_cast<void>(appender->Commit(2'000'000));
    group.Seal(~uint64_t{0});
    static_cast<void>(reader.Read(view, {}, ids, samples));
  }
  return 0;
}
