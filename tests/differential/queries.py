"""The questions put to both servers: every construct that Prometheus 2.42 and 3.14 share, over the dataset's metrics."""

GAUGE, COUNTER, ODD = "temperature", "http_requests_total", "odd_values"

SELECTORS = [
    'temperature', 'temperature{zone="eu"}', 'temperature{zone!="eu"}', 'temperature{instance=~"a.*|b.*"}', 'temperature{instance!~"a.*"}',
    '{__name__=~"temp.*",zone="us"}', '{__name__="build_info"}', 'temperature{nothing=""}', 'temperature{nothing!=""}', 'no_such_metric',
    'temperature offset 5m', 'temperature offset -5m', 'temperature @ 1700003000', 'temperature @ end()', 'temperature @ start()',
    'http_requests_total{code=~"5..|404"}', 'http_requests_total{code=~".+",instance=~"[ab]:9100"}', '{job="api",le="1.0"}', 'odd_values',
]
RANGE_FUNCTIONS = ["rate", "increase", "delta", "irate", "idelta", "resets", "changes", "deriv", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time",
                   "count_over_time", "last_over_time", "present_over_time", "stddev_over_time", "stdvar_over_time", "absent_over_time"]
INSTANT_FUNCTIONS = ["abs", "ceil", "floor", "round", "sgn", "exp", "ln", "log2", "log10", "sqrt", "sort", "sort_desc", "timestamp", "absent", "scalar",
                     "day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year",
                     "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad"]
AGGREGATIONS = ["sum", "avg", "min", "max", "count", "group", "stddev", "stdvar"]
ARITHMETIC = ["+", "-", "*", "/", "%", "^", "atan2"]
COMPARISONS = ["==", "!=", ">", "<", ">=", "<="]

OTHERS = [
    '1', '-1.5e3', '0x1f', 'Inf', 'NaN', '"text"', '1 + 2 * 3 ^ 2 ^ 0.5', '-2 ^ 2', '5 % 3', '1 == bool 2', 'time()', 'vector(3)', 'vector(time())', 'pi()',
    'scalar(temperature{zone="eu",instance="a:9100"})', 'clamp(temperature, -10, 10)', 'clamp_min(temperature, 0)', 'clamp_max(temperature, 0)', 'clamp(temperature, 5, 1)',
    'round(temperature, 0.5)', 'round(temperature, -3)',
    'quantile_over_time(0.9, temperature[10m])', 'quantile_over_time(-1, temperature[10m])', 'quantile_over_time(2, temperature[10m])',
    'predict_linear(temperature[30m], 3600)', 'holt_winters(temperature[30m], 0.3, 0.3)',
    'quantile(0.9, temperature)', 'quantile by (zone) (0.25, temperature)', 'topk(2, temperature)', 'bottomk(2, temperature)', 'topk by (zone) (1, temperature)',
    'count_values("v", round(temperature, 20))', 'count_values by (zone) ("v", round(temperature, 20))',
    'sum by (code) (rate(http_requests_total[5m]))', 'sum without (instance) (rate(http_requests_total[5m]))',
    'sum by (code) (rate(http_requests_total[5m])) / ignoring(code) group_left sum(rate(http_requests_total[5m]))',
    'temperature and on(instance) build_info', 'temperature unless on(instance) build_info{version="1.0"}', 'temperature or http_requests_total', 'temperature{zone="eu"} or temperature',
    'temperature * on(instance) group_left(version) build_info', 'build_info * on(instance) group_right(version) temperature', 'temperature + ignoring(zone) group_left build_info',
    'temperature{zone="eu"} + ignoring(zone) temperature{zone="us"}', 'temperature + on(zone) temperature', 'temperature > on(instance) group_left build_info',
    'label_replace(temperature, "host", "$1", "instance", "(.*):.*")', 'label_replace(temperature, "zone", "", "zone", ".*")', 'label_replace(temperature, "x", "y$2", "instance", "(a).*")',
    'label_join(temperature, "both", "-", "instance", "zone")', 'label_join(temperature, "zone", "", "nothing")',
    'histogram_quantile(0.5, rate(latency_seconds_bucket[10m]))', 'histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[10m])))',
    'histogram_quantile(1.1, latency_seconds_bucket)', 'histogram_quantile(-0.1, latency_seconds_bucket)', 'histogram_quantile(0, latency_seconds_bucket)', 'histogram_quantile(1, latency_seconds_bucket)',
    'sum(rate(latency_seconds_sum[10m])) / sum(rate(latency_seconds_count[10m]))',
    'max_over_time(rate(http_requests_total[5m])[30m:1m])', 'min_over_time(temperature[20m:])', 'avg_over_time(temperature[20m:3m] offset 2m)', 'sum_over_time(vector(1)[10m:1m])',
    'rate(http_requests_total[5m] offset 10m)', 'rate(http_requests_total[5m] @ 1700004000)', 'sum(increase(http_requests_total[1h] @ end()))',
    'absent(no_such_metric{a="b",c=~"d"})', 'absent(temperature)', 'absent_over_time(no_such_metric{a="b"}[5m])', 'scalar(temperature)', 'scalar(no_such_metric)',
    'sum(odd_values)', 'avg(odd_values)', 'max(odd_values)', 'min(odd_values)', 'sum_over_time(odd_values[10m])', 'avg_over_time(odd_values[10m])', 'stddev(odd_values)',
    'count(temperature > 0)', 'sum(temperature > bool 0)', '(temperature > 0) * 2', '-temperature', '+temperature', '-(temperature)', '2 - temperature', 'temperature == temperature',
    'temperature > 0 and temperature < 20', 'group by (job) ({__name__=~".+"})', 'count by (__name__) ({__name__!=""})', 'sum by (nothing) (temperature)', 'sum without (nothing) (temperature)',
    'minute(vector(1136239445))', 'day_of_year()', 'hour()', 'timestamp(temperature offset 1m)', 'timestamp(timestamp(temperature))',
    'sort_desc(sum by (instance) (temperature))', 'sum(sum by (instance) (temperature))', 'avg by (zone) (avg_over_time(temperature[15m]))',
]
VANISHING = "vanishing"
# Over the block of make_blocks.cc. Only what 2.42 knows about native histograms.
FURTHER = [
    'vanishing', 'vanishing{instance="b"}', 'vanishing offset 10m', 'vanishing @ 1700003300', 'vanishing @ 1700003760', 'count(vanishing)', 'sum(vanishing)', 'absent(vanishing{instance="b"})',
    'absent(vanishing{instance="a"})', 'timestamp(vanishing)', 'vanishing == vanishing', 'vanishing or temperature', 'vanishing unless vanishing{instance="a"}', 'vanishing > bool 0',
    'max_over_time(vanishing[20m:1m])', 'count_over_time(vanishing[30m:2m])', 'absent_over_time(vanishing{instance="b"}[3m])', 'scalar(vanishing{instance="a"})', 'topk(1, vanishing)',
    'vanishing{instance="a"} - on() vanishing{instance="b"}', 'count_values("v", vanishing)', 'changes(vanishing[20m]) + resets(vanishing[20m])',
    'observations', 'observations{instance="a"}', 'observations offset 7m', 'rate(observations[5m])', 'increase(observations[10m])', 'sum(observations)', 'sum(rate(observations[5m]))',
    'histogram_count(observations)', 'histogram_sum(observations)', 'histogram_count(rate(observations[5m]))', 'histogram_sum(rate(observations[5m]))',
    'histogram_sum(rate(observations[5m])) / histogram_count(rate(observations[5m]))', 'count(observations)', 'group(observations)', 'last_over_time(observations[5m])',
    'count_over_time(observations[5m])', 'present_over_time(observations[5m])', 'observations offset 30m', 'rate(observations[30m] offset 5m)', 'timestamp(observations)', 'absent(observations)',
    'histogram_count(sum(observations))', 'sum by (instance) (observations)', 'sum without (instance) (rate(observations[15m]))', '{__name__=~"observ.*"}', 'histogram_count(observations @ 1700003000)',
    'histogram_count(observations) > 3000', 'observations and vanishing', 'observations unless on(instance) vanishing{instance="a"}', 'label_replace(observations, "x", "$1", "instance", "(.*)")',
] + [f'histogram_quantile({q}, {of})' for q in (-1, 0, 0.05, 0.5, 0.9, 1, 2) for of in ("observations", "rate(observations[5m])", "sum(rate(observations[10m]))")] + [
    f'histogram_fraction({low}, {high}, observations)' for low, high in ((0, 1), (0.5, 4), (-1, 0), ("-Inf", "+Inf"), (2, 1))]
