#!/usr/bin/env python3
"""Many targets on loopback addresses, each with a socket of its own: none misses a scrape, and the server's threads stay the same few.

    many_targets.py SERVER_BINARY [TARGETS INTERVAL_SECONDS]

A scaled run, so that the suite stays short: 2 000 targets at 5 s with 100 series are the requests of 6 000 at 15 s. Ten thousand at 15 s
are in bench/many_targets.py; ten thousand in simulated time in scrape_scale_test.
"""
import asyncio
import os
import sys
import threading
import time

from harness import Scratch, Server, wait_until

PORTS = 8  # each address of 127.0.0.0/24 plays this many targets
SERIES = "".join(f'series{{number="{i}",more="a label value of some length"}} {i}\n' for i in range(100)).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " + str(len(SERIES)).encode() + b"\r\n\r\n" + SERIES


class Fleet:
    """The targets, in one thread; `arrivals` has the times of each one's requests."""

    def __init__(self, count):
        self.arrivals = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(count), self.loop).result(60)

    async def listen(self, count):
        for number in range(count):
            host = f"127.0.0.{2 + number // PORTS}"
            arrivals = []

            async def serve(reader, writer, arrivals=arrivals):
                try:
                    while await reader.readuntil(b"\r\n\r\n"):
                        arrivals.append(time.monotonic())
                        writer.write(ANSWER)
                        await writer.drain()
                except (asyncio.IncompleteReadError, ConnectionError):
                    writer.close()

            server = await asyncio.start_server(serve, host, 0)
            self.arrivals[f"{host}:{server.sockets[0].getsockname()[1]}"] = arrivals


def threads(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def main():
    binary = sys.argv[1]
    count, interval = (int(sys.argv[2]), float(sys.argv[3])) if len(sys.argv) > 3 else (2000, 5.0)
    fleet = Fleet(count)
    config = (f"global: {{scrape_interval: {int(interval)}s, scrape_timeout: {int(interval)}s}}\nscrape_configs:\n- job_name: fleet\n"
              "  static_configs:\n  - targets:\n" + "".join(f"    - '{address}'\n" for address in fleet.arrivals))
    with Scratch() as folder, Server(binary, config, os.path.join(folder, "server")) as server:
        server.wait_ready(60)
        wait_until("every target was scraped once", lambda: all(fleet.arrivals.values()), interval + 20, 0.2)
        settled = threads(server.child.pid)
        begun = time.monotonic()
        most = settled
        while time.monotonic() < begun + 3 * interval:
            most = max(most, threads(server.child.pid))
            time.sleep(0.5)
        now = time.monotonic()
        gaps = []
        missed = 0
        for arrivals in fleet.arrivals.values():
            times = [t for t in list(arrivals) if t <= now]
            between = [b - a for a, b in zip(times, times[1:])] + [now - times[-1]]
            gaps += between[:-1]
            # A gap of twice the interval is a scrape that was left out.
            missed += sum(gap > 1.75 * interval for gap in between)
        failed = server.query("count(up == 0)")
        stored = server.query('count(series{job="fleet"})')
    # Queries of this test may start a handler's thread or two; scraping must not.
    print(f"{count} targets, {len(gaps)} intervals, longest {max(gaps):.3f} s, {settled} threads, at most {most}")
    problems = [text for text, wrong in (
        (f"{missed} scrapes left out", missed), (f"failed targets: {failed}", failed), (f"stored: {stored}", float(stored[0]["value"][1]) != 100 * count),
        (f"threads grew from {settled} to {most}", most > settled)) if wrong]
    for problem in problems:
        print("WRONG " + problem)
    sys.exit(1 if problems else 0)


main()
