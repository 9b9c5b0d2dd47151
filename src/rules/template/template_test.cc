#include "rules/template/template.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/number_format.h"
#include "rules/template/go_format.h"
#include "rules/template/go_time.h"
#include "testing/conformance.h"

namespace epi::rules {
namespace {

using nlohmann::json;

double Number(const json& v) { return v.is_string() ? *ParseGoFloat(v.get<std::string>()) : v.get<double>(); }

TemplateValue InputOf(const json& input) {
  const std::string type = input.at("go_type");
  const json& value = input.at("value");
  const auto scalar = [](std::string_view kind, const json& v) {
    if (kind == "float64") return TemplateValue::Float(Number(v));
    if (kind == "string") return TemplateValue::Text(v.get<std::string>());
    if (kind.starts_with("uint")) {
      return TemplateValue(TemplateValue::Data(v.is_string() ? std::stoull(v.get<std::string>()) : v.get<uint64_t>()));
    }
    return TemplateValue::Int(v.is_string() ? std::stoll(v.get<std::string>()) : v.get<int64_t>());
  };
  if (type == "sample") {
    auto histogram = std::make_shared<FloatHistogram>();
    histogram->count = value.at("Value").at("count");
    histogram->sum = value.at("Value").at("sum");
    auto fields = std::make_shared<std::vector<std::pair<std::string, TemplateValue>>>();
    fields->emplace_back("Labels", LabelsValue({}));
    fields->emplace_back("Value", SampleValue(0, histogram));
    return TemplateValue(TemplateValue::Data(StructValue{std::move(fields), "template.sample", true}));
  }
  if (!type.starts_with("[]")) return scalar(type, value);
  TemplateList items;
  for (const json& item : value) items.push_back(scalar(std::string_view(type).substr(2), item));
  return TemplateValue::List(std::move(items), "[]interface {}");
}

TEST(TemplateConformance, AllCases) {
  EPI_CONFORMANCE_OR_SKIP(data, "template/template.json");
  for (const json& test : data.at("cases")) {
    SCOPED_TRACE(test.at("id").get<std::string>() + ": " + test.at("template").get<std::string>());
    TemplateEnvironment environment;
    environment.now_ms = 1'353'755'652'000;
    environment.external_url = "http://testhost:9090/path/prefix";
    environment.path_prefix = "/path/prefix";
    environment.query = [&](const std::string&) -> Result<std::vector<TemplateSample>> {
      std::vector<TemplateSample> out;
      for (const json& sample : test.value("query_result", json::array())) {
        LabelsBuilder labels;
        for (const auto& [name, value] : sample.at("labels").items()) labels.Set(name, value.get<std::string>());
        out.push_back({labels.Build(), Number(sample.at("value")), nullptr});
      }
      return out;
    };
    const auto mode = test.value("html", false) ? TemplateMode::kHtml : TemplateMode::kText;
    const auto parsed = Template::Parse("test", test.at("template"), mode);
    Result<std::string> got = Fail(ErrorCode::kInternal, "not run");
    if (parsed) {
      got = (*parsed)->Expand(test.contains("input") ? InputOf(test.at("input")) : TemplateValue(), environment);
    } else {
      got = Fail(parsed.error());
    }
    if (test.at("result") == "ok") {
      ASSERT_TRUE(got) << got.error().message();
      EXPECT_EQ(*got, test.at("output").get<std::string>());
    } else {
      ASSERT_FALSE(got) << *got;
      EXPECT_EQ(got.error().message(), test.at("error_text").get<std::string>());
    }
  }
}

TEST(TemplateConformance, FloatsToTimes) {
  EPI_CONFORMANCE_OR_SKIP(data, "template/float_to_time.json");
  for (const json& test : data.at("cases")) {
    const auto got = TimeFromSeconds(test.at("value").get<double>());
    ASSERT_EQ(got.has_value(), test.at("result") == "ok");
    if (got) {
      EXPECT_EQ(FormatTime(*got, "2006-01-02T15:04:05Z07:00"), test.at("utc").get<std::string>());
    }
  }
}

TemplateValue Data() {
  const Labels labels{{"instance", "a"}, {"job", "j"}};
  return AlertTemplateData(labels, TemplateValue::Strings({{"cluster", "c"}}), "http://x/", TemplateValue::Float(1.5));
}

std::string Expanded(std::string_view text, TemplateEnvironment environment = {}) {
  const auto parsed = Template::Parse("t", std::string(kAlertTemplatePrefix) + std::string(text));
  if (!parsed) return parsed.error().message();
  const auto out = (*parsed)->Expand(Data(), environment);
  return out ? *out : out.error().message();
}

std::string ParseErrorOf(std::string_view text) {
  const auto parsed = Template::Parse("t", std::string(text));
  return parsed ? "parsed" : parsed.error().message();
}

TEST(Template, PlainTextIsItself) {
  const auto parsed = Template::Parse("t", "no action }} here");
  EXPECT_TRUE((*parsed)->is_plain());
  EXPECT_EQ(*(*parsed)->Expand(TemplateValue(), {}), "no action }} here");
}

TEST(Template, LabelsAndValue) {
  EXPECT_EQ(Expanded("{{ $labels.instance }} {{ .Labels.job }} {{ $value }} {{ $labels.none }}|"), "a j 1.5 |");
  EXPECT_EQ(Expanded("{{ $externalLabels.cluster }}{{ $externalURL }}"), "chttp://x/");
  EXPECT_EQ(Expanded("{{ $labels }}"), "map[instance:a job:j]");
}

TEST(Template, ControlStructures) {
  EXPECT_EQ(Expanded("{{ if gt $value 2.0 }}big{{ else if gt $value 1.0 }}mid{{ else }}small{{ end }}"), "mid");
  EXPECT_EQ(Expanded("{{ with $labels.job }}<{{ . }}>{{ else }}none{{ end }}"), "<j>");
  EXPECT_EQ(Expanded("{{ with $labels.no }}x{{ else with $labels.job }}<{{ . }}>{{ end }}"), "<j>");
  EXPECT_EQ(Expanded("{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}"), "instance=a;job=j;");
  EXPECT_EQ(Expanded("{{ range $i := 4 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $i 3 }}{{ break }}{{ end }}{{ "
                     "$i }}{{ end }}"),
            "02");
  EXPECT_EQ(Expanded("{{ define \"x\" }}[{{ . }}]{{ end }}{{ template \"x\" 7 }}{{ block \"y\" 8 }}({{ . }}){{ end }}"),
            "[7](8)");
  EXPECT_EQ(Expanded("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}"), "2");
  EXPECT_EQ(Expanded("a  {{- 1 -}}  b{{/* note */}}c {{- /* trim */ -}} d"), "a1bcd");
  EXPECT_EQ(Expanded("{{ range .None }}x{{ end }}").substr(0, 29), "error executing template t: t");
}

TEST(Template, Pipelines) {
  EXPECT_EQ(Expanded("{{ \"a b\" | printf \"%s-%q\" \"x\" }}"), "x-\"a b\"");
  EXPECT_EQ(
      Expanded("{{ printf \"%.2f|%5d|%-5s|%05.1f|%x|%v|%t|%c|%U|%%\" 1.239 42 \"ab\" 2.25 255 $labels true 'x' 'x' }}"),
      "1.24|   42|ab   |002.2|ff|map[instance:a job:j]|true|x|U+0078|%");
  EXPECT_EQ(Expanded("{{ printf \"%d %s %\" \"x\" }}"), "%!d(string=x) %!s(MISSING) %!(NOVERB)");
  EXPECT_EQ(Expanded("{{ printf \"%d\" 1 2 }}"), "1%!(EXTRA int=2)");
  EXPECT_EQ(Expanded("{{ print 1 2 \"a\" 3 }}"), "1 2a3");
  EXPECT_EQ(Expanded("{{ and 1 0 2 }}{{ or 0 \"\" 5 }}{{ not true }}"), "05false");
  EXPECT_EQ(Expanded("{{ len \"abc\" }}{{ index $labels \"job\" }}{{ slice \"abcdef\" 1 3 }}"), "3jbc");
  EXPECT_EQ(Expanded("{{ eq \"a\" \"b\" \"a\" }}{{ ne 1 2 }}{{ lt \"a\" \"b\" }}{{ le 2 2 }}{{ ge 1 2 }}"),
            "truetruetruetruefalse");
  EXPECT_EQ(Expanded("{{ html \"<a&'\\\">\" }}{{ js \"it's\" }}{{ urlquery \"a b&c\" }}"),
            "&lt;a&amp;&#39;&#34;&gt;it\\'sa+b%26c");
  EXPECT_EQ(Expanded("{{ (args 1 \"b\").arg1 }}"), "b");
  EXPECT_EQ(Expanded("{{ ((1435065584.0 | toTime).AddDate 0 1 0).Weekday }}"), "Thursday");
  EXPECT_EQ(Expanded("{{ (now | toTime).Year }}"), "1970");
}

TEST(Template, PrintsAsGoDoes) {
  EXPECT_EQ(Expanded("{{ printf \"%+v %+d %+v %+.1f\" 2 2 1.5 1.5 }}"), "2 +2 1.5 +1.5");
  TemplateEnvironment environment;
  environment.query = [](const std::string&) -> Result<std::vector<TemplateSample>> {
    return std::vector<TemplateSample>{{Labels{{"instance", "a"}}, 11, nullptr}};
  };
  EXPECT_EQ(Expanded("{{ range query \"up\" }}{{ . }}|{{ print . }}|{{ printf \"%v\" . }}{{ end }}", environment),
            "{map[instance:a] 11}|&{map[instance:a] 11}|&{map[instance:a] 11}");
}

TEST(Template, PrintfTakesFlagsIntoWhatTheVerbDoesNotFit) {
  const auto printed = [](std::string_view args) { return Expanded("{{ printf " + std::string(args) + " }}"); };
  EXPECT_EQ(printed(R"("%8.3d|%+.1z|%08z|%.2t" "abcdef" 12 -5 7)"),
            "%!d(string=     abc)|%!z(int=+12)|%!z(int=-0000005)|%!t(int=07)");
  EXPECT_EQ(printed(R"("%6.q|% s|%-8o|%08t|%+o" 1435.25 1.5 1.5 true 1.5)"),
            "%!q(float64= 1e+03)|%!s(float64= 1.5)|%!o(float64=1.5     )|0000true|%!o(float64=+1.5)");
  EXPECT_EQ(printed(R"("%-6c|%w|%p" $labels $labels $labels)"),
            "map[%!c(string=instance):%!c(string=a     ) %!c(string=job   ):%!c(string=j     )]|"
            "%!w(map[string]string=map[instance:a job:j])|%!p(map[string]string=map[instance:a job:j])");
  EXPECT_EQ(printed(R"("%t|%v|%s" nil nil (args nil))"), "%!t(<nil>)|<nil>|map[arg0:<nil>]");
  EXPECT_EQ(printed(R"("%t" ((toTime 0).Sub (toTime 1).UTC))"), "%!t(time.Duration=-1000000000)");
}

TEST(Template, PrintfReachesIntoStructs) {
  TemplateEnvironment environment;
  environment.query = [](const std::string&) -> Result<std::vector<TemplateSample>> {
    return std::vector<TemplateSample>{{Labels{{"a", "b"}}, 11, nullptr}};
  };
  const auto printed = [&](std::string_view args) {
    return Expanded("{{ printf " + std::string(args) + " }}", environment);
  };
  EXPECT_EQ(printed(R"("%x|%.2f" (query "m" | first) (query "m" | first))"),
            "&{map[61:62] 0x1.6p+03}|&{map[%!f(string=a):%!f(string=b)] 11.00}");
  EXPECT_EQ(printed(R"("%+v" (query "m" | first))"), "&{Labels:map[a:b] Value:11}");
  EXPECT_EQ(printed(R"("%#v" (query "m" | first))"),
            "&template.sample{Labels:map[string]string{\"a\":\"b\"}, Value:11}");
  EXPECT_EQ(printed(R"("%s" (query "m"))"), "[%!s(*template.sample=&{map[a:b] 11})]");
  EXPECT_NE(Expanded("{{ len (query \"m\" | first) }}", environment).find("len of type template.sample"),
            std::string::npos);
  EXPECT_EQ(Expanded("{{ html (query \"m\" | first) nil }}", environment), "{map[a:b] 11}&lt;no value&gt;");
}

TEST(Template, PrintfReadsIndexesSizesAndSharpsAsGoDoes) {
  const auto printed = [](std::string_view args) { return Expanded("{{ printf " + std::string(args) + " }}"); };
  EXPECT_EQ(printed(R"("%[3]*.[2]*[1]f|%[2]2d|%[5]d|%[x]d" 12.0 2 6)"),
            " 12.00|%!d(BADINDEX)|%!d(BADINDEX)|%!d(BADINDEX)");
  EXPECT_EQ(printed(R"("%*d|%-*d|%.*d" "x" 1 4 2 -1 3)"), "%!(BADWIDTH)1|2   |%!(BADPREC)3");
  EXPECT_EQ(printed(R"("%3." 1)"), "%!.(int=  1)");
  EXPECT_EQ(printed(R"("%99999999d" 1)"), "%!(NOVERB)%!(EXTRA int=1)");
  EXPECT_EQ(printed(R"("%#o %#o %#x %#b %#.3g %#.0f %#g %#g" 0 8 255 5 1.0 2.0 0.0 1e9)"),
            "0 010 0xff 0b101 1.00 2. 0.00000 1.00000e+09");
  EXPECT_EQ(printed(R"("[%4.0d][%+.0d]" 0 0)"), "[    ][]");
  EXPECT_EQ(printed(R"("%+q %#q %#q %+q %#U %.6U" "é" "a" "a`" 'é' 'é' 'é')"),
            "\"\\u00e9\" `a` \"a`\" '\\u00e9' U+00E9 'é' U+0000E9");
}

TEST(Template, ErrorsArePlacedAsGoPlacesThem) {
  EXPECT_EQ(ParseErrorOf("{{ foo }}"), "error parsing template t: template: t:1: function \"foo\" not defined");
  EXPECT_EQ(ParseErrorOf("{{ $x }}"), "error parsing template t: template: t:1: undefined variable \"$x\"");
  EXPECT_EQ(ParseErrorOf("a\n{{ if }}"), "error parsing template t: template: t:2: missing value for if");
  EXPECT_EQ(ParseErrorOf("{{ if 1 }}"), "error parsing template t: template: t:1: unexpected EOF");
  EXPECT_EQ(ParseErrorOf("{{ end }}"), "error parsing template t: template: t:1: unexpected {{end}}");
  EXPECT_EQ(ParseErrorOf("{{ 1"), "error parsing template t: template: t:1: unclosed action");
  EXPECT_EQ(ParseErrorOf("{{ \"x }}"), "error parsing template t: template: t:1: unterminated quoted string");
  EXPECT_EQ(ParseErrorOf("{{ 1 | 2 }}"),
            "error parsing template t: template: t:1: non executable command in pipeline stage 2");
  EXPECT_EQ(ParseErrorOf("{{ .x * 100 }}"), "error parsing template t: template: t:1: unexpected \"*\" in operand");
  EXPECT_EQ(ParseErrorOf("{{ break }}"), "error parsing template t: template: t:1: {{break}} outside {{range}}");
  EXPECT_EQ(ParseErrorOf("{{ tmpl \"x\" . }}"),
            "error parsing template t: template: t:1: function \"tmpl\" not defined");
  EXPECT_EQ(ParseErrorOf("{{ 99999999999999999999 }}"),
            "error parsing template t: template: t:1: integer overflow: \"99999999999999999999\"");
  const auto executed = [](std::string_view text) {
    return (*Template::Parse("t", std::string(text)))->Expand(Data(), {}).error().message();
  };
  const std::string start = "error executing template t: template: t:";
  EXPECT_EQ(executed("{{ toUpper 1 }}"), start + "1:11: executing \"t\" at <1>: expected string; found 1");
  EXPECT_EQ(executed("{{ .Value | toUpper }}"),
            start + "1:12: executing \"t\" at <toUpper>: wrong type for value; expected string; got float64");
  EXPECT_EQ(executed("\n{{ gt .Value 1 }}"), start +
                                                 "2:3: executing \"t\" at <gt .Value 1>: error calling gt: "
                                                 "incompatible types for comparison: float64 and int");
  EXPECT_EQ(executed("{{ template \"no\" }}"),
            start + "1:12: executing \"t\" at <{{template \"no\"}}>: template \"no\" not defined");
  EXPECT_EQ(executed("{{ humanize }}"),
            start + "1:3: executing \"t\" at <humanize>: wrong number of args for humanize: want 1 got 0");
  EXPECT_EQ(executed("{{ .Nope }}").substr(0, 89), start + "1:3: executing \"t\" at <.Nope>: can't evaluate fie");
}

TEST(Template, NumbersOfEveryKind) {
  EXPECT_EQ(Expanded("{{ 0x1F }} {{ 0o17 }} {{ 0b11 }} {{ 1_000 }} {{ 017 }} {{ 0x1p4 }} {{ 1e21 }} {{ -0.0 }}"),
            "31 15 3 1000 15 16 1e+21 -0");
  EXPECT_EQ(Expanded("{{ 1i }} {{ 0i }} {{ -1.5i }} {{ 1+2i }} {{ 1.5e+3-2.5i }} {{ 1e3i }}"),
            "(0+1i) (0+0i) (0-1.5i) (1+2i) (1500-2.5i) (0+1000i)");
  EXPECT_EQ(Expanded("{{ if 0i }}t{{ else }}f{{ end }}{{ eq 1i 1i }}{{ eq 1i 2i }}"), "ftruefalse");
  EXPECT_EQ(Expanded("{{ printf \"%v %.2f %5.1f %e %T %d\" 1i 1i 1i 1i 1i 1i }}"),
            "(0+1i) (0.00+1.00i) (  0.0 +1.0i) (0.000000e+00+1.000000e+00i) complex128 %!d(complex128=(0+1i))");
  EXPECT_EQ(
      Expanded("{{ slice \"abc\" 0i }}"),
      "error executing template t: template: t:1:115: executing \"t\" at <slice \"abc\" 0i>: error calling slice: "
      "cannot index slice/array with type complex128");
  EXPECT_EQ(Expanded("{{ printf \"%x %X %.2x %x %x %.0x\" 1.5 1.5 1.5 0.0 -2.0 1.99 }}"),
            "0x1.8p+00 0X1.8P+00 0x1.80p+00 0x0p+00 -0x1p+01 0x1p+01");
  EXPECT_EQ(Expanded("{{ printf \"%b %b %b\" 1.0 0.0 -2.5 }}"), "4503599627370496p-52 0p-1074 -5629499534213120p-51");
  EXPECT_EQ(Expanded("{{ printf \"%U %#v %#v %#v\" -1 \"x\" $labels 1.5 }}"),
            "U+FFFFFFFFFFFFFFFF \"x\" map[string]string{\"instance\":\"a\", \"job\":\"j\"} 1.5");
  const std::string start = "error parsing template t: template: t:1: ";
  EXPECT_EQ(ParseErrorOf("{{ 1+2 }}"), start + "bad number syntax: \"1+2\"");
  EXPECT_EQ(ParseErrorOf("{{ 1i2 }}"), start + "bad number syntax: \"1i2\"");
  EXPECT_EQ(ParseErrorOf("{{ 1e400 }}"), start + "illegal number syntax: \"1e400\"");
  EXPECT_EQ(ParseErrorOf("{{ '' }}"), start + "invalid syntax");
  EXPECT_EQ(ParseErrorOf("{{ 'ab' }}"), start + "malformed character constant: 'ab'");
}

TEST(Template, RarerErrorsAreGosToo) {
  const std::string start = "error parsing template t: template: t:1: ";
  EXPECT_EQ(ParseErrorOf("{{ .. }}"), start + "unexpected <.> in operand");
  EXPECT_EQ(ParseErrorOf("{{ define \"a\" }}A{{ end }}{{ define \"a\" }}B{{ end }}"),
            start + "template: multiple definition of template \"a\"");
  EXPECT_EQ(ParseErrorOf("{{ define \"a\" }} {{ end }}{{ define \"a\" }}B{{ end }}{{ define \"a\" }}{{ end }}"),
            "parsed");
  const auto after = [](std::string_view text) {
    const std::string got = Expanded(text);
    const std::string at = "executing \"t\" at ";
    const size_t found = got.find(at);
    return found == std::string::npos ? got : got.substr(found + at.size());
  };
  EXPECT_EQ(after("{{ .Value.x }}"), "<.Value.x>: can't evaluate field x in type interface {}");
  EXPECT_EQ(after("{{ $value.x }}"), "<$value.x>: can't evaluate field x in type float64");
  EXPECT_EQ(after("{{ (args 1).arg0.x }}"), "<1>: can't evaluate field x in type interface {}");
  EXPECT_EQ(after("{{ (toTime 0).x }}"), "<0>: can't evaluate field x in type *time.Time");
  EXPECT_EQ(after("{{ (toTime 0).UTC.x }}"), "<0>: can't evaluate field x in type time.Time");
  EXPECT_EQ(after("{{ (toTime 0).Date }}"), "<0>: can't call method/function \"Date\" with 3 results");
  EXPECT_EQ(after("{{ range \"abc\" }}{{ end }}"), "<\"abc\">: range can't iterate over abc");
  EXPECT_EQ(after("{{ $x = 1 }}"), "<1>: undefined variable: $x");
  EXPECT_EQ(after("{{ range $x = $labels }}{{ end }}"), "<$labels>: undefined variable: $x");
  EXPECT_EQ(after("{{ index \"abc\" 3 }}"),
            "<index \"abc\" 3>: error calling index: reflect: string index out of range");
  EXPECT_EQ(after("{{ len nil }}"), "<len nil>: error calling len: reflect: call of reflect.Value.Type on zero Value");
  EXPECT_EQ(after("{{ call \"x\" }}"), "<call \"x\">: error calling call: non-function \"x\" of type string");
  EXPECT_EQ(after("{{ \"x\" | call }}"), "<call>: error calling call: non-function x of type string");
  EXPECT_EQ(after("{{ 1 | call }}"), "<call>: error calling call: non-function <int Value> of type int");
  EXPECT_EQ(after("{{ $x := $x }}"), "<$x>: undefined variable: $x");
  EXPECT_EQ(
      after("{{ eq $labels (args 1) }}"),
      "<eq $labels (args 1)>: error calling eq: non-comparable type map[arg0:%!s(int=1)]: map[string]interface {}");
  EXPECT_EQ(
      after("{{ eq $externalLabels (toTime 0) }}"),
      "<eq $externalLabels (toTime 0)>: error calling eq: non-comparable types map[cluster:c]: map[string]string, "
      "*time.Time: 1970-01-01 00:00:00 +0000 UTC");
  EXPECT_EQ(after("{{ eq . . }}").substr(0, 70),
            "<eq . .>: error calling eq: non-comparable type {map[instance:a job:j]");
  EXPECT_EQ(ParseErrorOf("{{ block \"b\" 1 }}\n{{/* c"), "error parsing template t: template: t:2: unclosed comment");
  EXPECT_EQ(after("{{ lt (toDuration 1) (toDuration 2) }}"),
            "<lt (toDuration 1) (toDuration 2)>: error calling lt: invalid type for comparison");
  EXPECT_EQ(after("{{ and nil }}|{{ sortByLabel \"a\" nil }}|{{ toDuration 1e300 }}|{{ (toTime 0).IsDST }}"),
            "<no value>|[]|-2562047h47m16.854775808s|false");
}

TEST(Template, RunawayTemplatesEnd) {
  TemplateEnvironment environment;
  environment.max_output_bytes = 10'000;
  environment.max_steps = 100'000;
  for (const char* text : {
           "{{ range 1000000000 }}{{ end }}",
           "{{ range 1000000000 }}xxxxxxxxxxxxxxxxxxxxxxxx{{ end }}",
           "{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}",
           "{{ $x := \"aaaa\" }}{{ range 100 }}{{ $x = print $x $x }}{{ end }}",
           "{{ $x := 1 }}{{ range 1000 }}{{ $x = args $x $x }}{{ end }}",
           "{{ $x := args 1 }}{{ range 40 }}{{ $x = args $x $x }}{{ end }}{{ $x }}",
           "{{ printf \"%1000000d%1000000d%1000000d\" 1 2 3 }}",
           "{{ reReplaceAll \"\" \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" (printf \"%1000d\" 1) }}",
       }) {
    EXPECT_EQ(Expanded(text, environment).substr(0, 5), "error") << text;
  }
  std::string deep = "{{ ";
  for (int i = 0; i < 10'000; ++i) deep += "(";
  EXPECT_NE(ParseErrorOf(deep), "parsed");
  std::string ifs;
  for (int i = 0; i < 10'000; ++i) ifs += "{{ if 1 }}";
  EXPECT_NE(ParseErrorOf(ifs), "parsed");
}

TEST(Template, TruncatedAndChangedTextsNeverCrash) {
  const std::string text =
      "{{- $x := query \"up\" | first -}}{{ range $i, $e := $labels }}{{ if and (eq $i \"job\") (not .) }}{{ printf "
      "\"%-5.2f|%v\" 1.5 'x' "
      "}}{{ else with $value }}{{ . | humanize | title }}{{ end }}{{ end }}{{/* c */}}{{ define \"a\" }}{{ .b.c }}{{ "
      "end }}";
  TemplateEnvironment environment;
  environment.max_output_bytes = 10'000;
  environment.max_steps = 10'000;
  environment.query = [](const std::string&) { return Result<std::vector<TemplateSample>>(); };
  for (size_t size = 0; size <= text.size(); ++size) Expanded(text.substr(0, size), environment);
  for (size_t i = 0; i < text.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      Expanded(changed, environment);
    }
  }
}

TEST(GoTime, FormatsLayouts) {
  const TimeValue time{1'435'065'584, 128'000'000};
  EXPECT_EQ(FormatTime(time, kGoDefaultTimeLayout), "2015-06-23 13:19:44.128 +0000 UTC");
  EXPECT_EQ(FormatTime(time, "Mon, 02 Jan 2006 15:04:05 MST"), "Tue, 23 Jun 2015 13:19:44 UTC");
  EXPECT_EQ(FormatTime(time, "Monday January _2 3:04PM 06 002 .000"), "Tuesday June 23 1:19PM 15 174 .128");
  EXPECT_EQ(FormatTime(time, "2006-01-02T15:04:05.999999999Z07:00"), "2015-06-23T13:19:44.128Z");
  EXPECT_EQ(FormatTime({-1, 0}, "2006-01-02 15:04:05"), "1969-12-31 23:59:59");
  EXPECT_EQ(FormatTime({-62'135'596'800, 0}, "2006-01-02"), "0001-01-01");
}

}  // namespace
}  // namespace epi::rules
