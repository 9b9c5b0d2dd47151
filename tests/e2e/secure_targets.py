#!/usr/bin/env python3
"""Targets behind TLS, credentials and proxies, with certificates made on the spot and servers that are not ours: what must be scraped is,
what must not be has its reason in lastError, and files that are rotated are taken up without a reload.

    secure_targets.py SERVER_BINARY
"""
import base64
import http.server
import os
import shutil
import socket
import ssl
import sys
import threading
import urllib.parse

from authority import Authority
from harness import QuietServer, Scratch, Server, wait_until

failures = []


# Expected lastError of a target: None = scraped, "" = any reason (how a peer ends a handshake is its own affair).
def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class Guarded:
    """A target (or token endpoint, or proxy) that answers 200 only to requests `wanted` accepts; keeps what it saw."""

    def __init__(self, wanted=lambda request: True, pair=None, client_ca=None, answer=None, ciphers=None):
        self.wanted, self.seen = wanted, []
        self.context = None
        guarded = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                guarded.seen.append(self)
                if answer is not None:
                    return answer(self)
                return self.reply(*((200, b"secured 1\n") if guarded.wanted(self) else (401, b"no")))

            def do_POST(self):
                self.form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.do_GET()

            def do_CONNECT(self):
                guarded.seen.append(self)
                host, port = self.path.split(":")
                with socket.create_connection((host, int(port)), timeout=5) as upstream:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=pump, args=(upstream, self.connection), daemon=True)
                    back.start()
                    pump(self.connection, upstream)
                    back.join(5)
                self.close_connection = True

            def reply(self, status, body, content_type="text/plain; version=0.0.4", **headers):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        class TlsServer(QuietServer):
            def get_request(self):
                connection, address = super().get_request()
                return (guarded.context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) if guarded.context else connection), address

        if pair:
            self.use(pair, client_ca)
        if ciphers:
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
            self.context.set_ciphers(ciphers)
        self.server = TlsServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def use(self, pair, client_ca=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        context.load_cert_chain(*pair)
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_ca)
        self.context = context


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def write(path, text):
    with open(path + ".new", "w") as out:
        out.write(text)
    os.replace(path + ".new", path)


def main():
    with Scratch() as folder:
        run(sys.argv[1], folder)
    sys.exit(1 if failures else 0)


