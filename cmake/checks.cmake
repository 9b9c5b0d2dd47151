# What scripts/test builds by name, the fuzz runs, and the proofs of the house rules that run as tests.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
get_property(table GLOBAL PROPERTY EPI_MODULE_TABLE)
file(WRITE ${CMAKE_BINARY_DIR}/module_table.txt "${table}")

get_property(unit_programs GLOBAL PROPERTY EPI_UNIT_PROGRAMS)
get_property(thread_programs GLOBAL PROPERTY EPI_THREAD_PROGRAMS)
get_property(fuzz_programs GLOBAL PROPERTY EPI_FUZZ_PROGRAMS)
get_property(fuzz_sources GLOBAL PROPERTY EPI_FUZZ_SOURCES)
add_custom_target(unit_tests DEPENDS ${unit_programs})
add_custom_target(thread_tests DEPENDS ${thread_programs})
add_custom_target(fuzzers DEPENDS ${fuzz_programs})

# 20 s each, less when there are many: two run at a time, and all of them together stay under 5 minutes.
list(LENGTH fuzz_programs fuzz_count)
set(fuzz_seconds 20)
if(fuzz_count GREATER 26)
  math(EXPR fuzz_seconds "520 / ${fuzz_count}")
endif()
foreach(program source IN ZIP_LISTS fuzz_programs fuzz_sources)
  add_test(NAME ${program} COMMAND ${CMAKE_SOURCE_DIR}/scripts/fuzz_smoke $<TARGET_FILE:${program}> ${source} ${fuzz_seconds})
  set_tests_properties(${program} PROPERTIES LABELS fuzz TIMEOUT 120)
endforeach()

if(EPI_TESTS)
  add_test(NAME module_dependencies
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/check_includes.py ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/module_table.txt)
  add_test(NAME batch_names COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/check_batch_names.py ${CMAKE_SOURCE_DIR})
  add_test(NAME tidy COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/tidy.py ${CMAKE_SOURCE_DIR})
  # Every public header compiles alone.
  get_property(modules GLOBAL PROPERTY EPI_MODULE_NAMES)
  set_target_properties(${modules} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  add_test(NAME headers_alone
           COMMAND ${CMAKE_COMMAND} --build ${CMAKE_BINARY_DIR} --target all_verify_interface_header_sets)
  set_tests_properties(module_dependencies batch_names tidy headers_alone PROPERTIES LABELS house)
  set_tests_properties(headers_alone PROPERTIES TIMEOUT 600 RUN_SERIAL ON)
endif()
