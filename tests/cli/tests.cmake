# SPDX-License-Identifier: MIT
# The built program as a user runs it: a cmocka program that starts it.
unit_test(cli_program ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_program.c cli ${UP_TO_data})
target_compile_definitions(test_cli_program PRIVATE PROGRAM="$<TARGET_FILE:dalle-cl>")
add_dependencies(test_cli_program dalle-cl)

add_test(NAME two_refused COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/refused.sh $<TARGET_FILE:dalle-cl>
    $<TARGET_FILE:cl_layer> ${PROJECT_BINARY_DIR}/refused)
set_tests_properties(two_refused PROPERTIES LABELS two SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/pocl-cache")

add_test(NAME cold_start COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/cold_start.sh $<TARGET_FILE:dalle-cl>
    ${PROJECT_SOURCE_DIR}/models/demo ${PROJECT_BINARY_DIR}/cold-start)
set_tests_properties(cold_start PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT
    "DALLE_CL_CACHE=${PROJECT_BINARY_DIR}/test-cache;POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/pocl-cache")
