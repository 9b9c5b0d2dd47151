#include "net/tls_server.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "net/tls_names.h"

namespace epi::net {
namespace {

constexpr uint64_t kMaxServerPemFile = 64u << 20;

using Bio = std::unique_ptr<BIO, int (*)(BIO*)>;
using Certificate = std::unique_ptr<X509, void (*)(X509*)>;

Bio ReadOnly(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
}

std::string OpenSslReason() {
  const char* const reason = ERR_reason_error_string(ERR_get_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown reason";
}

// `key` names the file in the error; empty: the error stands alone.
Result<std::string> ServerPem(FileSystem& files, const std::string& text, const std::string& file,
                              std::string_view key) {
  if (file.empty()) return text;
  auto read = files.ReadFile(file, kMaxServerPemFile);
  if (!read && !key.empty()) {
    return Fail(read.error().WithContext("failed to read " + std::string(key) + " (" + file + ")"));
  }
  return read;
}

Error BadPair(const std::string& why) { return Error(ErrorCode::kInvalid, "failed to load X509KeyPair: " + why); }

// Whether there is any PEM block at all.
bool HoldsPem(const std::string& text) {
  const Bio bio = ReadOnly(text);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  const bool found = PEM_read_bio(bio.get(), &name, &header, &data, &size) == 1;
  OPENSSL_free(name);
  OPENSSL_free(header);
  OPENSSL_free(data);
  ERR_clear_error();
  return found;
}

Result<void> UseCertificate(SSL_CTX* context, const std::string& cert, const std::string& key) {
  if (!HoldsPem(cert)) return Fail(BadPair("tls: failed to find any PEM data in certificate input"));
  if (!HoldsPem(key)) return Fail(BadPair("tls: failed to find any PEM data in key input"));
  const Bio cert_bio = ReadOnly(cert);
  const Certificate leaf(PEM_read_bio_X509_AUX(cert_bio.get(), nullptr, nullptr, nullptr), X509_free);
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return Fail(BadPair("certificate: " + OpenSslReason()));
  while (true) {
    Certificate next(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr), X509_free);
    if (!next) break;
    if (SSL_CTX_add0_chain_cert(context, next.get()) != 1) return Fail(BadPair("chain: " + OpenSslReason()));
    static_cast<void>(next.release());
  }
  ERR_clear_error();  // the end of the chain is an error to OpenSSL
  const Bio key_bio = ReadOnly(key);
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> private_key(
      PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  if (!private_key) return Fail(BadPair("key: " + OpenSslReason()));
  const EVP_PKEY* const public_key = X509_get0_pubkey(leaf.get());
  if (public_key != nullptr && EVP_PKEY_get_base_id(public_key) != EVP_PKEY_get_base_id(private_key.get()))
    return Fail(BadPair("tls: private key type does not match public key type"));
  if (X509_check_private_key(leaf.get(), private_key.get()) != 1) {
    ERR_clear_error();
    return Fail(BadPair("tls: private key does not match public key"));
  }
  if (SSL_CTX_use_PrivateKey(context, private_key.get()) != 1) return Fail(BadPair("key: " + OpenSslReason()));
  return {};
}

// Who may have signed clients' certificates: whoever the system trusts when nothing is configured, and nobody when what
// is configured holds no certificate.
void UseClientAuthorities(SSL_CTX* context, const TlsServerSettings& settings, const std::string& ca) {
  if (settings.client_ca.empty() && settings.client_ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return;
  }
  const Bio bio = ReadOnly(ca);
  X509_STORE* const store = SSL_CTX_get_cert_store(context);
  while (true) {
    const Certificate next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
    if (!next) break;
    X509_STORE_add_cert(store, next.get());
    SSL_CTX_add_client_CA(context, next.get());
  }
  ERR_clear_error();
}

int AcceptAnyCertificate(int, X509_STORE_CTX*) { return 1; }

void SetClientAuth(SSL_CTX* context, ClientAuth auth) {
  switch (auth) {
    case ClientAuth::kNoClientCert:
      return SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    case ClientAuth::kRequestClientCert:
      return SSL_CTX_set_verify(context, SSL_VERIFY_PEER, AcceptAnyCertificate);
    case ClientAuth::kRequireAnyClientCert:
      return SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, AcceptAnyCertificate);
    case ClientAuth::kVerifyClientCertIfGiven:
      return SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    case ClientAuth::kRequireAndVerifyClientCert:
      return SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
}

std::string Joined(const std::vector<std::string_view>& names) {
  std::string out;
  for (const auto name : names) out += (out.empty() ? "" : ":") + std::string(name);
  return out;
}

// Of the versions before 1.3, whose suites cannot be chosen.
Result<void> SetCipherSuites(SSL_CTX* context, const TlsServerSettings& settings) {
  // The client's own taste counts in one thing: whether it puts ChaCha20 first, as those without AES in hardware do.
  SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  if (SSL_CTX_set_ciphersuites(context, Joined(Tls13Ciphers()).c_str()) != 1)
    return Fail(ErrorCode::kInternal, "TLS 1.3 suites: " + OpenSslReason());
  const auto old = CiphersByPreference(settings.cipher_suites);
  if (old.empty()) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    return {};
  }
  if (SSL_CTX_set_cipher_list(context, Joined(old).c_str()) == 1) return {};
  return Fail(ErrorCode::kInvalid, "cipher_suites: " + OpenSslReason());
}

Result<void> SetAlgorithms(SSL_CTX* context, const TlsServerSettings& settings) {
  static constexpr int kVersions[] = {0, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
  const int low = settings.min_version == TlsVersion::kDefault ? TLS1_2_VERSION
                                                               : kVersions[static_cast<unsigned>(settings.min_version)];
  SSL_CTX_set_min_proto_version(context, low);
  SSL_CTX_set_max_proto_version(context, kVersions[static_cast<unsigned>(settings.max_version)]);
  // Go takes RSA keys of 1024 bits, which is level 1; and no level has the signatures of the two oldest versions.
  SSL_CTX_set_security_level(context, low < TLS1_2_VERSION ? 0 : 1);
  EPI_TRY(SetCipherSuites(context, settings));
  std::vector<std::string_view> curves;
  for (const auto& name : settings.curve_preferences) curves.push_back(CurveName(name));
  if (curves.empty()) curves = DefaultCurves();
  if (SSL_CTX_set1_groups_list(context, Joined(curves).c_str()) != 1)
    return Fail(ErrorCode::kInvalid, "curve_preferences: " + OpenSslReason());
  return {};
}

std::string TextOf(const ASN1_STRING* text) {
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<size_t>(ASN1_STRING_length(text)));
}

std::string NameText(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
      return TextOf(name->d.dNSName);
    case GEN_EMAIL:
      return TextOf(name->d.rfc822Name);
    case GEN_URI:
      return TextOf(name->d.uniformResourceIdentifier);
    case GEN_IPADD: {
      const std::string bytes = TextOf(name->d.iPAddress);
      char text[INET6_ADDRSTRLEN] = "";
      inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof text);
      return text;
    }
    default:
      return "";
  }
}

}  // namespace