def run(binary, folder):
    ca, other_ca = Authority(folder, "first"), Authority(folder, "second")
    good, named = ca.issue("server"), ca.issue("named", san="DNS:target.example")
    expired, client, foreign_client = ca.issue("expired", days=0), ca.issue("client"), other_ca.issue("client")
    trusted = os.path.join(folder, "trusted.pem")
    shutil.copy(ca.cert, trusted)
    own = [os.path.join(folder, name) for name in ("own.pem", "own.key")]
    for source, target in zip(client, own):
        shutil.copy(source, target)
    secrets = {name: os.path.join(folder, name) for name in ("password", "token", "client_secret", "header")}
    for name, path in secrets.items():
        write(path, f"{name}-1\n")

    plain, rotated, without_http2 = Guarded(pair=good), Guarded(pair=good), Guarded(pair=good)
    mutual = Guarded(pair=good, client_ca=ca.cert)
    current = {"password": "password-1", "token": "token-1"}
    with_basic = Guarded(lambda r: r.headers.get("Authorization") == basic("user", current["password"]), pair=good)
    with_bearer = Guarded(lambda r: r.headers.get("Authorization") == "Token " + current["token"])
    tokens = Guarded(answer=lambda r: r.reply(200, b'{"access_token": "granted", "token_type": "Bearer", "expires_in": 3600}', "application/json"))
    with_oauth = Guarded(lambda r: r.headers.get("Authorization") == "Bearer granted")
    with_headers = Guarded(lambda r: r.headers.get_all("X-Scope") == ["a", "b"] and r.headers.get("X-Secret") == "hidden"
                           and r.headers.get("X-File") == "header-1")
    proxy = Guarded(answer=lambda r: r.reply(200, b"proxied 1\n"))
    tunnel = Guarded()
    elsewhere = Guarded(lambda r: "Authorization" not in r.headers)
    redirecting = Guarded(answer=lambda r: r.reply(302, b"", Location=f"http://localhost:{elsewhere.address.split(':')[1]}/other"))

    trust = f"tls_config: {{ca_file: {trusted}}}"
    with open(ca.cert) as pem:
        inline = "|\n      " + pem.read().replace("\n", "\n      ").rstrip()
    jobs = {
        "trusted": ("https", plain, trust, None),
        "inline": ("https", plain, f"tls_config:\n    ca: {inline}", None),
        "no_http2": ("https", without_http2, f"enable_http2: false\n  {trust}", None),
        "unknown_authority": ("https", plain, "", "certificate signed by unknown authority"),
        "wrong_authority": ("https", plain, f"tls_config: {{ca_file: {other_ca.cert}}}", "certificate signed by unknown authority"),
        "not_verified": ("https", plain, "tls_config: {insecure_skip_verify: true}", None),
        "expired": ("https", Guarded(pair=expired), trust, "certificate has expired"),
        "other_name": ("https", Guarded(pair=named), trust, "x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"),
        "given_name": ("https", Guarded(pair=named), f"tls_config: {{ca_file: {trusted}, server_name: target.example}}", None),
        "too_old": ("https", plain, f"tls_config: {{ca_file: {trusted}, max_version: TLS11, min_version: TLS10}}", "remote error: tls: protocol version not supported"),
        "too_old_by_default": ("https", plain, f"tls_config: {{ca_file: {trusted}, max_version: TLS11}}",
                               "tls: no supported versions satisfy MinVersion and MaxVersion"),
        # The key exchange without forward secrecy is not offered.
        "static_key": ("https", Guarded(pair=good, ciphers="AES256-GCM-SHA384"), trust, "remote error: tls: handshake failure"),
        "plain_http": ("http", plain, "", ""),
        "mutual": ("https", mutual, f"tls_config: {{ca_file: {trusted}, cert_file: {own[0]}, key_file: {own[1]}}}", None),
        "mutual_without": ("https", mutual, trust, ""),
        "mutual_foreign": ("https", mutual, f"tls_config: {{ca_file: {trusted}, cert_file: {foreign_client[0]}, key_file: {foreign_client[1]}}}", ""),
        "rotated": ("https", rotated, trust, None),
        "basic": ("https", with_basic, f"{trust}\n  basic_auth: {{username: user, password_file: {secrets['password']}}}", None),
        "basic_wrong": ("https", with_basic, f"{trust}\n  basic_auth: {{username: user, password: wrong}}", "server returned HTTP status 401 Unauthorized"),
        "bearer": ("http", with_bearer, f"authorization: {{type: Token, credentials_file: {secrets['token']}}}", None),
        "oauth": ("http", with_oauth, f"oauth2: {{client_id: me, client_secret_file: {secrets['client_secret']}, token_url: 'http://{tokens.address}/token', "
                                      "scopes: [s1, s2], endpoint_params: {extra: more}}", None),
        "headers": ("http", with_headers, "http_headers: {X-Scope: {values: [a, b]}, X-Secret: {secrets: [hidden]}, X-File: {files: ["
                    + secrets["header"] + "]}}", None),
        "proxied": ("http", Guarded(lambda r: False), f"proxy_url: 'http://{proxy.address}'", None),
        "tunnelled": ("https", plain, f"{trust}\n  proxy_url: 'http://{tunnel.address}'\n  proxy_connect_header: {{X-Through: [yes-1]}}", None),
        "not_proxied": ("http", Guarded(), "proxy_url: 'http://127.0.0.1:1'\n  no_proxy: 127.0.0.0/8", None),
        "redirected": ("http", redirecting, "authorization: {credentials: x}", None),
        "not_redirected": ("http", redirecting, "follow_redirects: false", "server returned HTTP status 302 Found"),
    }
    # A job whose certificate cannot be read does not keep the others from starting.
    lines = ["global: {scrape_interval: 1s, scrape_timeout: 1s}", "scrape_configs:", "- job_name: missing_file", "  scheme: https",
             f"  tls_config: {{ca_file: {folder}/nowhere.pem}}", f"  static_configs: [{{targets: ['{plain.address}']}}]"]
    for name, (scheme, target, extra, _) in jobs.items():
        lines += [f"- job_name: {name}", f"  scheme: {scheme}", f"  static_configs: [{{targets: ['{target.address}']}}]"] + ([f"  {extra}"] if extra else [])
    with Server(binary, "\n".join(lines) + "\n", os.path.join(folder, "server")) as server:
        server.wait_ready()

        def targets():
            return {t["scrapePool"]: t for t in server.api("targets")["activeTargets"]}

        def up(name):
            return targets()[name]["health"] == "up"

        def scraped():
            state = targets()
            return state if len(state) == len(jobs) and all(t["health"] != "unknown" for t in state.values()) else None

        state = wait_until("every target was scraped", scraped)
        for name, (_, _, _, error) in jobs.items():
            got = state[name]["lastError"]
            check(name + (" is scraped" if error is None else " fails with its reason"), got == "" if error is None else got and error in got, repr(got))
        protocols = [target.seen[0].connection.selected_alpn_protocol() for target in (plain, without_http2)]
        check("protocols are offered unless HTTP/2 is switched off", protocols == ["http/1.1", None], protocols)
        seen = tokens.seen[0]
        check("the token was asked for with the client's secret", seen.headers.get("Authorization") == basic("me", "client_secret-1"), seen.headers)
        check("scopes and parameters reach the token endpoint", seen.form.get("scope") == ["s1 s2"] and seen.form.get("extra") == ["more"]
              and seen.form.get("grant_type") == ["client_credentials"], seen.form)
        check("one token serves many scrapes", len(tokens.seen) == 1, len(tokens.seen))
        check("a proxy is asked for the whole URL", proxy.seen[0].path.startswith("http://127.0.0.1:"), proxy.seen[0].path)
        check("a tunnel's header reaches the proxy", tunnel.seen[0].headers.get("X-Through") == "yes-1", tunnel.seen[0].headers)
        text = server.request("GET", "/api/v1/status/config")[1].decode()
        check("the configuration shows no secret", "hidden" not in text and "password: wrong" not in text and "yes-1" not in text, "")

        # Files are rotated: the other side first, then ours, and no reload.
        current.update(password="password-2", token="token-2")
        wait_until("the old password is refused", lambda: not up("basic") and not up("bearer"))
        write(secrets["password"], "password-2\n")
        write(secrets["token"], "token-2\n")
        wait_until("rotated credentials are taken up", lambda: up("basic") and up("bearer"))
        rotated.use(other_ca.issue("rotated"))
        rotated.server.shutdown()
        rotated.server.server_close()
        check("credentials are rotated without a reload", True)
        replacement = Guarded(pair=other_ca.issue("rotated"))
        mutual.use(good, other_ca.cert)
        write(server.config, "\n".join(lines).replace(rotated.address, replacement.address) + "\n")
        server.child.send_signal(1)
        wait_until("another authority's certificate is refused", lambda: targets()["rotated"]["scrapeUrl"].startswith("https://" + replacement.address)
                   and targets()["rotated"]["health"] == "down")
        with open(other_ca.cert) as pem:
            bundle = pem.read()
        with open(ca.cert) as pem:
            write(trusted, pem.read() + bundle)
        wait_until("the rotated authority is taken up", lambda: up("rotated") and up("trusted"))
        for source, target in zip(foreign_client, own):
            with open(source) as pem:
                write(target, pem.read())
        wait_until("the rotated client certificate is taken up", lambda: up("mutual"))
        check("TLS files are rotated without a reload", True)


main()
