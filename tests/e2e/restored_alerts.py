#!/usr/bin/env python3
"""Alerts of Debian's prometheus go on in ours, from the ALERTS_FOR_STATE of its data directory.

    restored_alerts.py SERVER_BINARY

prometheus is killed while one alert fires and another is pending. Ours starts on its directory: the first is active since the same second,
the second has been pending for as long as when prometheus was killed, for the outage does not count.
"""
import datetime
import os
import sys
import time

from harness import Scratch, Server, find_peer, wait_until

HELD_SECONDS = 8  # before the kill; more than an alert that starts anew could have at its restoration

RULES = """
groups:
- name: restored
  interval: 1s
  rules:
  - {alert: Fired, expr: vector(1), for: 2s, labels: {severity: page}}
  - {alert: Pending, expr: vector(1), for: 1h, labels: {severity: page}}
"""
FLAGS = ("--rules.alert.for-grace-period=1s",)


def alerts(server):
    """{name: (state, active at, in seconds)}"""
    out = {}
    for alert in server.api("alerts")["alerts"]:
        at = datetime.datetime.fromisoformat(alert["activeAt"][:19] + "+00:00").timestamp()
        out[alert["labels"]["alertname"]] = (alert["state"], at)
    return out


def main():
    binary, prometheus = sys.argv[1], find_peer("prometheus")
    failures = []

    def check(what, condition, detail=""):
        print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
        if not condition:
            failures.append(what)

    with Scratch() as folder:
        rules = os.path.join(folder, "rules.yml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(RULES)
        config = f"rule_files: ['{rules}']\n"
        with Server(prometheus, config, folder, "--log.level=warn", *FLAGS) as peer:
            peer.wait_ready()
            wait_until("both alerts are held a while",
                       lambda: len(alerts(peer)) == 2 and alerts(peer)["Pending"][1] < time.time() - HELD_SECONDS)
            before = alerts(peer)
            peer.kill()
            killed = time.time()
        check("prometheus left one firing and one pending", (before["Fired"][0], before["Pending"][0]) == ("firing", "pending"), before)
        started = time.time()
        with Server(binary, config, folder, *FLAGS) as ours:
            ours.wait_ready()
            wait_until("the pending alert is restored",
                       lambda: alerts(ours).get("Pending", ("", started))[1] < int(started) - HELD_SECONDS // 2)
            restored = time.time()
            after = alerts(ours)
            wait_until("the fired alert fires", lambda: alerts(ours)["Fired"][0] == "firing")
            check("the fired alert is active since the same second", after["Fired"][1] == before["Fired"][1], (before, after))
            check("the pending alert is pending", after["Pending"][0] == "pending", after)
            held_before, held_after = killed - before["Pending"][1], restored - after["Pending"][1]
            # Evaluations are a second apart, and states are kept in whole seconds.
            check("it was pending for as long as before the kill", abs(held_before - held_after) <= 2.5, (held_before, held_after))
    sys.exit(1 if failures else 0)


main()
