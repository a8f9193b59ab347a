# Fault injection; see walk.h.  The layer is a library of its own, which only the OpenCL loader loads.
# SPDX-License-Identifier: MIT
add_library(cl_layer MODULE ${CMAKE_CURRENT_SOURCE_DIR}/support/cl_layer.c ${CMAKE_CURRENT_SOURCE_DIR}/support/cl_layer_limits.c)
target_include_directories(cl_layer PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(cl_layer PRIVATE OpenCL::OpenCL)
set_target_properties(cl_layer PROPERTIES C_VISIBILITY_PRESET hidden)

set(objects)
foreach(room IN LISTS UP_TO_api)
    list(APPEND objects $<TARGET_OBJECTS:room_${room}>)
endforeach()
file(GLOB files CONFIGURE_DEPENDS faults/walk*.c faults/scenarios*.c faults/allowed.c faults/reached.c faults/test_walk.c)
add_executable(test_faults ${files} ${objects} $<TARGET_OBJECTS:embedded>)
target_include_directories(test_faults PRIVATE ${PROJECT_SOURCE_DIR})
target_compile_definitions(test_faults PRIVATE CL_LAYER_PATH="$<TARGET_FILE:cl_layer>")
target_link_libraries(test_faults PRIVATE ${DALLE_LIBRARIES} PkgConfig::CMOCKA ${CMAKE_DL_LIBS})
add_dependencies(test_faults cl_layer)
set_target_properties(test_faults PROPERTIES ENABLE_EXPORTS ON) # callers have names at run time

function(fault_test name labels)
    add_test(NAME faults_${name} COMMAND test_faults ${ARGN})
    set_tests_properties(faults_${name} PROPERTIES LABELS "${labels}" ENVIRONMENT "${ENV_COMMON}" SKIP_RETURN_CODE 77
        TIMEOUT 3600)
endfunction()
foreach(name open probe list build device gemm gemm_first train dvae prior generate)
    fault_test(${name} faults ${name})
    fault_test(${name}_all "faults;slow" ${name} all)
    set_tests_properties(faults_${name} faults_${name}_all PROPERTIES RESOURCE_LOCK faults_${name}) # its cache folder
endforeach()
fault_test(reached faults reached ${PROJECT_SOURCE_DIR}/host/device/opencl)
