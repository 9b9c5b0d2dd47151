#!/usr/bin/env python3
"""Clients that were not written for us: Debian's prometheus writing to us, reading from us and federating us; promtool; the requests that
Grafana's data source sends; HTTP as curl and odd clients speak it; the official Python client library, scraped.

    real_clients.py SERVER_BINARY
"""
import json
import os
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
    rule_file = os.path.join(folder, "python_rules.yml")
    with open(rule_file, "w") as out:
        out.write("groups: [{name: py, interval: 1s, rules: [{record: 'py:level', expr: py_level}, {alert: Always, expr: 'vector(1)'}]}]\n")
    scrape = (f"rule_files: ['{rule_file}']\nscrape_configs:\n- job_name: python\n  scrape_interval: 1s\n"
              f"  static_configs: [{{targets: ['127.0.0.1:{target_port}']}}]\n")
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
        wait_until("the rules have been evaluated twice", lambda: server.query("count_over_time(py:level[1m]) > 1") and server.query('ALERTS{alertstate="firing"}'))
        grafana(server)


def curl(server):
    """curl in the ways it speaks HTTP."""
    url = f"{server.url}/api/v1/query"
    form = "query=42" + "+" * 1_200_000  # of more than a megabyte curl asks first
    for what, arguments, body in [("1.0", ["--http1.0", f"{url}?query=42"], None), ("1.1", [f"{url}?query=42"], None), ("2 where it can be", ["--http2", f"{url}?query=42"], None),
                                  ("compressed", ["--compressed", f"{url}?query=42"], None), ("a form", ["-d", "query=42", url], None), ("a form with parts", ["--fail", "-F", "query=42", url], None),
                                  ("a chunked form", ["-H", "Transfer-Encoding: chunked", "-d", "@-", url], "query=42"),
                                  ("Expect", ["-H", "Expect: 100-continue", "-d", "query=42", url], None), ("two on one connection", [f"{url}?query=42", f"{url}?query=42"], None),
                                  ("HEAD", ["-I", f"{server.url}/-/healthy"], None), ("a large form", ["-d", "@-", url], form)]:
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "-w", "%{http_code} ", "-o", "/dev/null", "-o", "/dev/null", *arguments], input=body, capture_output=True, text=True, timeout=30)
        wanted = "200 200" if "two" in what else "200"
        check(f"curl, {what}", (done.returncode, done.stdout.strip()), (0, wanted))


