#include "net/multipart_form.h"

#include <gtest/gtest.h>

#include "net/request_head.h"

namespace epi::net {
namespace {

std::string Part(std::string_view disposition, std::string_view value) {
  return "--b\r\nContent-Disposition: " + std::string(disposition) + "\r\n\r\n" + std::string(value) + "\r\n";
}

TEST(MultipartForm, FieldsInTheirOrder) {
  const std::string body = "a preamble\r\n" + Part("form-data; name=\"match[]\"", "up{a=\"b\"}") +
                           Part("form-data; name=match[]", "") + Part("form-data; name=\"f\"; filename=\"x\"", "file") +
                           Part("attachment; name=\"no\"", "x") + Part("form-data", "nameless") +
                           Part("form-data; name=text", "two\r\nlines\r\n--bc\r\n") + "--b--\r\nan epilogue";
  EXPECT_EQ(ParseMultipartForm(body, "b"),
            (QueryParams{{"match[]", "up{a=\"b\"}"}, {"text", "two\r\nlines\r\n--bc\r\n"}}));
  EXPECT_EQ(ParseMultipartForm("--b\ncontent-disposition:form-data;name=q\nX: y\n\nup\n--b--", "b"),
            (QueryParams{{"q", "up"}}));
}

TEST(MultipartForm, DamagedBodiesHaveNoFields) {
  const std::string field = Part("form-data; name=q", "up");
  EXPECT_EQ(ParseMultipartForm(field + "--b--", "b").size(), 1u);
  for (const std::string& body :
       {std::string(), std::string("--b"), std::string("--b--"), field, field + "--b", field + "--c--",
        std::string("--b\r\nContent-Disposition: form-data; name=q\r\n"), "x" + field.substr(1)}) {
    EXPECT_TRUE(ParseMultipartForm(body, "b").empty()) << body;
  }
  std::string many;
  for (int i = 0; i < 1001; ++i) many += field;
  EXPECT_TRUE(ParseMultipartForm(many + "--b--", "b").empty());
}

TEST(MultipartForm, ItsFieldsComeAfterThoseOfTheUrl) {
  Request request;
  request.method = Method::kPost;
  ASSERT_EQ(SetTarget(request, "/api/v1/query?query=1&time=2").status, 0);
  request.headers.Set("Content-Type", "Multipart/Form-Data; boundary=\"b\"");
  request.body = Part("form-data; name=query", "3") + Part("form-data; name=limit", "4") + "--b--";
  DecodeParameters(request);
  EXPECT_EQ(request.form.size(), 2u);
  DecodeFormParts(request);
  EXPECT_EQ(request.form, (QueryParams{{"query", "1"}, {"time", "2"}, {"query", "3"}, {"limit", "4"}}));
  EXPECT_EQ(request.form_error, "");
  EXPECT_EQ(request.FormValue("query"), "1");
  EXPECT_EQ(request.FormValue("limit"), "4");
}

}  // namespace
}  // namespace epi::net
