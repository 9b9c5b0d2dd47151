"""The requests of the differential HTTP test: good, odd and wrong ones."""
import urllib.parse
from dataclasses import dataclass, field

import dataset

AT = dataset.START + 5400
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Ask:
    """One request. `compare` names what is compared beside the status: data, error, text, none."""
    method: str
    target: str
    body: str | None = None
    headers: dict = field(default_factory=dict)
    compare: str = "data"

    @property
    def name(self):
        body = f" <{self.body}>" if self.body is not None else ""
        extra = "".join(f" {k}:{v}" for k, v in self.headers.items() if (k, v) not in FORM.items())
        return f"{self.method} {self.target}{body}{extra}"


def encoded(pairs):
    return urllib.parse.urlencode(pairs)


def get(path, *pairs, **headers):
    return Ask("GET", path + ("?" + encoded(pairs) if pairs else ""), headers=headers)


def post(path, *pairs, url=()):
    return Ask("POST", path + ("?" + encoded(url) if url else ""), encoded(pairs), dict(FORM))


TIMES = ["0", "1.5", "1700005400", "1700005400.1234", "1.7e9", "-1", "2023-11-14T23:43:20Z", "2023-11-14T23:43:20.5+01:00", "", "now", "1700005400s", "NaN", "Inf",
         "2023-11-14", "-292273086-05-16T16:47:06Z", "292277025-08-18T07:12:54.999999999Z", "0x10", "1_000", " 1700005400"]
DURATIONS = ["15", "15s", "1m", "0", "-1", "1h30m", "1.5", "", "x", "1e3", "9223372036854775808", "1y", "100ms", "1m1h", "NaN", "Inf", "0s"]
EXPRESSIONS = ["1", '"text"', "temperature", "temperature[5m]", "sum(temperature)", "nothing_here", "up{", "sum(", "", "1 +", "temperature{zone=~\"[\"}", "rate(temperature)",
               "http_requests_total offset 5m", "time()", "vector(1)", "-temperature", "temperature == 1", "topk(2, temperature)", "count_values(\"v\", temperature)", "absent(nothing)",
               "foo bar", "{}", "{__name__=~\".+\"}", "sum by (zone) (temperature)", "1 / 0", "0 / 0", "1e400", "label_replace(temperature, \"a\", \"$1\", \"zone\", \"(.*)\")",
               "temperature * on(instance) temperature", "temperature and on() vector(1)", "\"<&>\"", "1e21", "1e-7", "123456789.125"]
MATCHERS = ["temperature", '{zone="eu"}', '{job=~"n.*"}', "{}", '{__name__=~".+"}', "temperature[5m]", "sum(temperature)", "temperature offset 5m", "", "{zone!=\"eu\"}", "{x=\"\"}", "temperature{",
            '{__name__="temperature",zone="us"}', "1", "temperature @ 5"]
LIMITS = ["0", "1", "2", "1000", "-1", "x", "", "1.5", "9999999999999999999"]


