# Proofs of the house rules that run as tests: module dependencies, every header compiling alone, and tidy.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
get_property(table GLOBAL PROPERTY EPI_MODULE_TABLE)
file(WRITE ${CMAKE_BINARY_DIR}/module_table.txt "${table}")
if(EPI_TESTS)
  add_test(NAME module_dependencies
           COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/check_includes.py ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/module_table.txt)
  add_test(NAME tidy COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/scripts/tidy.py ${CMAKE_SOURCE_DIR})
  set_tests_properties(module_dependencies tidy PROPERTIES LABELS house)
endif()