Result<TlsContext> MakeTlsServerContext(const TlsServerSettings& settings, FileSystem& files) {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return Fail(ErrorCode::kInternal, "OpenSSL cannot make a context");
  EPI_ASSIGN(const std::string cert, ServerPem(files, settings.cert, settings.cert_file, "cert_file"));
  EPI_ASSIGN(const std::string key, ServerPem(files, settings.key, settings.key_file, "key_file"));
  EPI_TRY(UseCertificate(context.get(), cert, key));
  EPI_ASSIGN(const std::string ca, ServerPem(files, settings.client_ca, settings.client_ca_file, {}));
  UseClientAuthorities(context.get(), settings, ca);
  EPI_TRY(SetAlgorithms(context.get(), settings));
  EPI_ASSIGN(const ClientAuth auth, ClientAuthFromName(settings.client_auth_type));
  SetClientAuth(context.get(), auth);
  // Sessions of clients with certificates need an id; without one OpenSSL refuses to resume them.
  SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("epimetheus"), 10);
  return context;
}

bool ClientNameAllowed(SSL* ssl, const TlsServerSettings& settings) {
  if (!settings.client_allowed_sans) return true;
  if (SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE) return true;  // no certificate is asked for
  const Certificate peer(SSL_get1_peer_certificate(ssl), X509_free);
  if (!peer) return false;
  auto* const names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(peer.get(), NID_subject_alt_name, nullptr, nullptr));
  if (names == nullptr) return false;
  bool allowed = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names) && !allowed; ++i) {
    const std::string text = NameText(sk_GENERAL_NAME_value(names, i));
    const auto& list = *settings.client_allowed_sans;
    allowed = !text.empty() && std::find(list.begin(), list.end(), text) != list.end();
  }
  GENERAL_NAMES_free(names);
  return allowed;
}

std::string TlsContextCache::Stamp(const TlsServerSettings& settings) const {
  std::string stamp = "made";
  for (const auto* file : {&settings.cert_file, &settings.key_file, &settings.client_ca_file}) {
    if (file->empty()) continue;
    const auto info = files_.Stat(*file);
    stamp += info ? " " + std::to_string(info->size) + "/" + std::to_string(info->modified_ns) : " none";
  }
  return stamp;
}

Result<TlsContext> TlsContextCache::Get(const TlsServerSettings& settings) {
  const std::string stamp = Stamp(settings);
  if (context_ && stamp == stamp_ && settings == settings_) return context_;
  EPI_ASSIGN(context_, MakeTlsServerContext(settings, files_));
  stamp_ = stamp;
  settings_ = settings;
  return context_;
}

}  // namespace epi::net
