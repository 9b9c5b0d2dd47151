#!/usr/bin/env python3
"""Targets that misbehave: each fails with its own reason in lastError, `up` is 0, stale markers end its series, and its neighbour
does not miss a scrape.

    bad_targets.py SERVER_BINARY
"""
import gzip
import http.server
import sys
import threading
import time

from harness import QuietServer, Scratch, Server, wait_until

failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


GOOD = b"# TYPE fine gauge\nfine{a=\"b\"} 1\n"
broken = threading.Event()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, content_type="text/plain; version=0.0.4", status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind = self.path.strip("/") if broken.is_set() else "good"
        try:
            if kind == "good":
                self.answer(GOOD)
            elif kind == "malformed":
                self.answer(b"fine{a=\"b\"} 1\nnot a metric line at all {\n")
            elif kind == "duplicate_label":
                self.answer(b'fine{a="b",a="c"} 1\n')
            elif kind == "status":
                self.answer(b"no", status=503)
            elif kind == "html":
                self.answer(b"<html>\n<body>hello</body></html>\n", content_type="text/html")
            elif kind == "badgzip":
                self.answer(b"\x1f\x8bnot gzip", Content_Encoding="gzip")
            elif kind == "bomb":
                self.answer(BOMB, Content_Encoding="gzip")
            elif kind == "short":
                self.answer(GOOD, Content_Length=str(len(GOOD) + 100))
                self.close_connection = True
            elif kind == "long_line":
                self.answer(LONG_LINE, Content_Encoding="gzip")
            elif kind == "redirects":
                self.send_response(302)
                self.send_header("Location", "/redirects")
                self.send_header("Content-Length", "0")
                self.end_headers()
            elif kind == "slow":
                self.send_response(200)
                self.end_headers()
                stop.wait(3)
                self.close_connection = True
            elif kind == "endless":
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                end = time.monotonic() + 2
                while time.monotonic() < end:
                    self.wfile.write(b"x" * 65536)
                self.close_connection = True
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


stop = threading.Event()
BOMB = gzip.compress(b"\n" * (300 << 20), 9)  # inflates a thousandfold
# One line of a gigabyte that never ends: more than the limit of the body, and than the hard cap.
LONG_LINE = gzip.compress(b"fine{a=\"" + b"x" * (64 << 20), 1) + 15 * gzip.compress(b"x" * (64 << 20), 1)
KINDS = ["malformed", "duplicate_label", "status", "html", "badgzip", "bomb", "short", "long_line", "redirects", "slow", "endless"]


def resident_mib(pid):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0


def main():
    web = QuietServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    port = web.server_address[1]
    # Ten redirects take their time on a busy machine.
    slower = {"redirects": "scrape_interval: 3s, scrape_timeout: 3s, "}
    jobs = "".join(f"  - {{job_name: {k}, {slower.get(k, '')}metrics_path: /{k}, body_size_limit: 64MB, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n" for k in KINDS + ["good"])
    config = f"global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n{jobs}  - {{job_name: dead, static_configs: [{{targets: ['127.0.0.1:1']}}]}}\n"
    with Scratch() as folder, Server(sys.argv[1], config, folder) as server:
        server.wait_ready()
        wait_until("all pages are scraped while they are good", lambda: len(server.query("fine")) == len(KINDS) + 1, 20)
        broken.set()
        began = time.time()

        def state():
            return {t["labels"]["job"]: t for t in server.api("targets", state="active")["activeTargets"]}
        wait_until("all but one are down", lambda: sorted(t["health"] for t in state().values()) == ["down"] * (len(KINDS) + 1) + ["up"], 20)
        wait_until("their series are stale", lambda: [r["metric"]["job"] for r in server.query("fine")] == ["good"], 10)
        reasons = {
            "malformed": 'strconv.ParseFloat: parsing "a": invalid syntax while parsing: "not a"',
            "duplicate_label": 'label name "a" is not unique: invalid sample',
            "status": "server returned HTTP status 503 Service Unavailable",
            "html": 'received unsupported Content-Type "text/html" and no fallback_scrape_protocol specified for target',
            "badgzip": "gzip: invalid header",
            "bomb": "body size limit exceeded",
            "short": "unexpected EOF",
            "slow": "context deadline exceeded",
            "long_line": "body size limit exceeded",
            "redirects": 'Get "/redirects": stopped after 10 redirects',
            "endless": ("context deadline exceeded", "body size limit exceeded"),  # whichever comes first on this machine
            "dead": 'Get "http://127.0.0.1:1/metrics": dial tcp 127.0.0.1:1: connect: connection refused',
            "good": "",
        }
        for job, target in state().items():
            said, wanted = target["lastError"], reasons[job]
            check(f"{job}: {said!r}", said in wanted if isinstance(wanted, tuple) else said == wanted, f"wanted {wanted!r}")
            # A scrape that is given up at its timeout ends soon after, whatever else is going on.
            check(f"{job} ends in time", target["lastScrapeDuration"] < (4 if job == "redirects" else 1.5), target["lastScrapeDuration"])
        ups = {r["metric"]["job"]: r["value"][1] for r in server.query("up")}
        check("up is 0 for the bad, 1 for the good", ups == {**{k: "0" for k in KINDS + ["dead"]}, "good": "1"}, ups)
        wait_until("some time goes by", lambda: time.time() > began + 6, 10)
        rows = server.query('up{job="good"}[5s]')
        times = [p[0] for p in rows[0]["values"]]
        check("the good target misses no scrape", len(times) >= 9 and max(b - a for a, b in zip(times, times[1:])) < 0.75, times)
        # A page may have 64 MB, and a few are read at once; what they inflate to is thirty times as much.
        check("memory stays bounded", resident_mib(server.child.pid) < 450, resident_mib(server.child.pid))
        stop.set()
        check("it stops cleanly", server.stop() == 0)
    web.shutdown()
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
