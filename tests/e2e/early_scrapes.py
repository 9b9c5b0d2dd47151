#!/usr/bin/env python3
"""Scrapes that happen while the log is replayed are stored with their own times, also when the server is killed in the replay.

    early_scrapes.py SERVER_BINARY

The replay is held up by a pipe in the place of a snapshot: the server waits in opening it until this script does, too. Meanwhile it
has to scrape, to show the progress of the replay, and to refuse queries as Prometheus does.
"""
import json
import os
import sys
import time

from harness import HttpTarget, Scratch, Server, wait_until

SCRAPES = 5


class Target(HttpTarget):
    """Counts its answers, and shows the count."""

    def __init__(self):
        self.count = 0
        super().__init__()

    def answer(self, request):
        self.count += 1
        return f"answers {self.count}\n"


def check(what, fine, shown=""):
    if not fine:
        print(f"WRONG {what}: {shown}")
        sys.exit(1)


def batches(server):
    """How many batches the server says it has taken early."""
    _, body, _ = server.request("GET", "/metrics")
    rows = [line for line in body.decode().splitlines() if line.startswith("epimetheus_tsdb_early_batches_total ")]
    return float(rows[0].split()[1]) if rows else 0


def scrape_during_replay(server):
    wait_until("the server listens", lambda: server.request("GET", "/-/healthy")[0] == 200)
    wait_until("scrapes during the replay are taken", lambda: batches(server) >= SCRAPES)
    status, body, headers = server.request("GET", "/-/ready")
    check("readiness during the replay", status == 503 and headers.get("X-Prometheus-Stopping") == "false", (status, body))
    status, body, _ = server.request("GET", "/api/v1/query?query=up")
    check("a query during the replay", status == 503 and b"Service Unavailable" in body, (status, body))
    status, body, _ = server.request("GET", "/api/v1/status/walreplay")
    check("progress of the replay", status == 200 and set(json.loads(body)["data"]) == {"min", "max", "current"}, body)


def main():
    binary = sys.argv[1]
    target = Target()
    config = f"""
global: {{scrape_interval: 100ms, scrape_timeout: 100ms}}
scrape_configs:
  - job_name: early
    static_configs: [{{targets: ['127.0.0.1:{target.port}']}}]
"""
    with Scratch() as folder:
        with Server(binary, config, folder) as server:
            server.wait_ready()
            wait_until("the first scrapes", lambda: len(server.query("answers[1h]")) == 1 and target.count > 3)
            server.kill()
        pipe = os.path.join(server.data, "epimetheus", "snapshot", "99999999.snapshot")
        os.makedirs(os.path.dirname(pipe), exist_ok=True)
        os.mkfifo(pipe)
        killed_from = target.count
        with Server(binary, config, folder) as server:
            scrape_during_replay(server)
            server.kill()
        killed_to = target.count
        begin = time.time()
        with Server(binary, config, folder) as server:
            scrape_during_replay(server)
            early_to, end = target.count, time.time()
            with open(pipe, "wb"):
                pass
            server.wait_ready()
            rows = server.query('answers[1h]', time.time())
            check("one series", len(rows) == 1, rows)
            found = {int(v): t for t, v in rows[0]["values"]}
            # The last answer before a kill may not have been acknowledged.
            missing = [n for n in range(killed_from + 2, early_to) if n not in found and n != killed_to]
            check("scrapes during the replay are stored", not missing, (missing, killed_from, killed_to, early_to, server.output()[-2000:]))
            late = [n for n in range(killed_to + 2, early_to) if not begin - 1 <= found[n] <= end]
            check("their times are those of the scrapes", not late, [(n, found[n]) for n in late])
            check("the early log is gone", not os.listdir(os.path.join(server.data, "epimetheus", "early")), server.output()[-2000:])
            before = target.count
            wait_until("scrapes go on", lambda: float(server.query("answers")[0]["value"][1]) > before)
            print(f"{killed_to - killed_from} scrapes before a kill during the replay, {early_to - killed_to} before its end, all stored")


main()
