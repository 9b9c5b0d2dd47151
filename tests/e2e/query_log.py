#!/usr/bin/env python3
"""The query log file as whoever reads it meets it: what a line holds, whose query it was, which queries failed, and what a reload does.

    query_log.py SERVER_BINARY
"""
import json
import os
import re
import signal
import sys

from harness import Scratch, Server, wait_until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)")
TIMINGS = ["evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"]
SAMPLES = ["totalQueryableSamples", "peakSamples", "samplesRead"]
RULES = "groups: [{name: g, interval: 100ms, rules: [{record: r, expr: vector(41) + 1}]}]"


def lines(path):
    """The whole lines of a log, read as JSON; none when there is no file."""
    if not os.path.exists(path):
        return []
    with open(path) as log:
        return [json.loads(line) for line in log.read().split("\n")[:-1]]


def entry(path, query):
    """The only line about `query`. It is written before its answer is sent, or soon after."""
    found = wait_until(f"{query} is in {path}", lambda: [line for line in lines(path) if line["params"]["query"] == query], 10)
    assert len(found) == 1, found
    return found[0]


def check_form(line):
    assert TIME.fullmatch(line["time"]), line
    assert (line["level"], line["msg"]) == ("INFO", "promql query logged"), line
    assert list(line["params"]) == ["end", "query", "start", "step"], line
    stats = line["stats"]
    assert list(stats["timings"]) == TIMINGS and all(t >= 0 for t in stats["timings"].values()), stats
    assert set(stats["samples"]) >= set(SAMPLES), stats


def check_http(server, log):
    server.query("1 + 2", 1_700_000_000.5)
    line = entry(log, "1 + 2")
    check_form(line)
    assert line["params"] == {"end": "2023-11-14T22:13:20.500Z", "query": "1 + 2", "start": "2023-11-14T22:13:20.500Z", "step": 0}, line
    assert line["httpRequest"] == {"clientIP": "127.0.0.1", "method": "GET", "path": "/api/v1/query"}, line
    assert "error" not in line and "ruleGroup" not in line, line

    body = "query=vector(7)&start=1700000000&end=1700000060&step=15"
    status, _, _ = server.request("POST", "/api/v1/query_range", body, {"Content-Type": "application/x-www-form-urlencoded"})
    assert status == 200
    line = entry(log, "vector(7)")
    check_form(line)
    assert line["params"] == {"end": "2023-11-14T22:14:20.000Z", "query": "vector(7)", "start": "2023-11-14T22:13:20.000Z", "step": 15}, line
    assert line["httpRequest"] == {"clientIP": "127.0.0.1", "method": "POST", "path": "/api/v1/query_range"}, line


def check_failures(server, log):
    failing = 'label_replace(vector(1), "a", "$1", "b", "(")'
    status, _, _ = server.request("GET", "/api/v1/query?query=label_replace(vector(1),+%22a%22,+%22$1%22,+%22b%22,+%22(%22)")
    assert status == 422
    line = entry(log, failing)
    check_form(line)
    assert line["error"] == 'invalid regular expression in label_replace(): (', line

    # What cannot be parsed is no query yet.
    assert server.request("GET", "/api/v1/query?query=sum(")[0] == 400
    server.query("100 + 1")
    entry(log, "100 + 1")
    assert not [line for line in lines(log) if line["params"]["query"] == "sum("]


def check_rules(log, rules):
    line = wait_until("a rule's query is logged", lambda: [line for line in lines(log) if "ruleGroup" in line], 10)[0]
    check_form(line)
    assert line["ruleGroup"] == {"file": rules, "name": "g"}, line
    assert line["params"]["query"] == "vector(41) + 1" and line["params"]["step"] == 0 and "httpRequest" not in line, line


def check_reload(server, config, log):
    """SIGHUP moves the log, ends it, and, with the same path, opens the file anew after it was moved away."""
    def reload(path):
        before = len(re.findall("Completed loading of configuration file", server.output()))
        with open(server.config, "w") as out:
            out.write(config(path))
        server.child.send_signal(signal.SIGHUP)
        wait_until("the configuration is loaded", lambda: len(re.findall("Completed loading of configuration file", server.output())) > before)

    second = log + ".second"
    reload(second)
    server.query("200 + 1")
    entry(second, "200 + 1")
    assert not [line for line in lines(log) if line["params"]["query"] == "200 + 1"]

    moved = second + ".moved"
    os.rename(second, moved)
    reload(second)
    server.query("200 + 2")
    entry(second, "200 + 2")
    assert not [line for line in lines(moved) if line["params"]["query"] == "200 + 2"]

    reload("")
    size = os.path.getsize(second)
    server.query("200 + 3")
    assert os.path.getsize(second) == size and "200 + 3" not in json.dumps(lines(second))

    reload(log)  # The first file is continued, not emptied.
    server.query("200 + 4")
    entry(log, "200 + 4")
    entry(log, "1 + 2")


def main():
    with Scratch() as folder:
        log, rules = os.path.join(folder, "queries.log"), os.path.join(folder, "rules.yml")
        with open(rules, "w") as out:
            out.write(RULES)

        def config(path):
            return f"global: {{query_log_file: '{path}'}}\nrule_files: ['{rules}']\n"

        with Server(sys.argv[1], config(log), folder) as server:
            server.wait_ready()
            check_http(server, log)
            check_failures(server, log)
            check_rules(log, rules)
            check_reload(server, config, log)
            assert server.request("GET", "/metrics")[1].count(b"prometheus_engine_query_log_enabled 1\n") == 1
            assert server.stop() == 0
    print("query log: ok")


if __name__ == "__main__":
    main()
