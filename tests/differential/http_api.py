#!/usr/bin/env python3
"""The same blocks, the same HTTP requests, two servers: ours and Debian's prometheus. Status, headers that matter and bodies are equal.

    http_api.py SERVER_BINARY

Differences that are meant are listed in expected_http.txt (a regular expression for the request, a tab, the section of the surface
document or the reason); an entry that matches no difference is reported, so that the list only shrinks.
"""
import gzip
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import Scratch, Server, find_peer  # noqa: E402

import http_requests  # noqa: E402
import dataset  # noqa: E402

HEADERS = ["Content-Type", "Content-Encoding", "Allow", "Location", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
           "Access-Control-Expose-Headers", "X-Content-Type-Options"]


class Connection:
    """Keeps one connection as long as the server does."""

    def __init__(self, server):
        self.server = server
        self.open = None

    def ask(self, request):
        for _ in range(2):
            if self.open is None:
                self.open = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=20)
            try:
                self.open.putrequest(request.method, request.target, skip_accept_encoding=True)
                for name, value in request.headers.items():
                    self.open.putheader(name, value)
                if request.body is not None:
                    self.open.putheader("Content-Length", str(len(request.body)))
                self.open.endheaders(request.body.encode() if request.body else None)
                answer = self.open.getresponse()
                return answer.status, answer.read(), answer.headers
            except (OSError, http.client.HTTPException):
                self.open.close()
                self.open = None
        return 0, b"", {}


def plain(body, headers):
    coding = headers.get("Content-Encoding")
    return gzip.decompress(body) if coding == "gzip" else zlib.decompress(body) if coding == "deflate" else body


def shown_headers(server, headers):
    out = {name: headers.get(name) for name in HEADERS if headers.get(name) is not None}
    if "Location" in out:
        out["Location"] = out["Location"].replace(server.url, "")
    if "Allow" in out:
        out["Allow"] = ", ".join(sorted(out["Allow"].split(", ")))
    return out


def ordered(value):
    """Lists of objects in an order of their own: results of instant queries have none."""
    if isinstance(value, dict):
        return {k: ordered(v) for k, v in value.items()}
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        return sorted((ordered(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def without_times(data):
    """The evaluation times of queries without one are the servers' own."""
    return re.sub(r'\[\d{10}(\.\d+)?, ?"', '[T,"', json.dumps(data, sort_keys=True))


# What newer releases say in other words: a pattern in the older text, what stands there now, the section of the surface document.
REWORDED = [
    (r"^Invalid time value|(?<=: )Invalid time value", "invalid time value", "4.1"),
    (r'unexpected "<Item \d+>" ', "unexpected ", "5.1"),
    (r"`(.*)\)\$`$", r"`\1`", "5.2"),
    (r"\b1:1: (?=parse error: (no expression found in input|unexpected end of input)$)", "unknown position: ", "5.1, an empty text has no positions"),
    (r"in query (queue|execution)$", "in query queue", "4.3, either of the two by chance"),
]


def reworded(text):
    for pattern, now, _ in REWORDED:
        text = re.sub(pattern, now, text)
    return text


def same_error(request, ours, theirs):
    """Range queries name the parameter now (4.3)."""
    theirs = reworded(theirs)
    named = "/api/v1/query_range" in request.target and ours == 'invalid parameter "query": ' + theirs
    return ours == theirs or named


def difference(request, ours, theirs):
    (server_a, status_a, body_a, headers_a), (server_b, status_b, body_b, headers_b) = ours, theirs
    if status_a != status_b:
        return f"status {status_a} instead of {status_b}: {body_a[:200]!r} instead of {body_b[:200]!r}"
    if request.compare == "status":
        return None
    a, b = shown_headers(server_a, headers_a), shown_headers(server_b, headers_b)
    if a != b:
        return f"headers {({k: a.get(k) for k in {**a, **b} if a.get(k) != b.get(k)})} instead of {({k: b.get(k) for k in {**a, **b} if a.get(k) != b.get(k)})}"
    body_a, body_b = plain(body_a, headers_a), plain(body_b, headers_b)
    if not headers_b.get("Content-Type", "").startswith("application/json") or request.method == "HEAD":
        return None if body_a == body_b else f"{body_a[:200]!r} instead of {body_b[:200]!r}"
    x, y = json.loads(body_a), json.loads(body_b)
    if request.compare == "keys":
        missing = set(y["data"]) - set(x["data"])
        return f"members {missing} are missing" if missing and "flags" not in request.target else None
    if x.get("status") != y.get("status") or x.get("errorType") != y.get("errorType"):
        return f"{str(x)[:300]} instead of {str(y)[:300]}"
    if y.get("status") == "error":
        return None if same_error(request, x["error"], y["error"]) else f"error {x['error']!r} instead of {y['error']!r}"
    x, y = without_times(ordered(x.get("data"))), without_times(ordered(y.get("data")))
    return None if x == y else f"data {x[:300]} instead of {y[:300]}"


def make_blocks(promtool, folder):
    text = os.path.join(folder, "history.om")
    with open(text, "w") as out:
        out.write(dataset.openmetrics())
    blocks = os.path.join(folder, "blocks")
    subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", text, blocks], check=True, capture_output=True, timeout=50)
    return blocks


def expected_differences():
    out = []
    with open(os.path.join(HERE, "expected_http.txt")) as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                pattern, reason = line.rstrip("\n").split("\t")
                out.append((re.compile(pattern), reason, pattern))
    return out


def main():
    binary = sys.argv[1]
    promtool, prometheus = find_peer("promtool"), find_peer("prometheus")
    allowed = expected_differences()
    used, wrong, asked = set(), 0, 0
    with Scratch() as folder:
        blocks = make_blocks(promtool, folder)
        for name in ("ours", "theirs"):
            shutil.copytree(blocks, os.path.join(folder, name, "data"))
        flags = ["--storage.tsdb.retention.time=100y"]
        with Server(binary, "global: {}\n", f"{folder}/ours", *flags) as ours, Server(prometheus, "global: {}\n", f"{folder}/theirs", *flags) as theirs:
            ours.wait_ready()
            theirs.wait_ready()
            a, b = Connection(ours), Connection(theirs)
            began = time.monotonic()
            for request in http_requests.all_requests():
                asked += 1
                matching = [i for i, (pattern, _, _) in enumerate(allowed) if pattern.fullmatch(request.name)]
                found = difference(request, (ours, *a.ask(request)), (theirs, *b.ask(request)))
                if found is None:
                    continue
                if matching:
                    used.update(matching[:1])
                    continue
                wrong += 1
                print(f"WRONG {request.name}\n      {found}")
                if time.monotonic() - began > 50:
                    print("WRONG out of time")
                    break
    for i, (_, reason, pattern) in enumerate(allowed):
        if i not in used:
            wrong += 1
            print(f"WRONG expected difference not seen, remove it: {pattern} ({reason})")
    print(f"{asked} requests, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
