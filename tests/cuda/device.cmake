# The CUDA device over stand-ins for NVIDIA's libraries, which compute on the host; see double/double.h.
# SPDX-License-Identifier: MIT
set(CUDA_DOUBLE_FOLDER ${CMAKE_CURRENT_BINARY_DIR}/cuda_double)

# cuda_double(target file-name sources...): a library with NVIDIA's name in the folder of stand-ins.
function(cuda_double target name)
    add_library(${target} MODULE ${ARGN})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
    target_compile_options(${target} PRIVATE -Wno-pedantic)
    set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CUDA_DOUBLE_FOLDER} PREFIX "" SUFFIX ""
        OUTPUT_NAME ${name} C_VISIBILITY_PRESET hidden BUILD_RPATH "$ORIGIN")
endfunction()
add_library(cuda_double_driver SHARED cuda/double/driver.c cuda/double/queue.c cuda/double/plan.c)
target_include_directories(cuda_double_driver PRIVATE ${PROJECT_SOURCE_DIR})
set_target_properties(cuda_double_driver PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CUDA_DOUBLE_FOLDER} OUTPUT_NAME cuda
    SUFFIX ".so.1" C_VISIBILITY_PRESET hidden)
target_link_libraries(cuda_double_driver PRIVATE ${CMAKE_DL_LIBS})
cuda_double(cuda_double_compiler libnvrtc.so cuda/double/compiler.c cuda/double/compile.c)
target_compile_definitions(cuda_double_compiler PRIVATE ${CUDA_DOUBLE_DEFINITIONS})
cuda_double(cuda_double_products libcublasLt.so cuda/double/products.c ${PROJECT_SOURCE_DIR}/host/base/dtype.c
    ${PROJECT_SOURCE_DIR}/host/base/error.c ${PROJECT_SOURCE_DIR}/host/base/utf8.c)
target_link_libraries(cuda_double_products PRIVATE m)
foreach(target cuda_double_compiler cuda_double_products)
    target_link_libraries(${target} PRIVATE cuda_double_driver)
endforeach()

# With a cache of its own, which other devices' tests do not empty.
set(ENV_CUDA ${ENV_COMMON} "DALLE_CL_CUDA_LIBRARIES=${CUDA_DOUBLE_FOLDER}" "DALLE_CL_DEVICE=cuda"
    "DALLE_CL_CACHE=${PROJECT_BINARY_DIR}/cuda-cache")
function(cuda_test name program)
    add_test(NAME cuda_${name} COMMAND ${program} ${ARGN})
    set_tests_properties(cuda_${name} PROPERTIES LABELS "cuda;host" ENVIRONMENT "${ENV_CUDA}" SKIP_RETURN_CODE 77
        TIMEOUT 900)
endfunction()

foreach(test device trial)
    add_executable(test_cuda_${test} cuda/test_${test}.c $<TARGET_OBJECTS:room_base> $<TARGET_OBJECTS:room_device>
        $<TARGET_OBJECTS:room_opencl> $<TARGET_OBJECTS:room_cuda> $<TARGET_OBJECTS:room_backends> $<TARGET_OBJECTS:embedded>)
    target_include_directories(test_cuda_${test} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(test_cuda_${test} PRIVATE ${DALLE_LIBRARIES} PkgConfig::CMOCKA)
    add_dependencies(test_cuda_${test} cuda_double_driver cuda_double_compiler cuda_double_products)
    cuda_test(${test} test_cuda_${test})
endforeach()
cuda_test(faults test_cuda_device faults)
# Three steps of training and a drawing, against what PoCL computed.
cuda_test(agree sh ${CMAKE_CURRENT_SOURCE_DIR}/agree/agree.sh ${CMAKE_CURRENT_BINARY_DIR} ${PROJECT_BINARY_DIR}/agree least)
set_tests_properties(cuda_agree PROPERTIES LABELS "cuda;agree" DEPENDS agree_least)

# The tests of every device, and of some operators; of the rest, by hand and in the slow ones.
foreach(test device_buffers device_launch device_closing device_gemm ops_softmax ops_layer_norm ops_matmul ops_linear ops_dropout)
    cuda_test(${test} test_${test})
endforeach()
foreach(test ops_conv2d ops_attention ops_sample ops_adamw)
    cuda_test(${test} test_${test})
    set_property(TEST cuda_${test} APPEND PROPERTY LABELS slow)
endforeach()
foreach(test device_gemm ops_softmax ops_layer_norm ops_matmul ops_linear ops_dropout ops_conv2d ops_attention ops_sample
        ops_adamw)
    set_property(TEST cuda_${test} APPEND PROPERTY ENVIRONMENT DALLE_CL_TINY=1)
endforeach()
