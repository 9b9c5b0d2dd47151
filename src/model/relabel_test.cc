#include "model/relabel.h"

#include <gtest/gtest.h>

#include "model/case_mapping.h"
#include "testing/conformance.h"

namespace epi {
namespace {

using nlohmann::json;

RelabelConfig ConfigOf(const json& from) {
  RelabelConfig out;
  out.source_labels = from.value("source_labels", std::vector<std::string>());
  out.separator = from.value("separator", std::string(";"));
  out.modulus = from.value("modulus", uint64_t{0});
  out.target_label = from.value("target_label", std::string());
  out.replacement = from.value("replacement", std::string("$1"));
  out.action = RelabelActionFromName(from.at("action").get<std::string>()).value();
  out.scheme =
      from.value("name_validation_scheme", "utf8") == std::string("legacy") ? NameScheme::kLegacy : NameScheme::kUtf8;
  if (from.contains("regex")) {
    out.regex = AnchoredRegex::Compile(from.at("regex").get<std::string>(), AnchoredRegex::Form::kWrapped).value();
  }
  return out;
}

LabelsBuilder BuilderOf(const json& labels) {
  LabelsBuilder out;
  for (const auto& [name, value] : labels.items()) out.Set(name, value.get<std::string>());
  return out;
}

TEST(RelabelConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "relabel/relabel.json");
  for (const auto& test : data.at("cases")) {
    SCOPED_TRACE(test.dump());
    const std::string kind = test.at("kind");
    if (kind == "apply") {
      std::vector<RelabelConfig> configs;
      for (const auto& config : test.at("configs")) configs.push_back(ConfigOf(config));
      LabelsBuilder labels = BuilderOf(test.at("input"));
      const bool keep = Relabel(configs, labels);
      EXPECT_EQ(keep, test.at("keep").get<bool>());
      if (keep) {
        EXPECT_EQ(labels.Build().ToString(), BuilderOf(test.at("output")).Build().ToString());
      }
    } else if (kind == "validate" && test.at("config").contains("action")) {
      const auto valid = ValidateRelabelConfig(ConfigOf(test.at("config")));
      EXPECT_EQ(valid.has_value(), test.at("result") == "ok");
      if (!valid) {
        EXPECT_NE(valid.error().message().find(test.at("error_contains").get<std::string>()), std::string::npos);
      }
    } else if (kind == "target_label_legacy_valid") {
      EXPECT_EQ(IsLegacyLabelTemplate(test.at("target_label").get<std::string>()), test.at("valid").get<bool>());
    }
  }
}

std::string ErrorOf(const RelabelConfig& config) {
  const auto valid = ValidateRelabelConfig(config);
  return valid ? "valid" : valid.error().message();
}

TEST(Relabel, ValidationTexts) {
  RelabelConfig config;
  config.action = RelabelAction::kHashMod;
  EXPECT_EQ(ErrorOf(config), "relabel configuration for hashmod requires non-zero modulus");
  config.modulus = 2;
  EXPECT_EQ(ErrorOf(config), "relabel configuration for hashmod action requires 'target_label' value");
  config.target_label = "a";
  EXPECT_EQ(ErrorOf(config), "valid");
  config.action = RelabelAction::kDropEqual;
  EXPECT_EQ(ErrorOf(config), "dropequal action requires only 'source_labels' and `target_label`, and no other fields");
  config.action = RelabelAction::kLabelKeep;
  EXPECT_EQ(ErrorOf(config), "labelkeep action requires only 'regex', and no other fields");
  config = {};
  config.action = RelabelAction::kLowercase;
  config.target_label = "a";
  config.replacement = "x";
  EXPECT_EQ(ErrorOf(config), "'replacement' can not be set for lowercase action");
  config = {};
  config.action = RelabelAction::kLabelMap;
  config.scheme = NameScheme::kLegacy;
  config.replacement = "a-b";
  EXPECT_EQ(ErrorOf(config), "\"a-b\" is invalid 'replacement' for labelmap action");
  EXPECT_EQ(RelabelActionFromName("nope").error().message(), "unknown relabel action \"nope\"");
  EXPECT_EQ(RelabelActionFromName("KeepEqual").value(), RelabelAction::kKeepEqual);
}

TEST(Relabel, CaseActionsMapAllOfUnicode) {
  EXPECT_EQ(ToUpperUtf8("straße é ǆ ᾀ"), "STRAßE É Ǆ ᾈ");
  EXPECT_EQ(ToLowerUtf8("ÀΣİ Ⅷ"), "àσi ⅷ");
}

TEST(Relabel, AnEmptyReplacementDeletesTheLabel) {
  RelabelConfig config;
  config.target_label = "a";
  config.replacement = "";
  LabelsBuilder labels(Labels{{"a", "1"}, {"b", "2"}});
  EXPECT_TRUE(ApplyRelabelConfig(config, labels));
  EXPECT_EQ(labels.Build(), (Labels{{"b", "2"}}));
}

}  // namespace
}  // namespace epi
