#!/usr/bin/env python3
"""Many targets on loopback addresses, four jobs at each socket: none misses a scrape, and the server's threads stay the same few.

    many_targets.py SERVER_BINARY [TARGETS INTERVAL_SECONDS]

Ten thousand at 15 s with 100 series each. Where the system gives a process too few open files for that, 2 000 at 5 s and a line that says
so. How late scrapes are is measured by bench/many_targets.py.
"""
import asyncio
import os
import resource
import sys
import threading
import time

from harness import Scratch, Server, wait_until

PORTS = 8  # sockets of a loopback address
JOBS = 4  # that scrape each socket, at a path of their own
SERIES = "".join(f'series{{number="{i}",more="a label value of some length"}} {i}\n' for i in range(100)).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " + str(len(SERIES)).encode() + b"\r\n\r\n" + SERIES


class Fleet:
    """The targets, in one thread; `arrivals` has the times of each one's requests by job and address."""

    def __init__(self, count):
        self.arrivals = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(count // JOBS), self.loop).result(120)

    async def listen(self, count):
        for number in range(count):
            host = f"127.0.{number // PORTS // 250}.{2 + number // PORTS % 250}"

            async def serve(reader, writer):
                address = "%s:%d" % writer.get_extra_info("sockname")
                try:
                    while request := await reader.readuntil(b"\r\n\r\n"):
                        self.arrivals[int(request.split(b" ", 2)[1][1:]), address].append(time.monotonic())
                        writer.write(ANSWER)
                        await writer.drain()
                except (asyncio.IncompleteReadError, ConnectionError):
                    writer.close()

            server = await asyncio.start_server(serve, host, 0)
            for job in range(JOBS):
                self.arrivals[job, "%s:%d" % server.sockets[0].getsockname()] = []

    def config(self, interval):
        text = f"global: {{scrape_interval: {int(interval)}s, scrape_timeout: {int(interval)}s}}\nscrape_configs:\n"
        for job in range(JOBS):
            text += f"- job_name: fleet{job}\n  metrics_path: /{job}\n  static_configs:\n  - targets:\n"
            text += "".join(f"    - '{address}'\n" for of, address in self.arrivals if of == job)
        return text


def enough_files(targets):
    """Raises the limit for this process and the server: a connection for each target, a listening socket for each four."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = targets + targets // JOBS + 1000
    if hard != resource.RLIM_INFINITY and hard < needed:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return True


def threads(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def main():
    binary = sys.argv[1]
    count, interval = (int(sys.argv[2]), float(sys.argv[3])) if len(sys.argv) > 3 else (10000, 15.0)
    if not enough_files(count):
        print(f"{count} targets want more open files than there may be: 2000 at 5 s instead")
        count, interval = 2000, 5.0
    fleet = Fleet(count)
    with Scratch() as folder, Server(binary, fleet.config(interval), os.path.join(folder, "server")) as server:
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
        stored = server.query('count(series{job=~"fleet."})')
    # Queries of this test may start a handler's thread or two; scraping must not.
    print(f"{count} targets, {len(gaps)} intervals, longest {max(gaps):.3f} s, {settled} threads, at most {most}")
    problems = [text for text, wrong in (
        (f"{missed} scrapes left out", missed), (f"failed targets: {failed}", failed), (f"stored: {stored}", float(stored[0]["value"][1]) != 100 * count),
        (f"threads grew from {settled} to {most}", most > settled)) if wrong]
    for problem in problems:
        print("WRONG " + problem)
    sys.exit(1 if problems else 0)


main()
