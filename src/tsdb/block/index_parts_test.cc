// The small parts of a block: names, deleted intervals, tombstones, meta.json, sets of series.
#include <gtest/gtest.h>

#include <limits>

#include "testing/conformance.h"
#include "testing/temp_dir.h"
#include "tsdb/block/block_files.h"
#include "tsdb/block/block_meta.h"
#include "tsdb/block/intervals.h"
#include "tsdb/block/postings.h"
#include "tsdb/block/tombstones.h"
#include "tsdb/block/ulid.h"

namespace epi::tsdb {
namespace {

using Json = nlohmann::json;

TEST(Ulid, TextForm) {
  SeededRandom random{1};
  const Ulid made = Ulid::Make(1'700'006'400'123, random);
  EXPECT_EQ(made.ToString().size(), 26u);
  EXPECT_EQ(Ulid::Parse(made.ToString()), made);
  EXPECT_EQ(made.time(), 1'700'006'400'123);
  EXPECT_EQ(Ulid::Parse("01M7XT2BN0NXJC2BQDG6TH06ES")->ToString(), "01M7XT2BN0NXJC2BQDG6TH06ES");
  EXPECT_EQ(Ulid().ToString(), "00000000000000000000000000");
  for (const auto* bad : {"", "01M7XT2BN0NXJC2BQDG6TH06E", "81M7XT2BN0NXJC2BQDG6TH06ES", "01m7XT2BN0NXJC2BQDG6TH06ES",
                          "01M7XT2BN0NXJC2BQDG6TH06EI", "01M7XT2BN0NXJC2BQDG6TH06ES0"}) {
    EXPECT_FALSE(Ulid::Parse(bad).has_value()) << bad;
  }
}

int64_t Number(const Json& j) { return j.is_string() ? std::stoll(j.get<std::string>()) : j.get<int64_t>(); }
Intervals ToIntervals(const Json& list) {
  Intervals out;
  for (const auto& i : list) out.push_back({Number(i[0]), Number(i[1])});
  return out;
}

TEST(Intervals, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/tombstone_intervals.json");
  for (const auto& c : file["cases"]) {
    Intervals intervals = ToIntervals(c["exist"]);
    AddInterval(intervals, {Number(c["new"][0]), Number(c["new"][1])});
    EXPECT_EQ(intervals, ToIntervals(c["expected"])) << c["id"];
  }
}

TEST(Intervals, Covering) {
  const Intervals intervals = {{10, 20}, {30, 30}};
  EXPECT_TRUE(CoveredBy(intervals, {10, 20}));
  EXPECT_TRUE(CoveredBy(intervals, {30, 30}));
  EXPECT_FALSE(CoveredBy(intervals, {10, 21}));
  EXPECT_FALSE(CoveredBy(intervals, {9, 10}));
  EXPECT_TRUE(IsDeleted(intervals, 15));
  EXPECT_FALSE(IsDeleted(intervals, 21));
  EXPECT_FALSE(IsDeleted({}, 0));
}

TEST(Tombstones, RoundTripAndDamage) {
  Tombstones tombstones;
  AddInterval(tombstones[4], {1'700'000'010'000, 1'700'000'030'000});
  AddInterval(tombstones[9], {std::numeric_limits<int64_t>::min(), 3});
  AddInterval(tombstones[9], {7, std::numeric_limits<int64_t>::max()});
  const std::string file = EncodeTombstones(tombstones);
  const auto read = DecodeTombstones(file);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, tombstones);
  EXPECT_EQ(CountIntervals(*read), 3u);
  for (size_t size = 0; size < file.size(); ++size) EXPECT_FALSE(DecodeTombstones(file.substr(0, size)).has_value());
  for (size_t bit = 0; bit < file.size() * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_FALSE(DecodeTombstones(flipped).has_value()) << bit;
  }
  EXPECT_EQ(EncodeTombstones({}), std::string("\x01\x30\xba\x30\x01\x00\x00\x00\x00", 9));
  Tombstones known;
  AddInterval(known[4], {1'700'000'010'000, 1'700'000'030'000});
  EXPECT_EQ(EncodeTombstones(known),
            std::string("\x01\x30\xba\x30\x01\x04\xa0\xbc\xac\xfe\xf9\x62\xe0\xf4\xae\xfe\xf9\x62"
                        "\x55\x38\xd6\x26",
                        22));
}

TEST(BlockMeta, KeepsEverythingIncludingForeignKeys) {
  const std::string text =
      "{\n\t\"ulid\": \"01M7XT2BN0NXJC2BQDG6TH06ES\",\n\t\"minTime\": 1700000000000,\n\t\"maxTime\": 1700000030001,\n"
      "\t\"stats\": {\n\t\t\"numSamples\": 5,\n\t\t\"numSeries\": 2,\n\t\t\"numChunks\": 2\n\t},\n"
      "\t\"compaction\": {\n\t\t\"level\": 2,\n\t\t\"sources\": [\n\t\t\t\"01M7XT2BN0NXJC2BQDG6TH06ES\"\n\t\t],\n"
      "\t\t\"parents\": [\n\t\t\t{\n\t\t\t\t\"ulid\": \"01M7XT2BN0NXJC2BQDG6TH06ES\",\n\t\t\t\t\"minTime\": 1,\n"
      "\t\t\t\t\"maxTime\": 2\n\t\t\t}\n\t\t],\n\t\t\"failed\": true,\n\t\t\"hints\": "
      "[\n\t\t\t\"from-out-of-order\"\n\t\t]\n\t},\n"
      "\t\"version\": 1,\n\t\"thanos\": {\n\t\t\"x\": [\n\t\t\t1\n\t\t]\n\t}\n}";
  const auto meta = DecodeBlockMeta(text);
  ASSERT_TRUE(meta.has_value()) << meta.error().message();
  EXPECT_EQ(meta->stats.samples, 5u);
  EXPECT_TRUE(meta->compaction.failed);
  EXPECT_TRUE(meta->HasHint(kHintOutOfOrder));
  EXPECT_EQ(EncodeBlockMeta(*meta), text);
}

TEST(BlockMeta, RefusesWhatIsNone) {
  for (const auto* bad :
       {"", "[]", "{}", "{\"version\":2}", "{\"version\":\"1\"}", "{\"version\":1}",
        "{\"version\":1,\"ulid\":\"x\",\"minTime\":1,\"maxTime\":2}",
        "{\"version\":1,\"ulid\":7,\"minTime\":1,\"maxTime\":2}",
        "{\"version\":1,\"ulid\":\"01M7XT2BN0NXJC2BQDG6TH06ES\",\"minTime\":\"1\",\"maxTime\":2}",
        "{\"version\":1,\"ulid\":\"01M7XT2BN0NXJC2BQDG6TH06ES\",\"minTime\":1,\"maxTime\":2,\"stats\":[]}"}) {
    EXPECT_FALSE(DecodeBlockMeta(bad).has_value()) << bad;
  }
}

PostingsList List(const Json& json) { return json.is_null() ? PostingsList{} : json.get<PostingsList>(); }
std::vector<PostingsList> Lists(const Json& json) {
  std::vector<PostingsList> out;
  for (const auto& list : json) out.push_back(List(list));
  return out;
}
PostingsList From(const PostingsList& list, BlockSeriesRef seek) {
  return {list.begin() + static_cast<ptrdiff_t>(SeekPostings(list, 0, seek)), list.end()};
}

TEST(Postings, Conformance) {
  EPI_CONFORMANCE_OR_SKIP(file, "tsdb/postings.json");
  for (const auto& c : file["cases"]) {
    const auto kind = c["kind"].get<std::string>();
    SCOPED_TRACE(c["id"].get<std::string>());
    if (kind == "intersect" || kind == "merge") {
      const auto lists = Lists(c["in"]);
      std::vector<PostingsView> views(lists.begin(), lists.end());
      EXPECT_EQ(kind == "merge" ? MergePostings(views) : IntersectPostings(views), List(c["expected"]));
    } else if (kind == "subtract") {
      EXPECT_EQ(SubtractPostings(List(c["a"]), List(c["b"])), List(c["res"]));
    } else if (kind == "without") {
      EXPECT_EQ(SubtractPostings(List(c["base"]), List(c["drop"])), List(c["res"]));
    } else if (kind == "merge_seek" || kind == "subtract_seek") {
      const auto a = List(c["a"]), b = List(c["b"]);
      const PostingsView views[] = {a, b};
      const auto all = kind == "merge_seek" ? MergePostings(views) : SubtractPostings(a, b);
      const auto rest = From(all, c["seek"].get<BlockSeriesRef>());
      EXPECT_EQ(!rest.empty(), c["success"].get<bool>());
      EXPECT_EQ(rest, List(c["res"]));
    } else {
      ADD_FAILURE() << kind;
    }
  }
}

TEST(Postings, BitmapUnionEqualsSortedUnion) {
  SeededRandom random{3};
  for (int round = 0; round < 50; ++round) {
    std::vector<PostingsList> lists(1 + random.Below(5));
    std::vector<BlockSeriesRef> all;
    for (auto& list : lists) {
      BlockSeriesRef at = 0;
      for (size_t i = random.Below(200); i > 0; --i)
        list.push_back(at += 1 + static_cast<BlockSeriesRef>(random.Below(round + 1)));
      all.insert(all.end(), list.begin(), list.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    EXPECT_EQ(MergePostings(std::vector<PostingsView>(lists.begin(), lists.end())), all);
    if (lists.size() > 1) {
      EXPECT_EQ(PostingsMeet(lists[0], lists[1]), !IntersectPostings({lists[0], lists[1]}).empty());
    }
  }
}

TEST(BlockFiles, LeftoversGoAndOtherThingsStay) {
  const testing::TempDir dir;
  FileSystem& fs = PosixFileSystem();
  const std::string ulid = "01M7XT2BN0NXJC2BQDG6TH06ES";
  for (const auto& name :
       {ulid, ulid + ".tmp", ulid + ".tmp-for-creation", ulid + ".tmp-for-deletion", std::string("x.tmp"),
        std::string("chunk_snapshot.000001.0000000001.tmp"), std::string("snapshots")}) {
    ASSERT_TRUE(fs.CreateDirectories(dir.path() + "/" + name).has_value());
  }
  ASSERT_TRUE(RemoveLeftovers(fs, dir.path()).has_value());
  EXPECT_EQ(*fs.List(dir.path()), (std::vector<std::string>{ulid, "snapshots", "x.tmp"}));
  EXPECT_EQ(*ListBlockDirectories(fs, dir.path()), (std::vector<std::string>{dir.path() + "/" + ulid}));
}

}  // namespace
}  // namespace epi::tsdb
