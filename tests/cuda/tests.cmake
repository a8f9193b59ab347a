# Kernels as CUDA C++: their translation, by itself, run on the host, and by NVIDIA's compiler where it is there.
# SPDX-License-Identifier: MIT
set(translate)
if(NOT TARGET room_cuda) # which has it
    set(translate ${PROJECT_SOURCE_DIR}/host/device/cuda/translate.c)
endif()
unit_test(cuda_translate ${CMAKE_CURRENT_SOURCE_DIR}/cuda/test_translate.c "cuda;host" ${UP_TO_device})
unit_test(cuda_kernels ${CMAKE_CURRENT_SOURCE_DIR}/cuda/test_kernels.c "cuda;host" ${UP_TO_device})
target_sources(test_cuda_translate PRIVATE ${translate})
target_sources(test_cuda_kernels PRIVATE ${translate} ${CMAKE_CURRENT_SOURCE_DIR}/cuda/double/compile.c)
target_link_libraries(test_cuda_kernels PRIVATE ${CMAKE_DL_LIBS})
set(CUDA_DOUBLE_DEFINITIONS CUDA_DOUBLE_COMPILER="${CMAKE_CXX_COMPILER}"
    CUDA_DOUBLE_RUN="${CMAKE_CURRENT_SOURCE_DIR}/cuda/double/run.h")
target_compile_definitions(test_cuda_kernels PRIVATE ${CUDA_DOUBLE_DEFINITIONS})

set(objects)
foreach(room IN LISTS UP_TO_device)
    list(APPEND objects $<TARGET_OBJECTS:room_${room}>)
endforeach()
add_executable(nvrtc_compile ${CMAKE_CURRENT_SOURCE_DIR}/cuda/nvrtc_compile.c ${translate} ${objects}
    $<TARGET_OBJECTS:embedded>)
target_include_directories(nvrtc_compile PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(nvrtc_compile PRIVATE ${DALLE_LIBRARIES} ${CMAKE_DL_LIBS})
add_test(NAME cuda_syntax COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cuda/syntax.sh $<TARGET_FILE:nvrtc_compile>
    ${CMAKE_CXX_COMPILER})
set_tests_properties(cuda_syntax PROPERTIES LABELS kernels SKIP_RETURN_CODE 77 TIMEOUT 900)
add_test(NAME cuda_compile COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cuda/compile.sh
    --out ${CMAKE_CURRENT_BINARY_DIR}/cuda $<TARGET_FILE:nvrtc_compile> sm_90)
set_tests_properties(cuda_compile PROPERTIES LABELS kernels PROCESSORS 2 SKIP_RETURN_CODE 77 TIMEOUT 1800)
