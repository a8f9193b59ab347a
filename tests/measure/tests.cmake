# SPDX-License-Identifier: MIT
add_test(NAME measure_wrong COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/measure/wrong.sh $<TARGET_FILE:test_measure_bench>
    ${PROJECT_SOURCE_DIR}/cl ${CMAKE_CURRENT_BINARY_DIR}/wrong-kernels)
set_tests_properties(measure_wrong PROPERTIES LABELS measure SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT
    "${ENV_COMMON};DALLE_CL_CACHE=off")
