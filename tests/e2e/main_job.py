#!/usr/bin/env python3
"""End to end: scrape a real node exporter and the server itself at 1 s through recording proxies, then ask 20 queries over HTTP
and compare with values computed here from the recorded bodies.

    main_job.py SERVER_BINARY

The i-th stored scrape must be the i-th recorded body: counts agree, and each stored time lies within the recorded arrival.
"""
import math
import statistics
import subprocess
import sys
import time

from exposition import parse
from harness import Process, RecordingProxy, Scratch, Server, find_peer, free_port, wait_until

SCRAPES = 14
failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


class Recorded:
    """The history of one job: list of (time in s, {series: value}), series as in exposition.parse plus target labels."""

    def __init__(self, job, instance, times, bodies):
        self.target = {"job": job, "instance": instance}
        self.scrapes = list(zip(times, [parse(b) for b in bodies]))

    def points(self, name, match=lambda labels: True):
        """{labels without the name: [(t, v)…]}"""
        out = {}
        for t, samples in self.scrapes:
            for (metric, labels), value in samples.items():
                if metric == name and match(dict(labels)):
                    out.setdefault(frozenset({**dict(labels), **self.target}.items()), []).append((t, value))
        return out

    def at(self, name, t, match=lambda labels: True, lookback=300):
        """Instant vector: newest sample in (t - lookback, t] unless the series had vanished by then."""
        out = {}
        newest = max((s for s, _ in self.scrapes if s <= t), default=None)
        for labels, points in self.points(name, match).items():
            before = [(s, v) for s, v in points if t - lookback < s <= t]
            if before and before[-1][0] == newest:
                out[labels] = before[-1][1]
        return out

    def window(self, name, t, seconds, match=lambda labels: True):
        """Range vector: samples in (t - seconds, t]."""
        out = {}
        for labels, points in self.points(name, match).items():
            inside = [(s, v) for s, v in points if round(t - seconds, 3) < s <= t]
            if inside:
                out[labels] = inside
        return out


def apart(later, earlier):
    """Seconds between two times that are whole milliseconds, without the rounding of large floats."""
    return (round(later * 1000) - round(earlier * 1000)) / 1000


def extrapolated(points, t, seconds, is_counter, is_rate):
    """Prometheus's rate/increase/delta over one window (t - seconds, t]."""
    if len(points) < 2:
        return None
    change = points[-1][1] - points[0][1]
    if is_counter:
        for (_, a), (_, b) in zip(points, points[1:]):
            if b < a:
                change += a
    to_start, to_end = apart(points[0][0], t - seconds), apart(t, points[-1][0])
    sampled = apart(points[-1][0], points[0][0])
    average = sampled / (len(points) - 1)
    threshold = average * 1.1
    if to_start >= threshold:
        to_start = average / 2
    if is_counter and change > 0 and points[0][1] >= 0:
        to_start = min(to_start, sampled * (points[0][1] / change))
    if to_end >= threshold:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    return change * factor / (seconds if is_rate else 1)


def quantile(q, values):
    values = sorted(values)
    rank = q * (len(values) - 1)
    low = max(0, math.floor(rank))
    high = min(len(values) - 1, low + 1)
    return values[low] * (1 - (rank - low)) + values[high] * (rank - low)


def bucket_quantile(q, buckets):
    """buckets: [(upper bound, cumulative count)] ascending, ending with +Inf."""
    total = buckets[-1][1]
    if total == 0:
        return math.nan
    rank = q * total
    index = next(i for i, (_, c) in enumerate(buckets) if c >= rank or i == len(buckets) - 1)
    if index == len(buckets) - 1:
        return buckets[-2][0]
    upper, count = buckets[index]
    if index == 0 and upper <= 0:
        return upper
    lower, below = (0.0, 0.0) if index == 0 else buckets[index - 1]
    return lower + (upper - lower) * ((rank - below) / (count - below))


def grouped(vector, keep, fold):
    groups = {}
    for labels, value in vector.items():
        key = frozenset((k, v) for k, v in labels if k in keep)
        groups.setdefault(key, []).append(value)
    return {key: fold(values) for key, values in groups.items()}


def without(labels, *names):
    return frozenset((k, v) for k, v in labels if k not in names)