def query_requests():
    for text in EXPRESSIONS:
        yield get("/api/v1/query", ("query", text), ("time", AT))
        yield post("/api/v1/query", ("query", text), ("time", AT))
        yield get("/api/v1/query_range", ("query", text), ("start", AT - 60), ("end", AT), ("step", 15))
    for text in TIMES:
        yield get("/api/v1/query", ("query", "temperature"), ("time", text))
        yield get("/api/v1/query_range", ("query", "1"), ("start", text), ("end", AT), ("step", "1h"))
        yield get("/api/v1/query_range", ("query", "1"), ("start", AT - 60), ("end", text), ("step", 15))
        yield get("/api/v1/series", ("match[]", "temperature"), ("start", text))
        yield get("/api/v1/labels", ("end", text))
    for text in DURATIONS:
        yield get("/api/v1/query_range", ("query", "temperature"), ("start", AT - 60), ("end", AT), ("step", text))
        yield get("/api/v1/query", ("query", "1"), ("time", AT), ("timeout", text))
        yield get("/api/v1/query_range", ("query", "1"), ("start", AT), ("end", AT), ("step", 1), ("timeout", text))
    for pairs in ([], [("query", "1")], [("start", AT)], [("query", "1"), ("start", AT)], [("query", "1"), ("start", AT), ("end", AT)], [("query", "1"), ("step", 1)],
                  [("query", "1"), ("start", AT), ("end", AT - 1), ("step", 1)], [("query", "1"), ("start", 0), ("end", 11001), ("step", 1)],
                  [("query", "1"), ("start", 0), ("end", 11000), ("step", 1)], [("query", "1"), ("query", "2"), ("start", AT), ("end", AT), ("step", 1)]):
        yield get("/api/v1/query_range", *pairs)
        yield get("/api/v1/query", *pairs)
        yield post("/api/v1/query_range", *pairs)
        yield post("/api/v1/query", *pairs)
    yield post("/api/v1/query", ("query", "1"), url=[("query", "2"), ("time", AT)])
    yield post("/api/v1/query", url=[("query", "2"), ("time", AT)])
    yield Ask("POST", "/api/v1/query", "query=1&time=%zz", dict(FORM), "error")
    yield Ask("GET", "/api/v1/query?query=%zz", None, {}, "error")
    yield Ask("GET", "/api/v1/query?query=1;time=2", None, {}, "error")
    yield Ask("POST", "/api/v1/query", '{"query":"1"}', {"Content-Type": "application/json"}, "error")
    yield Ask("POST", "/api/v1/query", "query=1", {}, "error")
    for path in ("/api/v1/query_exemplars", "/api/v1/format_query"):
        for text in ("temperature", "sum(temperature)", "", "up{", "1"):
            yield get(path, ("query", text))
            yield post(path, ("query", text))
    yield get("/api/v1/query_exemplars", ("query", "temperature"), ("start", AT), ("end", AT - 1))
    yield get("/api/v1/query_exemplars", ("query", "temperature"), ("start", "x"))
    yield get("/api/v1/query_exemplars", ("query", "temperature"), ("start", AT - 1), ("end", AT))


def metadata_requests():
    for text in MATCHERS:
        for path in ("/api/v1/series", "/api/v1/labels", "/api/v1/label/zone/values", "/api/v1/label/__name__/values"):
            yield get(path, ("match[]", text))
        yield post("/api/v1/series", ("match[]", text))
        yield post("/api/v1/labels", ("match[]", text))
    yield get("/api/v1/series")
    yield get("/api/v1/labels")
    yield get("/api/v1/series", ("match[]", "temperature"), ("match[]", '{zone="us"}'))
    yield get("/api/v1/labels", ("match[]", "temperature"), ("match[]", "nothing"))
    yield get("/api/v1/series", ("match[]", "temperature"), ("start", AT), ("end", AT - 1))
    yield get("/api/v1/labels", ("start", AT), ("end", AT - 1))
    yield get("/api/v1/label/zone/values", ("start", AT), ("end", AT - 1))
    for name in ("zone", "le", "nothing", "a-b", "0x", "__name__", "%20", "zo%6ee", "a.b", "%ff"):
        yield Ask("GET", f"/api/v1/label/{name}/values")
    yield Ask("GET", "/api/v1/label//values", compare="text")
    yield Ask("POST", "/api/v1/label/zone/values", "", dict(FORM), "text")
    for limit in LIMITS:
        yield get("/api/v1/metadata", ("limit", limit))
        yield get("/api/v1/targets/metadata", ("limit", limit))
    yield get("/api/v1/metadata", ("metric", "up"))
    yield get("/api/v1/targets/metadata", ("match_target", "{job=\"x\"}"))
    yield get("/api/v1/targets/metadata", ("match_target", "{"))
    yield get("/api/v1/targets/metadata", ("metric", "up"))
    for state in ("active", "dropped", "any", "", "x"):
        yield get("/api/v1/targets", ("state", state))
    for kind in ("alert", "record", "", "x"):
        yield get("/api/v1/rules", ("type", kind))
    yield get("/api/v1/alerts")
    yield get("/api/v1/alertmanagers")


