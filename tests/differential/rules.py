#!/usr/bin/env python3
"""Real-world rules, evaluated by epitool and by Debian's promtool on equal made-up data. Results and alerts must be equal.

    rules.py EPITOOL [--every N] [--only REGEX]

The corpus is the one of the shared data (EPI_CONFORMANCE, or ../shared/conformance beside the checkout). Each rule becomes a unit test of
its own: series for every selector in its expression, evaluated each minute for 40 minutes, expecting nothing, so that the tools print what
they got. The data lies off the evaluation grid, where both versions' ranges hold the same samples. Rules that promtool refuses are
only checked. Differences that are meant are listed in expected_rule_differences.txt.
"""
import json
import math
import os
import random
import re
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import Scratch, find_peer, skip  # noqa: E402

try:
    import yaml
except ImportError:
    skip("python3-yaml is not installed")

EVERY = 6
STEP_MS = 17013
MINUTES = 40
TIMES = ["11m", "26m", "40m"]
KEYWORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "bool", "offset", "inf", "nan", "atan2"}
NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|[+-]Inf")


def corpus_folder():
    root = os.environ.get("EPI_CONFORMANCE") or os.path.join(HERE, "..", "..", "..", "shared", "conformance")
    folder = os.path.join(root, "rules-corpus")
    if not os.path.isdir(folder):
        skip("the shared conformance data is not there")
    return folder


def rules_of_corpus():
    """(where, rule) of every distinct rule."""
    seen = set()
    folder = corpus_folder()
    for path, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if not name.endswith((".yml", ".yaml")):
                continue
            with open(os.path.join(path, name)) as text:
                document = yaml.safe_load(text)
            groups = (document or {}).get("groups") or ((document or {}).get("spec") or {}).get("groups") or []
            for group in groups:
                for rule in group.get("rules") or []:
                    key = json.dumps(rule, sort_keys=True)
                    if key not in seen:
                        seen.add(key)
                        yield f"{os.path.relpath(os.path.join(path, name), folder)}: {rule.get('record') or rule.get('alert')}", rule


def selectors(expression):
    """(metric name, {label: value}) of everything that looks like a selector, and names of labels that results are grouped by."""
    grouped = set()
    for match in re.finditer(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)", expression):
        grouped.update(name.strip() for name in match.group(1).split(",") if name.strip())
    bare = re.sub(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", " ", expression)
    out = []
    for match in re.finditer(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\})?(\s*\()?", re.sub(r'"(?:[^"\\]|\\.)*"', lambda m: m.group(0).replace("(", "<").replace("}", ">"), bare)):
        name, matchers, call = match.groups()
        if call or name in KEYWORDS or len(name) < 3 or f'"{name}' in expression and not matchers:
            continue
        labels = {}
        for label, operator, value in re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!=|!~|=)\s*"((?:[^"\\]|\\.)*)"', matchers or ""):
            if operator in ("=", "=~") and label != "__name__":
                labels.setdefault(label, value if operator == "=" else re.sub(r"[^a-zA-Z0-9_/-]", "", value.split("|")[0].replace(".+", "x").replace(".*", "x")))
        out.append((name, {k: v for k, v in labels.items() if v}))
    return out, grouped - {"le"}


