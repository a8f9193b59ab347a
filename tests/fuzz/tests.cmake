# SPDX-License-Identifier: MIT
# Parsers under hostile input: fuzz/fuzz.h.  A target is fuzz/fuzz_<name>.c and the folder fuzz/corpus/<name>, nothing
# else.  The sources that targets need are built once more, with sanitizers, whatever the rest is built with, so that
# the corpus is replayed in every run of the tests; `ci/dev fuzz` searches for new inputs (clang, -DDALLE_CL_FUZZ=ON).
option(DALLE_CL_FUZZ "Build the libFuzzer programs (clang)" OFF)
set(FUZZ_HERE ${CMAKE_CURRENT_SOURCE_DIR}/fuzz)
set(FUZZ_SANITIZE -fsanitize=address,undefined)

file(GLOB FUZZED CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/base/*.c ${PROJECT_SOURCE_DIR}/data/*.c
    ${PROJECT_SOURCE_DIR}/data/*.cc ${PROJECT_SOURCE_DIR}/host/device/*.c)
list(FILTER FUZZED EXCLUDE REGEX "/data/(emoji|debian)") # read what Debian ships, and are half of the room
list(APPEND FUZZED ${PROJECT_SOURCE_DIR}/host/graph/store.c ${PROJECT_SOURCE_DIR}/host/train/checkpoint.c
    ${PROJECT_SOURCE_DIR}/host/graph/split.c
    ${PROJECT_SOURCE_DIR}/host/train/run.c ${PROJECT_SOURCE_DIR}/host/train/rotate.c ${PROJECT_SOURCE_DIR}/app/cli/labels.c
    ${CMAKE_CURRENT_SOURCE_DIR}/device/host_device.c
    ${FUZZ_HERE}/fuzz.c ${FUZZ_HERE}/sets.c ${FUZZ_HERE}/small_store.c)
add_library(fuzzed STATIC ${FUZZED}) # a program takes of it what it calls
target_include_directories(fuzzed PUBLIC ${PROJECT_SOURCE_DIR})
target_compile_options(fuzzed PRIVATE -O1 -g1 -fno-omit-frame-pointer ${FUZZ_SANITIZE} -fno-sanitize-recover=undefined
    $<$<BOOL:${DALLE_CL_FUZZ}>:-fsanitize=fuzzer-no-link>)
target_link_libraries(fuzzed PUBLIC ${DALLE_COMMON_LIBRARIES})

# fuzz_program(name files...)
function(fuzz_program name)
    add_executable(${name} ${ARGN} $<TARGET_OBJECTS:embedded>)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_BINARY_DIR}/fuzz)
    target_compile_options(${name} PRIVATE -O1 -g1 ${FUZZ_SANITIZE} -fno-sanitize-recover=undefined)
    target_link_options(${name} PRIVATE ${FUZZ_SANITIZE})
    target_link_libraries(${name} PRIVATE fuzzed)
endfunction()

file(GLOB FUZZ_TARGETS CONFIGURE_DEPENDS ${FUZZ_HERE}/fuzz_*.c)
set(list "/* Made by tests/fuzz/tests.cmake. */\n")
foreach(file IN LISTS FUZZ_TARGETS)
    get_filename_component(name ${file} NAME_WE)
    string(REPLACE "fuzz_" "" word ${name})
    string(APPEND list "TARGET(${word})\n")
    if(NOT EXISTS ${FUZZ_HERE}/corpus/${word})
        message(FATAL_ERROR "fuzz target ${word}: the folder tests/fuzz/corpus/${word} is missing")
    endif()
    if(DALLE_CL_FUZZ)
        fuzz_program(${name} ${file})
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    endif()
    # In one program each has a name of its own.
    set_source_files_properties(${file} PROPERTIES COMPILE_DEFINITIONS
        $<$<NOT:$<BOOL:${DALLE_CL_FUZZ}>>:LLVMFuzzerTestOneInput=target_${word}>)
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/fuzz/tests/fuzz/targets.def CONTENT "${list}" @ONLY)

# fuzz_test(name command...)
function(fuzz_test name)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS "fuzz;host" ENVIRONMENT "${ENV_COMMON}" SKIP_RETURN_CODE 77 TIMEOUT 900)
endfunction()

if(NOT DALLE_CL_FUZZ)
    fuzz_program(fuzz_replay ${FUZZ_HERE}/replay.c ${FUZZ_TARGETS})
    fuzz_test(fuzz_corpus $<TARGET_FILE:fuzz_replay> ${FUZZ_HERE}/corpus)
    set_tests_properties(fuzz_corpus PROPERTIES SKIP_REGULAR_EXPRESSION "LeakSanitizer has encountered a fatal error")

    # The same program with targets that each have a fault.
    set(list)
    foreach(word IN ITEMS good outside overflow endless leak large silent)
        string(APPEND list "TARGET(${word})\n")
    endforeach()
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/wrong/tests/fuzz/targets.def CONTENT "${list}" @ONLY)
    fuzz_program(fuzz_wrong ${FUZZ_HERE}/replay.c ${FUZZ_HERE}/wrong.c)
    target_include_directories(fuzz_wrong BEFORE PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/wrong)
    fuzz_test(fuzz_finds sh ${FUZZ_HERE}/wrong.sh $<TARGET_FILE:fuzz_wrong> ${PROJECT_BINARY_DIR}/fuzz-wrong)
endif()
