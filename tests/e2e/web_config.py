#!/usr/bin/env python3
"""--web.config.file over real connections, asked by curl and the openssl program: TLS versions, suites and curves, client certificates,
rotation, passwords, headers, limits; the file is read again for each request and handshake, so one server sees all of them.

    web_config.py SERVER_BINARY
"""
import os
import subprocess
import sys

from authority import Authority
from harness import Scratch, Server, find_peer, free_port, wait_until

failures = []
# Of "correct horse".
HASH = "$2b$04$1It.4SgdCIGcOk775DtooupSP03Uh/Hfi0sCG9L5AcBLei4F2ofMO"


def check(what, actual, expected):
    good = actual == expected
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {actual!r}, not {expected!r}"), flush=True)
    if not good:
        failures.append(what)


def write(path, text):
    with open(path + ".new", "w") as out:
        out.write(text)
    os.replace(path + ".new", path)


class Client:
    """curl and openssl against one port."""

    def __init__(self, port, authority):
        self.port, self.authority = port, authority

    def curl(self, *arguments, path="/-/healthy", scheme="https"):
        """(status, headers in lower case, body); status 0 when there was no answer."""
        done = subprocess.run(["curl", "-s", "-i", "--max-time", "10", "--cacert", self.authority.cert, *arguments, f"{scheme}://127.0.0.1:{self.port}{path}"],
                              capture_output=True, text=True, timeout=20)
        if done.returncode != 0:
            return 0, {}, ""
        head, _, body = done.stdout.partition("\n\n")
        first, *lines = head.split("\n")
        return int(first.split()[1]), {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}, body

    def handshake(self, *arguments):
        """What was agreed on, by the name that s_client gives it; empty when there was no agreement."""
        done = subprocess.run(["openssl", "s_client", "-brief", "-connect", f"127.0.0.1:{self.port}", "-CAfile", self.authority.cert, *arguments],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        facts = dict(line.split(": ", 1) for line in (done.stderr + done.stdout).splitlines() if ": " in line)
        return facts if "Protocol version" in facts else {}


def algorithms(client, use):
    old = ["-cipher", "DEFAULT@SECLEVEL=0"]
    rows = [  # settings, what the client insists on, what is agreed on: None for nothing
        ("", [], {"Protocol version": "TLSv1.3"}),
        ("", ["-tls1_2"], {"Protocol version": "TLSv1.2"}),
        ("", ["-tls1_1", *old], None),
        ("min_version: TLS13", ["-tls1_2"], None),
        ("min_version: TLS13", ["-tls1_3"], {"Protocol version": "TLSv1.3"}),
        ("max_version: TLS12", [], {"Protocol version": "TLSv1.2"}),
        ("max_version: TLS12", ["-tls1_3"], None),
        ("min_version: TLS10", ["-tls1", *old], {"Protocol version": "TLSv1"}),
        ("min_version: TLS11", ["-tls1", *old], None),
        ("min_version: TLS11", ["-tls1_1", *old], {"Protocol version": "TLSv1.1"}),
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]", ["-tls1_2"], {"Ciphersuite": "ECDHE-ECDSA-AES256-GCM-SHA384"}),
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", ["-tls1_2"], {"Ciphersuite": "ECDHE-ECDSA-AES128-GCM-SHA256"}),
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], None),
        ("cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]", ["-tls1_2"], None),  # the certificate is no RSA one
        # The server's taste counts, and it is Go's: AES-128 before AES-256, ChaCha20 for who puts it first, no key exchange by RSA.
        ("", ["-tls1_2"], {"Ciphersuite": "ECDHE-ECDSA-AES128-GCM-SHA256"}),
        ("", ["-ciphersuites", "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"], {"Ciphersuite": "TLS_AES_128_GCM_SHA256"}),
        ("", ["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"], {"Ciphersuite": "TLS_CHACHA20_POLY1305_SHA256"}),
        ("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]", ["-tls1_2"], {"Ciphersuite": "ECDHE-ECDSA-AES128-GCM-SHA256"}),
        ("cipher_suites: [TLS_AES_128_GCM_SHA256]", ["-tls1_2"], None),
        ("", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"], None),
        ("", ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA"], {"Ciphersuite": "ECDHE-ECDSA-AES256-SHA"}),
        ("", ["-curves", "X448"], None),
        ("", ["-curves", "P-521"], {"Server Temp Key": "ECDH, secp521r1, 521 bits"}),
        ("curve_preferences: [CurveP384]", ["-tls1_2"], {"Server Temp Key": "ECDH, secp384r1, 384 bits"}),
        ("curve_preferences: [CurveP384]", ["-curves", "X25519"], None),
        ("curve_preferences: [CurveP521, CurveP256]", ["-curves", "P-256"], {"Server Temp Key": "ECDH, prime256v1, 256 bits"}),
        ("curve_preferences: [X25519]", [], {"Server Temp Key": "X25519, 253 bits"}),
    ]
    for settings, insists, wanted in rows:
        use(settings)
        facts = client.handshake(*insists)
        check(f"{settings or 'defaults'}, client {' '.join(insists) or 'as it likes'}", {key: facts.get(key) for key in wanted} if wanted else facts, wanted or {})


def client_certificates(client, use, ours, foreign, client_ca):
    none, own, other = [], ["--cert", ours[0], "--key", ours[1]], ["--cert", foreign[0], "--key", foreign[1]]
    trusted = f"client_ca_file: {client_ca}"
    for kind, more, wanted in [("NoClientCert", "", (200, 200, 200)), ("RequestClientCert", trusted, (200, 200, 200)), ("RequireAnyClientCert", trusted, (0, 200, 200)),
                               ("RequireClientCert", trusted, (0, 200, 200)), ("VerifyClientCertIfGiven", trusted, (200, 200, 0)),
                               ("RequireAndVerifyClientCert", trusted, (0, 200, 0))]:
        use(f"client_auth_type: {kind}\n  {more}")
        check(f"{kind}: no certificate, ours, a stranger's", tuple(client.curl(*with_)[0] for with_ in (none, own, other)), wanted)
    for names, wanted in [("[client.example]", 200), ("[other.example]", 0), ("['*.example']", 0), ("[client]", 0), ("[a, 'spiffe://x/y']", 200), ("[me@client.example]", 200),
                          ("[10.1.2.3]", 200), ("[10.1.2.4]", 0), ("[]", 0), ("", 200)]:
        use(f"client_auth_type: RequireAndVerifyClientCert\n  {trusted}\n  client_allowed_sans: {names}")
        check(f"client_allowed_sans {names}", client.curl(*own)[0], wanted)
    use("client_auth_type: NoClientCert\n  client_allowed_sans: [other.example]")
    check("names count where a certificate is asked for", client.curl()[0], 200)
    use(f"client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: {ours[1]}")
    check("an authority file without a certificate trusts nobody", (client.curl()[0], client.curl(*own)[0]), (200, 0))


def passwords(client, use):
    for variant in ("$2a", "$2x", "$2y", "$2z", "$2", "$1b"):
        use("", f"basic_auth_users:\n  alice: {HASH.replace('$2b', variant, 1)}\n")
        check(f"a hash of version {variant}", [client.curl("-u", user)[0] for user in ("alice:correct horse", "alice:wrong")], [200, 401])
    use("", f"basic_auth_users:\n  alice: {HASH}xx\n")
    check("a hash that is too long is nobody's", client.curl("-u", "alice:correct horse")[0], 401)
    use("", f"basic_auth_users:\n  alice: {HASH}\n")
    for user, status in [("alice:correct horse", 200), ("alice:correct horse", 200), ("alice:wrong", 401), ("bob:correct horse", 401), ("alice:", 401), (":", 401), (None, 401)]:
        for path in ("/-/healthy", "/metrics", "/nothing") if user != "alice:correct horse" else ("/-/healthy", "/metrics"):
            answer, headers, body = client.curl(*(["-u", user] if user is not None else []), path=path)
            check(f"{path} as {user}", (answer, headers.get("www-authenticate"), body if status == 401 else ""), (status, "Basic" if status == 401 else None, "Unauthorized\n" if status == 401 else ""))


def headers(client, use):
    given = {"Strict-Transport-Security": "max-age=5", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "deny", "X-XSS-Protection": "0",
             "Content-Security-Policy": "default-src 'self'"}
    use("", "http_server_config:\n  headers:\n" + "".join(f'    {name}: "{value}"\n' for name, value in given.items()))
    for path in ("/-/healthy", "/api/v1/query?query=1", "/nothing"):
        answered = client.curl(path=path)[1]
        check(f"headers of {path}", {name: answered.get(name.lower()) for name in given}, given)
    for http2 in ("true", "false"):
        use("", f"http_server_config:\n  http2: {http2}\n")
        check(f"a client that would speak HTTP/2, http2: {http2}", client.curl("--http2")[0], 200)


def broken_files(client, path, restore):
    for text in ("tls_server_config: {", "nonsense: 1\n", "basic_auth_users: {a: plain}\n", ""):
        write(path, text)
        check(f"while the file says {text!r}", client.curl()[0], 0)
    restore()
    check("and when it is whole again", client.curl()[0], 200)


def rotation(client, use, authority, other, pair, fresh):
    use("")
    check("before", client.curl()[0], 200)
    for source, target in zip(fresh, pair):
        with open(source) as pem:
            write(target, pem.read())
    check("the new certificate is not trusted by who knew the old one", client.curl()[0], 0)
    client.authority = other
    check("but by who knows the new one", client.curl()[0], 200)
    client.authority = authority


def refused_at_start(binary, folder, pair):
    tls = f"tls_server_config: {{cert_file: {pair[0]}, key_file: {pair[1]}"
    for text, says in [(f"{tls}, min_version: TLS9}}\n", "unknown TLS version: TLS9"), (f"{tls}, cipher_suites: [X]}}\n", "unknown cipher: X"),
                       ("tls_server_config: {cert_file: none.pem, key_file: none.key}\n", "none.pem"), ("basic_auth_users: {a: plain}\n", "crypto/bcrypt: hashedSecret too short"),
                       (f"{tls}, client_auth_type: RequestClientCert, client_ca_file: none.pem}}\n", "none.pem: no such file"),
                       ("http_server_config: {headers: {Server: x}}\n", 'HTTP header \\"Server\\" can not be configured'), ("a: [\n", "web.yml")]:
        path = os.path.join(folder, "web.yml")
        write(path, text)
        done = subprocess.run([binary, f"--config.file={folder}/config.yml", f"--storage.tsdb.path={folder}/refused", f"--web.config.file={path}",
                               f"--web.listen-address=127.0.0.1:{free_port()}"], capture_output=True, text=True, timeout=20)
        said = says in done.stderr and 'msg="Unable to validate web configuration file"' in done.stderr and f" file={path}" in done.stderr
        check(f"{text!r} is refused at the start", (done.returncode, said), (1, True))


def plain_http(binary, folder):
    path = os.path.join(folder, "plain.yml")
    write(path, "rate_limit: {interval: 1h, burst: 3}\n")
    with Server(binary, "global: {}\n", os.path.join(folder, "plain"), f"--web.config.file={path}") as server:
        wait_until("it listens", lambda: "Server is ready to receive" in server.output())
        statuses = [server.request("GET", "/-/healthy")[:2] for _ in range(5)]
        check("rate limit", statuses, [(200, b"Prometheus Server is Healthy.\n")] * 3 + [(429, b"Too Many Requests\n")] * 2)
        write(path, "nonsense: 1\n")
        check("a broken file", server.request("GET", "/-/healthy")[:2], (500, b"Internal Server Error\n"))


def run(binary, folder):
    find_peer("curl")
    authority, other = Authority(folder, "first"), Authority(folder, "second")
    pair = authority.issue("server")
    ours = authority.issue("client", san="DNS:client.example,email:me@client.example,URI:spiffe://x/y,IP:10.1.2.3")
    path = os.path.join(folder, "web.yml")

    def use(tls, rest=""):
        write(path, f"tls_server_config:\n  cert_file: {os.path.basename(pair[0])}\n  key_file: {pair[1]}\n  {tls}\n{rest}")

    use("")
    with Server(binary, "global: {}\n", os.path.join(folder, "server"), f"--web.config.file={path}") as server:
        client = Client(server.port, authority)
        wait_until("the server answers", lambda: client.curl(path="/-/ready")[0] == 200)
        check("plain HTTP is told", client.curl(scheme="http")[2], "Client sent an HTTP request to an HTTPS server.\n")
        algorithms(client, use)
        client_certificates(client, use, ours, other.issue("client"), authority.cert)
        passwords(client, use)
        headers(client, use)
        broken_files(client, path, lambda: use(""))
        rotation(client, use, authority, other, pair, other.issue("server"))
        check("stop", server.stop(), 0)
    write(os.path.join(folder, "config.yml"), "global: {}\n")
    refused_at_start(binary, folder, pair)
    plain_http(binary, folder)


if __name__ == "__main__":
    with Scratch() as scratch:
        run(sys.argv[1], scratch)
    sys.exit(1 if failures else 0)
