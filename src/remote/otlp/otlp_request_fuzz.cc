// Any bytes as an OTLP request in both encodings, translated under every strategy: a clean error or samples, never more
// memory than the limits allow.
#include <cstddef>
#include <cstdint>

#include "remote/otlp/delta_streams.h"
#include "remote/otlp/translation.h"

namespace {

class OtlpFuzzSink final : public epi::remote::otlp::TranslationSink {
 public:
  epi::Result<void> Add(epi::remote::otlp::TranslatedSample sample) override {
    labels_ += sample.labels.size();
    return {};
  }

 private:
  size_t labels_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace epi::remote::otlp;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  epi::Budget budget("fuzz");
  for (const bool json : {false, true}) {
    auto request = json ? DecodeJson(bytes, budget) : DecodeProtobuf(bytes, budget);
    if (!request) continue;
    OtlpFuzzSink sink;
    TranslationSettings settings;
    settings.type_and_unit_labels = true;
    settings.allow_delta = true;
    for (const char* strategy : {"UnderscoreEscapingWithSuffixes", "UnderscoreEscapingWithoutSuffixes",
                                 "NoUTF8EscapingWithSuffixes", "NoTranslation"}) {
      settings.config.translation_strategy = strategy;
      settings.config.convert_histograms_to_nhcb = !settings.config.convert_histograms_to_nhcb;
      settings.config.promote_scope_metadata = true;
      (void)Translate(*request, settings, sink);
    }
    DeltaStreams streams;
    (void)streams.ToCumulative(*request, 0);
  }
  return 0;
}