def close(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def compare_vector(server, expression, t, expected, keep_name=None):
    got = {}
    for row in server.query(expression, t):
        labels = dict(row["metric"])
        name = labels.pop("__name__", None)
        check(f"{expression}: metric name", name == keep_name, f"{name} instead of {keep_name}") if name != keep_name else None
        got[frozenset(labels.items())] = float(row["value"][1])
    missing, extra = set(expected) - set(got), set(got) - set(expected)
    wrong = [(dict(k), got[k], expected[k]) for k in set(got) & set(expected) if not close(got[k], expected[k])]
    check(f"{expression} ({len(expected)} series)", expected and not missing and not extra and not wrong,
          f"missing {[dict(m) for m in list(missing)[:2]]} extra {[dict(e) for e in list(extra)[:2]]} wrong {wrong[:3]}")


def instant_queries(server, node, own, t, first):
    cpu = "node_cpu_seconds_total"
    v = node.at
    over = lambda f, name=cpu, s=6: {k: f([x for _, x in p]) for k, p in node.window(name, t, s).items()}
    rates = lambda name, s, counter, rate: {k: r for k, p in node.window(name, t, s).items()
                                            if (r := extrapolated(p, t, s, counter, rate)) is not None}
    table = [
        ("node_load1", v("node_load1", t), "node_load1"),
        (f'{cpu}{{mode!="idle"}}', v(cpu, t, lambda l: l["mode"] != "idle"), cpu),
        (f'{cpu}{{mode=~"idle|s.*"}}', v(cpu, t, lambda l: l["mode"] == "idle" or l["mode"].startswith("s")), cpu),
        (f'{cpu}{{mode!~"idle|s.*"}}', v(cpu, t, lambda l: l["mode"] != "idle" and not l["mode"].startswith("s")), cpu),
        (f"{cpu} offset 4s", v(cpu, t - 4), cpu),
        (f"node_load1 @ {first!r}", v("node_load1", first), "node_load1"),
        ("node_memory_MemTotal_bytes - node_memory_MemFree_bytes",
         {k: x - v("node_memory_MemFree_bytes", t)[k] for k, x in v("node_memory_MemTotal_bytes", t).items()}, None),
        (f"{cpu} > 1", {k: x for k, x in v(cpu, t).items() if x > 1}, cpu),
        (f"{cpu} >= bool 1", {k: float(x >= 1) for k, x in v(cpu, t).items()}, None),
        (f'{cpu} unless {cpu}{{mode="idle"}}', {k: x for k, x in v(cpu, t).items() if dict(k)["mode"] != "idle"}, cpu),
        (f'{cpu}{{mode="user"}} or {cpu}{{mode="idle"}}',
         {k: x for k, x in v(cpu, t).items() if dict(k)["mode"] in ("user", "idle")}, cpu),
        (f"{cpu} * on(instance) group_left(machine) node_uname_info",
         {k | {("machine", m)}: x * u for k, x in v(cpu, t).items()
          for n, u in v("node_uname_info", t).items() for m in [dict(n)["machine"]]}, None),
        (f"sum by (mode) ({cpu})", grouped(v(cpu, t), {"mode"}, math.fsum), None),
        (f"avg without (cpu) ({cpu})", grouped(v(cpu, t), {"mode", "job", "instance"}, lambda x: math.fsum(x) / len(x)), None),
        (f"stddev by (mode) ({cpu})", grouped(v(cpu, t), {"mode"}, statistics.pstdev), None),
        (f"quantile by (mode) (0.9, {cpu})", grouped(v(cpu, t), {"mode"}, lambda x: quantile(0.9, x)), None),
        (f"count by (job) ({cpu})", grouped(v(cpu, t), {"job"}, len), None),
        (f"topk(3, {cpu})", dict(sorted(v(cpu, t).items(), key=lambda kv: -kv[1])[:3]), cpu),
        (f"rate({cpu}[6s])", rates(cpu, 6, True, True), None),
        (f"increase({cpu}[6s])", rates(cpu, 6, True, False), None),
        ("delta(node_memory_MemFree_bytes[6s])", rates("node_memory_MemFree_bytes", 6, False, False), None),
        (f"irate({cpu}[6s])", {k: (p[-1][1] - p[-2][1]) / apart(p[-1][0], p[-2][0]) for k, p in node.window(cpu, t, 6).items()
                               if len(p) > 1 and p[-1][1] >= p[-2][1]}, None),
        (f"avg_over_time({cpu}[6s])", over(lambda x: math.fsum(x) / len(x)), None),
        (f"max_over_time({cpu}[6s])", over(max), None),
        (f"count_over_time({cpu}[6s])", over(len), None),
        (f"quantile_over_time(0.5, {cpu}[6s])", over(lambda x: quantile(0.5, x)), None),
        (f"stdvar_over_time(node_memory_MemFree_bytes[6s])", over(statistics.pvariance, "node_memory_MemFree_bytes"), None),
    ]
    # Subquery: steps are multiples of 2 s in (t - 8, t].
    steps = [s for s in range(math.floor(t - 8) // 2 * 2, math.ceil(t) + 1, 2) if t - 8 < s <= t]
    sub = {}
    for s in steps:
        for k, x in v("node_memory_MemFree_bytes", s).items():
            sub.setdefault(k, []).append(x)
    table.append(("min_over_time(node_memory_MemFree_bytes[8s:2s])", {k: min(x) for k, x in sub.items()}, None))
    histogram = "prometheus_http_request_duration_seconds_bucket"
    by_le = grouped(own.at(histogram, t), {"le"}, math.fsum)
    buckets = sorted((float(dict(k)["le"].replace("+Inf", "inf")), x) for k, x in by_le.items())
    table.append((f"histogram_quantile(0.9, sum by (le) ({histogram}))", {frozenset(): bucket_quantile(0.9, buckets)}, None))
    for expression, expected, name in table:
        compare_vector(server, expression, t, {without(k, "__name__"): float(x) for k, x in expected.items()}, name)


def range_query(server, node, start, end, step):
    expression = "sum by (mode) (node_cpu_seconds_total)"
    data = server.api("query_range", query=expression, start=repr(start), end=repr(end), step=step)
    got = {(frozenset(row["metric"].items()), p[0]): float(p[1]) for row in data["result"] for p in row["values"]}
    expected, t = {}, start
    while t <= end + 1e-9:
        for key, value in grouped(node.at("node_cpu_seconds_total", t), {"mode"}, math.fsum).items():
            expected[(key, round(t, 3))] = value
        t += step
    wrong = [k for k in expected if k not in got or not close(got[k], expected[k])]
    check(f"query_range {expression} ({len(expected)} points)", expected and set(got) == set(expected) and not wrong, wrong[:3])


def promtool_works(server, t):
    promtool = find_peer("promtool")
    for args, wants in [
        (["query", "instant", f"--time={t:.3f}", server.url, "up"], 'up{instance="node"'),
        (["query", "range", f"--start={t - 5:.0f}", f"--end={t:.0f}", "--step=1s", server.url, "up"], "up{"),
        (["query", "series", "--match=up", server.url], '__name__="up"'),
        (["query", "labels", server.url, "job"], "node"),
    ]:
        done = subprocess.run([promtool, *args], capture_output=True, text=True, timeout=30)
        check("promtool " + " ".join(args[:2]), done.returncode == 0 and wants in done.stdout, done.stdout + done.stderr)


def main():
    binary = sys.argv[1]
    exporter = find_peer("prometheus-node-exporter")
    with Scratch() as folder:
        exporter_port, server_port = free_port(), free_port()
        node_proxy, own_proxy = RecordingProxy(exporter_port), RecordingProxy(server_port)
        config = f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: node
    relabel_configs: [{{target_label: instance, replacement: node}}]
    static_configs: [{{targets: ['127.0.0.1:{node_proxy.port}']}}]
  - job_name: own
    relabel_configs: [{{target_label: instance, replacement: own}}]
    static_configs: [{{targets: ['127.0.0.1:{own_proxy.port}']}}]
"""
        try:
            with Process([exporter, f"--web.listen-address=127.0.0.1:{exporter_port}", "--no-collector.textfile"], f"{folder}/exporter.log"), \
                    Server(binary, config, f"{folder}/server", port=server_port) as server:
                server.wait_ready()
                wait_until("enough scrapes", lambda: min(len(node_proxy.records), len(own_proxy.records)) >= SCRAPES, 60)
                # The newest recorded bodies may not be committed yet: look only at what lies two seconds back.
                horizon = math.floor(time.time()) - 1
                wait_until("the last scrapes are stored", lambda: time.time() > horizon + 2.5, 10)
                history = {}
                for job, proxy in (("node", node_proxy), ("own", own_proxy)):
                    rows = server.query(f'up{{job="{job}"}}[5m]', horizon)
                    times = [p[0] for p in rows[0]["values"]]
                    ups = [p[1] for p in rows[0]["values"]]
                    with proxy.lock:
                        records = [r for r in proxy.records if r[0] <= horizon][: len(times)]
                    check(f"{job}: every scrape is stored once", len(times) == len(records) >= SCRAPES - 4 and set(ups) == {"1"},
                          f"{len(times)} stored, {len(records)} recorded, up {set(ups)}")
                    late = max(abs(t - r[0]) for t, r in zip(times, records))
                    check(f"{job}: stored times are the scrape times", late < 0.5, f"{late} s apart")
                    history[job] = Recorded(job, job, times, [r[1] for r in records])
                t = float(horizon)
                instant_queries(server, history["node"], history["own"], t, history["node"].scrapes[3][0])
                range_query(server, history["node"], t - 8, t, 2)
                promtool_works(server, t)
                targets = server.api("targets")["activeTargets"]
                check("targets are up", sorted(x["health"] for x in targets) == ["up", "up"], targets)
                check("SIGTERM ends it cleanly", server.stop() == 0, server.output()[-1000:])
        finally:
            node_proxy.close()
            own_proxy.close()
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
