// Client and server with many threads at a time: what the thread sanitizer is to see.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net/http_client.h"
#include "net/worker_pool.h"
#include "testing/loopback.h"

namespace epi::net {
namespace {

HttpRequest Get(std::string url) {
  HttpRequest request;
  request.url = std::move(url);
  return request;
}

TEST(HttpThreads, ManyCallersManyHandlers) {
  HttpServerOptions options;
  options.max_workers = 4;
  Budget budget("all", 64 << 20);
  options.budget = &budget;
  TestServer server(
      [](Request& request, ResponseWriter& response) {
        for (int i = 0; i < 4; ++i)
          if (!response.Write(std::string(20'000, 'x'))) return;
        static_cast<void>(response.Write(request.body));
      },
      options);
  auto client = HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger()).value();
  std::atomic<int> good{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        HttpRequest request = Get(server.Url("/" + std::to_string(t)));
        request.method = "POST";
        request.body = std::string(5'000, 'b');
        const auto answer = client->Call(std::move(request));
        if (answer && answer->body.size() == 85'000) ++good;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(good.load(), 100);
}

TEST(HttpThreads, CancelRacesWithCompletion) {
  TestServer server([](Request&, ResponseWriter& response) { static_cast<void>(response.Write("x")); });
  auto client = HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger()).value();
  std::mutex mutex;
  std::condition_variable changed;
  int ended = 0;
  constexpr int kRequests = 200;
  for (int i = 0; i < kRequests; ++i) {
    const auto id = client->Send(Get(server.Url("/")), [&](Result<HttpResponse>) {
      const std::lock_guard lock(mutex);
      ++ended;
      changed.notify_all();
    });
    if (i % 2 == 0) client->Cancel(id);
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ended == kRequests; });
  EXPECT_EQ(ended, kRequests);
}

TEST(HttpThreads, StopUnderLoad) {
  auto client = HttpClient::Start({}, PosixFileSystem(), SystemClock(), Logger()).value();
  std::atomic<bool> over{false};
  std::atomic<int> calls{0};
  std::vector<std::thread> callers;
  {
    TestServer server([](Request& request, ResponseWriter& response) {
      for (int i = 0; i < 50 && !request.stop.stop_requested(); ++i)
        if (!response.Write(std::string(10'000, 'x'))) return;
    });
    const std::string url = server.Url("/");
    for (int t = 0; t < 3; ++t) {
      callers.emplace_back([&, url] {
        while (!over) {
          static_cast<void>(client->Call(Get(url)));
          ++calls;
        }
      });
    }
    while (calls < 20) std::this_thread::yield();
    server.server().Stop(10);
  }
  over = true;
  for (auto& caller : callers) caller.join();
  EXPECT_GE(calls.load(), 20);
}

TEST(WorkerPool, LanesAndRefusals) {
  std::mutex mutex;
  std::condition_variable changed;
  bool release = false;
  std::atomic<int> ran{0};
  const auto wait = [&] {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return release; });
    ++ran;
  };
  {
    WorkerPool pool({1, 2, 1, 4});
    using Lane = Admission::Lane;
    int accepted = 0;
    for (int i = 0; i < 20; ++i) accepted += pool.Submit(Lane::kNormal, wait) ? 1 : 0;
    EXPECT_GE(accepted, 4);
    EXPECT_LT(accepted, 20);
    EXPECT_TRUE(pool.Submit(Lane::kStream, wait));
    EXPECT_FALSE(pool.Submit(Lane::kStream, wait));
    std::atomic<bool> quick{false};
    EXPECT_TRUE(pool.Submit(Lane::kQuick, [&] { quick = true; }));
    while (!quick) std::this_thread::yield();
    {
      const std::lock_guard lock(mutex);
      release = true;
    }
    changed.notify_all();
    while (ran < accepted + 1) std::this_thread::yield();
  }
}

}  // namespace
}  // namespace epi::net
