#!/usr/bin/env python3
"""Tokens, roles, label scopes, limits and the audit log over a real connection; and import and export of samples.

    access_control.py SERVER_BINARY
"""
import base64
import gzip
import hashlib
import json
import os
import re
import socket
import sys
import time
import urllib.parse

from harness import Scratch, Server, wait_until

failures = []


def check(what, actual, expected):
    good = actual == expected
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {actual!r}, not {expected!r}"), flush=True)
    if not good:
        failures.append(what)


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


TOKENS = [("everything", "[read, write, admin, metrics]", ""), ("reader", "[read]", ""), ("writer", "[write]", ""), ("admin", "[admin]", ""),
          ("metrics", "[metrics]", ""), ("scoped", "[read, admin, metrics]", "scope: ['{team=\"a\"}']"), ("slow", "[read]", "requests_per_second: 0.001\n      requests_burst: 2")]


def web_config(tokens):
    rows = "".join(f"    - name: {name}\n      sha256: {digest(name + '-secret')}\n      roles: {roles}\n" + (f"      {more}\n" if more else "")
                   for name, roles, more in tokens)
    return f"access_control:\n  audit_log_file: audit.log\n  tokens:\n{rows}"


def raw(server, text):
    """What the server says until it closes, which the last request of `text` makes it do."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(text.encode("latin-1"))
        return b"".join(iter(lambda: s.recv(65536), b""))


def transfer(server, old):
    text = f'# TYPE m counter\nm{{team="a"}} 1 {old}\nm{{team="b"}} 2 {old}\nm{{team="a"}} 5 {old + 60000}\n'
    writer = bearer("writer-secret")
    status, body, _ = server.request("POST", "/api/v1/import/prometheus?extra_label=origin%3Dtest", gzip.compress(text.encode()),
                                     {**writer, "Content-Encoding": "gzip", "Content-Type": "text/plain"})
    check("import of text", (status, json.loads(body)["data"]["stored"] if status == 200 else body), (200, 3))
    query = urllib.parse.urlencode({"match[]": "m", "start": old / 1000 - 10, "end": old / 1000 + 100})
    status, lines, headers = server.request("GET", f"/api/v1/export?{query}", headers=bearer("reader-secret"))
    rows = sorted((json.loads(line) for line in lines.splitlines()), key=str)
    check("export", (status, rows), (200, [
        {"metric": {"__name__": "m", "origin": "test", "team": "a"}, "values": [1, 5], "timestamps": [old, old + 60000]},
        {"metric": {"__name__": "m", "origin": "test", "team": "b"}, "values": [2], "timestamps": [old]}]))
    status, scoped, _ = server.request("GET", f"/api/v1/export?{query}", headers=bearer("scoped-secret"))
    check("export in scope", (status, b'"b"' in scoped, b'"a"' in scoped), (200, False, True))
    again = lines.replace(b'"m"', b'"copied"')
    status, body, _ = server.request("POST", "/api/v1/import", again, writer)
    check("import of lines", (status, json.loads(body)["data"]["stored"] if status == 200 else body), (200, 3))
    at = old / 1000 + 61
    _, body, _ = server.request("GET", f"/api/v1/query?query=sum(copied)&time={at}", headers=bearer("reader-secret"))
    check("imported samples are found", json.loads(body)["data"]["result"][0]["value"][1], "7")
    for what, path, body in [("text", "/api/v1/import/prometheus", b"m{ 1\n"), ("lines", "/api/v1/import", b'{"metric":{}}\nx\n')]:
        check(f"wrong {what}", server.request("POST", path, body, writer)[0], 400)


def without_a_token(server):
    """Every operation of the server's own description, and what it does not describe."""
    _, text, _ = server.request("GET", "/api/v1/openapi.yaml?openapi_version=3.2", headers=bearer("reader-secret"))
    operations, path = [], ""
    for line in text.decode().splitlines():
        if line.startswith("    /"):
            path = "/api/v1" + line.strip().strip('":').replace("{name}", "job").replace("{id}", "1")
        elif line.startswith("        ") and line.strip(" :") in ("get", "post", "put", "delete", "options"):
            operations.append((line.strip(" :").upper(), path))
    check("the description has operations", len(operations) > 60, True)
    operations += [(method, path) for path in ("/", "/metrics", "/federate?match[]=m", "/version", "/-/healthy", "/-/ready", "/-/reload", "/-/quit", "/graph", "/query",
                                               "/alerts", "/debug/pprof/", "/api/v1/notifications/live", "/nothing")
                   for method in ("GET", "POST", "HEAD", "OPTIONS", "TRACE")]
    let_in = [(method, path) for method, path in operations if server.request(method, path, "" if method in ("POST", "PUT") else None)[0] != 401]
    check(f"{len(operations)} operations without a token", let_in, [])


