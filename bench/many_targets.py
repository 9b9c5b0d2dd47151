#!/usr/bin/env python3
"""Ten thousand targets at 15 s: how late scrapes begin, how many are left out, what they cost.

    many_targets.py --fleet FLEET_BINARY --server SERVER_BINARY [--targets 10000] [--series 100] [--interval 15] [--rounds 6]

FLEET_BINARY plays 250 targets a process. How late a scrape was is told by the time stored with its samples, which is the time it began
unless that is within 2 ms of its place in the interval, and then that place: the earliest time of a target within its interval is taken
for its place. Only the rounds after the first are counted.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

PER_PROCESS = 250


def ask(port, path, **params):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(params)}", timeout=120) as answer:
        return json.load(answer)["data"]


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status(pid, key):
    with open(f"/proc/{pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


def percentile(sorted_values, p):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * p))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fleet", required=True)
    parser.add_argument("--server", required=True)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--interval", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--fleet-port", type=int, default=21000)
    parser.add_argument("--port", type=int, default=19190)
    args = parser.parse_args()
    processes = []
    try:
        targets = []
        for first in range(0, args.targets, PER_PROCESS):
            port = args.fleet_port + first // PER_PROCESS
            count = min(PER_PROCESS, args.targets - first)
            processes.append(subprocess.Popen([args.fleet, "--port", str(port), "--targets", str(count), "--series", str(args.series)],
                                              stdout=subprocess.DEVNULL))
            targets += [f"127.0.0.{i + 1}:{port}" for i in range(count)]
        with tempfile.TemporaryDirectory(prefix="epi-bench-") as folder:
            run(args, targets, folder, processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def run(args, targets, folder, processes):
    config = os.path.join(folder, "config.yml")
    with open(config, "w") as out:
        out.write(f"global: {{scrape_interval: {args.interval}s, scrape_timeout: {args.interval}s}}\nscrape_configs:\n- job_name: fleet\n"
                  "  static_configs:\n  - targets:\n" + "".join(f"    - '{t}'\n" for t in targets))
    log = open(os.path.join(folder, "log"), "w")
    server = subprocess.Popen([args.server, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                               f"--web.listen-address=127.0.0.1:{args.port}"], stdout=log, stderr=log)
    processes.append(server)
    # The first round brings every series in; the time of Prometheus's own discovery comes on top.
    time.sleep(2 * args.interval + 8)
    threads, cpu, begun = status(server.pid, "Threads:"), cpu_seconds(server.pid), time.time()
    time.sleep(args.rounds * args.interval)
    cpu, ended = cpu_seconds(server.pid) - cpu, time.time()
    most_threads, resident = status(server.pid, "Threads:"), status(server.pid, "VmRSS:")
    window = f"{int(ended - begun) // args.interval * args.interval}s"
    rows = ask(args.port, "query", query=f'up{{job="fleet"}}[{window}]', time=ended)["result"]
    late, missed, down = [], 0, 0
    for row in rows:
        times = [float(t) for t, _ in row["values"]]
        # Round the clock: a place just before the end of the interval is left for one just behind its beginning.
        half = args.interval / 2
        places = [(t - times[0] + half) % args.interval - half for t in times]
        late += [place - min(places) for place in places]
        # A scrape that is due about when the window ends may not be stored yet: only whole gaps count.
        missed += sum(gap > 1.5 * args.interval for gap in (b - a for a, b in zip(times, times[1:] + [ended])))
        down += sum(v != "1" for _, v in row["values"])
    late.sort()
    samples = len(late) * args.series
    print(json.dumps({
        "targets": len(rows), "scrapes": len(late), "missed": missed, "failed": down,
        "late_ms": {"p50": round(percentile(late, 0.5) * 1000, 1), "p99": round(percentile(late, 0.99) * 1000, 1),
                    "p99.9": round(percentile(late, 0.999) * 1000, 1), "max": round(late[-1] * 1000, 1)},
        "cpu_us_per_sample": round(cpu / samples * 1e6, 3), "cpu_us_per_scrape": round(cpu / len(late) * 1e6, 1),
        "resident_mib": round(resident / 1024, 1), "threads": [threads, most_threads]}, indent=1))
    sys.stdout.flush()


main()