def status_requests():
    for path in ("config", "flags", "runtimeinfo", "buildinfo", "tsdb", "walreplay"):
        yield Ask("GET", f"/api/v1/status/{path}", compare="keys")
        yield Ask("POST", f"/api/v1/status/{path}", "", dict(FORM), "text")
    yield get("/api/v1/status/tsdb", ("limit", "2"))
    for path in ("/api/v1/admin/tsdb/snapshot", "/api/v1/admin/tsdb/clean_tombstones", "/api/v1/admin/tsdb/delete_series?match[]=x"):
        for method in ("POST", "PUT", "GET", "DELETE"):
            yield Ask(method, path, "" if method in ("POST", "PUT") else None, compare="text" if method in ("GET", "DELETE") else "error")


def transport_requests():
    paths = ["/api/v1/query", "/api/v1/query?query=1", "/api/v1/labels", "/api/v1/series", "/api/v1/targets", "/api/v1/nothing", "/api/v1", "/api/v1/", "/api/v2/query", "/api/v1/query/",
             "/api//v1/query", "/API/v1/query", "/api/v1/../v1/labels", "/api/v1/labels/", "/-/healthy", "/-/ready", "/-/healthy/", "/-/nothing", "/federate", "/federate/", "/version",
             "/metrics/", "/nothing", "/favicon.ico/", "/graph/"]
    for path in paths:
        for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "POST"):
            if method == "GET" and path.startswith("/version"):
                continue
            yield Ask(method, path, "" if method in ("POST", "PUT", "PATCH") else None, compare="text")
    for origin in ("http://a.example", "null", ""):
        yield Ask("GET", f"/api/v1/query?query=1&time={AT}", None, {"Origin": origin})
        yield Ask("OPTIONS", "/api/v1/query", None, {"Origin": origin, "Access-Control-Request-Method": "POST"}, "text")
    for coding in ("gzip", "deflate", "gzip, deflate", "deflate, gzip", "br", "identity", "*", "gzip;q=0", "GZIP", "zstd", ""):
        yield Ask("GET", f"/api/v1/query?query=temperature&time={AT}", None, {"Accept-Encoding": coding})
        yield Ask("GET", "/api/v1/labels", None, {"Accept-Encoding": coding})
    for accept in ("application/json", "text/html", "*/*", "application/xml", "application/json;q=0"):
        yield Ask("GET", f"/api/v1/query?query=1&time={AT}", None, {"Accept": accept})
    for path in ("/-/reload", "/-/quit"):
        for method in ("GET", "POST", "PUT", "DELETE"):
            yield Ask(method, path, "" if method in ("POST", "PUT") else None, compare="text")
    for path in ("/api/v1/write", "/api/v1/read"):
        for method in ("GET", "POST"):
            yield Ask(method, path, "garbage" if method == "POST" else None, compare="status")


def federate_requests():
    for matches in (["temperature"], ['{zone="eu"}', "temperature"], ["nothing"], ["{"], ["sum(temperature)"], ["{}"], [""], []):
        yield Ask("GET", "/federate?" + encoded([("match[]", m) for m in matches]), compare="status" if matches else "text")
    yield Ask("POST", "/federate", "match[]=temperature", dict(FORM), "text")


ENDPOINTS = ["query", "query_range", "query_exemplars", "format_query", "labels", "label/zone/values", "series", "metadata", "targets", "targets/metadata", "rules", "alerts",
             "alertmanagers", "status/config", "status/runtimeinfo", "status/buildinfo", "status/flags", "status/tsdb", "status/walreplay", "read", "write",
             "admin/tsdb/delete_series", "admin/tsdb/clean_tombstones", "admin/tsdb/snapshot"]


def method_requests():
    """What each endpoint says to methods that it does not serve."""
    for name in ENDPOINTS:
        for method in ("HEAD", "OPTIONS", "PATCH", "DELETE", "FOO"):
            yield Ask(method, f"/api/v1/{name}", "" if method == "PATCH" else None, compare="text")
        for origin in ("http://a.example", "https://b.example:8443"):
            yield Ask("OPTIONS", f"/api/v1/{name}", None, {"Origin": origin, "Access-Control-Request-Headers": "X-A"}, "text")