# What stands behind the request line's method: none of it lets anybody in.
LABELS = "/api/v1/labels HTTP/1.1\r\nHost: x\r\n"
BYPASSES = [
    "/api/v1/labels?access_token=reader-secret&token=reader-secret HTTP/1.1\r\nHost: x\r\n",
    "//api/v1/labels HTTP/1.1\r\nHost: x\r\n", "/./api/v1/labels HTTP/1.1\r\nHost: x\r\n", "/-/healthy/../../api/v1/labels HTTP/1.1\r\nHost: x\r\n",
    "/api/v1/%6cabels HTTP/1.1\r\nHost: x\r\n", "/api/v1/%2e%2e/v1/labels HTTP/1.1\r\nHost: x\r\n", "/-/healthy%00 HTTP/1.1\r\nHost: x\r\n",
    "/API/v1/labels HTTP/1.1\r\nHost: x\r\n", "/api/v1/labels/ HTTP/1.1\r\nHost: x\r\n", "http://x/api/v1/labels HTTP/1.1\r\nHost: x\r\n",
    "http://reader:reader-secret@x/api/v1/labels HTTP/1.1\r\nHost: x\r\n", "/api/v1/labels HTTP/1.0\r\n", "/api/v1/labels HTTP/1.1\r\nHost: reader-secret@x\r\n",
    LABELS + "Authorization: Bearer wrong\r\nAuthorization: Bearer reader-secret\r\n", LABELS + "Authorization: Bearer wrong, Bearer reader-secret\r\n",
    LABELS + "Authorization: Bearer reader-secret, Bearer wrong\r\n", LABELS + "Authorization: Bearer\treader-secret\r\n",
    LABELS + "Authorization: Bearer reader-secret\x00\r\n", LABELS + "Authorization : Bearer reader-secret\r\n",
    LABELS + "X: y\nAuthorization: Bearer reader-secret\r\n", LABELS + "Proxy-Authorization: Bearer reader-secret\r\n", LABELS + "Cookie: Authorization=Bearer reader-secret\r\n",
    LABELS + "X-Forwarded-User: admin\r\nX-Forwarded-For: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n", LABELS + "X-Original-URL: /-/healthy\r\nX-Rewrite-URL: /-/healthy\r\n",
    LABELS + "Authorization: Basic " + base64.b64encode(b":reader-secret").decode() + "\r\n",
    LABELS + "Authorization: Basic " + base64.b64encode(b"reader:" + digest("reader-secret").encode()).decode() + "\r\n",
    LABELS + f"Authorization: Bearer {digest('reader-secret')}\r\n", LABELS + "Authorization: Digest username=\"reader\", response=\"reader-secret\"\r\n",
    LABELS + "Connection: Authorization, close\r\nX-HTTP-Method-Override: OPTIONS\r\n", LABELS + "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
]


