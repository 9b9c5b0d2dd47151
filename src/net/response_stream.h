// Frames one response: head, chunks, compression. Knows HTTP and nothing of sockets.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "net/body_compressor.h"
#include "net/http_message.h"

namespace epi::net {

// Where finished bytes go.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Blocks while too much waits for the client. kCanceled when it is gone.
  virtual Result<void> Push(std::string bytes) = 0;
};

// Not thread-safe. `sink`, `head` and `clock` outlive it.
class ResponseStream final : public ResponseWriter {
 public:
  struct Options {
    Compression compression = Compression::kNone;
    size_t buffer_bytes = 64u << 10;
    bool keep_alive = true;  // what the client asked for
  };
  ResponseStream(ByteSink& sink, const RequestHead& head, Options options, Clock& clock);

  void SetStatus(int status) override;
  HttpHeaders& headers() override { return headers_; }
  Result<void> Write(std::string_view bytes) override;
  Result<void> Flush() override;
  bool Reset() override;
  void Abort() override { aborted_ = true; }
  int status() const override { return status_; }
  bool head_sent() const override { return head_sent_; }
  uint64_t body_bytes() const override { return body_bytes_; }

  // Sends what is left. To be called once, when the handler has returned.
  void Finish();
  // After Finish(): whether another request may follow on this connection.
  bool aborted() const { return aborted_; }
  bool keep_alive() const { return options_.keep_alive && !aborted_; }

 private:
  bool HasBody() const;
  void StartCompression();
  void AppendHead(std::string& out, bool length_known, uint64_t length);
  Result<void> Send(BodyCompressor::Then then);
  Result<void> PushBytes(std::string bytes);

  ByteSink& sink_;
  const RequestHead& head_;
  Options options_;
  Clock& clock_;
  int status_ = 200;
  HttpHeaders headers_;
  std::string buffer_;  // body bytes not yet framed
  std::unique_ptr<BodyCompressor> compressor_;
  bool chosen_ = false;  // compression has been decided
  bool head_sent_ = false;
  bool chunked_ = false;
  bool aborted_ = false;
  uint64_t body_bytes_ = 0;
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string HttpDate(int64_t now_ms);

}  // namespace epi::net
