#!/usr/bin/env python3
"""End to end: a reload leaves what did not change alone, and the server finds changed files by itself.

    reload.py SERVER_BINARY

One target plays every job and notes when each was scraped. The job that stays the same must be scraped at its old offset, every second,
through reloads that add, change and remove the jobs beside it, with its series known all the while; a file that is wrong changes nothing.
"""
import os
import sys
import threading
import time

from harness import HttpTarget, Scratch, Server, wait_until

failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


class Target(HttpTarget):
    """Answers on every path with the same series, and keeps the times of arrival by path."""

    def __init__(self):
        self.arrivals = {}
        self.lock = threading.Lock()
        super().__init__()

    def answer(self, request):
        with self.lock:
            self.arrivals.setdefault(request.path, []).append(time.time())
        return b"".join(b"m{i=\"%d\"} 1\n" % i for i in range(50))

    def seen(self, path):
        with self.lock:
            return list(self.arrivals.get(path, []))


def job(name, port, interval="1s", extra=""):
    return f"""  - job_name: {name}
    metrics_path: /{name}
    scrape_interval: {interval}
    scrape_timeout: {interval}
    {extra}
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
"""


def config(*jobs, head=""):
    return f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n{head}scrape_configs:\n" + "".join(jobs)


def write(server, text, path=None):
    path = path or server.config
    with open(path + ".new", "w") as out:
        out.write(text)
    os.replace(path + ".new", path)


def own_metric(server, name):
    for line in server.request("GET", "/metrics")[1].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    return None


def by_hand(binary, folder, target):
    kept = job("kept", target.port)
    with Server(binary, config(kept, job("changed", target.port)), folder, "--web.enable-lifecycle") as server:
        server.wait_ready()
        wait_until("both jobs run", lambda: len(target.seen("/kept")) >= 4 and target.seen("/changed"))
        steps = [
            ("a job is added", config(kept, job("changed", target.port), job("added", target.port)), 200),
            ("a job changes", config(kept, job("changed", target.port, "2s", "sample_limit: 60"), job("added", target.port)), 200),
            ("a file is wrong", "scrape_configs: [{job_name: kept, nonsense: 1}]\n", 500),
            ("a job goes", config(kept, job("added", target.port)), 200),
            ("a rule file is named", config(kept, job("added", target.port), head="rule_files: [rules.yml]\n"), 200),
        ]
        write(server, "groups: [{name: g, rules: [{record: r, expr: vector(1)}]}]\n", os.path.join(folder, "rules.yml"))
        for what, text, wanted in steps:
            write(server, text)
            status, body, _ = server.request("POST", "/-/reload")
            check(f"{what}: {wanted}", status == wanted, f"{status} {body!r}")
            worked = own_metric(server, "prometheus_config_last_reload_successful")
            check(f"{what}: last_reload_successful", worked == (1 if wanted == 200 else 0), worked)
            if wanted != 200:
                pools = server.api("scrape_pools")["scrapePools"]
                check(f"{what}: nothing changed", pools == ["added", "changed", "kept"], pools)
                notices = [n["text"] for n in server.api("notifications")]
                check(f"{what}: there is a notice", "Configuration reload has failed." in notices, notices)
            before = len(target.seen("/kept"))
            wait_until("three more scrapes", lambda: len(target.seen("/kept")) >= before + 3)
        wait_until("the last scrape is stored", lambda: time.time() > target.seen("/kept")[-1] + 0.5)
        arrivals = target.seen("/kept")
        gaps = [b - a for a, b in zip(arrivals, arrivals[1:])]
        check("the job that stayed: no scrape is missed or extra", all(0.6 < g < 1.4 for g in gaps), gaps)
        now = time.time()
        stored = server.query('up{job="kept"}[1m]', now)[0]["values"]
        times = [t for t, _ in stored]
        check("the job that stayed: every scrape is stored", abs(len(stored) - len([a for a in arrivals if a <= now])) <= 1,
              f"{len(stored)} of {len(arrivals)}")
        offsets = [t % 1 for t in times]
        spread = max(offsets) - min(offsets)
        check("the job that stayed: one offset", min(spread, 1 - spread) < 0.2, offsets)
        added = [float(v) for _, v in server.query('scrape_series_added{job="kept"}[1m]', now)[0]["values"]]
        check("the job that stayed: its series stay known", added[0] == 50 and not any(added[1:]), added)
        counts = server.query('count_over_time(m{job="kept"}[1m])', now)
        check("the job that stayed: no series has a gap", len(counts) == 50 and {int(c["value"][1]) for c in counts} == {len(stored)},
              [c["value"][1] for c in counts][:5])
        gone = wait_until("the series of the job that went end", lambda: not server.query('{job="changed"}'), 10)
        check("the job that went: its series end", gone)
        changed = [t for t, _ in server.query('up{job="changed"}[2m]', now)[0]["values"]]
        check("the job that changed: its new interval", any(b - a > 1.8 for a, b in zip(changed, changed[1:])), changed)
        check("SIGTERM ends it cleanly", server.stop() == 0, server.output()[-1000:])


