# SPDX-License-Identifier: MIT
# Whether devices agree: what each computes is recorded in <build>/agree and compared with PoCL's.
function(agree_program name)
    set(objects $<TARGET_OBJECTS:embedded>)
    foreach(room IN LISTS UP_TO_models)
        list(APPEND objects $<TARGET_OBJECTS:room_${room}>)
    endforeach()
    add_executable(agree_${name} ${ARGN} ${objects})
    target_include_directories(agree_${name} PRIVATE ${PROJECT_SOURCE_DIR})
    target_link_libraries(agree_${name} PRIVATE ${DALLE_LIBRARIES})
endfunction()
agree_program(record agree/record.c agree/training.c agree/drawing.c)
agree_program(compare agree/compare.c)

set(HERE ${CMAKE_CURRENT_SOURCE_DIR}/agree)
set(RECORDINGS ${PROJECT_BINARY_DIR}/agree)
set(DEMO ${PROJECT_SOURCE_DIR}/models/demo)
function(agree_test name labels)
    add_test(NAME ${name} COMMAND sh ${ARGN})
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" ENVIRONMENT "${ENV_COMMON}" SKIP_RETURN_CODE 77
        TIMEOUT 1800)
endfunction()
agree_test(agree_full agree ${HERE}/agree.sh ${CMAKE_CURRENT_BINARY_DIR} ${RECORDINGS} full)
agree_test(agree_least agree ${HERE}/agree.sh ${CMAKE_CURRENT_BINARY_DIR} ${RECORDINGS} least)
agree_test(agree_demo agree ${HERE}/agree.sh ${CMAKE_CURRENT_BINARY_DIR} ${RECORDINGS} demo ${DEMO})
agree_test(agree_caption agree ${HERE}/agree.sh ${CMAKE_CURRENT_BINARY_DIR} ${RECORDINGS} caption ${DEMO})
agree_test(agree_at_once agree ${HERE}/at_once.sh ${CMAKE_CURRENT_BINARY_DIR} ${PROJECT_BINARY_DIR}/at-once)
agree_test(two_devices two ${HERE}/two_devices.sh ${CMAKE_CURRENT_BINARY_DIR} $<TARGET_FILE:dalle-cl>
    ${PROJECT_BINARY_DIR}/two-devices ${DEMO})
agree_test(two_ranks two ${HERE}/two_ranks.sh $<TARGET_FILE:dalle-cl> $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/two-ranks)
agree_test(oclgrind_agree oclgrind ${HERE}/oclgrind.sh ${CMAKE_CURRENT_BINARY_DIR} ${RECORDINGS}
    ${CMAKE_CURRENT_BINARY_DIR}/oclgrind_agree.log)

agree_test(oclgrind_covers oclgrind ${CMAKE_CURRENT_SOURCE_DIR}/ops/oclgrind_covers.sh ${PROJECT_SOURCE_DIR}
    ${CMAKE_CURRENT_BINARY_DIR})
set_tests_properties(oclgrind_covers PROPERTIES DEPENDS "${OCLGRIND_NAMES};oclgrind_agree")

unit_test(agree_compares agree/test_compare.c host base data)
target_compile_definitions(test_agree_compares PRIVATE COMPARE="$<TARGET_FILE:agree_compare>")
add_dependencies(test_agree_compares agree_compare)
