#!/usr/bin/env python3
"""epitool's checks of configurations, rule files, discovery files and metrics, against the data pack's table of verdicts and texts.

    tool_checks.py EPITOOL
"""
import json
import os
import re
import shutil
import subprocess
import sys

from harness import Scratch, skip

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(os.environ.get("EPI_CONFORMANCE") or os.path.join(HERE, "..", "..", "..", "shared", "conformance"), "rules")

failures = []


def check(what, condition, detail=""):
    print(("ok    " if condition else "WRONG ") + what + ("" if condition else f": {detail}"), flush=True)
    if not condition:
        failures.append(what)


class Tool:
    """Runs in a folder where the files are called testdata/..., as the texts of the table have it."""

    def __init__(self, path, folder):
        self.path, self.folder = path, folder

    def __call__(self, *args, stdin=""):
        done = subprocess.run([self.path, *args], cwd=self.folder, input=stdin, capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout, done.stderr


def check_config(tool, case):
    flags = ["--syntax-only"] if case["syntax_only"] else []
    code, out, err = tool("check", "config", *flags, "testdata/" + case["file"])
    wanted = case.get("error_text") or case.get("error_contains") or ""
    return (code == 0) == (case["result"] == "ok") and wanted in err, (code, out, err)


def check_sd_file(tool, case):
    # The tool checks such files with the configuration that names them.
    with open(os.path.join(tool.folder, "sd.yml"), "w") as f:
        f.write(f"scrape_configs: [{{job_name: a, file_sd_configs: [{{files: ['testdata/*{case['file']}']}}]}}]\n")
    code, out, err = tool("check", "config", "sd.yml")
    if case["file"].endswith(".nonexistent"):  # a path that no configuration may have
        return code == 1 and "is not valid for file discovery" in err, (code, out, err)
    return (code == 0) == (case["result"] == "ok") and case.get("error_text", "") in err, (code, out, err)


def exit_code(command):
    def run(tool, case):
        flags = ["--lint-fatal"] if case["lint_fatal"] else []
        if "lint" in case:
            flags.append("--lint=" + case["lint"])
        flags += ["--enable-feature=" + name for name in case.get("features", [])]
        done = tool("check", command, *flags, "testdata/" + case["file"])
        if case.get("features"):
            without = tool("check", command, "testdata/" + case["file"])
            return done[0] == case["exit_code"] and without[0] == 1, (done, without)
        return done[0] == case["exit_code"], done

    return run


def check_lint(tool, case):
    # Without a rule of its own in the table: the longest interval of the file, and the two beside it.
    with open(os.path.join(tool.folder, "testdata", case["file"])) as f:
        interval = max(int(found) for found in re.findall(r"scrape_interval: (\d+)m", f.read()))
    seconds = 60 * interval + next(more for word, more in (("less", 1), ("greater", -1), ("same", 0)) if f"interval {word}" in case["name"])
    value = f"{seconds}s"
    path = "testdata/" + case["file"]
    flags = ["--lint=too-long-scrape-interval", "--query.lookback-delta=" + value]
    codes = (tool("check", "config", *flags, path)[0], tool("check", "config", "--lint-fatal", *flags, path)[0],
             tool("check", "config", "--syntax-only", "--lint-fatal", *flags, path)[0])
    wanted = tuple(case["exit_code_" + kind] for kind in ("lint_not_fatal", "lint_fatal", "syntax_only"))
    return codes == wanted, codes


def check_extended(tool, case):
    with open(os.path.join(tool.folder, "testdata", case["file"])) as f:
        code, out, err = tool("check", "metrics", "--extended", "--lint=none", stdin=f.read())
    rows = [line.split() for line in out.splitlines()]
    found = [[row[0], int(row[1])] for row in rows if len(row) == 3 and row[1].isdigit() and row[0] != "Total"]
    wanted = [list(stat[:2]) for stat in case["stats"]]
    return found[:len(wanted)] == wanted and any(str(case["total"]) in row for row in rows), (code, out, err)


def check_metrics_lint(tool, case):
    flags = ["--lint=" + case["lint"]] + (["--extended"] if case["extended"] else [])
    code, out, err = tool("check", "metrics", *flags, stdin=case["input"])
    good = code == case["exit_code"]
    good &= ("testMetric_CamelCase" in err) == case["stderr_names_metric"]
    good &= ("Cardinality" in out) == case["stdout_has_cardinality"]
    return good, (code, out, err)


def check_missing_paths(tool):
    # Said before anything is checked, the files that are there too.
    with open(os.path.join(tool.folder, "empty.yml"), "w"):
        pass
    for command in (["config", "empty.yml", "none.yml"], ["service-discovery", "none.yml", "job"]):
        found = tool("check", *command)
        check("a path that is not there: " + command[0], found == (1, "", "epitool: error: path 'none.yml' does not exist, try --help\n"), found)


def check_references(tool):
    """The environment is what the server would see; references are replaced under the server's flag."""
    def write(name, text):
        with open(os.path.join(tool.folder, name), "w") as f:
            f.write(text)
    write("job.txt", "from-a-file\n")
    write("references.yml", "scrape_configs: [{job_name: 'file:job.txt', scrape_interval: '${EPI_INTERVAL}', "
          "static_configs: [{targets: ['${EPI_HOST}:1']}]}]\n")
    os.environ["EPI_INTERVAL"], os.environ["EPI_HOST"] = "90s", "h"
    code, _, err = tool("check", "config", "references.yml")
    check("references are text without the flag", code == 1 and "not a valid duration string" in err, (code, err))
    code, out, err = tool("check", "config", "--config.expand-references", "references.yml")
    check("references are replaced under it", code == 0, (code, out, err))
    code, out, err = tool("check", "service-discovery", "--config.expand-references", "references.yml", "from-a-file")
    check("also where targets are shown", code == 0 and '"h:1"' in out, (code, out, err))
    del os.environ["EPI_HOST"]
    code, _, err = tool("check", "config", "--config.expand-references", "references.yml")
    check("one that is not set is told", code == 1 and "line 1: environment variable EPI_HOST is not set" in err, (code, err))
    write("labels.yml", "global: {external_labels: {a: '$EPI_HOST'}}\n")
    code, _, err = tool("check", "config", "labels.yml")
    check("an empty variable in an external label is told",
          code == 0 and 'level=WARN' in err and 'msg="Empty environment variable" name=EPI_HOST' in err, (code, err))
    write("refused.yml", "scrape_configs: [{job_name: a, http_sd_configs: [{url: 'http://127.0.0.1:1/'}]}]\n")
    code, out, err = tool("check", "service-discovery", "--timeout=500ms", "refused.yml", "a")
    check("a discovery that fails says why", code == 0 and out == "[]" and 'level=ERROR' in err and
          'msg="Unable to refresh target groups" err="Get \\"http://127.0.0.1:1/\\": dial tcp' in err, (code, out, err))
    write("jobs.yml", "scrape_configs: [{}]\n")
    write("outer.yml", "scrape_config_files: [jobs.yml]\n")
    code, _, err = tool("check", "config", "outer.yml")
    path = os.path.join(os.path.realpath(tool.folder), "jobs.yml")
    check("a scrape config file is named in full", code == 1 and f'"{path}": job_name is empty' in err, (code, err))


def check_metric_families(tool):
    # The type in a name is that of the family alone; a family's series are its metrics, each with the parts of the first.
    body = ("# HELP a_counter_1 h\n# TYPE a_counter_1 summary\na_counter_1{quantile=\"1\"} 1\na_counter_1_sum 1\n"
            "# HELP b_summary h\n# TYPE b_summary summary\nb_summary{x=\"1\"} 1\n"
            "# HELP h h\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh{le=\"2\"} 1\nh_bucket{x=\"1\",le=\"1\",le=\"3\"} 1\n")
    code, out, err = tool("check", "metrics", "--extended", stdin=body)
    rows = [line.split()[:2] for line in out.splitlines()]
    found = (code, sorted(rows[1:]), err)
    wanted = (3, [["Total", "13"], ["a_counter_1", "3"], ["b_summary", "2"], ["h", "8"]],
              "b_summary metric name should not include type 'summary'\n")
    check("families of metrics", found == wanted, found)


CHECKS = {
    "check_sd_file": check_sd_file,
    "check_config": check_config,
    "check_config_exit_code": exit_code("config"),
    "check_rules_exit_code": exit_code("rules"),
    "lint_too_long_scrape_interval": check_lint,
    "check_metrics_extended": check_extended,
    "check_metrics_lint": check_metrics_lint,
}


def main():
    if not os.path.isdir(DATA):
        skip(f"no data pack at {DATA}")
    with open(os.path.join(DATA, "promtool_checks.json")) as f:
        cases = json.load(f)["cases"]
    with Scratch() as folder:
        shutil.copytree(os.path.join(DATA, "promtool"), os.path.join(folder, "testdata"))
        tool = Tool(os.path.abspath(sys.argv[1]), folder)
        # Duplicates are looked at by the unit tests.
        for case in (case for case in cases if case["kind"] != "check_duplicates"):
            good, detail = CHECKS[case["kind"]](tool, case)
            check(f"{case['id']} {case.get('name') or case['file']}", good, detail)
        check_missing_paths(tool)
        check_references(tool)
        check_metric_families(tool)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
