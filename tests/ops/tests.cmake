# Every operator's tests once more under Oclgrind, and those of the device and graph rooms that launch kernels;
# agree/ has training there, and the test that no kernel is left out.
# SPDX-License-Identifier: MIT
set(OCLGRIND_TESTS device_common device_gemm device_gemm_block device_launch device_matrix device_sixteen graph_graph)
foreach(file IN LISTS OPERATOR_TESTS)
    get_filename_component(stem ${file} NAME_WE)
    string(REPLACE "test_" "ops_" stem ${stem})
    list(APPEND OCLGRIND_TESTS ${stem})
endforeach()

# Optimised, Philox gives the simulator an instruction that it does not know.
set(NOT_OPTIMISED ops_random ops_gumbel_softmax ops_sample)
foreach(stem IN LISTS OCLGRIND_TESTS)
    set(options)
    if(stem IN_LIST NOT_OPTIMISED)
        set(options -cl-opt-disable)
    endif()
    add_test(NAME oclgrind_${stem} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/ops/oclgrind.sh
        $<TARGET_FILE:test_${stem}> ${CMAKE_CURRENT_BINARY_DIR}/oclgrind_${stem}.log ${options})
    set_tests_properties(oclgrind_${stem} PROPERTIES LABELS oclgrind SKIP_RETURN_CODE 77 TIMEOUT 900)
    list(APPEND OCLGRIND_NAMES oclgrind_${stem})
endforeach()
set_tests_properties(oclgrind_ops_attention_matrix PROPERTIES ENVIRONMENT "OCLGRIND_COUNTS=off")
# Block multiplies 16-bit operands there; the library's copies of them are tried, too.
set_tests_properties(oclgrind_ops_matmul PROPERTIES ENVIRONMENT "DALLE_CL_GEMM=clblast")
add_test(NAME oclgrind_devices COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/ops/oclgrind.sh $<TARGET_FILE:dalle-cl>
    ${CMAKE_CURRENT_BINARY_DIR}/oclgrind_devices.log "" devices)
set_tests_properties(oclgrind_devices PROPERTIES LABELS oclgrind SKIP_RETURN_CODE 77 TIMEOUT 900)
list(APPEND OCLGRIND_NAMES oclgrind_devices)
