#!/usr/bin/env python3
"""Alerts all the way to a real Alertmanager: firing, grouped, resolved; and killed between pending and firing.

    alertmanager.py SERVER_BINARY

Groups are evaluated every second. The value of the alert's expression comes from this script's own target. Between pending and firing
the server is killed with SIGKILL and started again: `for` goes on where it was. The history of the alert tells all of it. At the end
another alert is resolved while Alertmanager is down and the server is killed before it can say so: Alertmanager hears of it later.
"""
import json
import os
import sys
import time
import urllib.parse
import urllib.request

from harness import HttpTarget, Process, Scratch, Server, find_peer, free_port, wait_until

FOR_SECONDS = 8

RULES = """
groups:
- name: e2e
  interval: 1s
  rules:
  - alert: Broken
    expr: broken > 0
    for: %ds
    labels: {severity: page}
    annotations: {summary: '{{ $labels.part }} is broken: {{ $value }}', empty: ''}
  - alert: Flash
    expr: flash > 0
  - alert: Quiet
    expr: vector(0) > 1
""" % FOR_SECONDS

CONFIG = """
global: {scrape_interval: 500ms, external_labels: {cluster: e2e}}
rule_files: [%s]
scrape_configs:
- job_name: parts
  static_configs: [{targets: ['127.0.0.1:%d']}]
alerting:
  alertmanagers:
  - static_configs: [{targets: ['127.0.0.1:%d']}]
"""

ALERTMANAGER_CONFIG = """
route: {receiver: hook, group_by: [cluster, alertname], group_wait: 100ms, group_interval: 1s, repeat_interval: 1h}
receivers:
- name: hook
  webhook_configs: [{url: 'http://127.0.0.1:%d/', send_resolved: true}]
"""


class Target(HttpTarget):
    """Two parts that are broken or not, and the receiver of Alertmanager's notifications."""

    def __init__(self):
        self.broken = 1
        self.flash = 0
        self.pages = []
        super().__init__()

    def answer(self, request):
        if request.command == "GET":
            return f'broken{{part="a"}} {self.broken}\nbroken{{part="b"}} {self.broken}\nflash{{part="f"}} {self.flash}\n'
        body = json.loads(request.body)
        self.pages.append((body["status"], sorted(a["labels"]["part"] for a in body["alerts"] if a["status"] == body["status"])))
        return b""


def fetch(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.loads(answer.read())
    except OSError:
        return None


def states(server):
    return sorted(a["state"] for a in server.api("alerts")["alerts"])


def main():
    binary = sys.argv[1]
    alertmanager = find_peer("prometheus-alertmanager")
    target = Target()
    with Scratch() as folder:
        am_port = free_port()
        am_config = os.path.join(folder, "alertmanager.yml")
        with open(am_config, "w") as out:
            out.write(ALERTMANAGER_CONFIG % target.port)
        rules = os.path.join(folder, "rules.yml")
        with open(rules, "w") as out:
            out.write(RULES)
        config = CONFIG % (rules, target.port, am_port)

        def start_alertmanager():
            process = Process([alertmanager, f"--config.file={am_config}", f"--storage.path={folder}/am", "--cluster.listen-address=",
                               f"--web.listen-address=127.0.0.1:{am_port}"], os.path.join(folder, "am.log"))
            wait_until("Alertmanager is up", lambda: fetch(am_port, "/api/v2/status"))
            return process

        with start_alertmanager() as first:
            flags = ["--rules.alert.resend-delay=1s"]
            with Server(binary, config, folder, *flags) as server:
                server.wait_ready()
                wait_until("both alerts are pending", lambda: states(server) == ["pending", "pending"])
                pending_since = time.time()
                time.sleep(FOR_SECONDS / 2)
                assert states(server) == ["pending", "pending"]
                server.kill()
                port = server.port
            with Server(binary, config, folder, *flags, port=port) as server:
                server.wait_ready()
                wait_until("the alerts are taken over", lambda: states(server) == ["pending", "pending"])
                wait_until("both alerts fire", lambda: states(server) == ["firing", "firing"])
                took = time.time() - pending_since
                # Half of `for` was over when the server was killed: beginning anew would take half as long again.
                assert FOR_SECONDS - 2 <= took < FOR_SECONDS * 1.5 - 0.5, took
                groups = wait_until("Alertmanager groups them", lambda: [
                    g for g in fetch(am_port, "/api/v2/alerts/groups") or [] if len(g["alerts"]) == 2])
                assert groups[0]["labels"] == {"alertname": "Broken", "cluster": "e2e"}, groups[0]["labels"]
                alert = groups[0]["alerts"][0]
                assert alert["labels"] == {"alertname": "Broken", "cluster": "e2e", "instance": f"127.0.0.1:{target.port}",
                                           "job": "parts", "part": "a", "severity": "page"}, alert["labels"]
                assert alert["annotations"]["summary"] == "a is broken: 1", alert["annotations"]
                assert alert["status"]["state"] == "active"
                # The link in a notification leads to a page of ours that knows the expression.
                link = urllib.parse.urlsplit(alert["generatorURL"])
                assert (link.port, link.path, urllib.parse.parse_qs(link.query)) == (port, "/graph", {"g0.expr": ["broken > 0"], "g0.tab": ["1"]}), link
                status, _, headers = server.request("GET", f"{link.path}?{link.query}")
                assert (status, headers["Location"]) == (302, f"/query?{link.query}"), (status, headers)
                assert server.request("GET", headers["Location"])[0] == 200
                wait_until("somebody is paged", lambda: ("firing", ["a", "b"]) in target.pages)

                # Killed while firing: nothing is resolved, nobody is paged again.
                server.kill()
            pages = list(target.pages)
            with Server(binary, config, folder, *flags, port=port) as server:
                server.wait_ready()
                wait_until("the alerts fire on", lambda: states(server) == ["firing", "firing"])
                time.sleep(3)
                assert target.pages == pages, target.pages
                target.broken = 0
                wait_until("both are resolved", lambda: states(server) == [])
                wait_until("Alertmanager knows", lambda: ("resolved", ["a", "b"]) in target.pages)
                assert not fetch(am_port, "/api/v2/alerts?active=true")

                events = server.api("alerts/history", **{"match[]": '{part="a"}'})["events"]
                kinds = [e["event"] for e in events]
                assert kinds == ["pending", "restored", "firing", "restored", "resolved"], kinds
                assert any(n["accepted"] and n["status"] == "firing" for n in events[2]["notifications"]), events[2]
                assert any(n["accepted"] and n["status"] == "resolved" for n in events[4]["notifications"]), events[4]
                assert events[2]["annotations"] == {"empty": "", "summary": "a is broken: 1"}, events[2]

                target.flash = 1
                wait_until("somebody is paged of the flash", lambda: ("firing", ["f"]) in target.pages)
                assert first.stop() == 0
                target.flash = 0
                wait_until("the flash is over", lambda: states(server) == [])
                server.kill()
            assert ("resolved", ["f"]) not in target.pages
            with start_alertmanager(), Server(binary, config, folder, *flags, port=port) as server:
                wait_until("Alertmanager hears of it after all", lambda: ("resolved", ["f"]) in target.pages)
                assert target.pages.count(("firing", ["f"])) == 1, target.pages
                assert server.stop() == 0
    print(f"ok: fired after {took:.1f} s of {FOR_SECONDS}, pages {target.pages}")


if __name__ == "__main__":
    main()
