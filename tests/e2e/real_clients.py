#!/usr/bin/env python3
"""Clients that were not written for us: Debian's prometheus writing to us, reading from us and federating us; promtool; the requests that
Grafana's data source sends; HTTP as curl and odd clients speak it; the official Python client library, scraped.

    real_clients.py SERVER_BINARY
"""
import json
import socket
import subprocess
import sys
import time
import urllib.parse

from harness import Process, Scratch, Server, find_peer, free_port, skip, wait_until

failures = []
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def check(what, actual, expected):
    good = actual == expected
    print(("ok    " if good else "WRONG ") + what + ("" if good else f": {actual!r}, not {expected!r}"), flush=True)
    if not good:
        failures.append(what)


def raw(server, data, read_for=10):
    """Everything that comes back for these bytes until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=read_for) as s:
        s.sendall(data)
        out = b""
        try:
            while piece := s.recv(65536):
                out += piece
        except TimeoutError:
            pass
        return out


def odd_http(server):
    simple = b"GET /api/v1/query?query=1 HTTP/1.%d\r\nHost: x\r\n%s\r\n"
    old = raw(server, simple % (0, b""))
    check("HTTP/1.0", (old.startswith(b"HTTP/1.0 200") or old.startswith(b"HTTP/1.1 200"), b'"success"' in old), (True, True))
    many = raw(server, simple % (1, b"") * 5 + simple % (1, b"Connection: close\r\n"))
    check("pipelining", many.count(b"HTTP/1.1 200"), 6)
    chunked = raw(server, b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n"
                          b"Connection: close\r\n\r\n3\r\nque\r\n5;a=b\r\nry=42\r\n0\r\n\r\n")
    check("chunked body", b'"42"' in chunked, True)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as s:
        s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 8\r\nExpect: 100-continue\r\n"
                  b"Connection: close\r\n\r\n")
        check("100-continue", s.recv(1000).startswith(b"HTTP/1.1 100 Continue"), True)
        s.sendall(b"query=42")
        answer = b""
        while piece := s.recv(65536):
            answer += piece
        check("after 100-continue", b'"42"' in answer, True)


# Serves what the official Python client library exposes, until it is ended.
PYTHON_CLIENT = """
import sys, threading
from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary, start_http_server
Counter("py_jobs", "Jobs.", ["kind"]).labels("a").inc(3, {"trace_id": "abc"})
Gauge("py_level", "A\\n level.").set(-1.5)
Histogram("py_took_seconds", "Took.", buckets=[0.5, 1]).observe(0.7)
Summary("py_size", "Size.").observe(4)
Info("py_build", "Build.").info({"version": "1"})
Enum("py_state", "State.", states=["up", "down"]).state("down")
start_http_server(int(sys.argv[1]), "127.0.0.1")
threading.Event().wait()
"""


DEBIAN_PYTHON = "/usr/bin/python3"  # the one that Debian's packages are for


def need_clients():
    """Skips before anything is judged."""
    for name in ("prometheus", "promtool", "curl"):
        find_peer(name)
    if subprocess.run([DEBIAN_PYTHON, "-c", "import prometheus_client"], capture_output=True, timeout=30).returncode != 0:
        skip("python3-prometheus-client is not installed; scripts/test --with-peers installs it")


def python_client(binary, folder):
    target_port = free_port()
    scrape = f"scrape_configs:\n- job_name: python\n  scrape_interval: 1s\n  static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]\n"
    with Process([DEBIAN_PYTHON, "-c", PYTHON_CLIENT, str(target_port)], f"{folder}/python.log"), \
            Server(binary, scrape, f"{folder}/scraper", "--enable-feature=exemplar-storage") as server:
        server.wait_ready()
        wait_until("the Python client is scraped", lambda: server.query("py_level"))
        for expression, wanted in [('py_jobs_total{kind="a"}', "3"), ("py_level", "-1.5"), ('py_took_seconds_bucket{le="1.0"}', "1"), ('py_took_seconds_bucket{le="0.5"}', "0"),
                                   ("py_took_seconds_count", "1"), ("py_size_sum", "4"), ('py_build_info{version="1"}', "1"), ('py_state{py_state="down"}', "1"),
                                   ("up", "1")]:
            check(f"Python client: {expression}", [row["value"][1] for row in server.query(expression)], [wanted])
        kinds = {name: server.api("metadata", metric=name)[name][0]["type"] for name in ("py_jobs", "py_level", "py_took_seconds", "py_size", "py_build", "py_state")}
        check("types", kinds, {"py_jobs": "counter", "py_level": "gauge", "py_took_seconds": "histogram", "py_size": "summary", "py_build": "info", "py_state": "stateset"})
        check("exemplar", [e["labels"] for row in server.api("query_exemplars", query="py_jobs_total") for e in row["exemplars"]], [{"trace_id": "abc"}])


def curl(server):
    """curl in the ways it speaks HTTP."""
    url = f"{server.url}/api/v1/query"
    form = "query=42" + "+" * 1_200_000  # of more than a megabyte curl asks first
    for what, arguments, body in [("1.0", ["--http1.0", f"{url}?query=42"], None), ("1.1", [f"{url}?query=42"], None), ("2 where it can be", ["--http2", f"{url}?query=42"], None),
                                  ("compressed", ["--compressed", f"{url}?query=42"], None), ("a form", ["-d", "query=42", url], None),
                                  ("a chunked form", ["-H", "Transfer-Encoding: chunked", "-d", "@-", url], "query=42"),
                                  ("Expect", ["-H", "Expect: 100-continue", "-d", "query=42", url], None), ("two on one connection", [f"{url}?query=42", f"{url}?query=42"], None),
                                  ("HEAD", ["-I", f"{server.url}/-/healthy"], None), ("a large form", ["-d", "@-", url], form)]:
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "-w", "%{http_code} ", "-o", "/dev/null", "-o", "/dev/null", *arguments], input=body, capture_output=True, text=True, timeout=30)
        wanted = "200 200" if "two" in what else "200"
        check(f"curl, {what}", (done.returncode, done.stdout.strip()), (0, wanted))


def grafana(server, now):
    """What the data source asks: health, versions, browsing, panels, annotations."""
    window = {"start": now - 60, "end": now}
    shapes = [("POST", "query", {"query": "1+1", "time": now}), ("GET", "status/buildinfo", {}), ("GET", "labels", window), ("POST", "labels", window),
              ("GET", "label/__name__/values", window), ("GET", "label/job/values", {**window, "match[]": "up"}), ("POST", "series", {**window, "match[]": '{job="self"}'}),
              ("GET", "metadata", {}), ("GET", "metadata", {"limit": 10, "limit_per_metric": 1}), ("POST", "query_range", {**window, "query": "up", "step": 15}),
              ("POST", "query_range", {**window, "query": "ALERTS{alertstate=\"firing\"}", "step": "60s"}), ("POST", "query_exemplars", {**window, "query": "up"}),
              ("GET", "rules", {}), ("GET", "alerts", {}), ("GET", "rules", {"type": "alert", "exclude_alerts": "true"}), ("POST", "query", {"query": "up", "timeout": "30s", "stats": "all"}),
              ("GET", "format_query", {"query": "sum(up)by(job)"}), ("GET", "parse_query", {"query": "rate(up[5m])"}), ("GET", "status/flags", {}), ("GET", "targets", {"state": "active"})]
    for method, path, parameters in shapes:
        text = urllib.parse.urlencode(parameters)
        target = f"/api/v1/{path}" + (f"?{text}" if method == "GET" and text else "")
        status, body, headers = server.request(method, target, text if method == "POST" else None, FORM if method == "POST" else {"Accept-Encoding": "identity"})
        answer = json.loads(body) if body else {}
        check(f"Grafana: {method} {path} {parameters}", (status, answer.get("status"), headers.get("Content-Type")), (200, "success", "application/json"))


def run(binary, folder):
    prometheus, promtool = find_peer("prometheus"), find_peer("promtool")
    port, peer_port = free_port(), free_port()
    scrape = f"scrape_configs:\n- job_name: self\n  scrape_interval: 1s\n  static_configs: [{{targets: ['127.0.0.1:{port}']}}]\n"
    written = f"""
