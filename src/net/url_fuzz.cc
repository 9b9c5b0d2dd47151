// URLs, queries, request targets, heads of answers and Accept headers: no input crashes, and what is printed can be
// read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "net/body_compressor.h"
#include "net/proxy_exceptions.h"
#include "net/request_head.h"
#include "net/response_head.h"
#include "net/url.h"
#include "telemetry/exposition.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace epi;
  using namespace epi::net;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto url = ParseUrl(text)) {
    const auto again = ParseUrl(url->ToString());
    if (again) {
      EPI_CHECK(again->host == url->host);
      EPI_CHECK(again->ToString() == url->ToString());
      static_cast<void>(ResolveReference(*url, *again).ToString());
    }
  }
  std::string error;
  const auto params = ParseQueryString(text, &error);
  EPI_CHECK(ParseQueryString(EncodeQueryString(params)) == params || params.empty() || !error.empty());
  EPI_CHECK(CleanPath(CleanPath(text)) == CleanPath(text));
  RequestHead head;
  static_cast<void>(SetTarget(head, std::string(text)));
  static_cast<void>(ReadFinalHead(text));
  static_cast<void>(IsProxyException(text.substr(0, text.find(' ')), "80", text));
  static_cast<void>(ChooseCoding(Compression::kGzipOrZstd, text));
  static_cast<void>(NegotiateFormat(text, true, NameEscaping::kValues));
  return 0;
}
