// The table of kinds, and what the sections of a job hold.
#include <algorithm>

#include "config/sd_schema.h"

namespace epi::config {

template <>
struct Schema<StaticGroup> {
  static constexpr std::string_view kGoType =
      "struct { Targets []string \"yaml:\\\"targets\\\"\"; Labels model.LabelSet \"yaml:\\\"labels\\\"\" }";
  static std::span<const FieldSpec> Fields();
  static void SetDirectory(StaticGroup&, std::string_view) {}
};

namespace {

constexpr char kNullGroup[] = "nil target group item found";

// The items of static_configs are read one by one and make up one configuration; this row is for the list as a whole.
constexpr SdKind kStaticKind = {"static",
                                "static_configs",
                                true,
                                nullptr,
                                [](const void* config, const WriteOptions& options) {
                                  return Codec<StaticSdConfig>::Write(*static_cast<const StaticSdConfig*>(config),
                                                                      options);
                                },
                                [](void*, std::string_view) {}};

std::vector<SdKind> MakeTable() {
  std::vector<SdKind> out = {kStaticKind};
  for (const auto& rows :
       {CommonSdKinds(), KubernetesSdKinds(), AwsSdKinds(), CloudSdKinds(), HosterSdKinds(), RegistrySdKinds()}) {
    out.insert(out.end(), rows.begin(), rows.end());
  }
  std::sort(out.begin(), out.end(), [](const SdKind& a, const SdKind& b) { return a.key < b.key; });
  return out;
}

bool ComesBefore(const SdConfig& a, const SdConfig& b) { return a.kind().key < b.kind().key; }

// What Go calls a kind's configuration: SDConfig in a package of its name, but for some.
std::string GoTypeOf(const SdKind& kind) {
  static constexpr std::pair<std::string_view, std::string_view> kOthers[] = {
      {"docker", "moby.DockerSDConfig"},
      {"dockerswarm", "moby.DockerSwarmSDConfig"},
      {"ec2", "aws.EC2SDConfig"},
      {"ecs", "aws.ECSSDConfig"},
      {"elasticache", "aws.ElasticacheSDConfig"},
      {"kuma", "xds.SDConfig"},
      {"lightsail", "aws.LightsailSDConfig"},
      {"msk", "aws.MSKSDConfig"},
      {"nerve", "zookeeper.NerveSDConfig"},
      {"rds", "aws.RDSSDConfig"},
      {"serverset", "zookeeper.ServersetSDConfig"},
      {"static", "targetgroup.Group"},
  };
  for (const auto& [name, type] : kOthers) {
    if (name == kind.name) return std::string(type);
  }
  return std::string(kind.name) + ".SDConfig";
}

void ReadStaticGroups(YamlReader& reader, const YamlNode& list, const SdKind& kind, SdConfigs& out) {
  auto groups = std::make_shared<StaticSdConfig>();
  for (const YamlNode& item : list.items()) Codec<StaticGroup>::Read(reader, item, groups->emplace_back());
  if (!groups->empty()) out.emplace_back(kind, std::move(groups));
}

}  // namespace

std::span<const FieldSpec> Schema<StaticGroup>::Fields() {
  using T = StaticGroup;
  static constexpr FieldSpec kFields[] = {
      Key<T, &T::targets>("targets"),
      Key<T, &T::labels, LabelSetCodec>("labels", Omit::kEmpty),
  };
  return kFields;
}

std::span<const SdKind> SdKinds() {
  static const auto* const kTable = new std::vector<SdKind>(MakeTable());
  return *kTable;
}

const SdKind* FindSdKind(std::string_view name) {
  for (const auto& kind : SdKinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::string SdConfig::Fingerprint() const {
  std::string out(kind_->name);
  return out + '\n' + Write({.redact = false}).Text();
}

bool ReadSdSection(YamlReader& reader, const YamlEntry& entry, SdConfigs& out) {
  const auto kinds = SdKinds();
  const auto kind =
      std::find_if(kinds.begin(), kinds.end(), [&](const SdKind& row) { return row.key == entry.key.text(); });
  if (kind == kinds.end()) return false;
  if (entry.value.IsNull()) return true;
  if (!entry.value.IsSequence()) {
    reader.WrongType(entry.value, "[]*" + GoTypeOf(*kind));
    return true;
  }
  const auto items = entry.value.items();
  if (std::any_of(items.begin(), items.end(), [](const YamlNode& item) { return item.IsNull(); }))
    reader.RefuseLater(Error(ErrorCode::kInvalid, "empty or null section in " + std::string(kind->key)));
  if (kind->read == nullptr) {
    ReadStaticGroups(reader, entry.value, *kind, out);
  } else {
    for (const YamlNode& item : items) out.emplace_back(*kind, kind->read(reader, item));
  }
  std::stable_sort(out.begin(), out.end(), ComesBefore);
  return true;
}

void WriteSdSections(const SdConfigs& configs, const WriteOptions& options, YamlValue& mapping) {
  for (size_t i = 0; i < configs.size();) {
    const SdKind& kind = configs[i].kind();
    if (kind.read == nullptr) {
      mapping.Set(std::string(kind.key), configs[i++].Write(options));
      continue;
    }
    YamlValue list = YamlValue::Sequence();
    for (; i < configs.size() && &configs[i].kind() == &kind; ++i) list.Add(configs[i].Write(options));
    mapping.Set(std::string(kind.key), std::move(list));
  }
}

void SetDirectory(SdConfigs& configs, std::string_view directory) {
  for (auto& config : configs) config.SetDirectory(directory);
}

Result<void> CheckStaticTargets(const SdConfigs& configs) {
  for (const auto& config : configs) {
    const auto* groups = config.Get<StaticSdConfig>();
    if (groups == nullptr) continue;
    for (const auto& group : *groups) {
      for (const auto& target : group.targets) {
        if (target.find('/') != std::string::npos) return InvalidSd(SdQuoted(target) + " is not a valid hostname");
      }
    }
  }
  return {};
}

Result<StaticGroup> ParseStaticGroup(std::string_view yaml) {
  StaticGroup out;
  EPI_TRY(ReadDocument(yaml, out));
  return out;
}

Result<std::vector<StaticGroup>> ParseStaticGroups(std::string_view yaml) {
  EPI_ASSIGN(const YamlDocument document, YamlDocument::Parse(yaml, DuplicateKeys::kKeep));
  YamlReader reader;
  std::vector<StaticGroup> out;
  NoNullItems<kNullGroup>::Read(reader, document.root(), out);
  EPI_TRY(reader.Finish());
  return out;
}

}  // namespace epi::config
