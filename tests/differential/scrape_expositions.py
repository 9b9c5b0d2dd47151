"""Odd expositions for the differential scrape test: each is a page, or pages in turn, and how it is scraped.

{now} in a page is a whole second shortly before the test, the same for both servers; {now_ms} the same in milliseconds.
"""
from dataclasses import dataclass, field

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@dataclass
class Exposition:
    name: str
    pages: list  # answered in turn; after the last one the target fails
    content_type: str = TEXT
    config: dict = field(default_factory=dict)  # further keys of the scrape config


def om(name, *pages, **config):
    return Exposition("om_" + name, [page + "# EOF\n" for page in pages], OPENMETRICS, config)


def text(name, *pages, **config):
    return Exposition("text_" + name, list(pages), TEXT, config)


HISTOGRAM = """# HELP h a histogram
# TYPE h histogram
h_bucket{le="0.5"} 1
h_bucket{le="1.5"} 3
h_bucket{le="+Inf"} 4
h_sum 7.25
h_count 4
"""

EXPOSITIONS = [
    text("plain", "# HELP a words\n# TYPE a counter\na 1\na{b=\"c\"} 2\n", "a 2\na{b=\"c\"} 3\n"),
    text("numbers", "n{k=\"nan\"} NaN\nn{k=\"inf\"} +Inf\nn{k=\"minus\"} -Inf\nn{k=\"plain\"} Inf\nn{k=\"lower\"} nan\nn{k=\"exp\"} 1e-320\n"
                    "n{k=\"big\"} 1.7976931348623157e308\nn{k=\"zero\"} -0\nn{k=\"lead\"} 007\nn{k=\"dot\"} .5\nn{k=\"trail\"} 5.\n"
                    "n{k=\"long\"} 0.1000000000000000055511151231257827021181583404541015625\nn{k=\"plus\"} +3\n"),
    text("too_big_number", "a 1\n", "a 1e400\n"),
    text("hexadecimal", "a 1\n", "a 0x1p3\n"),
    text("underscore_number", "a 1\n", "a 1_000\n"),
    text("octal", "a 1\n", "a 0b11\n"),
    text("escapes", "e{q=\"a\\\"b\",s=\"c\\\\d\",n=\"e\\nf\"} 1\n"),
    text("unknown_escape", "e 1\n", "e{q=\"a\\tb\"} 1\n"),
    text("empty_label_value", "e{q=\"\",r=\"x\"} 1\n"),
    text("trailing_comma", "e{q=\"1\",} 1\n"),
    text("empty_braces", "e{} 1\n"),
    text("blanks", "  e  {  q  =  \"1\"  ,  r = \"2\" }   1   \n\t\n\n   # HELP e   spaced   help  \n\te2\t3\n"),
    text("no_final_newline", "e 1\nf 2"),
    text("windows_lines", "e 1\n", "e 1\r\nf 2\r\n"),
    text("comments", "# just a comment\n#\n#HELP x y\n# TYPEx\n# HELP e help\\nwith \\\\ escapes\n# TYPE e gauge\ne 1\n# EOF\nf 2\n"),
    text("bad_type", "e 1\n", "# TYPE e counters\ne 1\n"),
    text("type_after_sample", "e 1\n# TYPE e counter\ne2 2\n"),
    text("second_type", "# TYPE e counter\n# TYPE e gauge\ne 1\n"),
    text("same_series_twice", "e 1\ne 2\n", "e 3\nf 1\n"),
    text("same_series_twice_other_writing", "e{a=\"1\",b=\"2\"} 1\ne{b=\"2\",a=\"1\"} 2\n"),
    text("same_label_twice", "e 1\n", "e{a=\"1\",a=\"2\"} 1\n"),
    text("no_value", "e 1\n", "e\n"),
    text("no_quotes", "e 1\n", "e{a=1} 1\n"),
    text("unclosed", "e 1\n", "e{a=\"1\" 1\n"),
    text("digit_first", "e 1\n", "1e{a=\"1\"} 1\n"),
    text("colons", "a:b:c 1\n:d 2\n"),
    text("label_with_colon", "e 1\n", "e{a:b=\"1\"} 1\n"),
    text("utf8_value", "e{a=\"h\u00e9llo \u4f60\"} 1\n"),
    text("quoted_name", "e 1\n", "{\"a.b\",c=\"d\"} 1\n"),
    text("quoted_label", "e 1\n", "e{\"c.d\"=\"e\"} 1\n"),
    text("timestamps", "t {now_ms}\nt2 5 {now_ms}\n", "t 7\nt2 6 {now_ms}\n"),
    text("old_and_new_times", "t 1 1000\nt2 2 {now_ms}\nt3 3 99999999999999\n"),
    text("negative_time", "t 1\n", "t 1\nt2 2 -5\n"),
    text("fractional_time", "t 1\n", "t 1 1.5\n"),
    text("ignored_times", "t 1 {now_ms}\n", "t 2 {now_ms}\n", honor_timestamps="false"),
    text("vanishing", "a 1\nb 1\nc 1\n", "a 2\nc 2\n", "a 3\nb 3\n"),
    text("reordered", "a 1\nb 2\nc 3\n", "c 4\na 5\nb 6\n", "b 7\nd 8\nc 9\na 10\n"),
    text("empty_page", "a 1\n", "", "a 2\n"),
    text("only_comments", "a 1\n", "# nothing\n", "a 2\n"),
    text("histogram", HISTOGRAM),
    text("le_integers", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2.50\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"),
    text("quantile_integers", "# TYPE s summary\ns{quantile=\"0\"} 1\ns{quantile=\"0.50\"} 1\ns{quantile=\"1\"} 2\ns_sum 3\ns_count 2\n"),
    text("label_clash", "e{job=\"mine\",instance=\"also\",exported_job=\"taken\"} 1\n"),
    text("honor_labels", "e{job=\"mine\",instance=\"\",other=\"x\"} 1\nf 2\n", honor_labels="true"),
    text("report_names", "up 5\nscrape_samples_scraped 7\n"),
    text("sample_limit", "a 1\nb 1\n", "a 1\nb 1\nc 1\n", sample_limit="2"),
    text("label_limit", "a 1\n", "a{b=\"1\",c=\"2\",d=\"3\"} 1\n", label_limit="4"),
    text("label_name_length", "a 1\n", "a{a_rather_long_name=\"1\"} 1\n", label_name_length_limit="12"),
    text("label_value_length", "a 1\n", "a{b=\"0123456789012345678901234567890\"} 1\n", label_value_length_limit="30"),
    text("body_limit", "a 1\n", "a 1\nbcdefghijklmnopqrstuvwxyz 1\n", body_size_limit="20B"),
    text("relabeled", "keep_a 1\ndrop_b 2\nkeep_c{x=\"y\"} 3\n",
         metric_relabel_configs="[{source_labels: [__name__], regex: 'drop_.*', action: drop}, {source_labels: [x], target_label: z, regex: '(y)', "
                                "replacement: 'got-$1'}, {regex: x, action: labeldrop}]"),
    text("relabeled_together", "a{x=\"1\"} 1\na{x=\"2\"} 2\n", metric_relabel_configs="[{regex: x, action: labeldrop}]"),
    text("name_taken_away", "a 1\n", "a 1\nb 2\n", metric_relabel_configs="[{source_labels: [__name__], regex: b, target_label: __name__, replacement: ''}]"),
    Exposition("type_blank", ["a 1\n"], ""),
    Exposition("type_html", ["a 1\n"], "text/html"),
    Exposition("type_broken", ["a 1\n"], "text/plain;;;=x"),
    Exposition("type_openmetrics_old", ["a 1\n# EOF\n"], "application/openmetrics-text; version=0.0.1; charset=utf-8"),
    Exposition("type_text_new", ["a 1\n"], "text/plain; version=1.0.0; escaping=allow-utf-8"),
    om("plain", "# HELP a words\n# TYPE a counter\n# UNIT a_seconds seconds\na_total 1\na_total{b=\"c\"} 2\n", "a_total 3\n"),
    om("all_types", "# TYPE c counter\nc_total 1\nc_created 1520430000.123\n# TYPE g gauge\ng 1\n# TYPE i info\ni_info{v=\"1\"} 1\n"
                    "# TYPE s stateset\ns{s=\"on\"} 1\ns{s=\"off\"} 0\n# TYPE u unknown\nu 3\n# TYPE gh gaugehistogram\n"
                    "gh_bucket{le=\"1.0\"} 1\ngh_bucket{le=\"+Inf\"} 2\ngh_gcount 2\ngh_gsum 3\n"),
    om("unit", "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds time\na_seconds 1.5\n"),
    om("bad_unit", "a 1\n", "# TYPE a gauge\n# UNIT a seconds\na 1\n"),
    om("histogram", HISTOGRAM),
    om("le_integers", "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n"),
    om("exemplars", "# TYPE c counter\nc_total 7 # {trace_id=\"abc\"} 0.5 {now}.25\n# TYPE h histogram\n"
                    "h_bucket{le=\"1.0\"} 3 # {trace_id=\"def\"} 0.75 {now}\nh_bucket{le=\"+Inf\"} 4 # {} 9\nh_sum 8\nh_count 4\n"),
    om("exemplar_without_space", "a 1\n", "# TYPE c counter\nc_total 7 #{trace_id=\"abc\"} 0.5\n"),
    om("times", "t 1 {now}\nt2 2 {now}.125\n"),
    om("blank_line", "a 1\n", "a 1\n\nb 2\n"),
    om("double_space", "a 1\n", "a  1\n"),
    om("escapes", "e{q=\"a\\\"b\",s=\"c\\\\d\",n=\"e\\nf\"} 1\n"),
    om("bad_type", "a 1\n", "# TYPE e untyped\ne 1\n"),
    om("comment", "a 1\n", "# hello\na 1\n"),
    om("nan_and_inf", "a{k=\"1\"} NaN\na{k=\"2\"} +Inf\na{k=\"3\"} -Inf\na{k=\"4\"} 1e3\n"),
    om("quoted_name", "e 1\n", "{\"a.b\",c=\"d\"} 1\n"),
    Exposition("om_no_eof", ["a 1\n# EOF\n", "a 1\n"], OPENMETRICS),
    Exposition("om_after_eof", ["a 1\n# EOF\n", "a 1\n# EOF\nb 2\n"], OPENMETRICS),
    Exposition("om_eof_without_newline", ["a 1\n# EOF\n", "a 1\n# EOF"], OPENMETRICS),
    Exposition("om_no_newline_before_eof", ["a 1\n# EOF\n", "a 1 # EOF\n"], OPENMETRICS),
]
