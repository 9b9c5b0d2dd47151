#!/usr/bin/env python3
"""epitool check beside Debian's promtool check: exit codes, and where both are to say the same, what they print.

    promtool.py EPITOOL_BINARY [CONFORMANCE_DIRECTORY]

Configurations come from cases written here and, when the directory is there, from its corpus (copied first: promtool only reads, but
relative names have to resolve). A configuration with a key that promtool 2.42 does not know says nothing and is counted as skipped.
Differences that are meant are listed in expected_promtool_differences.txt: a regular expression over "command case", a tab, and the
section of the surface document that says so. An entry that matches nothing is an error.
"""
import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))
from harness import Scratch, find_peer  # noqa: E402

from scrape_expositions import EXPOSITIONS, TEXT  # noqa: E402

JOB = "scrape_configs:\n- job_name: j\n"
CONFIGS = {
    "empty": "",
    "global_only": "global: {scrape_interval: 5s, scrape_timeout: 3s}\n",
    "timeout_too_long": "global: {scrape_interval: 5s, scrape_timeout: 30s}\n",
    "unknown_key": "globals: {}\n",
    "duplicate_key": "global: {}\nglobal: {}\n",
    "not_yaml": "global: [\n",
    "bad_duration": "global: {scrape_interval: 5 s}\n",
    "rule_file_missing": "rule_files: [nowhere.yml]\n",
    "rule_pattern_missing": "rule_files: ['nowhere-*.yml']\n",
    "rule_file_good": "rule_files: [good_rules.yml]\n",
    "rule_file_bad": "rule_files: [bad_rules.yml]\n",
    "rule_file_twice": "rule_files: [twice_rules.yml]\n",
    "password_file_missing": JOB + "  basic_auth: {username: u, password_file: nowhere}\n",
    "password_file_there": JOB + "  basic_auth: {username: u, password_file: secret}\n",
    "bearer_file_missing": JOB + "  bearer_token_file: nowhere\n",
    "credentials_file_missing": JOB + "  authorization: {credentials_file: nowhere}\n",
    "two_auths": JOB + "  basic_auth: {username: u}\n  authorization: {credentials: x}\n",
    "cert_missing": JOB + "  tls_config: {cert_file: nowhere, key_file: nowhere}\n",
    "cert_without_key": JOB + "  tls_config: {cert_file: secret}\n",
    "file_sd_missing": JOB + "  file_sd_configs: [{files: [nowhere.json]}]\n",
    "file_sd_good": JOB + "  file_sd_configs: [{files: [good_targets.json]}]\n",
    "file_sd_yaml": JOB + "  file_sd_configs: [{files: [good_targets.yml]}]\n",
    "file_sd_bad": JOB + "  file_sd_configs: [{files: [bad_targets.json]}]\n",
    "file_sd_null_group": JOB + "  file_sd_configs: [{files: [null_targets.json]}]\n",
    "file_sd_extension": JOB + "  file_sd_configs: [{files: [targets.txt]}]\n",
    "target_with_path": JOB + "  static_configs: [{targets: ['http://x/y']}]\n",
    "target_relabeled": JOB + "  static_configs: [{targets: ['http://x/y']}]\n  relabel_configs: [{source_labels: [__address__], regex: 'http://(.*)/y', "
                              "target_label: __address__}]\n",
    "same_job_twice": JOB + "- job_name: j\n",
    "no_job_name": "scrape_configs: [{honor_labels: true}]\n",
    "bad_regex": JOB + "  relabel_configs: [{regex: '(', action: drop}]\n",
    "bad_action": JOB + "  relabel_configs: [{action: dance}]\n",
    "alertmanager_path": "alerting: {alertmanagers: [{static_configs: [{targets: ['x/y']}]}]}\n",
    "remote_write": "remote_write: [{url: 'http://x/push'}]\n",
    "remote_write_no_url": "remote_write: [{}]\n",
    "external_label": "global: {external_labels: {'0bad': x}}\n",
}
FILES = {
    "good_rules.yml": "groups:\n- name: g\n  rules:\n  - {record: 'a:b', expr: 'sum(up)'}\n  - {alert: A, expr: 'up == 0', for: 5m}\n",
    "bad_rules.yml": "groups:\n- name: g\n  rules:\n  - {record: 'a:b', expr: 'sum(up'}\n",
    "twice_rules.yml": "groups:\n- name: g\n  rules:\n  - {record: 'a:b', expr: 'sum(up)'}\n  - {record: 'a:b', expr: 'sum(up)'}\n",
    "secret": "s\n",
    "good_targets.json": '[{"targets": ["a:1", "b:2"], "labels": {"x": "y"}}, {"targets": ["a:1"]}]',
    "good_targets.yml": "- targets: ['a:1']\n  labels: {x: y}\n",
    "bad_targets.json": '[{"targets": "a:1"}]',
    "null_targets.json": "[null]",
    "targets.txt": "[]",
}
METRICS = {
    "fine": "# HELP a_seconds x\n# TYPE a_seconds gauge\na_seconds 1\n",
    "lint": "# TYPE a counter\na 1\n# TYPE b_total gauge\nb_total{camelCase=\"1\"} 1\n# TYPE c_bucket gauge\nc_bucket{le=\"1\"} 1\n# TYPE d_ms gauge\n"
            "d_ms 1\n# HELP e:f x\n# TYPE e:f gauge\ne:f{quantile=\"1\"} 3\n# HELP g_milliseconds x\n# TYPE g_milliseconds gauge\ng_milliseconds 1\n"
            "# HELP h_gauge x\n# TYPE h_gauge gauge\nh_gauge 1\n# HELP camelCase x\n# TYPE camelCase gauge\ncamelCase 1\n",
    "labels_of_histograms": "# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\",badLabel=\"1\"} 1\nh_bucket{le=\"+Inf\",badLabel=\"1\"} 2\nh_sum{badLabel=\"1\"} 1\n"
                            "h_count{badLabel=\"1\"} 2\n",
    "untyped": "a_total 1\nb_bucket 2\nc_count 3\n",
    "nothing": "",
}
SERVICE_DISCOVERY = {
    "static": JOB + "  static_configs: [{targets: ['a:1', 'b:2'], labels: {x: y}}]\n",
    "relabeled": JOB + "  static_configs: [{targets: ['a:1', 'b:2']}]\n  relabel_configs: [{source_labels: [__address__], regex: 'a.*', action: drop}]\n",
    "file": JOB + "  file_sd_configs: [{files: [good_targets.json]}]\n",
    "other_job": "scrape_configs: [{job_name: k}]\n",
}
# Keys that promtool 2.42 does not know, in a configuration or behind it, make its verdict meaningless.
UNKNOWN_KEY = re.compile(r"field \w+ not found in type")