global: {{external_labels: {{from: peer}}}}
remote_write: [{{url: 'http://127.0.0.1:{port}/api/v1/write'}}]
remote_read: [{{url: 'http://127.0.0.1:{port}/api/v1/read', read_recent: true}}]
scrape_configs:
- job_name: peer
  scrape_interval: 1s
  static_configs: [{{targets: ['127.0.0.1:{peer_port}']}}]
- job_name: federate
  scrape_interval: 1s
  honor_labels: true
  metrics_path: /federate
  params: {{'match[]': ['{{job="self",from="",__name__!="scrape_samples_scraped"}}']}}
  static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""
    with Server(binary, scrape, f"{folder}/ours", "--web.enable-remote-write-receiver", port=port) as ours, \
            Server(prometheus, written, f"{folder}/peer", port=peer_port) as peer:
        ours.wait_ready()
        peer.wait_ready()
        wait_until("the peer has written to us", lambda: ours.query('up{job="peer",from="peer"}'))
        wait_until("the peer has federated us", lambda: peer.query('prometheus_build_info{job="self"}'))
        check("federated labels", sorted(peer.query('up{job="self"}')[0]["metric"]), ["__name__", "instance", "job"])
        # The peer did not federate this one, and did not write it to us: it can only come by remote read.
        now = time.time()
        check("write failures", [float(s["value"][1]) for s in peer.query("prometheus_remote_storage_samples_failed_total")], [0.0])
        mine = wait_until("the peer reads from us", lambda: peer.api("query_range", query='scrape_samples_scraped{job="self",from=""}', start=now - 30, end=now, step=1)["result"])
        check("read back", len(mine) >= 1, True)
        for arguments in (["query", "instant", ours.url, "up"], ["query", "labels", ours.url, "job"], ["query", "series", "--match=up", ours.url],
                          ["query", "range", ours.url, "up"]):
            done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=30)
            check("promtool " + " ".join(arguments).replace(ours.url, "URL"), done.returncode, 0)
        check("configuration of a pool", "job_name: self\n" in ours.api("scrape_pools/config", scrapePool="self")["yaml"], True)
        check("features", ours.api("features")["api"]["remote_write_receiver"], True)
        grafana(ours, now)
        odd_http(ours)
        curl(ours)
        check("stop", ours.stop(), 0)


if __name__ == "__main__":
    need_clients()
    with Scratch() as scratch:
        run(sys.argv[1], scratch)
        python_client(sys.argv[1], scratch)
    sys.exit(1 if failures else 0)
