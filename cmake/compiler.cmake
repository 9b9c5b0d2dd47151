# Flags for our own code. Answers must be bit-equal to the obvious evaluator, so contraction of a*b+c is off.
add_compile_options(-Wall -Wextra -Wshadow=local -Wno-missing-field-initializers -ffp-contract=off -fno-math-errno
                    -fstack-protector-strong -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positives of gcc 12 inside inlined library code stay warnings.
  add_compile_options(-Werror -Wno-error=maybe-uninitialized -Wno-error=stringop-overflow -Wno-error=stringop-overread
                      -Wno-error=array-bounds -Wno-error=restrict -Wno-error=dangling-pointer -Wno-error=free-nonheap-object
                      -Wno-error=nonnull -Wno-error=use-after-free -Wno-psabi)
endif()
if(EPI_SANITIZE)
  add_compile_options(-fsanitize=${EPI_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${EPI_SANITIZE})
endif()
find_program(EPI_LLD NAMES ld.lld)
if(EPI_LLD)
  add_link_options(-fuse-ld=lld)
endif()
find_program(EPI_CCACHE ccache)
if(EPI_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${EPI_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${EPI_CCACHE})
endif()
if(EPI_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