class Comparison:
    def __init__(self, promtool, epitool):
        self.promtool, self.epitool = promtool, epitool
        self.compared = self.skipped = self.wrong = 0
        self.used = set()
        self.allowed = []
        with open(os.path.join(HERE, "expected_promtool_differences.txt")) as lines:
            for line in lines:
                if line.strip() and not line.startswith("#"):
                    pattern, section = line.rstrip("\n").split("\t")
                    self.allowed.append((re.compile(pattern), section))

    def run(self, tool, arguments, folder, text):
        done = subprocess.run([tool, *arguments], cwd=folder, input=text, capture_output=True, timeout=30)
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def compare(self, name, arguments, folder, text=b"", output=None):
        """output(stdout, stderr) is what has to be equal beside the exit code."""
        theirs = self.run(self.promtool, arguments, folder, text)
        if UNKNOWN_KEY.search(theirs[2]) and "unknown" not in name:
            self.skipped += 1
            return
        ours = self.run(self.epitool, arguments, folder, text)
        self.compared += 1
        same = ours[0] == theirs[0] and (output is None or output(*ours[1:]) == output(*theirs[1:]))
        if same:
            return
        label = f"{' '.join(arguments[:2])} {name}"
        entry = next((i for i, (pattern, _) in enumerate(self.allowed) if pattern.fullmatch(label)), None)
        if entry is not None:
            self.used.add(entry)
            return
        self.wrong += 1
        print(f"WRONG {label}: exit {ours[0]} instead of {theirs[0]}")
        for title, (_, out, err) in (("epitool", ours), ("promtool", theirs)):
            print(f"   {title}: {out[-300:]!r} {err[-300:]!r}")

    def finish(self):
        for i, (pattern, section) in enumerate(self.allowed):
            if i not in self.used and not self.partial:
                self.wrong += 1
                print(f"WRONG expected difference no longer seen, remove it: {pattern.pattern} ({section})")
        print(f"{self.compared} compared, {self.skipped} skipped, {self.wrong} wrong")
        sys.exit(1 if self.wrong else 0)