def grafana(server):
    """What the data source asks: health, versions, browsing, panels, exemplars, variables, annotations, rules. Each with what it looks for in the answer."""
    now = time.time()
    window = {"start": f"{now - 60:.3f}", "end": f"{now:.3f}"}
    panel = {**window, "step": "15", "timeout": "60s"}
    browser = {**window, "limit": "40000"}
    shapes = [
        # the button that tests the data source, and what it finds out about it
        ("POST", "query", {"query": "1+1", "time": f"{now:.3f}"}, lambda d: d == {"resultType": "scalar", "result": [d["result"][0], "2"]}),
        ("GET", "status/buildinfo", {}, lambda d: d["version"].startswith("3.") and "features" not in d),
        ("GET", "status/flags", {}, lambda d: "query.lookback-delta" in d),
        ("GET", "rules", {}, lambda d: [rule["type"] for group in d["groups"] for rule in group["rules"]] == ["recording", "alerting"]),
        # the metrics browser and the query builder
        ("GET", "label/__name__/values", browser, lambda d: {"up", "py_level", "py_took_seconds_bucket"} <= set(d)),
        ("GET", "label/__name__/values", {**browser, "match[]": '{__name__=~".*py_.*"}'}, lambda d: "py_level" in d and "up" not in d),
        ("GET", "label/job/values", {**browser, "match[]": "up"}, lambda d: d == ["python"]),
        ("GET", "labels", browser, lambda d: {"__name__", "job", "kind", "le"} <= set(d)),
        ("POST", "labels", {**browser, "match[]": 'py_jobs_total{job="python"}'}, lambda d: d == ["__name__", "instance", "job", "kind"]),
        ("GET", "series", {**browser, "match[]": "py_jobs_total"}, lambda d: [row["kind"] for row in d] == ["a"]),
        ("POST", "series", {**browser, "match[]": '{job="python",__name__="py_level"}'}, lambda d: len(d) == 1 and d[0]["__name__"] == "py_level"),
        ("GET", "metadata", {"limit": "40000"}, lambda d: d["py_jobs"] == [{"type": "counter", "unit": "", "help": "Jobs."}]),
        ("GET", "metadata", {"metric": "py_level"}, lambda d: d == {"py_level": [{"type": "gauge", "unit": "", "help": "A\n level."}]}),
        ("GET", "metadata", {"limit": "1", "limit_per_metric": "1"}, lambda d: len(d) == 1),
        ("GET", "format_query", {"query": "sum(up)by(job)"}, lambda d: d == "sum by (job) (up)"),
        ("GET", "parse_query", {"query": "rate(py_jobs_total[5m])"}, lambda d: d["type"] == "call" and d["func"]["name"] == "rate"),
        # panels: by form and by URL, with the functions that Grafana's macros expand to
        ("POST", "query_range", {**panel, "query": "py_level"}, lambda d: d["resultType"] == "matrix" and all(v == "-1.5" for _, v in d["result"][0]["values"])),
        ("GET", "query_range", {**panel, "query": "py_level"}, lambda d: len(d["result"]) == 1),
        ("POST", "query_range", {**panel, "query": 'histogram_quantile(0.9, sum by (le) (rate(py_took_seconds_bucket{job=~"python|other"}[1m0s])))'}, lambda d: d["resultType"] == "matrix"),
        ("POST", "query_range", {**panel, "query": "increase(py_jobs_total[60s]) or nothing_of_this_name"}, lambda d: d["resultType"] == "matrix"),
        ("POST", "query_range", {**panel, "query": "nothing_of_this_name"}, lambda d: d["result"] == []),
        ("POST", "query", {"query": "py_size_sum", "time": f"{now:.3f}"}, lambda d: d["result"][0]["value"][1] == "4"),
        ("GET", "query", {"query": "topk(3, {job='python'})", "time": f"{now:.3f}"}, lambda d: len(d["result"]) == 3),
        ("POST", "query", {"query": "up", "stats": "true", "limit": "5"}, lambda d: d["stats"]["samples"]["totalQueryableSamples"] == 1),
        ("POST", "query_exemplars", {**window, "query": "rate(py_jobs_total[1m])"}, lambda d: [e["labels"] for row in d for e in row["exemplars"]] == [{"trace_id": "abc"}]),
        ("GET", "query_exemplars", {**window, "query": "py_jobs_total"}, lambda d: [row["seriesLabels"]["kind"] for row in d] == ["a"]),
        # variables: query_result(), label_values(), metrics()
        ("POST", "query", {"query": "count by (job) (up)", "time": f"{now:.3f}"}, lambda d: d["result"][0]["metric"] == {"job": "python"}),
        ("GET", "label/kind/values", {**window, "match[]": 'py_jobs_total{job="python"}'}, lambda d: d == ["a"]),
        ("GET", "label/nothing/values", window, lambda d: d == []),
        # annotations and alerts
        ("POST", "query_range", {**window, "step": "60", "query": 'ALERTS{alertstate="firing"}'}, lambda d: {row["metric"]["alertname"] for row in d["result"]} == {"Always"}),
        ("GET", "alerts", {}, lambda d: [(a["labels"]["alertname"], a["state"], a["value"]) for a in d["alerts"]] == [("Always", "firing", "1e+00")]),
        ("GET", "rules", {"type": "alert", "exclude_alerts": "true"}, lambda d: [rule["name"] for group in d["groups"] for rule in group["rules"]] == ["Always"]),
        ("GET", "rules", {"rule_name[]": "py:level"}, lambda d: [rule["name"] for group in d["groups"] for rule in group["rules"]] == ["py:level"]),
        ("GET", "rules", {"group_limit": "10"}, lambda d: len(d["groups"]) == 1 and "groupNextToken" not in d),
        ("GET", "alertmanagers", {}, lambda d: d == {"activeAlertmanagers": [], "droppedAlertmanagers": []}),
        ("GET", "targets", {"state": "active"}, lambda d: [t["health"] for t in d["activeTargets"]] == ["up"]),
    ]
    for method, path, parameters, fits in shapes:
        text = urllib.parse.urlencode(parameters)
        target = f"/api/v1/{path}" + (f"?{text}" if method == "GET" and text else "")
        status, body, headers = server.request(method, target, text if method == "POST" else None,
                                               {"Accept": "application/json, text/plain, */*", "User-Agent": "Grafana/12.0.0", **(FORM if method == "POST" else {})})
        answer = json.loads(body) if body else {}
        what = f"Grafana: {method} {path} {parameters}"
        check(what, (status, answer.get("status"), headers.get("Content-Type")), (200, "success", "application/json"))
        check(what + ": what it looks for", "data" in answer and fits(answer["data"]), True)
    # By these it finds out that this is neither Mimir nor a server with a ruler.
    for path in ("/api/v1/rules/test/test", "/config/v1/rules", "/api/v1/user_limits", "/api/v1/status/config/nothing"):
        check(f"Grafana: {path}", server.request("GET", path)[0], 404)
    # What it shows of a wrong query is the server's error.
    status, body, _ = server.request("POST", "/api/v1/query_range", urllib.parse.urlencode({**panel, "query": "up{"}), FORM)
    check("Grafana: a wrong query", (status, json.loads(body)["errorType"], "parse error" in json.loads(body)["error"]), (400, "bad_data", True))


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
        odd_http(ours)
        curl(ours)
        check("stop", ours.stop(), 0)


if __name__ == "__main__":
    need_clients()
    with Scratch() as scratch:
        run(sys.argv[1], scratch)
        python_client(sys.argv[1], scratch)
    sys.exit(1 if failures else 0)
