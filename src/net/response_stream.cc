#include "net/response_stream.h"

#include <ctime>

#include "net/curl_error_text.h"

namespace epi::net {

std::string HttpDate(int64_t now_ms) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = now_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char rest[48];
  const size_t size = std::strftime(rest, sizeof rest, " %Y %H:%M:%S GMT", &parts);
  const std::string day = std::to_string(100 + parts.tm_mday).substr(1);
  return std::string(kDays[parts.tm_wday]) + ", " + day + " " + kMonths[parts.tm_mon] + std::string(rest, size);
}

ResponseStream::ResponseStream(ByteSink& sink, const RequestHead& head, Options options, Clock& clock)
    : sink_(sink), head_(head), options_(options), clock_(clock) {}

void ResponseStream::SetStatus(int status) {
  if (!head_sent_) status_ = status;
}

bool ResponseStream::HasBody() const { return status_ >= 200 && status_ != 204 && status_ != 304; }

Result<void> ResponseStream::Write(std::string_view bytes) {
  if (aborted_) return Fail(ErrorCode::kCanceled, "the response was given up");
  body_bytes_ += bytes.size();
  if (!HasBody() || (head_.method == Method::kHead && head_sent_)) return {};
  while (buffer_.size() + bytes.size() > options_.buffer_bytes) {
    const size_t part = options_.buffer_bytes - buffer_.size();
    buffer_.append(bytes.substr(0, part));
    bytes.remove_prefix(part);
    EPI_TRY(Send(BodyCompressor::Then::kContinue));
  }
  buffer_.append(bytes);
  return {};
}

Result<void> ResponseStream::Flush() {
  if (aborted_) return Fail(ErrorCode::kCanceled, "the response was given up");
  return Send(BodyCompressor::Then::kFlush);
}

bool ResponseStream::Reset() {
  if (head_sent_) return false;
  buffer_.clear();
  body_bytes_ = 0;
  return true;
}

void ResponseStream::StartCompression() {
  if (chosen_) return;
  chosen_ = true;
  if (options_.compression == Compression::kGzipOrDeflate) headers_.Add("Vary", "Accept-Encoding");
  if (!HasBody() || headers_.Has("Content-Encoding") || buffer_.empty()) return;
  const ContentCoding coding = ChooseCoding(options_.compression, head_.headers.Joined("Accept-Encoding"));
  compressor_ = BodyCompressor::Make(coding);
  if (!compressor_) return;
  headers_.Set("Content-Encoding", std::string(ContentCodingName(coding)));
}

void ResponseStream::AppendHead(std::string& out, bool length_known, uint64_t length) {
  head_sent_ = true;
  chunked_ = !length_known && head_.http_minor >= 1;
  if (!length_known && head_.http_minor == 0) options_.keep_alive = false;
  out += head_.http_minor == 0 ? "HTTP/1.0 " : "HTTP/1.1 ";
  out += StatusText(status_, {});
  out += "\r\n";
  if (HasBody() && length > 0 && !headers_.Has("Content-Type"))
    headers_.Set("Content-Type", "text/plain; charset=utf-8");
  for (const auto& [name, value] : headers_.fields()) {
    out += name;
    out += ": ";
    // A line break in a value would start another header.
    for (const char c : value) out += c == '\r' || c == '\n' ? ' ' : c;
    out += "\r\n";
  }
  if (!headers_.Has("Date")) out += "Date: " + HttpDate(clock_.NowMs()) + "\r\n";
  if (chunked_) {
    out += "Transfer-Encoding: chunked\r\n";
  } else if (length_known && HasBody()) {
    out += "Content-Length: " + std::to_string(length) + "\r\n";
  }
  if (!options_.keep_alive) {
    out += "Connection: close\r\n";
  } else if (head_.http_minor == 0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
}

Result<void> ResponseStream::PushBytes(std::string bytes) {
  if (bytes.empty()) return {};
  auto pushed = sink_.Push(std::move(bytes));
  if (!pushed) aborted_ = true;
  return pushed;
}

Result<void> ResponseStream::Send(BodyCompressor::Then then) {
  StartCompression();
  std::string body;
  if (compressor_) {
    if (!compressor_->Compress(buffer_, then, body)) {
      aborted_ = true;
      return Fail(ErrorCode::kInternal, "the response cannot be compressed");
    }
  } else {
    body.swap(buffer_);
  }
  buffer_.clear();
  const bool last = then == BodyCompressor::Then::kFinish;
  std::string out;
  if (!head_sent_) AppendHead(out, last || !HasBody(), body.size());
  const bool silent = head_.method == Method::kHead || !HasBody();
  if (!silent) {
    if (chunked_ && !body.empty()) {
      char size[24];
      const int digits = std::snprintf(size, sizeof size, "%zx\r\n", body.size());
      out.append(size, static_cast<size_t>(digits));
    }
    out += body;
    if (chunked_ && !body.empty()) out += "\r\n";
    if (chunked_ && last) out += "0\r\n\r\n";
  }
  return PushBytes(std::move(out));
}

void ResponseStream::Finish() {
  if (aborted_) return;
  // A failure here means that the client is gone: nobody is left to tell.
  static_cast<void>(Send(BodyCompressor::Then::kFinish));
}

}  // namespace epi::net
