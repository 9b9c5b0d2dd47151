#!/usr/bin/env python3
"""How epitool reads its command line: where flags may stand, what their values are, and what is said of a wrong one.

    tool_command_line.py EPITOOL
"""
import os
import re
import subprocess
import sys

from harness import Scratch

# Exit code, end of standard error. FILE is a configuration, DIR a folder, GONE a path that leads nowhere.
CASES = [
    ("--bogus", 1, "epitool: error: unknown long flag '--bogus', try --help"),
    ("-x", 1, "epitool: error: unknown short flag '-x', try --help"),
    ("bogus", 1, 'epitool: error: expected command but got "bogus", try --help'),
    ("help bogus", 1, 'expected command but got "bogus", try --help'),
    ("check", 1, "must select a subcommand of 'check', try --help"),
    ("check bogus", 1, 'expected command but got "bogus", try --help'),
    ("check --bogus config FILE", 1, "unknown long flag '--bogus', try --help"),
    ("check --lint=all config FILE", 1, "unknown long flag '--lint', try --help"),
    ("check config", 1, "required argument 'config-files' not provided, try --help"),
    ("check config GONE", 1, "path 'GONE' does not exist, try --help"),
    ("check config -", 1, "path '' does not exist, try --help"),
    ("check config DIR", 1, "'DIR' is a directory, try --help"),
    ("check config --lint-fatal=true FILE", 1, "path 'true' does not exist, try --help"),
    ("check config --lint", 1, "expected argument for flag '--lint', try --help"),
    ("check config --lint --lint-fatal FILE", 1, "expected argument for flag '--lint', try --help"),
    ("check config --lint-fatal --no-lint-fatal FILE", 1, "flag 'lint-fatal' cannot be repeated, try --help"),
    ("check config @GONE", 1, 'failed to open arguments file "GONE": open GONE: no such file or directory, try --help'),
    ("check config -- --lint", 1, "path '--lint' does not exist, try --help"),
    ("check config FILE", 0, ""),
    ("check --query.lookback-delta=1.5h config FILE", 0, ""),
    ("check --query.lookback-delta=1d config FILE", 1, 'time: unknown unit "d" in duration "1d", try --help'),
    ("--enable-feature=promql-experimental-functions --experimental check config FILE", 0, ""),
    ("@ARGUMENTS", 0, ""),
    ("check metrics x", 1, "unexpected x, try --help"),
    ("check metrics --lint=unheard-of", 0, ""),
    ("check service-discovery GONE", 1, "path 'GONE' does not exist, try --help"),
    ("check service-discovery --timeout=5 FILE a", 1, 'time: missing unit in duration "5", try --help'),
    ("tsdb list -rx DIR", 1, "unknown short flag '-x', try --help"),
    ("tsdb analyze --limit=x DIR", 1, 'strconv.ParseFloat: parsing "x": invalid syntax, try --help'),
    ("tsdb analyze --limit=1e3 GONE", 1, "opening the db dir: stat GONE: no such file or directory"),
    ("tsdb analyze --limit -1 GONE", 1, "expected argument for flag '--limit', try --help"),
    ("tsdb dump --min-time=1e3 GONE", 1, 'strconv.ParseInt: parsing "1e3": invalid syntax, try --help'),
    ("tsdb dump --min-time=0x10 --match={ GONE", 1, "opening the db dir: stat GONE: no such file or directory"),
    ("tsdb create-blocks-from -rq openmetrics GONE", 1, "stat GONE: no such file or directory"),
    ("tsdb create-blocks-from openmetrics --label=x GONE", 1, "expected KEY=VALUE got 'x', try --help"),
    ("tsdb create-blocks-from openmetrics --max-block-duration=x GONE", 1, 'time: invalid duration "x", try --help'),
    ("tsdb create-blocks-from rules", 1, "required flag(s) '--start' not provided, try --help"),
    ("tsdb create-blocks-from rules --start=x RULES", 1, 'error parsing start time: cannot parse "x" to a valid timestamp'),
    ("tsdb create-blocks-from rules --start=2 --end=1 RULES", 1, "start time is not before end time"),
    ("tsdb create-blocks-from rules --start=1 --end=9 FILE", 1, "rule importer parse error: FILE: yaml: unmarshal errors:\n  line 1: field global not found in type rulefmt.RuleGroups"),
    ("tsdb create-blocks-from rules --start=1 --http.config.file=GONE RULES", 1, "path 'GONE' does not exist, try --help"),
    ("tsdb create-blocks-from rules --start=1 --http.config.file=FILE RULES", 1, "Failed to load HTTP config file: yaml: unmarshal errors:\n  line 1: field global not found in type config.plain"),
    ("tsdb create-blocks-from rules --start=1 --end=61 --http.config.file=SECRET --url=http://127.0.0.1:1 --output-dir=OUT RULES", 1, "unable to read authorization credentials: unable to read file SECRETS: open SECRETS: no such file or directory\nerror importing rules"),
    ("tsdb create-blocks-from rules --start=1 --url=:: FILE", 1, 'invalid URL: parse "::": missing protocol scheme, try --help'),
]


