#!/usr/bin/env python3
"""Flags, configuration, reload, signals and exit codes of the process, as a unit file and an operator meet them.

    process.py SERVER_BINARY
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

from harness import Scratch, Server, free_port, wait_until

GOOD = "global: {scrape_interval: 1s}\nscrape_configs: [{job_name: a, static_configs: [{targets: ['127.0.0.1:1']}]}]\n"
failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


def run(binary, *args, seconds=20):
    done = subprocess.run([binary, *args], capture_output=True, text=True, timeout=seconds)
    return done.returncode, done.stdout, done.stderr


def command_line(binary, folder):
    code, out, _ = run(binary, "--version")
    lines = out.split("\n")
    check("--version", code == 0 and lines[0].startswith("prometheus, version 3.14") and lines[0].endswith(")") and "go version:" in out and "platform:" in out, out)
    code, out, _ = run(binary, "--help")
    check("--help", code == 0 and "--storage.tsdb.path" in out and "--storage.tsdb.min-block-duration" not in out, out[:300])
    name = os.path.basename(binary)
    for args, ends, wants in [
        (["--no-such-flag"], 1, f"unknown long flag '--no-such-flag'\n{name}: error: unknown long flag '--no-such-flag'\n"),
        (["--web.enable-lifecycle=true"], 1, "Error parsing command line arguments: unexpected true"),
        (["--query.timeout=5x"], 2, "Error parsing command line arguments"),
        (["--config.file=a", "--config.file=b"], 2, "flag 'config.file' cannot be repeated"),
        (["--web.cors.origin=("], 2, 'could not compile CORS regex string "(": error parsing regexp: missing closing ): `^(?s:()$`\n'),
        (["--web.search.max-limit=-1"], 1, "--web.search.max-limit must be non-negative; got -1 (use 0 to disable the cap)\n"),
        (["--web.max-connections=-1"], 1, "--web.max-connections must not be negative, got -1\n"),
        (["--storage.agent.path=x"], 3, 'The following flag(s) can only be used in agent mode: ["--storage.agent.path"]'),
    ]:
        code, out, err = run(binary, *args)
        check(f"{' '.join(args)} is refused", code == ends and wants in err, (code, err[:300]))
    code, _, err = run(binary, f"--config.file={folder}/none.yml", f"--storage.tsdb.path={folder}/d", f"--web.listen-address=127.0.0.1:{free_port()}")
    check("a missing config file ends with 2", code == 2 and f" file={folder}/none.yml " in err and "Error loading config" in err, (code, err[-300:]))
    with open(f"{folder}/good.yml", "w") as f:
        f.write("global: {}\n")
    for flag, wants in [("--web.listen-address=127.0.0.1:99999", "listen tcp: address 99999: invalid port"),
                        ("--query.max-concurrency=-1", "--query.max-concurrency must not be negative, got -1"),
                        ("--storage.tsdb.wal-segment-size=9MB", "flag 'storage.tsdb.wal-segment-size' must be set between 10MB and 256MB"),
                        ("--storage.tsdb.wal-segment-size=257MB", "flag 'storage.tsdb.wal-segment-size' must be set between 10MB and 256MB"),
                        ("--storage.tsdb.max-block-chunk-segment-size=1KB", "flag 'storage.tsdb.max-block-chunk-segment-size' must be set over 1MB")]:
        code, out, err = run(binary, f"--config.file={folder}/good.yml", f"--storage.tsdb.path={folder}/flags", flag)
        check(f"{flag} is refused", code == 1 and wants in out + err, (code, (out + err)[-300:]))
    with open(f"{folder}/rules.yml", "w") as f:
        f.write("groups: [{name: a, rules: [{record: 'x', expr: '('}]}]\n")
    with open(f"{folder}/with_rules.yml", "w") as f:
        f.write("rule_files: [rules.yml]\n")
    code, _, err = run(binary, f"--config.file={folder}/with_rules.yml", f"--storage.tsdb.path={folder}/d")
    check("a wrong rule file ends with 2", code == 2 and "Error loading rule file patterns from config (--config.file=" in err, (code, err[-300:]))
    with open(f"{folder}/bad.yml", "w") as f:
        f.write("global:\n  scrape_interval: 1s\n  nonsense: 2\n")
    code, _, err = run(binary, f"--config.file={folder}/bad.yml", f"--storage.tsdb.path={folder}/d", f"--web.listen-address=127.0.0.1:{free_port()}")
    check("a wrong config names file, line and field", code == 2 and all(w in err for w in ("bad.yml", "line 3", "nonsense")), (code, err[-300:]))
    check("a wrong config touches no data", not os.path.exists(f"{folder}/d"))


def lifecycle(binary, folder):
    with Server(binary, GOOD, f"{folder}/one", "--web.enable-lifecycle", "--no-scrape.adjust-timestamps", "--enable-feature=no-such-feature",
                "--enable-feature=memory-snapshot-on-shutdown,exemplar-storage", "--storage.tsdb.wal-compression",
                "--web.console.templates=/etc/prometheus/consoles", "--storage.tsdb.retention.time=15d",
                "--storage.tsdb.wal-segment-size=10MB", "--storage.tsdb.block-reload-interval=0s", "--config.auto-reload", "--") as server:
        server.wait_ready()
        check("healthy", server.request("GET", "/-/healthy")[:2] == (200, b"Prometheus Server is Healthy.\n"))
        check("ready", server.request("GET", "/-/ready")[:2] == (200, b"Prometheus Server is Ready.\n"))
        flags = server.api("status/flags")
        check("flags show what was given, and defaults", flags.get("scrape.adjust-timestamps") == "false" and flags.get("query.lookback-delta") == "5m"
              and flags.get("storage.tsdb.wal-segment-size") == "10MiB", {k: v for k, v in flags.items() if "wal" in k})
        check("an unknown feature warns", ' msg="Unknown option for --enable-feature" option=no-such-feature\n' in server.output())
        check("what a feature switches on is said", ' msg="Experimental in-memory exemplar storage enabled"\n' in server.output())
        check("a short block reload interval warns", "level=WARN" in server.output() and "block-reload-interval is set to a value less than 1s" in server.output())
        check("automatic reloading is said", ' msg="Automatic configuration file reloading enabled" interval=30s\n' in server.output())
        check("/ leads to /query", server.request("GET", "/")[0] == 302 and server.request("GET", "/")[2]["Location"] == "/query")
        status, page, _ = server.request("GET", "/query")
        check("/query says what runs", status == 200 and b"/api/v1" in page, page[:200])
        second = subprocess.run([binary, f"--config.file={server.config}", f"--storage.tsdb.path={server.data}",
                                 f"--web.listen-address=127.0.0.1:{free_port()}"], capture_output=True, text=True, timeout=20)
        check("a second server on the same data ends with 1", second.returncode == 1 and "lock" in second.stderr.lower(), second.stderr[-400:])
        taken = subprocess.run([binary, f"--config.file={server.config}", f"--storage.tsdb.path={folder}/other",
                                f"--web.listen-address=127.0.0.1:{server.port}"], capture_output=True, text=True, timeout=20)
        check("a taken port ends with 1", taken.returncode == 1 and "level=ERROR" in taken.stderr and 'msg="Unable to start web listener"' in taken.stderr
              and "address already in use" in taken.stderr, taken.stderr[-400:])

        def targets():
            return {t["labels"]["job"] for t in server.api("targets", state="active")["activeTargets"]}
        with open(server.config, "w") as f:
            f.write(GOOD.replace("job_name: a", "job_name: b"))
        check("POST /-/reload", server.request("POST", "/-/reload")[:2] == (200, b""))
        wait_until("the new job runs", lambda: targets() == {"b"}, 15)
        with open(server.config, "w") as f:
            f.write("global:\n  nonsense: 2\n")
        status, body, _ = server.request("POST", "/-/reload")
        check("a wrong reload says why", status == 500 and body.startswith(b"failed to reload config: ") and b"nonsense" in body, body)
        check("and leaves the running config", targets() == {"b"} and "job_name: b" in server.api("status/config")["yaml"])
        check("and is shown", server.api("status/runtimeinfo")["reloadConfigSuccess"] is False)
        with open(server.config, "w") as f:
            f.write(GOOD.replace("job_name: a", "job_name: c"))
        server.child.send_signal(signal.SIGHUP)
        wait_until("SIGHUP reloads", lambda: targets() == {"c"}, 15)
        check("a GET does not reload", server.request("GET", "/-/reload")[0] == 405)
        metrics = server.request("GET", "/metrics")[1].decode()
        for name in ("prometheus_tsdb_head_series ", "prometheus_build_info{", "process_resident_memory_bytes ", "prometheus_ready 1",
                     "prometheus_config_last_reload_successful 1", "prometheus_engine_queries ", "prometheus_http_requests_total{",
                     "prometheus_sd_kubernetes_events_total{", 'prometheus_sd_failed_configs{name="notify"} 0', "prometheus_web_federation_errors_total 0",
                     "prometheus_web_federation_warnings_total 0", "prometheus_remote_read_handler_queries 0"):
            check(f"/metrics has {name.strip()}", "\n" + name in metrics)
        check("POST /-/quit", server.request("POST", "/-/quit")[:2] == (200, b"Requesting termination... Goodbye!"))
        check("quit ends with 0", server.child.wait(15) == 0 and "See you next time!" in server.output(), server.output()[-500:])
    active = f"{folder}/one/data/queries.active"
    with open(active, "rb") as f:
        check("no query is left over after a clean end", f.read() == b"[" + bytes(20 * 1000))
    with open(active, "r+b") as f:
        f.seek(1)
        f.write(b'{"query":"left(over)","timestamp_sec":1}'.ljust(999, b"\0") + b",")
    with Server(binary, GOOD, f"{folder}/one") as server:
        server.wait_ready()
        check("what a crash left running is logged", "These queries didn't finish in prometheus' last run:" in server.output()
              and "left(over)" in server.output(), server.output()[-2000:])
        check("the lifecycle API is off by default", server.request("POST", "/-/reload")[0] == 403 and server.request("POST", "/-/quit")[0] == 403)
        start = time.monotonic()
        check("SIGTERM ends with 0", server.stop() == 0)
        check("within seconds", time.monotonic() - start < 5)


def messages(text):
    """Level, message and the rest of each line of the log, without what differs from run to run."""
    return [(m[1], m[2].strip('"'), m[3].strip()) for m in
            (re.match(r'time=\S+ level=(\w+) source=\S+ msg=("(?:[^"\\\\]|\\\\.)*"|\S+)(.*)', line) for line in text.splitlines()) if m]


def log_lines(binary, folder):
    """What people search their logs for: the lines of a start, a reload and a stop, in this order."""
    duration = r"\d[\d.a-zµ]*s"
    with Server(binary, GOOD, f"{folder}/lines") as server:
        server.wait_ready()
        server.child.send_signal(signal.SIGHUP)
        wait_until("it reloads", lambda: server.output().count("Completed loading of configuration file") == 2, 15)
        server.child.send_signal(signal.SIGINT)
        check("SIGINT ends with 0", server.child.wait(15) == 0)
        lines = messages(server.output())
        address = f"127.0.0.1:{server.port}"
        loaded = "".join(f"{name}={duration} " for name in ("db_storage", "remote_storage", "query_engine", "scrape", "scrape_sd", "notify", "rules"))
        at = 0
        for level, message, rest in [
            ("INFO", "Starting Prometheus Server", 'mode=server version="\\(version=3.14.0, branch=.*, revision=.*\\)"'),
            ("INFO", "operational information", 'build_context="\\(go=.*, platform=linux/.*, user=.*, date=.*, tags=.*\\)" host_details=.* fd_limits=.* vm_limits=.*'),
            ("INFO", "Start listening for connections", f"component=web address={address}"),
            ("INFO", "Listening on", f"component=web address={address}"),
            ("INFO", "TLS is disabled.", f"component=web http2=false address={address}"),
            ("INFO", "Starting TSDB ...", ""),
            ("INFO", "Loading configuration file", "filename=.*"),
            ("INFO", "TSDB retention updated", "duration=15d size=0B percentage=0"),
            ("INFO", "Completed loading of configuration file", loaded + f"filename=.* totalDuration={duration}"),
            ("INFO", "filesystem information", r"fs_type=\w+"),
            ("INFO", "TSDB started", ""),
            ("INFO", "Starting rule manager...", 'component="rule manager"'),
            ("INFO", "Server is ready to receive web requests.", ""),
            ("INFO", "Completed loading of configuration file", loaded + f"filename=.* totalDuration={duration}"),
            ("WARN", "Received an OS signal, exiting gracefully...", "signal=interrupt"),
            ("INFO", "Stopping web handler...", ""), ("INFO", "Web handler stopped", ""),
            ("INFO", "Stopping reloaders...", ""), ("INFO", "Reloaders stopped", ""),
            ("INFO", "Stopping rule manager manager...", ""), ("INFO", "Rule manager stopped", ""),
            ("INFO", "Stopping notifier manager...", ""), ("INFO", "Notifier manager stopped", ""),
            ("INFO", "Stopping scrape discovery manager...", ""), ("INFO", "Scrape discovery manager stopped", ""),
            ("INFO", "Stopping scrape manager...", ""), ("INFO", "Scrape manager stopped", ""),
            ("INFO", "Stopping storage...", ""), ("INFO", "TSDB stopped", ""),
            ("INFO", "See you next time!", ""),
        ]:
            found = next((i for i in range(at, len(lines)) if lines[i][:2] == (level, message) and re.fullmatch(rest, lines[i][2])), None)
            check(f"the log says in its place: {message}", found is not None, (rest, lines[at:]))
            at = at if found is None else found + 1
        check("an unchanged retention is said once", sum(m == "TSDB retention updated" for _, m, _ in lines) == 1, lines)


def big_forms(binary, folder):
    with Server(binary, GOOD, f"{folder}/forms") as server:
        server.wait_ready()
        expression = "vector(1)" + " or vector(2)" * 1000 + " " * 1_000_000
        body = "query=" + expression.replace(" ", "+")
        status, answer, _ = server.request("POST", "/api/v1/query", body, {"Content-Type": "application/x-www-form-urlencoded"})
        check("a form of 1 MB is answered", status == 200 and json.loads(answer)["data"]["result"][0]["value"][1] == "1", answer[:300])


def own_native_histograms(binary, folder):
    port = free_port()
    config = f"global: {{scrape_interval: 1s, scrape_native_histograms: true}}\nscrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
    with Server(binary, config, f"{folder}/native", port=port) as server:
        server.wait_ready()
        # The first scrape of itself finds none that is over.
        took = wait_until("its own durations are native histograms", lambda: server.query("histogram_count(prometheus_target_scrape_duration_seconds) > 0")
                          and server.query("prometheus_target_scrape_duration_seconds"))
        check("they have buckets", len(took[0]["histogram"][1].get("buckets", [])) >= 1, took)
        check("no classic series stands beside them", server.query("prometheus_target_scrape_duration_seconds_count") == [])


def main():
    with Scratch() as folder:
        command_line(sys.argv[1], folder)
        lifecycle(sys.argv[1], folder)
        log_lines(sys.argv[1], folder)
        big_forms(sys.argv[1], folder)
        own_native_histograms(sys.argv[1], folder)
    print(f"{len(failures)} wrong")
    sys.exit(1 if failures else 0)


main()