def values_of(name, labels, rank):
    """The values of one series as text; about one in forty is missing."""
    dice = random.Random(zlib.crc32(json.dumps([name, labels], sort_keys=True).encode()))
    counter = name.endswith(("_total", "_count", "_sum", "_bucket"))
    scale = dice.choice([1, 1, 10, 1000, 1e9])
    # Counters begin high: where they begin near zero, the order in which rate() limits its extrapolation shows (surface, 5.8).
    value, out = (100 + dice.random()) * scale, ["_"]
    for _ in range(MINUTES * 60_000 // STEP_MS + 2):
        if counter:
            value += dice.random() * scale * (1 + rank)
        elif name == "up" or name.endswith("_up") or scale == 1 and dice.random() < 0.3:
            value = dice.choice([0, 1, 1])
        else:
            value = dice.random() * scale
        out.append("_" if dice.random() < 0.025 else repr(round(value, 6)))
    return " ".join(out)


def input_series(expression):
    found, grouped = selectors(expression)
    series = {}
    for name, given in found:
        for variant in range(3):
            labels = {"job": "j", "instance": f"i{variant}", **{label: f"v{variant % 2}" for label in sorted(grouped)}, **given}
            for rank, le in enumerate(["0.1", "1", "+Inf"] if name.endswith("_bucket") else [None]):
                with_le = dict(labels, le=le) if le else labels
                text = name + "{" + ",".join(f'{k}="{v}"' for k, v in sorted(with_le.items()) if re.fullmatch(r"[a-zA-Z_]\w*", k)) + "}"
                series.setdefault(text, values_of(name, labels, rank))
    return [{"series": text, "values": values} for text, values in series.items()]


def write_test(folder, index, rule):
    with open(os.path.join(folder, f"rules{index}.json"), "w") as out:
        json.dump({"groups": [{"name": "g", "rules": [rule]}]}, out)
    names = rule.get("record") or "ALERTS|ALERTS_FOR_STATE"
    test = {"interval": f"{STEP_MS // 1000}s{STEP_MS % 1000}ms", "input_series": input_series(rule["expr"]),
            "promql_expr_test": [{"expr": f'{{__name__=~"{names}"}}', "eval_time": time, "exp_samples": [{"labels": "nothing", "value": 0}]} for time in TIMES]}
    if "alert" in rule:
        test["alert_rule_test"] = [{"eval_time": time, "alertname": rule["alert"], "exp_alerts": [{"exp_labels": {"no": "such"}}]} for time in TIMES]
    path = os.path.join(folder, f"test{index}.json")
    with open(path, "w") as out:
        json.dump({"rule_files": [f"rules{index}.json"], "evaluation_interval": "1m", "tests": [test]}, out)
    return path


def run(tool, tests):
    """{path: what was printed for it}. One run a file: 3.14 does not print which file it is at, as 2.42 does."""
    out = {}
    for path in tests:
        done = subprocess.run([tool, "test", "rules", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        text = re.sub(r"^Unit Testing:  .*$", "", done.stdout, flags=re.M)
        out[path] = re.sub(r"\n\n+", "\n", text).strip()
    return out


def same(a, b):
    """Equal but for the wording of errors and the last digits of numbers."""
    a, b = (re.sub(r"err(or)?: .*", "error", text) for text in (a, b))
    if NUMBER.split(a) != NUMBER.split(b):
        return False
    return all(x == y or math.isclose(float(x), float(y), rel_tol=1e-9, abs_tol=1e-12) for x, y in zip(NUMBER.findall(a), NUMBER.findall(b)))


def expected_differences():
    with open(os.path.join(HERE, "expected_rule_differences.txt")) as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.strip() and not line.startswith("#")]
    return [(re.compile(pattern), section) for pattern, section in rows]


def main():
    tool = sys.argv[1]
    options = dict(zip(sys.argv[2::2], sys.argv[3::2]))
    every, only = int(options.get("--every", EVERY)), options.get("--only")
    peer = find_peer("promtool")
    rules = [(where, rule) for where, rule in rules_of_corpus() if not only or re.search(only, where)]
    rules = rules if only else rules[::every]
    with Scratch() as folder:
        tests = {write_test(folder, i, rule): (where, rule) for i, (where, rule) in enumerate(rules)}
        ours, theirs = {}, {}
        paths = list(tests)
        for first in range(0, len(paths), 100):
            ours.update(run(tool, paths[first:first + 100]))
            theirs.update(run(peer, paths[first:first + 100]))
    refused = equal = silent = failing = 0
    expected = expected_differences()
    used, bad = set(), []
    for path, (where, rule) in tests.items():
        text = theirs[path]
        if "could not parse expression" in text or "unknown function" in text:
            refused += 1
            if "could not parse" in ours[path]:
                bad.append((where, rule, ours[path], text))
        elif same(ours[path], text):
            equal += 1
            failing += "    rule: " in text
            silent += "got: nil" in text and "    rule: " not in text
        else:
            reason = next((i for i, (pattern, _) in enumerate(expected) if pattern.search(f"{where} {rule['expr']}")), None)
            if reason is None:
                bad.append((where, rule, ours[path], text))
            else:
                used.add(reason)
    for where, rule, our_text, their_text in bad[:10]:
        print(f"DIFFERENT {where}\n  {rule['expr']}\n--- epitool\n{our_text[:1500]}\n--- promtool\n{their_text[:1500]}\n")
    print(f"{len(tests)} rules: {equal} equal ({silent} without any result, {failing} failing in both), {refused} refused by promtool, "
          f"{len(used)} expected differences, {len(bad)} others")
    if bad or equal < len(tests) // 2:
        sys.exit(1)


if __name__ == "__main__":
    main()
