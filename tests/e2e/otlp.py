#!/usr/bin/env python3
"""OTLP metrics over HTTP, both encodings written by hand: what is sent can be queried under Prometheus's names.

    otlp.py SERVER_BINARY
"""
import gzip
import json
import sys
import time

from harness import Scratch, Server
from wire import otlp_request

failures = []


def check(what, actual, expected):
    good = actual == expected
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {actual!r}, not {expected!r}"), flush=True)
    if not good:
        failures.append(what)


def json_request(now_ns):
    return json.dumps({"resourceMetrics": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "till"}}]},
        "scopeMetrics": [{"metrics": [
            {"name": "queue.length", "unit": "{items}",
             "gauge": {"dataPoints": [{"timeUnixNano": str(now_ns), "asInt": "7"}]}},
            {"name": "wait", "unit": "ms",
             "summary": {"dataPoints": [{"timeUnixNano": str(now_ns), "count": "2", "sum": 3,
                                         "quantileValues": [{"quantile": 0.9, "value": 2}]}]}}]}]}]}).encode()


def value(server, expression):
    result = server.query(expression)
    return [float(sample["value"][1]) for sample in result]


def labels(server, expression):
    return [sample["metric"] for sample in server.query(expression)]


def run(binary, folder):
    path = "/api/v1/otlp/v1/metrics"
    with Server(binary, "global: {}\n", f"{folder}/off") as server:
        server.wait_ready()
        status, body, _ = server.request("POST", path, b"", {"Content-Type": "application/x-protobuf"})
        check("without the flag", (status, body), (
            404, b"otlp write receiver needs to be enabled with --web.enable-otlp-receiver\n"))
    config = "otlp:\n  promote_resource_attributes: [host.name]\n"
    with Server(binary, config, f"{folder}/on", "--web.enable-otlp-receiver") as server:
        server.wait_ready()
        now_ns = time.time_ns() // 10**6 * 10**6
        as_protobuf = {"Content-Type": "application/x-protobuf"}
        status, body, _ = server.request("POST", path, otlp_request(now_ns), as_protobuf)
        check("protobuf", (status, body), (200, b""))
        check("again, compressed", server.request("POST", path, gzip.compress(otlp_request(now_ns)), {
            **as_protobuf, "Content-Encoding": "gzip"})[0], 200)
        check("json", server.request("POST", path, json_request(now_ns), {"Content-Type": "application/json"})[0], 200)
        check("counter", labels(server, "requests_total"), [{
            "__name__": "requests_total", "http_route": "/x", "job": "eu/shop", "instance": "i-1", "host_name": "box"}])
        check("counter's value", value(server, "requests_total"), [12.5])
        check("histogram", value(server, 'latency_seconds_bucket{le="2.5"}'), [2])
        check("histogram, all", value(server, "latency_seconds_count"), [3])
        check("native histogram", value(server, "histogram_count(sizes_bytes)"), [6])
        check("native histogram's buckets", value(server, "histogram_fraction(4, 16, sizes_bytes)"), [5 / 6])
        check("target_info", labels(server, "target_info"), [{
            "__name__": "target_info", "job": "eu/shop", "instance": "i-1", "host_name": "box"}])
        check("gauge", labels(server, "queue_length"), [{"__name__": "queue_length", "job": "till"}])
        check("summary", value(server, 'wait_milliseconds{quantile="0.9"}'), [2])
        for what, status, body, headers in [
                ("other type", 400, b"", {"Content-Type": "text/plain"}),
                ("other compression", 400, b"", {**as_protobuf, "Content-Encoding": "zstd"}),
                ("garbage", 400, b"\xff\xff\xff", as_protobuf),
                ("cut", 400, otlp_request(now_ns)[:100], as_protobuf),
                ("bomb", 400, gzip.compress(bytes(64 << 20)), {**as_protobuf, "Content-Encoding": "gzip"}),
                ("an hour ahead", 400, otlp_request(now_ns + 3600 * 10**9), as_protobuf),
                ("an hour ago", 400, otlp_request(now_ns - 3600 * 10**9), as_protobuf)]:
            check(what, server.request("POST", path, body, headers)[0], status)
        # No series is made for what storage takes for no series.
        day_ago = otlp_request(now_ns - 24 * 3600 * 10**9).replace(b"requests", b"bygones!")
        check("a day ago", server.request("POST", path, day_ago, as_protobuf)[0], 400)
        names = json.loads(server.request("GET", "/api/v1/label/__name__/values")[1])["data"]
        check("names of nothing", [name for name in names if name.startswith("bygones")], [])
        check("GET", server.request("GET", path)[0], 405)
        check("stop", server.stop(), 0)


if __name__ == "__main__":
    with Scratch() as scratch:
        run(sys.argv[1], scratch)
    sys.exit(1 if failures else 0)
