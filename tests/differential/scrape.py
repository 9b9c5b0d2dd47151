#!/usr/bin/env python3
"""The same odd expositions, scraped by two servers: ours and Debian's prometheus. What is stored must be equal.

    scrape.py SERVER_BINARY [NAME...]

Each exposition of scrape_expositions.py is a job with one target. A target answers its pages in turn, the same number of times for both
servers, then it fails. Compared are the samples of every series (and their times, where pages give times), stale series, exemplars and
metadata. Differences that are meant are listed in expected_scrape_differences.txt: a regular expression over "exposition: what", a tab,
and the section of the surface document that says so. An entry that matches nothing is an error: the list only shrinks.
"""
import json
import os
import re
import sys
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import HttpTarget, Scratch, Server, find_peer, wait_until  # noqa: E402

from scrape_expositions import EXPOSITIONS  # noqa: E402

TIMED = {"text_timestamps", "text_old_and_new_times", "om_times", "text_negative_time"}
NOT_COMPARED = {"scrape_duration_seconds"}
SERVERS = ("ours", "theirs")


class Targets(HttpTarget):
    """One page after another for each server and exposition, then failures."""

    def __init__(self, expositions):
        self.expositions = {e.name: e for e in expositions}
        self.now = int(time.time()) - 5
        self.served = {(s, e.name): 0 for s in SERVERS for e in expositions}
        self.lock = threading.Lock()
        super().__init__()

    def answer(self, request):
        url = urllib.parse.urlparse(request.path)
        name, server = url.path.strip("/"), urllib.parse.parse_qs(url.query)["server"][0]
        exposition = self.expositions[name]
        with self.lock:
            turn = self.served[server, name]
            self.served[server, name] += 1
        if turn >= len(exposition.pages):
            return 503, b"", None
        page = exposition.pages[turn].replace("{now}", str(self.now)).replace("{now_ms}", str(self.now * 1000))
        return 200, page, exposition.content_type or None

    def all_done(self):
        # Two failures: the first is then stored for certain.
        with self.lock:
            return all(count >= len(self.expositions[name].pages) + 2 for (_, name), count in self.served.items())


def config(expositions, port, server):
    lines = ["global: {scrape_interval: 1s, scrape_timeout: 1s}", "scrape_configs:"]
    for e in expositions:
        lines += [f"- job_name: {e.name}", f"  metrics_path: /{e.name}", f"  params: {{server: [{server}]}}",
                  f"  static_configs: [{{targets: ['127.0.0.1:{port}']}}]"]
        lines += [f"  {key}: {value}" for key, value in e.config.items()]
    return "\n".join(lines) + "\n"


def text_of(metric):
    labels = ",".join(f'{k}="{v}"' for k, v in sorted(metric.items()) if k not in ("__name__", "job", "instance"))
    return f"{metric.get('__name__', '')}{{{labels}}}"


def stored(server, exposition, targets_now):
    """{what: value} of everything a job left behind."""
    job = exposition.name
    out = {}
    selector = f'{{job="{job}"}}' if job not in ("text_honor_labels",) else f'{{job=~"{job}|mine"}}'
    for row in server.query(f"{selector}[1h]"):
        metric = row["metric"]
        name = metric["__name__"]
        if name in NOT_COMPARED:
            continue
        values = [v for _, v in row["values"]]
        if name == "up" or name.startswith("scrape_"):
            values = values[:len(exposition.pages) + 1]
        elif job in TIMED:
            # Times that the page gave are the same for both; those of scrapes are not.
            given = (targets_now, targets_now + 0.125)
            values = [f"{v}@{t}" if t in given or abs(t - targets_now) > 3600 else v for t, v in row["values"]]
        out[f"series {text_of(metric)} of job {metric.get('job')}"] = values
    for row in server.query(selector):
        name = row["metric"]["__name__"]
        if name != "up" and not name.startswith("scrape_"):
            out[f"still there {text_of(row['metric'])}"] = row["value"][1]
    for row in server.api("targets/metadata", match_target=f'{{job="{job}"}}'):
        out[f"metadata {row['metric']}"] = (row["type"], row["help"], row["unit"])
    for row in server.api("query_exemplars", query=selector, start=time.time() - 3600, end=time.time() + 60):
        for exemplar in row["exemplars"]:
            when = exemplar["timestamp"] if exemplar["timestamp"] % 1 in (0, 0.25) else "scrape"
            out[f"exemplar {text_of(row['seriesLabels'])} {exemplar['labels']}"] = (exemplar["value"], when)
    return out


def same(a, b):
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return a == b


def main():
    binary, only = sys.argv[1], set(sys.argv[2:])
    expositions = [e for e in EXPOSITIONS if not only or e.name in only]
    prometheus = find_peer("prometheus")
    allowed = []
    with open(os.path.join(HERE, "expected_scrape_differences.txt")) as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                pattern, section = line.rstrip("\n").split("\t")
                allowed.append((re.compile(pattern), section))
    used, wrong, compared = set(), 0, 0
    targets = Targets(expositions)
    flags = ["--enable-feature=exemplar-storage"]
    with Scratch() as folder, \
            Server(binary, config(expositions, targets.port, "ours"), f"{folder}/ours", *flags) as ours, \
            Server(prometheus, config(expositions, targets.port, "theirs"), f"{folder}/theirs", *flags) as theirs:
        ours.wait_ready()
        theirs.wait_ready()
        wait_until("every page was scraped by both", targets.all_done, 40)
        for exposition in expositions:
            mine, peer = stored(ours, exposition, targets.now), stored(theirs, exposition, targets.now)
            for what in sorted(mine.keys() | peer.keys()):
                compared += 1
                if what in mine and what in peer and same(mine[what], peer[what]):
                    continue
                entry = next((i for i, (pattern, _) in enumerate(allowed) if pattern.fullmatch(f"{exposition.name}: {what}")), None)
                if entry is not None:
                    used.add(entry)
                    continue
                wrong += 1
                print(f"WRONG {exposition.name}: {what}\n      {json.dumps(mine.get(what))} instead of {json.dumps(peer.get(what))}")
    targets.close()
    for i, (pattern, section) in enumerate(allowed):
        if i not in used and not only:
            wrong += 1
            print(f"WRONG expected difference no longer seen, remove it: {pattern.pattern} ({section})")
    print(f"{len(expositions)} expositions, {compared} comparisons, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
