#!/usr/bin/env python3
"""No acknowledged sample is lost over an hour of kills: remote write beside scraping, blocks of 3 min, restarts at random moments.

    soak.py SERVER_BINARY [--minutes 60] [--seed 1] [--folder DIR]

Three writers send floats, late floats and native histograms of series that are replaced again and again, and keep what was acknowledged.
Every 5 to 70 s the server is killed (1 of 3), stopped (1 of 6) or left alone; then every acknowledged sample of the last minute, ten
minutes or hour must be in the answers, and nothing that was never sent. What was sent without an answer may be there or not. A line a
round; ends with 1 when anything was lost or made up. The seed repeats what is sent and when the server goes, as far as time allows.
"""
import argparse
import os
import random
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from harness import Scratch, Server, free_port, resident_mib  # noqa: E402
from wire import double, field, label, number_field, snappy, varint, zigzag  # noqa: E402

WRITERS, SERIES, REQUESTS_A_GENERATION = 3, 40, 400
LATE_MS, LATE_WINDOW = 200_000, "4m"
HEADERS = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
FLAGS = ["--web.enable-remote-write-receiver", "--storage.tsdb.min-block-duration=3m", "--storage.tsdb.max-block-duration=27m"]
SHOWN = 10  # of what was lost or made up


def histogram(ms, n):
    """One whose sum is 1.5 n."""
    spans = field(11, number_field(1, zigzag(2)) + number_field(2, 2)) + field(12, varint(zigzag(n)) + varint(zigzag(2 - n)))
    return number_field(1, n + 2) + double(3, n * 1.5) + number_field(4, zigzag(3)) + double(5, 0.001) + spans + number_field(15, ms)


class Ledger:
    """What was sent and what of it was acknowledged: {series: {ms: values}} and {series: {ms: value}}."""

    def __init__(self):
        self.lock = threading.Lock()
        self.sent, self.acknowledged = {}, {}

    def note_sent(self, samples):
        with self.lock:
            for series, ms, value in samples:
                self.sent.setdefault(series, {}).setdefault(ms, set()).add(value)

    def note_acknowledged(self, samples):
        with self.lock:
            for series, ms, value in samples:
                self.acknowledged.setdefault(series, {})[ms] = value


class Writer(threading.Thread):
    def __init__(self, number, seed, current, ledger):
        super().__init__()
        self.number, self.current, self.ledger = number, current, ledger
        self.random = random.Random(seed * 1000 + number)
        self.ends = threading.Event()
        self.unexpected = set()  # answers that are neither an acknowledgement nor "not ready"

    def request(self, n):
        now, generation = int(time.time() * 1000), n // REQUESTS_A_GENERATION
        body, samples = b"", []
        for i in range(SERIES):
            is_histogram = i % 10 == 9
            ms = now - self.random.randrange(LATE_MS) if i % 10 == 5 else now
            value = n * 1.5 if is_histogram else float(self.random.choice([n, n * 0.1, now, self.random.random(), 0, 1, -n]))
            point = field(4, histogram(ms, n)) if is_histogram else field(2, double(1, value) + number_field(2, ms))
            labels = label("__name__", "soak") + label("g", str(generation)) + label("i", str(i)) + label("w", str(self.number))
            body += field(1, labels + point)
            samples.append(((str(self.number), str(generation), str(i)), ms, value))
        return body, samples

    def run(self):
        n = 0
        while not self.ends.is_set():
            n += 1
            body, samples = self.request(n)
            self.ledger.note_sent(samples)
            status, _, _ = self.current[0].request("POST", "/api/v1/write", snappy(body), HEADERS, timeout=10)
            if status == 204:
                self.ledger.note_acknowledged(samples)
            elif status not in (0, 503):
                self.unexpected.add(status)
            self.ends.wait(self.random.choice([0.02, 0.1, 0.3]))


def stored(server, begin_ms, end_ms):
    """{series: {ms: value or sum}} within (begin, end]."""
    out = {}
    for writer in range(WRITERS):
        for row in server.query(f'soak{{w="{writer}"}}[{end_ms - begin_ms}ms]', end_ms / 1000):
            points = out.setdefault((row["metric"]["w"], row["metric"]["g"], row["metric"]["i"]), {})
            points.update((round(t * 1000), float(v)) for t, v in row.get("values", []))
            points.update((round(t * 1000), float(h["sum"])) for t, h in row.get("histograms", []))
    return out


def check(server, ledger, begin_ms, end_ms):
    """(acknowledged samples looked for, lines about what is wrong)"""
    with ledger.lock:
        wanted = {series: dict(points) for series, points in ledger.acknowledged.items()}
    found = stored(server, begin_ms, end_ms)
    with ledger.lock:
        sent = {series: {ms: set(values) for ms, values in points.items()} for series, points in ledger.sent.items()}
    count, wrong = 0, []
    for series, points in wanted.items():
        for ms, value in points.items():
            if not begin_ms < ms <= end_ms:
                continue
            count += 1
            # Of two samples of one time either may stand.
            if found.get(series, {}).get(ms) not in sent[series][ms]:
                wrong.append(f"lost: {series} {ms} {value}, {end_ms - ms} ms old")
    for series, points in found.items():
        wrong += [f"made up: {series} {ms} {v}" for ms, v in points.items() if v not in sent.get(series, {}).get(ms, ())]
    return count, wrong


def soak(binary, folder, minutes, seed):
    port = free_port()
    config = (f"global: {{scrape_interval: 1s}}\nstorage: {{tsdb: {{out_of_order_time_window: {LATE_WINDOW}}}}}\n"
              f"scrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n")
    chance, ledger = random.Random(seed), Ledger()
    current = [Server(binary, config, folder, *FLAGS, port=port).wait_ready()]
    writers = [Writer(i, seed, current, ledger) for i in range(WRITERS)]
    began = time.time()
    oldest_ms, checked, wrong, stops = int(began * 1000) - LATE_MS - 1, 0, [], 0
    try:
        for writer in writers:
            writer.start()
        while time.time() - began < minutes * 60:
            time.sleep(chance.uniform(5, 70))  # so that the server goes at moments that mean nothing to it
            how = chance.choice(["killed", "killed", "stopped", "", "", ""])
            if how:
                stops += 1
                with current[0] as server:
                    server.kill() if how == "killed" else server.stop(30)
                current[0] = Server(binary, config, folder, *FLAGS, port=port).wait_ready()
            now_ms = int(time.time() * 1000)
            count, lines = check(current[0], ledger, max(oldest_ms, now_ms - chance.choice([60, 600, 3600]) * 1000), now_ms)
            checked, wrong = checked + count, wrong + lines
            print(f"{time.time() - began:.0f} s {how or 'left alone'}: {count} samples, {len(lines)} wrong, "
                  f"{resident_mib(current[0].child.pid):.0f} MiB", *lines[:SHOWN], sep="\n  ", flush=True)
    finally:
        for writer in writers:
            writer.ends.set()
        for writer in writers:
            writer.join()
        current[0].__exit__()
    unexpected = set().union(*(writer.unexpected for writer in writers))
    print(f"{stops} stops, {checked} samples looked for, {len(wrong)} wrong, other answers {sorted(unexpected)}")
    return 1 if wrong or unexpected else 0


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("server")
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--folder")
    given = arguments.parse_args()
    if given.folder:
        return soak(given.server, given.folder, given.minutes, given.seed)
    with Scratch() as folder:
        return soak(given.server, folder, given.minutes, given.seed)


if __name__ == "__main__":
    sys.exit(main())
