# Debian 12 packages, each used behind one narrow header of ours (docs/dependencies.md).
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp REQUIRED COMPONENTS core)
find_package(Boost 1.81 REQUIRED)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(CARES REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(JEMALLOC REQUIRED IMPORTED_TARGET jemalloc)

function(epi_plain_library name library)
  find_library(EPI_LIB_${name} ${library} REQUIRED)
  add_library(epi_lib_${name} INTERFACE)
  target_link_libraries(epi_lib_${name} INTERFACE ${EPI_LIB_${name}})
endfunction()
epi_plain_library(snappy snappy)
epi_plain_library(deflate deflate)
epi_plain_library(crypt crypt)

# Short names for the module table.
set(EPI_LIB_NAMES
  threads=Threads::Threads  openssl=OpenSSL::SSL  crypto=OpenSSL::Crypto  curl=CURL::libcurl  zlib=ZLIB::ZLIB
  yaml=yaml-cpp  fmt=fmt::fmt  spdlog=spdlog::spdlog  prometheus=prometheus-cpp::core  re2=PkgConfig::RE2
  lz4=PkgConfig::LZ4  zstd=PkgConfig::ZSTD  cares=PkgConfig::CARES  simdjson=PkgConfig::SIMDJSON
  jemalloc=PkgConfig::JEMALLOC  snappy=epi_lib_snappy  deflate=epi_lib_deflate  crypt=epi_lib_crypt)

if(EPI_TESTS)
  find_package(GTest REQUIRED)
  epi_plain_library(httplib cpp-httplib)
endif()
if(EPI_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()
