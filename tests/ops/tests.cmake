# Every operator's tests once more under Oclgrind.
# SPDX-License-Identifier: MIT
file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/ops/test_*.c)
# Optimised, Philox gives the simulator an instruction that it does not know.
set(NOT_OPTIMISED random gumbel_softmax sample)
foreach(file IN LISTS files)
    get_filename_component(stem ${file} NAME_WE)
    string(REPLACE "test_" "" stem ${stem})
    set(options)
    if(stem IN_LIST NOT_OPTIMISED)
        set(options -cl-opt-disable)
    endif()
    add_test(NAME oclgrind_${stem} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/ops/oclgrind.sh
        $<TARGET_FILE:test_ops_${stem}> ${CMAKE_CURRENT_BINARY_DIR}/oclgrind_${stem}.log ${options})
    set_tests_properties(oclgrind_${stem} PROPERTIES LABELS oclgrind SKIP_RETURN_CODE 77 TIMEOUT 900)
endforeach()