def bypasses(server):
    for method in ("GET", "POST", "OPTIONS", "FOO"):
        for shape in BYPASSES:
            answer = raw(server, f"{method} {shape}Connection: close\r\n\r\n")
            check(f"{method} {shape!r}", answer[9:12] in (b"400", b"401") and b"success" not in answer, True)
    good = "Host: x\r\nAuthorization: Bearer reader-secret\r\n"
    answer = raw(server, f"GET /api/v1/labels HTTP/1.1\r\n{good}\r\nGET {LABELS}Connection: close\r\n\r\n")
    check("the next request of a connection needs a token, too", re.findall(rb"HTTP/1\.1 (\d+)", answer), [b"200", b"401"])
    inner = f"GET {LABELS}\r\n"
    answer = raw(server, f"POST /api/v1/labels HTTP/1.1\r\n{good}Content-Length: {len(inner)}\r\nConnection: close\r\n\r\n{inner}")
    check("a request in a body is a body", answer.count(b"HTTP/1.1 "), 1)


def run(binary, folder):
    os.makedirs(folder)
    web = os.path.join(folder, "web.yml")
    with open(web, "w") as out:
        out.write(web_config(TOKENS))
    with Server(binary, "global: {}\n", folder, f"--web.config.file={web}", "--web.enable-remote-write-receiver", "--web.enable-admin-api",
                "--web.enable-lifecycle") as server:
        wait_until("the server answers", lambda: server.request("GET", "/-/ready", headers=bearer("reader-secret"))[0] == 200)
        for path in ("/-/healthy", "/", "/nothing", "/api/v1/query?query=1", "/metrics", "/federate?match[]=up", "/debug/pprof/", "/api/v1/write"):
            for headers in ({}, bearer("wrong"), {"Authorization": "Basic cmVhZGVyOnJlYWRlci1zZWNyZXQ="}, bearer("reader-secre"), {"Authorization": "reader-secret"}):
                check(f"{path} as {headers.get('Authorization')}", server.request("GET", path, headers=headers)[0], 401)
        for name, method, path, status in [
                ("reader", "GET", "/api/v1/query?query=1", 200), ("writer", "GET", "/api/v1/query?query=1", 403), ("metrics", "GET", "/metrics", 200),
                ("reader", "GET", "/metrics", 403), ("metrics", "GET", "/api/v1/labels", 403), ("admin", "POST", "/-/reload", 200), ("reader", "POST", "/-/reload", 403),
                ("reader", "POST", "/api/v1/write", 403), ("admin", "POST", "/api/v1/admin/tsdb/clean_tombstones", 204), ("everything", "GET", "/metrics", 200),
                ("writer", "POST", "/api/v1/admin/tsdb/snapshot", 403), ("scoped", "GET", "/api/v1/rules", 403), ("scoped", "GET", "/metrics", 403),
                ("scoped", "POST", "/api/v1/admin/tsdb/delete_series?match[]=m", 403), ("slow", "GET", "/api/v1/labels", 200), ("slow", "GET", "/api/v1/labels", 200),
                ("slow", "GET", "/api/v1/labels", 429)]:
            check(f"{name}: {method} {path}", server.request(method, path, "" if method == "POST" else None, bearer(name + "-secret"))[0], status)
        without_a_token(server)
        bypasses(server)
        transfer(server, int(time.time() // 7200 * 7200 - 86400) * 1000)
        with open(os.path.join(folder, "audit.log")) as log:
            rows = [json.loads(line) for line in log]
        check("audit log", [(row["who"], row["path"], row["status"]) for row in rows if row["path"] == "/-/reload"], [("admin", "/-/reload", 200), ("reader", "/-/reload", 403)])
        check("refused deletion is noted", [row["parameters"] for row in rows if row["who"] == "scoped"], [["match[]=m"]])
        with open(web, "w") as out:
            out.write(web_config(TOKENS[:1]))
        wait_until("the new file holds", lambda: server.request("GET", "/api/v1/labels", headers=bearer("reader-secret"))[0] == 401)
        check("the other token stays", server.request("GET", "/api/v1/labels", headers=bearer("everything-secret"))[0], 200)
        check("stop", server.stop(), 0)


if __name__ == "__main__":
    with Scratch() as scratch:
        run(sys.argv[1], os.path.join(scratch, "server"))
    sys.exit(1 if failures else 0)
