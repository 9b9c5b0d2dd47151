"""What the end-to-end tests share: the server as a child process, a recording proxy, and small HTTP calls. Standard library only.

Everything stays on loopback; every child is ended by its process id; every wait has a bound.
"""
import gzip
import http.client
import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

SKIP = 77  # ctest's SKIP_RETURN_CODE


def skip(reason):
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIP)


def find_peer(name):
    path = shutil.which(name)
    if path is None:
        skip(f"{name} is not installed; scripts/test --with-peers installs it")
    return path


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, condition, seconds=30, step=0.02):
    """Polls until condition() is truthy and returns it; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(step)
    raise AssertionError(f"{what}: not within {seconds} s")


def resident_mib(pid, field="VmRSS"):
    with open(f"/proc/{pid}/status") as status:
        return next((int(line.split()[1]) / 1024 for line in status if line.startswith(field + ":")), 0)


class Process:
    """A child that is ended at the latest when the `with` block is left."""

    def __init__(self, args, log_path):
        self.log_path = log_path
        self.log = open(log_path, "ab")
        self.child = subprocess.Popen(args, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def kill(self):
        self.child.send_signal(signal.SIGKILL)
        self.child.wait(30)

    def stop(self, seconds=15):
        """SIGTERM; returns the exit code. Fails when it takes longer."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
        return self.child.wait(seconds)

    def output(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.kill()
        self.log.close()


class Server(Process):
    """Our server, or Debian's prometheus: the flags are the same."""

    def __init__(self, binary, config_text, folder, *flags, port=None):
        os.makedirs(folder, exist_ok=True)
        self.port = port or free_port()
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.config = os.path.join(folder, "config.yml")
        with open(self.config, "w") as out:
            out.write(config_text)
        super().__init__([binary, f"--config.file={self.config}", f"--storage.tsdb.path={self.data}",
                          f"--web.listen-address=127.0.0.1:{self.port}", *flags], os.path.join(folder, "log"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self, seconds=30):
        def ready():
            if self.child.poll() is not None:
                raise AssertionError(f"the server ended with {self.child.returncode}:\n{self.output()[-3000:]}")
            return self.request("GET", "/-/ready")[0] == 200
        wait_until("the server is ready", ready, seconds)
        return self

    def request(self, method, path, body=None, headers=None, timeout=30):
        """(status, body bytes, headers); status 0 when there is no connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        except (OSError, http.client.HTTPException):
            return 0, b"", {}
        finally:
            connection.close()

    def api(self, path, **params):
        """The `data` member of a successful answer; fails with the error otherwise."""
        query = urllib.parse.urlencode([(k.rstrip("_"), v) for k, vs in params.items() for v in (vs if isinstance(vs, list) else [vs])])
        status, body, _ = self.request("GET", f"/api/v1/{path}?{query}")
        answer = json.loads(body) if body else {}
        if answer.get("status") != "success":
            raise AssertionError(f"{path} {params}: {status} {body[:500]!r}")
        return answer["data"]

    def query(self, expression, at=None):
        data = self.api("query", query=expression, **({"time": repr(at)} if at is not None else {}))
        return data["result"]


class QuietServer(http.server.ThreadingHTTPServer):
    """A target's server: clients that go away in the middle are part of the game."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass


class HttpTarget:
    """An HTTP server on a free port, from its making on. What it answers answer() says, which many threads call: the text of an exposition,
    or (status, body, content type or None). The request has `command`, `path`, `headers` and `body`."""

    def __init__(self):
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                said = target.answer(self)
                status, body, content_type = said if isinstance(said, tuple) else (200, said, "text/plain; version=0.0.4")
                body = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                if content_type is not None:
                    self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def answer(self, request):
        raise NotImplementedError

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class RecordingProxy:
    """Passes GET requests on to one upstream and keeps (time of arrival, body, content type) of each answer."""

    def __init__(self, upstream_port, path="/metrics"):
        self.records = []
        self.lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                arrived = time.time()
                request = urllib.request.Request(f"http://127.0.0.1:{upstream_port}{path}", headers={
                    k: v for k, v in self.headers.items() if k.lower() in ("accept", "accept-encoding", "user-agent")})
                try:
                    with urllib.request.urlopen(request, timeout=5) as answer:
                        body, headers = answer.read(), answer.headers
                except OSError as error:
                    self.send_error(502, str(error))
                    return
                plain = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
                with proxy.lock:
                    proxy.records.append((arrived, plain.decode(), headers.get("Content-Type", "")))
                self.send_response(200)
                for name in ("Content-Type", "Content-Encoding"):
                    if headers.get(name):
                        self.send_header(name, headers[name])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = QuietServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


class Scratch:
    """A folder that is removed at the end."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix="epi-e2e-")
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
