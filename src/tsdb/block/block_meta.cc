#include "tsdb/block/block_meta.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tsdb/block/block_files.h"

namespace epi::tsdb {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr uint64_t kMaxMetaBytes = 256 << 20;
constexpr const char* kMarkKey = "epimetheus";
constexpr std::string_view kOwnKeys[] = {"ulid", "minTime", "maxTime", "stats", "compaction", "version"};

// Numbers that are zero, lists that are empty and flags that are false are left out, as Go's omitempty does.
template <typename T>
void PutUnlessZero(Json& object, const char* key, T value) {
  if (value != 0) object[key] = value;
}

Json StatsJson(const BlockStats& stats) {
  Json out = Json::object();
  PutUnlessZero(out, "numSamples", stats.samples);
  PutUnlessZero(out, "numFloatSamples", stats.float_samples);
  PutUnlessZero(out, "numHistogramSamples", stats.histogram_samples);
  PutUnlessZero(out, "numSeries", stats.series);
  PutUnlessZero(out, "numChunks", stats.chunks);
  PutUnlessZero(out, "numTombstones", stats.tombstones);
  return out;
}

Json CompactionJson(const BlockCompaction& compaction) {
  Json out = Json::object();
  out["level"] = compaction.level;
  if (!compaction.sources.empty()) {
    Json& sources = out["sources"] = Json::array();
    for (const auto& ulid : compaction.sources) sources.push_back(ulid.ToString());
  }
  if (compaction.deletable) out["deletable"] = true;
  if (!compaction.parents.empty()) {
    Json& parents = out["parents"] = Json::array();
    for (const auto& p : compaction.parents) {
      parents.push_back(Json{{"ulid", p.ulid.ToString()}, {"minTime", p.min_time}, {"maxTime", p.max_time}});
    }
  }
  if (compaction.failed) out["failed"] = true;
  if (!compaction.hints.empty()) out["hints"] = compaction.hints;
  return out;
}

// A text that is no ULID counts as the zero one: whoever relies on it compares with real names.
Ulid UlidFrom(const Json& text) { return Ulid::Parse(text.get_ref<const std::string&>()).value_or(Ulid()); }

BlockStats StatsFrom(const Json& json) {
  BlockStats out;
  out.samples = json.value("numSamples", uint64_t{0});
  out.float_samples = json.value("numFloatSamples", uint64_t{0});
  out.histogram_samples = json.value("numHistogramSamples", uint64_t{0});
  out.series = json.value("numSeries", uint64_t{0});
  out.chunks = json.value("numChunks", uint64_t{0});
  out.tombstones = json.value("numTombstones", uint64_t{0});
  return out;
}

BlockCompaction CompactionFrom(const Json& json) {
  BlockCompaction out;
  out.level = json.value("level", 0);
  out.deletable = json.value("deletable", false);
  out.failed = json.value("failed", false);
  for (const auto& source : json.value("sources", Json::array())) out.sources.push_back(UlidFrom(source));
  for (const auto& parent : json.value("parents", Json::array())) {
    out.parents.push_back({UlidFrom(parent.at("ulid")), parent.at("minTime").get<TimestampMs>(),
                           parent.at("maxTime").get<TimestampMs>()});
  }
  for (const auto& hint : json.value("hints", Json::array())) out.hints.push_back(hint.get<std::string>());
  return out;
}

BlockMeta MetaFrom(const Json& json) {
  BlockMeta meta;
  meta.ulid = UlidFrom(json.at("ulid"));
  meta.min_time = json.at("minTime").get<TimestampMs>();
  meta.max_time = json.at("maxTime").get<TimestampMs>();
  if (json.contains("stats")) meta.stats = StatsFrom(json["stats"]);
  if (json.contains("compaction")) meta.compaction = CompactionFrom(json["compaction"]);
  Json foreign = json;
  for (const auto& key : kOwnKeys) foreign.erase(std::string(key));
  if (!foreign.empty()) meta.foreign = foreign.dump();
  return meta;
}

}  // namespace

bool BlockMeta::HasHint(std::string_view hint) const {
  return std::find(compaction.hints.begin(), compaction.hints.end(), hint) != compaction.hints.end();
}

