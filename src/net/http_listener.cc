#include "net/http_listener.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>

#include "base/ascii.h"

namespace epi::net {
namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;

}  // namespace

std::string EndpointText(const TcpEndpoint& endpoint) {
  auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  const std::string text = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return text + ":" + std::to_string(endpoint.port());
}

Result<void> ListenOn(TcpAcceptor& acceptor, const std::string& address) {
  const auto failed = [&](std::string_view step, const error_code& error) {
    std::string why = error == asio::error::address_in_use ? "address already in use" : error.message();
    if (error == asio::error::access_denied) why = "permission denied";
    return Fail(ErrorCode::kIo, "listen tcp " + address + ": " + std::string(step) + ": " + why);
  };
  const auto colon = address.rfind(':');
  if (colon == std::string::npos)
    return Fail(ErrorCode::kInvalid, "listen tcp: address " + address + ": missing port in address");
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  // The resolver would take the number modulo 65536.
  const std::string port = address.substr(colon + 1);
  const bool number = !port.empty() && std::all_of(port.begin(), port.end(), IsAsciiDigit);
  if (number && (port.size() > 5 || std::stoi(port) > 65535))
    return Fail(ErrorCode::kInvalid, "listen tcp: address " + port + ": invalid port");
  error_code error;
  tcp::resolver resolver(acceptor.get_executor());
  const bool any = host.empty() || host == "0.0.0.0" || host == "::";
  const auto found = resolver.resolve(any ? "::" : host, port, tcp::resolver::passive, error);
  if (error) return Fail(ErrorCode::kInvalid, "listen tcp: lookup " + host + ": " + error.message());
  tcp::endpoint endpoint = found.begin()->endpoint();
  acceptor.open(endpoint.protocol(), error);
  if (any && !error) acceptor.set_option(asio::ip::v6_only(false), error);
  if (any && error) {  // no IPv6 here
    endpoint = tcp::endpoint(tcp::v4(), endpoint.port());
    if (acceptor.is_open()) acceptor.close(error);
    acceptor.open(endpoint.protocol(), error);
  }
  if (error) return failed("socket", error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (error) return failed("bind", error);
  acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listen", error);
  return {};
}

}  // namespace epi::net
