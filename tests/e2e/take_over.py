#!/usr/bin/env python3
"""A data directory goes from Debian's prometheus to ours and back, and every answer stays the same.

    take_over.py SERVER_BINARY EPITOOL

prometheus scrapes itself and this script's target, and is killed; ours starts on its directory and answers the same; ours scrapes on and
is killed; `epitool tsdb flush-head` makes blocks of its head, and prometheus starts on them and answers the same.
"""
import json
import os
import subprocess
import sys
import time

from harness import HttpTarget, Scratch, Server, find_peer, free_port, wait_until

SERIES = 40
failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


class Target(HttpTarget):
    """Counters, a classic histogram, a gauge that vanishes now and then, and samples with timestamps of their own."""

    def __init__(self):
        self.count = 0
        super().__init__()

    def answer(self, request):
        self.count += 1
        n = self.count
        lines = [f'handed{{n="{i}",text="a\\\\b\\"c"}} {n * i + (0.1 if i % 3 else 0)}' for i in range(SERIES)]
        lines += [f'late{{n="{i}"}} {n} {int(time.time() * 1000) - 1000 * i}' for i in range(5)]
        if n % 3:
            lines.append(f"sometimes {n}")
        lines += ['h_bucket{le="1"} 1', f'h_bucket{{le="+Inf"}} {n}', f"h_sum {n}", f"h_count {n}"]
        return "\n".join(lines) + "\n"


def answers(server, start, end):
    """{(query, labels): values}: every series over the stretch, as steps and as raw samples."""
    out = {}
    step = max(1, int(end - start) // 50)
    found = server.api("query_range", query='{__name__=~".+"}', start=start, end=end, step=step)["result"]
    for row in found:
        out[("steps", json.dumps(row["metric"], sort_keys=True))] = row["values"]
    for row in server.query(f'{{__name__=~".+"}}[{int(end - start)}s]', end):
        out[("raw", json.dumps(row["metric"], sort_keys=True))] = row["values"]
    for name in ("__name__", "n", "job", "instance"):
        out[("values", name)] = server.api(f"label/{name}/values", start=start, end=end)
    return out


def compare(what, before, after):
    wrong = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    detail = [(key, str(before.get(key))[:300], str(after.get(key))[:300]) for key in sorted(wrong, key=str)[:2]]
    check(f"{what}: {len(before)} answers are the same", not wrong, (len(wrong), detail))


def main():
    binary, epitool = sys.argv[1:3]
    prometheus = find_peer("prometheus")
    target = Target()
    port = free_port()

    def config(scraping):
        jobs = f"""
scrape_configs:
  - job_name: handed
    static_configs: [{{targets: ['127.0.0.1:{target.port}']}}]
  - job_name: itself
    static_configs: [{{targets: ['127.0.0.1:{port}']}}]
""" if scraping else ""
        return "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n" + jobs

    with Scratch() as folder:
        started = int(time.time()) - 1
        with Server(prometheus, config(True), folder, "--log.level=warn", port=port) as peer:
            peer.wait_ready()
            wait_until("prometheus scrapes", lambda: target.count >= 40, 40)
            peer.kill()
        data = peer.data
        # What it knows of itself, after a start without scraping: the log is replayed, and nothing is added.
        with Server(prometheus, config(False), folder, "--log.level=warn") as peer:
            peer.wait_ready()
            first_end = int(time.time()) + 1
            before = answers(peer, started, first_end)
            peer.kill()
        check("there is something to compare", len(before) > 2 * SERIES, len(before))
        check("prometheus left a log", os.path.getsize(os.path.join(data, "wal", "00000000")) > 0)

        with Server(binary, config(False), folder) as ours:
            ours.wait_ready()
            compare("ours on prometheus's directory", before, answers(ours, started, first_end))
            check("prometheus's files were moved aside", not os.path.exists(os.path.join(data, "wal"))
                  and os.path.exists(os.path.join(data, "epimetheus", "prometheus-head", "wal")))
            ours.kill()
        with Server(binary, config(False), folder) as ours:
            ours.wait_ready()
            compare("ours after a kill", before, answers(ours, started, first_end))
            ours.kill()
        scraped = target.count
        with Server(binary, config(True), folder, port=port) as ours:
            ours.wait_ready()
            wait_until("ours scrapes on", lambda: target.count >= scraped + 30, 40)
            running = subprocess.run([epitool, "tsdb", "flush-head", data], capture_output=True, text=True, timeout=60)
            check("flush-head respects the lock", running.returncode == 1 and "lock" in running.stderr, running.stderr)
            ours.kill()
        with Server(binary, config(False), folder) as ours:
            ours.wait_ready()
            second_end = int(time.time()) + 1
            whole = answers(ours, started, second_end)
            ours.stop()

        done = subprocess.run([epitool, "tsdb", "verify", data], capture_output=True, text=True, timeout=60)
        check("verify finds the head sound", done.returncode == 0 and "write-ahead log" in done.stdout, done.stdout + done.stderr)
        done = subprocess.run([epitool, "tsdb", "flush-head", data], capture_output=True, text=True, timeout=60)
        check("flush-head", done.returncode == 0, done.stdout + done.stderr)
        check("no native head is left", not os.path.exists(os.path.join(data, "epimetheus", "wal")))
        done = subprocess.run([epitool, "tsdb", "verify", data], capture_output=True, text=True, timeout=60)
        check("verify finds the blocks sound", done.returncode == 0 and "block" in done.stdout, done.stdout + done.stderr)
        with Server(prometheus, config(False), folder, "--log.level=warn") as peer:
            peer.wait_ready()
            compare("prometheus on our directory", whole, answers(peer, started, second_end))
            peer.kill()
        with Server(prometheus, config(True), folder, "--log.level=warn") as peer:
            peer.wait_ready()
            before = target.count
            wait_until("prometheus scrapes on", lambda: target.count >= before + 10, 40)
            recent = peer.query("count_over_time(handed[5s])", time.time() + 0.2)
            check("prometheus goes on", len(recent) == SERIES, recent[:2])
            peer.kill()
        with Server(binary, config(False), folder) as ours:
            ours.wait_ready()
            compare("ours on the directory that came back", whole, answers(ours, started, second_end))
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
