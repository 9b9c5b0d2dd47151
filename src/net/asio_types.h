// Names of Asio's types for headers, which must not include it. What is done with them stays in .cc files.
#pragma once

namespace boost::asio {

class any_io_executor;
class io_context;
template <typename Protocol, typename Executor>
class basic_stream_socket;
template <typename Protocol, typename Executor>
class basic_socket_acceptor;

namespace ip {
class tcp;
template <typename InternetProtocol>
class basic_endpoint;
}  // namespace ip

}  // namespace boost::asio

namespace epi::net {

using TcpSocket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::any_io_executor>;
using TcpAcceptor = boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, boost::asio::any_io_executor>;
using TcpEndpoint = boost::asio::ip::basic_endpoint<boost::asio::ip::tcp>;

}  // namespace epi::net