def lint_lines(out, err):
    """Problems of check metrics, or that there was a parse error; its words are compared elsewhere."""
    return ["parse error"] if err.startswith("error while") else sorted(err.splitlines())


# Labels that jobs of 3.x add to every target.
NEW_LABELS = {"__always_scrape_classic_histograms__", "__convert_classic_histograms_to_nhcb__", "__scrape_native_histograms__"}


def discovered(out, _):
    """Targets with their labels, in any order."""
    if not out.startswith("["):
        return out.strip()
    targets = [{key: {k: v for k, v in value.items() if k not in NEW_LABELS} if isinstance(value, dict) else value for key, value in target.items()}
               for target in json.loads(out)]
    return sorted(json.dumps(target, sort_keys=True) for target in targets)


def check_configs(comparison, folder, conformance):
    for name, text in FILES.items():
        with open(os.path.join(folder, name), "w") as out:
            out.write(text)
    for name, text in CONFIGS.items():
        with open(os.path.join(folder, "config.yml"), "w") as out:
            out.write(text)
        comparison.compare(name, ["check", "config", "config.yml"], folder)
        comparison.compare("syntax only: " + name, ["check", "config", "--syntax-only", "config.yml"], folder)
    if comparison.partial:
        return
    corpus = os.path.join(folder, "corpus")
    shutil.copytree(os.path.join(conformance, "config", "testdata"), corpus)
    for name in sorted(os.listdir(corpus)):
        if name.endswith((".yml", ".yaml")):
            comparison.compare("corpus " + name, ["check", "config", "--syntax-only", name], corpus)


def check_metrics(comparison, folder, conformance):
    bodies = {name: text.encode() for name, text in METRICS.items()}
    for exposition in EXPOSITIONS:
        if exposition.content_type == TEXT:
            page = exposition.pages[-1].replace("{now_ms}", "1700000000000").replace("{now}", "1700000000")
            bodies["page " + exposition.name] = page.encode()
    if not comparison.partial:
        with open(os.path.join(conformance, "exposition", "expfmt_text_parse.json")) as data:
            for case in json.load(data)["cases"]:
                if isinstance(case["input"], str):
                    bodies["corpus " + case["id"]] = case["input"].encode()
    for name, body in bodies.items():
        comparison.compare(name, ["check", "metrics"], folder, body, lint_lines)
    for name in ("fine", "labels_of_histograms"):
        comparison.compare("extended " + name, ["check", "metrics", "--extended"], folder, bodies[name], lambda out, err: out.split())


def main():
    epitool = os.path.abspath(sys.argv[1])
    conformance = sys.argv[2] if len(sys.argv) > 2 else ""
    comparison = Comparison(find_peer("promtool"), epitool)
    comparison.partial = not os.path.isdir(os.path.join(conformance, "config", "testdata"))
    with Scratch() as folder:
        check_configs(comparison, folder, conformance)
        check_metrics(comparison, folder, conformance)
        for name, text in SERVICE_DISCOVERY.items():
            with open(os.path.join(folder, "config.yml"), "w") as out:
                out.write(text)
            comparison.compare(name, ["check", "service-discovery", "--timeout=1s", "config.yml", "j"], folder, output=discovered)
    comparison.finish()


main()