def by_itself(binary, folder, target):
    os.makedirs(folder)
    head = "rule_files: [rules.yml]\nscrape_config_files: [more.yml]\n"
    more = os.path.join(folder, "more.yml")
    rules = os.path.join(folder, "rules.yml")
    recorded = "groups: [{{name: g, interval: 1s, rules: [{{record: r, expr: vector({})}}]}}]\n"
    with open(more, "w") as out:
        out.write("scrape_configs:\n" + job("included", target.port))
    with open(rules, "w") as out:
        out.write(recorded.format(1))
    flags = ["--config.auto-reload", "--config.auto-reload-interval=1s"]
    with Server(binary, config(job("main", target.port), head=head), folder, *flags) as server:
        server.wait_ready()
        value = lambda: [row["value"][1] for row in server.query("r")]
        wait_until("the rule is recorded", lambda: value() == ["1"])
        successes = own_metric(server, "prometheus_config_last_reload_success_timestamp_seconds")
        write(server, recorded.format(2), rules)
        wait_until("a changed rule file is found", lambda: value() == ["2"], 15)
        check("a changed rule file is found", True)
        check("the time of the reload is told",
              own_metric(server, "prometheus_config_last_reload_success_timestamp_seconds") > successes)
        write(server, "scrape_configs:\n" + job("later", target.port), more)
        wait_until("a changed scrape config file is found", lambda: server.api("scrape_pools")["scrapePools"] == ["later", "main"], 15)
        check("a changed scrape config file is found", True)
        write(server, "scrape_configs: {}\nnonsense: 1\n")
        wait_until("a wrong file is told", lambda: own_metric(server, "prometheus_config_last_reload_successful") == 0, 15)
        check("a wrong file changes nothing", server.api("scrape_pools")["scrapePools"] == ["later", "main"] and value() == ["2"])
        write(server, config(job("main", target.port), job("third", target.port), head=head))
        wait_until("a file made right is found", lambda: server.api("scrape_pools")["scrapePools"] == ["later", "main", "third"], 15)
        check("a file made right is found", own_metric(server, "prometheus_config_last_reload_successful") == 1)
        gaps = [b - a for a, b in zip(target.seen("/main"), target.seen("/main")[1:])]
        check("the job that stayed: no scrape is missed or extra", all(0.6 < g < 1.4 for g in gaps), gaps)
        check("SIGTERM ends it cleanly", server.stop() == 0, server.output()[-1000:])


def main():
    binary = sys.argv[1]
    target = Target()
    try:
        with Scratch() as folder:
            by_hand(binary, os.path.join(folder, "by-hand"), target)
            by_itself(binary, os.path.join(folder, "by-itself"), target)
    finally:
        target.close()
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
