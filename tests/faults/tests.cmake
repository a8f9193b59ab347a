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

# fault_program(name files...): linked with the whole library, and told where the layer is.
function(fault_program name)
    add_executable(${name} ${ARGN} ${objects} $<TARGET_OBJECTS:embedded>)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_definitions(${name} PRIVATE CL_LAYER_PATH="$<TARGET_FILE:cl_layer>")
    target_link_libraries(${name} PRIVATE ${DALLE_LIBRARIES} PkgConfig::CMOCKA ${CMAKE_DL_LIBS})
    add_dependencies(${name} cl_layer)
endfunction()
fault_program(test_faults ${files})
set_target_properties(test_faults PROPERTIES ENABLE_EXPORTS ON) # callers have names at run time
fault_program(test_faults_limits faults/test_limits.c)

function(fault_test name labels)
    add_test(NAME faults_${name} COMMAND test_faults ${ARGN})
    set_tests_properties(faults_${name} PROPERTIES LABELS "${labels}" ENVIRONMENT "${ENV_COMMON}" SKIP_RETURN_CODE 77
        TIMEOUT 3600)
endfunction()
foreach(name open probe list build join device gemm gemm_first train dvae prior generate clip unclip)
    fault_test(${name} faults ${name})
    fault_test(${name}_all "faults;slow" ${name} all)
    set_tests_properties(faults_${name} faults_${name}_all PROPERTIES RESOURCE_LOCK faults_${name}) # its cache folder
endforeach()
add_test(NAME faults_limits COMMAND test_faults_limits)
set_tests_properties(faults_limits PROPERTIES LABELS faults ENVIRONMENT "${ENV_COMMON}" SKIP_RETURN_CODE 77 TIMEOUT 3600)
fault_test(reached faults reached ${PROJECT_SOURCE_DIR}/host/device/opencl)
