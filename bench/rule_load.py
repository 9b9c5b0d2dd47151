#!/usr/bin/env python3
"""CPU of rule evaluation: 2 000 groups of 10 rules at 1 min over 100 000 scraped series, one server after the other.

    rule_load.py --server NAME=BINARY [--server ...] [--groups 2000] [--seconds 180]

This script is the target: 50 pages of 2 000 series, scraped every 30 s. Each group has eight recording rules and two alerts over its 50
series. After two minutes of warm-up the CPU time of the process is taken over the given time; the same is done without any rule file,
so that the cost of scraping can be taken off. Prints one JSON line a server.
"""
import argparse
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from harness import HttpTarget, Server  # noqa: E402

PAGES, SERIES = 50, 2000

RECORDINGS = ["sum by (zone) (rate(load_total{shard=\"%d\"}[5m]))", "sum by (zone) (rate(load_total{shard=\"%d\"}[2m]))",
              "max by (zone) (load_total{shard=\"%d\"})", "avg(load_total{shard=\"%d\"})", "count(load_total{shard=\"%d\"} > 100)",
              "quantile(0.9, rate(load_total{shard=\"%d\"}[5m]))", "sum(increase(load_total{shard=\"%d\"}[5m]))",
              "topk(3, load_total{shard=\"%d\"})"]
ALERTS = ["rate(load_total{shard=\"%d\"}[5m]) > 1e9", "sum by (zone) (rate(load_total{shard=\"%d\"}[5m])) < -1"]


def rule_file(path, groups):
    rows = []
    for g in range(groups):
        rules = [{"record": f"load:rule{i}", "expr": text % g, "labels": {"group": str(g)}} for i, text in enumerate(RECORDINGS)]
        rules += [{"alert": f"Load{i}", "expr": text % g, "for": "5m", "annotations": {"summary": "{{ $labels.zone }}"}}
                  for i, text in enumerate(ALERTS)]
        rows.append({"name": f"g{g}", "interval": "1m", "rules": rules})
    with open(path, "w") as out:
        json.dump({"groups": rows}, out)


class Pages(HttpTarget):
    def __init__(self, groups):
        self.lines = [[f'load_total{{shard="{(p * SERIES + s) % groups}",zone="z{s % 5}",n="{s}"}} ' for s in range(SERIES)] for p in range(PAGES)]
        super().__init__()

    def answer(self, request):
        page, now = int(request.path.rsplit("/", 1)[1]), int(time.time())
        return "".join(f"{text}{now % 100000 * (i % 7 + 1)}\n" for i, text in enumerate(self.lines[page]))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(binary, port, rules, warm, seconds):
    config = "global: {scrape_interval: 30s, evaluation_interval: 1m}\n"
    config += f"rule_files: ['{rules}']\n" if rules else ""
    config += "scrape_configs:\n" + "".join(
        f"- {{job_name: p{p}, metrics_path: /page/{p}, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}\n" for p in range(PAGES))
    with tempfile.TemporaryDirectory() as folder, Server(binary, config, folder) as server:
        server.wait_ready(60)
        time.sleep(warm)
        before = cpu_seconds(server.child.pid)
        time.sleep(seconds)
        cpu = cpu_seconds(server.child.pid) - before
        out = {"cpu_seconds": round(cpu, 2)}
        if rules:
            metrics = server.request("GET", "/metrics")[1].decode()
            for name in ("prometheus_rule_group_iterations_missed_total", "prometheus_rule_group_iterations_total",
                         "prometheus_rule_evaluation_failures_total"):
                out[name] = sum(float(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(name + "{"))
        return out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", action="append", required=True)
    parser.add_argument("--groups", type=int, default=2000)
    parser.add_argument("--warm", type=int, default=120)
    parser.add_argument("--seconds", type=int, default=180)
    options = parser.parse_args()
    pages = Pages(options.groups)
    with tempfile.TemporaryDirectory() as folder:
        rules = os.path.join(folder, "rules.json")
        rule_file(rules, options.groups)
        for server in options.server:
            name, binary = server.split("=", 1)
            bare = measure(binary, pages.port, None, 60, min(options.seconds, 60))
            full = measure(binary, pages.port, rules, options.warm, options.seconds)
            scraping = bare["cpu_seconds"] / min(options.seconds, 60)
            full["rules_cpu_per_minute"] = round((full["cpu_seconds"] / options.seconds - scraping) * 60, 2)
            print(json.dumps({"server": name, "scraping_cpu_per_minute": round(scraping * 60, 2), **full}), flush=True)


if __name__ == "__main__":
    main()