JUNIT = (
    '<testsuites><testsuite name="TESTS" tests="1" failures="1" errors="0" skipped="0" timestamp="NOW"><testcase name="a&lt;&#39;b&#39;&gt;">'
    '<failure>    expr: &#34;up&#34;, time: 0s,&#xA;        exp: {__name__=&#34;up&#34;} 1E+00&#xA;        got: nil</failure></testcase></testsuite>'
    '<testsuite name="FILE" tests="1" failures="0" errors="1" skipped="0" timestamp=""><testcase name="unknown">'
    '<error>yaml: unmarshal errors:&#xA;  line 1: field global not found in type main.unitTestFile</error></testcase></testsuite></testsuites>')


def main():
    tool = os.path.abspath(sys.argv[1])
    failures = 0

    def check(what, good, detail):
        nonlocal failures
        print(("ok    " if good else "WRONG ") + what + ("" if good else f": {detail}"), flush=True)
        failures += not good

    with Scratch() as folder:
        os.mkdir(os.path.join(folder, "DIR"))
        with open(os.path.join(folder, "FILE"), "w") as f:
            f.write("global: {}\n")
        with open(os.path.join(folder, "RULES"), "w") as f:
            f.write("groups: [{name: g, rules: [{record: r, expr: up}]}]\n---\ngroups: []\n")
        with open(os.path.join(folder, "SECRET"), "w") as f:
            f.write("authorization: {credentials_file: SECRETS}\n")
        with open(os.path.join(folder, "ARGUMENTS"), "w") as f:
            f.write("# a word a line\ncheck\n\nconfig\nFILE\n")

        def run(line):
            return subprocess.run([tool, *line.split()], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)

        for line, code, said in CASES:
            done = run(line)
            check(line, done.returncode == code and done.stderr.endswith(said + "\n" if said else ""), (done.returncode, done.stderr))
        for line in ("", "help", "--help", "-h"):
            done = run(line)
            check(f"'{line}' lists the commands", done.returncode == 0 and "tsdb dump [<flags>]" in done.stdout and "check rules [<flags>]" in done.stdout, done)
        for line in ("check config --help", "help check config", "-h check config GONE"):
            done = run(line)
            check(f"{line} explains one command", done.returncode == 0 and "--syntax-only" in done.stdout and "tsdb dump" not in done.stdout, done)
        done = run("check rules --lint=too-long-scrape-interval RULES")
        check("a lint that is not of rules", done.stdout.startswith('WARNING: unknown lint option: "too-long-scrape-interval"\n'), done)
        check("a second document is told of", "only the first document is processed" in done.stderr and done.returncode == 0, done)
        with open(os.path.join(folder, "TESTS"), "w") as f:
            f.write("tests: [{name: \"a<'b'>\", interval: 1m, promql_expr_test: [{expr: up, exp_samples: [{labels: up, value: 1}]}]}]\n")
        run("test --junit=REPORT rules TESTS FILE")
        with open(os.path.join(folder, "REPORT")) as f:
            report = re.sub('(timestamp=")[-0-9T:]+', r"\1NOW", f.read())
        check("JUnit XML", report == JUNIT, report)
        done = run("check config --version")
        check("--version", done.returncode == 0 and done.stdout.startswith("promtool, version 3.14.0 ("), done)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
