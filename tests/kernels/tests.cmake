# Which kernels are launched, with which options; and the GPU vendors' compilers on all of them.
# SPDX-License-Identifier: MIT

# Each operator's test with main renamed, so that one program holds them all.
set(wrappers)
set(declared)
set(listed)
foreach(file IN LISTS OPERATOR_TESTS)
    get_filename_component(stem ${file} NAME_WE)
    set(wrapper ${CMAKE_CURRENT_BINARY_DIR}/recorded/${stem}.c)
    file(CONFIGURE OUTPUT ${wrapper} CONTENT "#define main ${stem}_main\n#include \"${file}\"\n" @ONLY)
    list(APPEND wrappers ${wrapper})
    string(APPEND declared "int ${stem}_main(void);\n")
    string(APPEND listed "    { \"${stem}\", ${stem}_main },\n")
endforeach()
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/recorded/table.c CONTENT
"${declared}const struct { const char *name; int (*main)(void); } operator_tests[] = {\n${listed}    { 0, 0 }\n};\n" @ONLY)

# Without OpenCL: its only backend is one that writes down what it is asked to launch.
set(objects)
foreach(room base device graph ops cases nn data comm train models)
    list(APPEND objects $<TARGET_OBJECTS:room_${room}>)
endforeach()
add_executable(record_kernels kernels/record.c kernels/record_dvae.c kernels/record_prior.c kernels/record_rest.c
    kernels/dry_device.c
    support/op_check.c ${wrappers} ${CMAKE_CURRENT_BINARY_DIR}/recorded/table.c ${objects} $<TARGET_OBJECTS:embedded>)
target_include_directories(record_kernels PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(record_kernels PRIVATE ${DALLE_COMMON_LIBRARIES})
target_link_options(record_kernels PRIVATE -Wl,--wrap=store_create,--wrap=device_set_shape)

add_test(NAME kernels_launched COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/kernels/launched.sh $<TARGET_FILE:record_kernels>)
set_tests_properties(kernels_launched PROPERTIES LABELS kernels TIMEOUT 900)

# A program without a backend needs none of its libraries.
add_test(NAME kernels_need_no_opencl COMMAND sh -c "! readelf -d '$<TARGET_FILE:record_kernels>' | grep -iE 'NEEDED.*(opencl|clblast)'")
set_tests_properties(kernels_need_no_opencl PROPERTIES LABELS kernels)

# One target of each vendor here, in turn; `ci/dev kernels` compiles all for each.
add_test(NAME kernels_compile COMMAND sh ${PROJECT_SOURCE_DIR}/ci/kernels.sh --share --out ${CMAKE_CURRENT_BINARY_DIR}/kernels
    sm_90 gfx1030 dg2)
set_tests_properties(kernels_compile PROPERTIES LABELS kernels PROCESSORS 2 SKIP_RETURN_CODE 77 TIMEOUT 1800)
