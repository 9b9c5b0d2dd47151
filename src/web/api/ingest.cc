#include <optional>

#include "remote/otlp_receiver.h"
#include "remote/read_server.h"
#include "remote/write_receiver.h"
#include "web/api/answer.h"
#include "web/handlers.h"
#include "web/label_scope.h"

namespace epi::web {
namespace {

class ResponseSink final : public remote::ReadSink {
 public:
  explicit ResponseSink(net::ResponseWriter& response) : response_(response) {}
  void Begin(std::string_view content_type, std::string_view content_encoding) override {
    response_.headers().Set("Content-Type", std::string(content_type));
    if (!content_encoding.empty()) response_.headers().Set("Content-Encoding", std::string(content_encoding));
  }
  Result<void> Write(std::string_view bytes) override { return response_.Write(bytes); }

 private:
  net::ResponseWriter& response_;
};

// What Go's http.Error sends, beside the status.
Result<void> WriteText(net::ResponseWriter& response, std::string_view text) {
  if (text.empty()) return {};
  response.headers().Set("Content-Type", "text/plain; charset=utf-8");
  response.headers().Set("X-Content-Type-Options", "nosniff");
  return response.Write(text);
}

}  // namespace

Result<void> ServeRemoteWrite(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!services.options.enable_remote_write_receiver || services.write_receiver == nullptr)
    return PlainError(response, 404,
                      "remote write receiver needs to be enabled with --web.enable-remote-write-receiver");
  const auto answer = services.write_receiver->Receive(
      request.headers.Get("Content-Type"), request.headers.Get("Content-Encoding"), request.body, *request.budget);
  response.SetStatus(answer.status);
  if (answer.has_written) {
    response.headers().Set("X-Prometheus-Remote-Write-Samples-Written", std::to_string(answer.samples_written));
    response.headers().Set("X-Prometheus-Remote-Write-Histograms-Written", std::to_string(answer.histograms_written));
    response.headers().Set("X-Prometheus-Remote-Write-Exemplars-Written", std::to_string(answer.exemplars_written));
  }
  return WriteText(response, answer.body);
}

Result<void> ServeRemoteRead(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (services.read_server == nullptr) return PlainError(response, 404, "not found");
  ResponseSink sink(response);
  const Storage* part = nullptr;
  std::optional<RequestStorage> visible;
  if (!request.identity.label_scope.empty()) {
    EPI_ASSIGN(visible, RequestStorage::For(services.local_storage, request));
    part = &visible->get();
  }
  auto served = services.read_server->Read(request.body, request.stop, *request.budget, sink, part);
  // What was written may not have left yet.
  if (served || !response.Reset()) return served;
  const ErrorCode code = served.error().code();
  const int status = code == ErrorCode::kInvalid ? 400 : code == ErrorCode::kLimit ? 503 : 500;
  return PlainError(response, status, served.error().message());
}

Result<void> ServeOtlpWrite(Services& services, const net::Request& request, net::ResponseWriter& response) {
  if (!services.options.enable_otlp_receiver || services.otlp_receiver == nullptr) {
    return PlainError(response, 404, "otlp write receiver needs to be enabled with --web.enable-otlp-receiver");
  }
  const auto answer = services.otlp_receiver->Receive(
      request.headers.Get("Content-Type"), request.headers.Get("Content-Encoding"), request.body, *request.budget);
  response.SetStatus(answer.status);
  return WriteText(response, answer.body);
}

}  // namespace epi::web
