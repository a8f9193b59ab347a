# SPDX-License-Identifier: MIT
# The kit that is taken to a stranger's GPU (ci/kit): its tools, its way through a run in which all goes wrong, and, where
# ./ci/dev kit has packed one, the true one in an empty root.
set(HERE ${CMAKE_CURRENT_SOURCE_DIR}/kit)
add_test(NAME kit_tools COMMAND sh ${HERE}/tools.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/kit-tools ${CMAKE_C_COMPILER})
add_test(NAME kit_whole COMMAND sh ${HERE}/whole.sh ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/kit-whole ${CMAKE_C_COMPILER})
set_tests_properties(kit_tools kit_whole PROPERTIES LABELS "host;kit" SKIP_RETURN_CODE 77 TIMEOUT 200)
set_tests_properties(kit_whole PROPERTIES PROCESSORS 2) # its minute is one of a machine that is not starved
foreach(case none crashes pocl)
    add_test(NAME kit_root_${case} COMMAND sh ${HERE}/empty_root.sh ${PROJECT_BINARY_DIR}/kit/dalle-cl-kit
        ${PROJECT_BINARY_DIR}/kit-root-${case} ${case} --device cpu --minutes 5)
    set_tests_properties(kit_root_${case} PROPERTIES LABELS "slow;kit" SKIP_RETURN_CODE 77 TIMEOUT 600)
endforeach()