def option_requests():
    """Parameters that change how a query is answered."""
    for value in ("true", "all", "1", "false", ""):
        yield Ask("GET", "/api/v1/query?" + encoded([("query", "temperature"), ("time", AT), ("stats", value)]), None, {}, "status")
    for value in ("1s", "15", "30m", "0", "-5m", "x", "", "1e30", "99999999999999999999"):
        yield get("/api/v1/query", ("query", "temperature"), ("time", AT), ("lookback_delta", value))
        yield get("/api/v1/query_range", ("query", "temperature"), ("start", AT - 60), ("end", AT), ("step", 30), ("lookback_delta", value))
    for value in TIMES:
        yield get("/api/v1/label/zone/values", ("start", value))
        yield get("/api/v1/query_exemplars", ("query", "temperature"), ("end", value))
        yield post("/api/v1/query", ("query", "1"), ("time", value))
    for value in DURATIONS:
        yield post("/api/v1/query_range", ("query", "temperature"), ("start", AT - 60), ("end", AT), ("step", value))
    for pairs in ([("match[]", "temperature"), ("match[]", "up")], [("match[]", "temperature"), ("match[]", "{")], [("match[]", "temperature"), ("match[]", "{}")],
                  [("match[]", "temperature"), ("match[]", "temperature")], [("match[]", "nothing"), ("match[]", "nothing_else")]):
        for path in ("/api/v1/series", "/api/v1/labels", "/api/v1/label/zone/values"):
            yield get(path, *pairs, ("start", AT - 600), ("end", AT))
        for path in ("/api/v1/series", "/api/v1/labels"):
            yield post(path, *pairs, ("start", AT - 600), ("end", AT))
            yield post(path, pairs[0], url=pairs[1:])
    yield post("/api/v1/query", ("query", "temperature"), ("query", "1"), ("time", AT))
    yield Ask("POST", "/api/v1/query", f"query=1&time={AT}", {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"})
    yield Ask("POST", "/api/v1/query", f"query=1&time={AT}", {"Content-Type": "Application/X-WWW-Form-Urlencoded"})
    yield Ask("POST", f"/api/v1/query?query=2&time={AT}", "query=1", {"Content-Type": "text/plain"})
    yield Ask("POST", "/api/v1/series", "match[]=%zz", dict(FORM), "error")
    yield Ask("GET", "/api/v1/series?match[]=%zz", None, {}, "error")
    yield Ask("GET", "/api/v1/labels?match[]=temperature;limit=1", None, {}, "error")
    yield Ask("GET", f"/api/v1/query?query=temperature%7Bzone%3D%22eu%22%7D&time={AT}&query=1")
    yield Ask("GET", f"/api/v1/query?query=1+%2B+1&time={AT}")
    yield Ask("GET", f"/api/v1/query?query=1%20+%201&time={AT}")


def path_requests():
    """Paths that are written in odd ways."""
    for target in ("/api/v1/%6cabels", "/api/v1%2Flabels", "/api/v1/label/zo%2Fne/values", "/api/v1/label/zone%00/values", "/api/v1/labels%00", "/%00", "/api/v1/labels;a=b", "/api/v1/labels%3F",
                   "/api/v1/%2e%2e/v1/labels", "/api/v1/%2e/labels", "/api/v1/./labels", "/api/v1//labels", "/./-/healthy", "/-/../-/healthy", "/../../-/healthy", "//-/healthy", "//",
                   "/-//healthy", "/-/healthy%2F", "/-/healthy?", "/-/healthy?a", "/-%2Fhealthy", "/%2D/healthy", "/api/v1/labels?#a", "/api/v1/label/../labels", "/api/v1/label/./values",
                   "/api/v1/label/a/b/values", "/api/v1/query%20", "/api/v1/que%72y?query=1", "/api/v1/query/..", "/..", "/.", "/%2e%2e/%2e%2e/etc/passwd", "/....//....//etc/passwd",
                   "/api/v1/labels\\", "/api/v1/labels%5C", "/api/v1/labels%0d%0aX:y", "/federate%2f", "/FEDERATE", "/-/HEALTHY", "/Api/v1/labels", "/api/V1/labels"):
        yield Ask("GET", target, compare="text")
    for target in ("/api/v1/labels/", "/api/v1//labels", "/-//healthy", "/API/v1/labels"):
        yield Ask("POST", target, "", dict(FORM), "text")
    for target in ("http://other.example/api/v1/labels", "http://other.example/-/healthy", "http://other.example", "https://x/-/healthy", "/-/healthy#x"):
        yield Ask("GET", target, compare="text")
    for method in ("GET", "OPTIONS"):
        yield Ask(method, "*", compare="status")


def coding_requests():
    codings = ("gzip", "deflate", "identity", "gzip;q=0.5, deflate;q=0.9", "*;q=0", "GZIP", "gzip,deflate", " gzip", "x-gzip", "gzipped")
    for path in ("/api/v1/series?match[]=temperature", "/api/v1/query?query=%7B", "/api/v1/nothing", "/-/healthy", "/api/v1/alerts"):
        for coding in codings:
            yield Ask("GET", path, None, {"Accept-Encoding": coding}, "text" if path.startswith("/-") else "data")
    for coding in codings:
        yield Ask("POST", "/api/v1/query", f"query=1&time={AT}", {**FORM, "Accept-Encoding": coding})
    for coding in ("gzip", "identity", "br"):  # of the request: nobody inflates forms
        yield Ask("POST", "/api/v1/query", f"query=1&time={AT}", {**FORM, "Content-Encoding": coding})


def parts(pairs):
    return "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs) + "--b--\r\n"


def form_requests():
    """Forms of every Content-Type, and those of several parts, which only some endpoints read."""
    form = encoded([("match[]", "temperature"), ("query", "1"), ("time", AT)])
    for kind in ("a/b/c", "application/x-www-form-urlencoded; x", "application/x-www-form-urlencoded, x", "application/x-www-form-urlencoded;", "application/json", "x", "/", ""):
        for path in ("/api/v1/query", "/api/v1/series", "/api/v1/labels"):
            yield Ask("POST", path, form, {"Content-Type": kind})
    multipart = {"Content-Type": "multipart/form-data; boundary=b"}
    whole = parts([("match[]", '{zone="eu"}'), ("query", "2"), ("time", AT)])
    for path in ("/api/v1/query", "/api/v1/query?query=1", "/api/v1/query_exemplars", "/api/v1/format_query", "/api/v1/labels", "/api/v1/labels?match[]=nothing",
                 "/api/v1/series", "/api/v1/series?match[]=temperature"):
        for body in (whole, whole[:-4], whole.replace("--b", "--c"), ""):
            yield Ask("POST", path, body, multipart)
        yield Ask("POST", path, whole, {"Content-Type": "multipart/form-data"})


def range_requests():
    """Ranges around and outside of what is stored, and times as Go reads them."""
    first, last = dataset.START, dataset.START + dataset.SCRAPES * dataset.STEP
    for start, end in ((0, first - 7200), (last + 7200, last + 9000), (first, first), (last - 1, last + 10), (last, first), (AT, AT), (0, first + 5)):
        for path in ("/api/v1/series", "/api/v1/labels", "/api/v1/label/zone/values"):
            yield get(path, ("match[]", "temperature"), ("start", start), ("end", end))
    for time in ("2023-11-14T3:43:20Z", "2023-11-14T003:43:20Z", "2023-11-14T23:4:20Z", "2023-11-14T23:43:20,5Z", "2023-11-14t23:43:20z", "2023-11-14T24:00:00Z",
                 "2023-11-14T23:43:60Z", "2023-11-14T23:43:20+24:00", "2023-11-14T23:43:20.123456789Z", "1.", ".5", "1e", "-0", "0b1", "0x1p4"):
        yield get("/api/v1/query", ("query", "1"), ("time", time))
        yield get("/api/v1/labels", ("start", time))
    for end, step in ((AT + 20, "0.0005"), (AT + 20, "0.001"), (AT + 20, "1e-9"), (AT + 1, "0.001"), (AT + 1, "1e-6")):
        yield get("/api/v1/query_range", ("query", "1"), ("start", AT), ("end", end), ("step", step))


def all_requests():
    for part in (form_requests, range_requests, query_requests, metadata_requests, status_requests, transport_requests, federate_requests, method_requests, option_requests, path_requests, coding_requests):
        yield from part()
