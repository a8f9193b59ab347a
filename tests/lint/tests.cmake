# The lint tests: shell scripts over the sources.  77 = the tool it needs is not there.
# SPDX-License-Identifier: MIT
set(HEADER_FLAGS -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror -I. -Itests)
foreach(folder IN LISTS DEPS_INCLUDE_DIRS CLBLAST_INCLUDE_DIRS CLFFT_INCLUDE_DIRS SHAPING_INCLUDE_DIRS OpenCL_INCLUDE_DIRS)
    list(APPEND HEADER_FLAGS -isystem ${folder})
endforeach()

function(lint_test name)
    add_test(NAME lint_${name} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/lint/${name}.sh ${PROJECT_SOURCE_DIR} ${ARGN})
    set_tests_properties(lint_${name} PROPERTIES LABELS lint SKIP_RETURN_CODE 77 TIMEOUT 900)
endfunction()

lint_test(rooms)
lint_test(kinds)
lint_test(operators)
lint_test(files)
lint_test(kin)
lint_test(locale)
lint_test(names)
lint_test(comments)
lint_test(format)
lint_test(kernels)
set_tests_properties(lint_kernels PROPERTIES RUN_SERIAL TRUE)
lint_test(headers ${CMAKE_C_COMPILER} ${HEADER_FLAGS})

# Forgetting an operator's test stops configuration.
file(STRINGS ${PROJECT_SOURCE_DIR}/host/ops/ops.cmake words REGEX "^[a-z]")
foreach(word IN LISTS words)
    if(NOT EXISTS ${PROJECT_SOURCE_DIR}/host/ops/cases/${word}.c
            AND NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/ops/test_${word}.c)
        message(FATAL_ERROR "operator ${word}: host/ops/cases/${word}.c is missing")
    endif()
endforeach()
