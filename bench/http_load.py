#!/usr/bin/env python3
"""Loads on the HTTP server: idle connections beside a dashboard, and remote write from many connections.

    http_load.py idle SERVER [--seconds N]        512 idle connections and 200 queries a second: latency, memory
    http_load.py write SERVER PROMETHEUS          1000 connections, each with requests of 2000 samples: CPU a sample of both
"""
import argparse
import http.client
import os
import queue
import socket
import statistics
import struct
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "e2e"))
from harness import Scratch, Server, free_port, resident_mib, wait_until  # noqa: E402
from wire import field, snappy, varint  # noqa: E402

CONNECTIONS, SERIES, SAMPLES = 1000, 200, 10


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as line:
        fields = line.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def request_body(start_ms):
    """One request; the text CONN00000 stands for the connection."""
    out = b""
    for series in range(SERIES):
        labels = [(b"__name__", b"load_metric_%d_total" % (series % 20)), (b"connection", b"CONN00000"), (b"instance", b"10.0.0.%d:9100" % (series // 20)), (b"job", b"load")]
        message = b"".join(field(1, field(1, name) + field(2, value)) for name, value in labels)
        for sample in range(SAMPLES):
            message += field(2, b"\x09" + struct.pack("<d", series + sample) + b"\x10" + varint(start_ms + sample * 1000))
        out += field(1, message)
    return out


def write_load(binary, folder, rounds):
    with Server(binary, "global: {}\n", folder, "--web.enable-remote-write-receiver", "--web.max-connections=1100") as server:
        server.wait_ready()
        connections = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=120) for _ in range(CONNECTIONS)]
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
        began_ms = int(time.time() * 1000) - rounds * SAMPLES * 1000
        cpu, statuses = [], set()
        for number in range(rounds):
            body = request_body(began_ms + number * SAMPLES * 1000)
            before = cpu_seconds(server.child.pid)
            work = queue.SimpleQueue()
            for i in range(CONNECTIONS):
                work.put(i)

            def worker(body=body, work=work):
                while True:
                    try:
                        i = work.get_nowait()
                    except queue.Empty:
                        return
                    connections[i].request("POST", "/api/v1/write", snappy(body.replace(b"CONN00000", b"CONN%05d" % i)), headers)
                    answer = connections[i].getresponse()
                    answer.read()
                    statuses.add(answer.status)

            threads = [threading.Thread(target=worker) for _ in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            cpu.append(cpu_seconds(server.child.pid) - before)
        samples = CONNECTIONS * SERIES * SAMPLES
        print(f"{os.path.basename(binary)}: statuses {sorted(statuses)}, CPU a sample in µs by round: {[round(c / samples * 1e6, 3) for c in cpu]}, "
              f"{resident_mib(server.child.pid):.0f} MiB", flush=True)
        for connection in connections:
            connection.close()
        return sum(cpu[1:]) / (samples * (rounds - 1))


def idle_load(binary, folder, seconds):
    config = "scrape_configs:\n- job_name: self\n  scrape_interval: 1s\n  static_configs: [{targets: ['127.0.0.1:%d']}]\n"
    port = free_port()
    with Server(binary, config % port, folder, port=port) as server:
        server.wait_ready()
        wait_until("there is data", lambda: server.query("up"))
        idle = []
        for _ in range(512):
            s = socket.create_connection(("127.0.0.1", server.port), timeout=10)
            s.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            s.recv(1000)
            idle.append(s)
        queries = ["up", "rate(prometheus_http_requests_total[1m])", "sum by (handler) (rate(prometheus_http_requests_total[1m]))", "scrape_duration_seconds", "count({__name__=~\"prometheus.*\"})"]
        took, memory = [], []
        lock = threading.Lock()

        def panel(index):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            end = time.monotonic() + seconds
            at = time.monotonic() + index * 0.005
            while at < end:
                time.sleep(max(0, at - time.monotonic()))
                now = time.time()
                text = urllib.parse.urlencode({"query": queries[index % len(queries)], "start": now - 300, "end": now, "step": 5})
                began = time.monotonic()
                connection.request("GET", "/api/v1/query_range?" + text)
                answer = connection.getresponse()
                answer.read()
                with lock:
                    took.append((time.monotonic() - began, answer.status))
                at += 0.1

        threads = [threading.Thread(target=panel, args=(i,)) for i in range(20)]
        for thread in threads:
            thread.start()
        for _ in range(seconds):
            memory.append(resident_mib(server.child.pid))
            time.sleep(1)
        for thread in threads:
            thread.join()
        times = sorted(t for t, _ in took)
        print(f"{len(times)} queries in {seconds} s, statuses {sorted({s for _, s in took})}: median {statistics.median(times) * 1000:.1f} ms, "
              f"p99 {times[int(len(times) * 0.99)] * 1000:.1f} ms; memory {memory[0]:.0f} to {memory[-1]:.0f} MiB; CPU {cpu_seconds(server.child.pid):.1f} s")
        for s in idle:
            s.close()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("load", choices=["idle", "write"])
    arguments.add_argument("server")
    arguments.add_argument("peer", nargs="?")
    arguments.add_argument("--seconds", type=int, default=20)
    arguments.add_argument("--rounds", type=int, default=4)
    given = arguments.parse_args()
    with Scratch() as folder:
        if given.load == "idle":
            return idle_load(given.server, f"{folder}/ours", given.seconds)
        ours = write_load(given.server, f"{folder}/ours", given.rounds)
        theirs = write_load(given.peer or "prometheus", f"{folder}/theirs", given.rounds)
        print(f"CPU a sample after the first round: {ours * 1e6:.3f} µs and {theirs * 1e6:.3f} µs, ratio {ours / theirs:.3f}")


main()
