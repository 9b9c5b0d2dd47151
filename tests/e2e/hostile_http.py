#!/usr/bin/env python3
"""Clients that misbehave: endless headers, bodies that never come, hundreds of idle connections. Memory stays bounded and a
well-behaved client is served all the time.

    hostile_http.py SERVER_BINARY
"""
import socket
import sys
import time

from harness import Scratch, Server, resident_mib

failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def connect(server):
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def flood(server, first, piece, total):
    """Sends `first` and then `piece` again and again until `total` bytes or the server closes; returns the bytes sent."""
    sent = 0
    with connect(server) as s:
        try:
            s.sendall(first)
            while sent < total:
                s.sendall(piece)
                sent += len(piece)
            s.shutdown(socket.SHUT_WR)
            s.recv(100)
        except OSError:
            pass
    return sent


def served(server):
    start = time.monotonic()
    status, body, _ = server.request("GET", "/api/v1/query?query=vector(1)", timeout=5)
    return status == 200 and b'"success"' in body and time.monotonic() - start < 2


def raw(server, data):
    with connect(server) as s:
        s.sendall(data)
        s.settimeout(5)
        out = b""
        try:
            while len(out) < 65536:
                piece = s.recv(4096)
                if not piece:
                    break
                out += piece
                if b"\r\n\r\n" in out and b"HTTP/1.1 4" in out[:12]:
                    break
        except OSError:
            pass
        return out


def main():
    config = "global: {scrape_interval: 1s}\n"
    with Scratch() as folder, Server(sys.argv[1], config, folder) as server:
        server.wait_ready()
        check("served before", served(server))
        before = resident_mib(server.child.pid)
        sent = flood(server, b"GET / HTTP/1.1\r\nHost: x\r\n", b"A: " + b"b" * 65000 + b"\r\n", 100 << 20)
        check(f"100 MB of headers: cut after {sent >> 20} MB", sent < (8 << 20))
        flood(server, b"GET /" + b"a" * 1000, b"a" * 65536, 20 << 20)
        flood(server, b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n",
              b"10000\r\n" + b"q" * 65536 + b"\r\n", 200 << 20)
        chunked = b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for what, first, piece in [("header fields of three bytes", b"GET / HTTP/1.1\r\nHost: x\r\n", b"a:\r\n" * 10000),
                                   ("a chunk extension", chunked + b"1;", b"a=b;" * 10000), ("chunk extensions", chunked, b"1;a=b\r\nq\r\n" * 10000),
                                   ("trailer fields", chunked + b"0\r\n", b"a: b\r\n" * 10000), ("empty lines", b"", b"\r\n" * 10000),
                                   ("a method", b"G", b"G" * 50000)]:
            sent = flood(server, first, piece, 200 << 20)
            check(f"{what} without end: cut after {sent >> 20} MB", sent < (150 << 20), sent)
        grown = resident_mib(server.child.pid, "VmHWM") - before
        check(f"memory grew by at most {grown:.0f} MiB", grown < 150)
        check("served after the floods", served(server))
        waiting = []
        for _ in range(100):
            s = connect(server)
            s.sendall(b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nquery=")
            waiting.append(s)
        check("served beside 100 bodies that never come", served(server))
        drips = [connect(server) for _ in range(50)]
        for byte in b"GET /api/v1/labels HTTP/1.1\r\nHost":
            for s in drips:
                s.sendall(bytes([byte]))
        check("served beside 50 heads that come byte by byte", served(server))
        for s in drips:
            s.sendall(b": x\r\nConnection: close\r\n\r\n")
        whole = sum(1 for s in drips if s.recv(64).startswith(b"HTTP/1.1 200"))
        check("and they are answered when they are whole", whole == 50, whole)
        waiting += drips
        for _ in range(350):
            s = connect(server)
            s.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            waiting.append(s)
        idle_ok = sum(1 for s in waiting[150:] if s.recv(64).startswith(b"HTTP/1.1 200"))
        check("350 keep-alive connections were answered", idle_ok == 350, idle_ok)
        check("served beside 500 connections", served(server))
        for s in waiting:
            s.close()
        for what, data in {
            "two different Content-Length": b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nquery=",
            "Content-Length and Transfer-Encoding": b"POST /api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "a request line of nonsense": b"\x00\x01\x02 nonsense\r\n\r\n",
            "a negative Content-Length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
            "a space before the colon": b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        }.items():
            answer = raw(server, data)
            check(f"{what}: 400 or closed", answer == b"" or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400")), answer[:60])
        check("pipelined requests are answered in order", raw(server, b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
              b"GET /-/ready HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").count(b"HTTP/1.1 200") == 2)
        check("HTTP/1.0 is answered", b" 200 " in raw(server, b"GET /-/healthy HTTP/1.0\r\n\r\n")[:20])
        check("served at the end", served(server))
        check("it stops cleanly", server.stop() == 0)
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