FURTHER_RANGES = ["rate", "increase", "delta", "irate", "idelta", "resets", "changes", "deriv", "avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time",
                  "last_over_time", "present_over_time", "stddev_over_time", "absent_over_time"]
ERRORS = ['', 'sum(', 'temperature{', 'temperature{zone=eu}', '{}', '{x=""}', 'rate(temperature)', 'temperature[5m]', 'sum by (x temperature', 'foo bar', '1 +', 'temperature offset', 'abs(1)',
          'temperature + on(job) temperature', 'temperature * on(instance) temperature', 'unknown_function(temperature)', 'temperature @ foo', '"a" + 1', 'topk("a", temperature)',
          'temperature{zone=~"("}', 'sum(temperature)[5m]', 'temperature[5m:0s]', 'label_replace(temperature, "~x", "", "", "")']


def all_queries(further):
    out = list(SELECTORS)
    for function in RANGE_FUNCTIONS:
        out += [f"{function}({GAUGE}[7m])", f"{function}({COUNTER}[7m])", f"{function}({ODD}[5m])", f"{function}({GAUGE}[40s])"]
    for function in INSTANT_FUNCTIONS:
        out += [f"{function}({GAUGE})", f"{function}({ODD})"]
    for aggregation in AGGREGATIONS:
        out += [f"{aggregation}({GAUGE})", f"{aggregation} by (zone) ({GAUGE})", f"{aggregation} without (zone) ({GAUGE})", f"{aggregation} by (code) (rate({COUNTER}[6m]))"]
    for operator in ARITHMETIC:
        out += [f"{GAUGE} {operator} 3", f"7 {operator} {GAUGE}", f"{GAUGE} {operator} {GAUGE}", f"{ODD} {operator} {ODD}", f"7.5 {operator} -2"]
    for operator in COMPARISONS:
        out += [f"{GAUGE} {operator} 3", f"3 {operator} {GAUGE}", f"{GAUGE} {operator} bool 3", f"{ODD} {operator} {ODD}", f"2 {operator} bool 3"]
    if further:
        out += FURTHER
        for function in FURTHER_RANGES:
            out += [f"{function}({VANISHING}[4m])", f"{function}({VANISHING}[25m])"]
    return out + OTHERS + ERRORS
