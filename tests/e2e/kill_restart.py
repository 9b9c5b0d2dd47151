#!/usr/bin/env python3
"""kill -9 in the middle of writing, restart, and every sample that an answer had shown is still there: 20 times on one data folder.

    kill_restart.py SERVER_BINARY [SEED]

The server scrapes this script's own target every 50 ms. Before 7 of the restarts the newest log segment gets a torn tail: the first
part of a record, as a crash in the middle of a write leaves it. The seed is printed and repeats the times of the kills.
"""
import glob
import json
import os
import random
import sys
import time

from harness import HttpTarget, Scratch, Server, wait_until

ROUNDS = 20
TORN_ROUNDS = {2, 5, 8, 11, 13, 16, 19}
SERIES = 50


class Target(HttpTarget):
    """A page whose values change at every scrape: the counter of answers, in each of its series."""

    def __init__(self):
        self.count = 0
        super().__init__()

    def answer(self, request):
        self.count += 1
        n = self.count
        return "".join(f'shown{{n="{i}"}} {n * (i + 1) + (0.25 if i % 3 else 0)}\n' for i in range(SERIES))


def samples(server, at, seconds):
    """{(labels, ms): value text} of all raw samples in the last `seconds` before `at`."""
    out = {}
    for row in server.query(f'{{__name__=~"shown|up"}}[{seconds}s]', at):
        labels = json.dumps(row["metric"], sort_keys=True)
        for t, v in row["values"]:
            out[(labels, round(t * 1000))] = v
    return out


def newest_segment(data):
    segments = sorted(p for p in glob.glob(os.path.join(data, "epimetheus", "wal", "*")) if os.path.isfile(p))
    if not segments:
        raise AssertionError(f"no log segments below {data}/epimetheus/wal")
    return segments[-1]


def tear_tail(data, chance):
    """Appends a part of the segment's own last bytes: plausible, but no whole record."""
    path = newest_segment(data)
    with open(path, "rb") as f:
        content = f.read()
    if len(content) < 64:
        return False
    piece = content[-chance.randrange(9, min(len(content), 200)):]
    with open(path, "ab") as f:
        f.write(piece[: -chance.randrange(1, 8)])
    return True


def main():
    binary = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(2**32)
    print(f"seed {seed}", flush=True)
    chance = random.Random(seed)
    target = Target()
    config = f"""
global: {{scrape_interval: 50ms, scrape_timeout: 50ms}}
scrape_configs:
  - job_name: kill
    static_configs: [{{targets: ['127.0.0.1:{target.port}']}}]
"""
    shown, torn = {}, 0
    with Scratch() as folder:
        for number in range(ROUNDS):
            with Server(binary, config, folder) as server:
                server.wait_ready()
                if shown:
                    now = time.time()
                    back = int(now - min(ms for _, ms in shown) / 1000) + 2
                    found = samples(server, now, back)
                    lost = [k for k, v in shown.items() if found.get(k) != v]
                    if lost:
                        print(f"WRONG round {number}: {len(lost)} of {len(shown)} shown samples are lost or changed, first {sorted(lost, key=lambda k: k[1])[:3]}")
                        print(server.output()[-3000:])
                        sys.exit(1)
                before = target.count
                wait_until("scrapes go on", lambda: target.count >= before + 4, 20)
                end = time.monotonic() + chance.uniform(0.2, 0.6)
                while time.monotonic() < end:
                    shown.update(samples(server, time.time(), 3))
                server.kill()
            if number in TORN_ROUNDS and tear_tail(server.data, chance):
                torn += 1
        size = len(shown)
    print(f"{ROUNDS} kills, {torn} torn tails, {size} shown samples, none lost")
    if torn < 5 or size < 1000:
        print("WRONG: too little was tried")
        sys.exit(1)


main()