void BlockMeta::AddHint(std::string_view hint) {
  if (HasHint(hint)) return;
  compaction.hints.emplace_back(hint);
  std::sort(compaction.hints.begin(), compaction.hints.end());
}

std::optional<NativeMark> NativeMarkOf(const BlockMeta& meta) {
  const Json foreign = Json::parse(meta.foreign, nullptr, false);
  if (!foreign.is_object()) return std::nullopt;
  const auto own = foreign.find(kMarkKey);
  if (own == foreign.end() || !own->is_object()) return std::nullopt;
  NativeMark mark;
  if (const auto lsn = own->find("lsn"); lsn != own->end() && lsn->is_number_unsigned()) {
    mark.lsn = lsn->get<uint64_t>();
    mark.until = meta.max_time;  // blocks of the first versions say no more
  }
  if (const auto until = own->find("until"); until != own->end() && until->is_number_integer())
    mark.until = until->get<TimestampMs>();
  return mark;
}

void SetNativeMark(BlockMeta& meta, const NativeMark& mark) {
  Json foreign = Json::parse(meta.foreign, nullptr, false);
  if (!foreign.is_object()) foreign = Json::object();
  Json& own = foreign[kMarkKey] = Json::object();
  if (mark.lsn != 0) own["lsn"] = mark.lsn;
  if (mark.until) own["until"] = *mark.until;
  meta.foreign = foreign.dump();
}

std::string EncodeNativeMark(const NativeMark& mark) {
  BlockMeta meta;
  SetNativeMark(meta, mark);
  return meta.foreign;
}

std::optional<TimestampMs> HeadEndOf(const BlockMeta& meta) {
  if (const auto mark = NativeMarkOf(meta)) return mark->until;
  if (meta.HasHint(kHintOutOfOrder)) return std::nullopt;
  return meta.max_time;
}

std::string EncodeBlockMeta(const BlockMeta& meta) {
  Json out = Json::object();
  out["ulid"] = meta.ulid.ToString();
  out["minTime"] = meta.min_time;
  out["maxTime"] = meta.max_time;
  out["stats"] = StatsJson(meta.stats);
  out["compaction"] = CompactionJson(meta.compaction);
  out["version"] = kVersion;
  if (!meta.foreign.empty()) {
    const Json foreign = Json::parse(meta.foreign, nullptr, false);
    if (foreign.is_object()) out.update(foreign);
  }
  return out.dump(1, '\t', false, Json::error_handler_t::replace);
}

Result<BlockMeta> DecodeBlockMeta(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kDataLoss, "meta.json is no JSON object");
  try {
    if (const int version = json.at("version").get<int>(); version != kVersion) {
      return Fail(ErrorCode::kUnsupported, "unexpected meta file version " + std::to_string(version));
    }
    BlockMeta meta = MetaFrom(json);
    if (meta.ulid.zero()) return Fail(ErrorCode::kDataLoss, "meta.json holds no valid ULID");
    return meta;
  } catch (const nlohmann::json::exception& e) {
    return Fail(ErrorCode::kDataLoss, std::string("meta.json is not that of a block: ") + e.what());
  }
}

bool IsFaultyVersion2Meta(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  return json.is_object() && json.contains("version") && json["version"] == 2;
}

Result<std::string> WithMetaVersion1(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(ErrorCode::kDataLoss, "meta.json is no JSON object");
  json["version"] = kVersion;
  return json.dump(1, '\t', false, Json::error_handler_t::replace);
}

Result<BlockMeta> ReadBlockMeta(FileSystem& fs, const std::string& block_directory) {
  const std::string path = JoinPath(block_directory, kMetaFile);
  EPI_ASSIGN(const auto text, fs.ReadFile(path, kMaxMetaBytes));
  auto meta = DecodeBlockMeta(text);
  if (!meta) return Fail(meta.error().WithContext(path));
  return meta;
}

Result<void> WriteBlockMeta(FileSystem& fs, const std::string& block_directory, const BlockMeta& meta) {
  return fs.WriteFileAtomically(JoinPath(block_directory, kMetaFile), EncodeBlockMeta(meta));
}

}  // namespace epi::tsdb
