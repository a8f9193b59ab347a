# SPDX-License-Identifier: MIT
# The built program as a user runs it: a cmocka program that starts it.
unit_test(cli_program ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_program.c cli ${UP_TO_data})
target_compile_definitions(test_cli_program PRIVATE PROGRAM="$<TARGET_FILE:dalle-cl>")
add_dependencies(test_cli_program dalle-cl)

add_test(NAME cli_data COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/data.sh $<TARGET_FILE:dalle-cl>
    ${PROJECT_BINARY_DIR}/cli-data)
set_tests_properties(cli_data PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")

add_test(NAME two_refused COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/refused.sh $<TARGET_FILE:dalle-cl>
    $<TARGET_FILE:cl_layer> ${PROJECT_BINARY_DIR}/refused)
set_tests_properties(two_refused PROPERTIES LABELS two SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT "POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/pocl-cache")

# The README's own lines.
add_executable(make_pictures ${CMAKE_CURRENT_SOURCE_DIR}/cli/make_pictures.c $<TARGET_OBJECTS:room_base>
    $<TARGET_OBJECTS:room_data> $<TARGET_OBJECTS:embedded>)
target_include_directories(make_pictures PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(make_pictures PRIVATE ${DALLE_LIBRARIES})
add_test(NAME cli_readme COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/readme.sh $<TARGET_FILE:dalle-cl>
    $<TARGET_FILE:make_pictures> ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/readme)
set_tests_properties(cli_readme PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")

# A set with every kind of damage.
add_executable(make_damage ${CMAKE_CURRENT_SOURCE_DIR}/cli/make_damage.c $<TARGET_OBJECTS:room_base>
    $<TARGET_OBJECTS:room_data> $<TARGET_OBJECTS:embedded>)
target_include_directories(make_damage PRIVATE ${PROJECT_SOURCE_DIR})
target_link_libraries(make_damage PRIVATE ${DALLE_LIBRARIES})

# cli_script(name ARGUMENT...): cli/<name>.sh PROGRAM ARGUMENT...
function(cli_script name)
    add_test(NAME cli_${name} COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/${name}.sh $<TARGET_FILE:dalle-cl> ${ARGN})
    set_tests_properties(cli_${name} PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")
endfunction()

cli_script(outputs ${PROJECT_SOURCE_DIR}/models/demo ${PROJECT_BINARY_DIR}/outputs)
cli_script(signals $<TARGET_FILE:cl_layer> ${PROJECT_BINARY_DIR}/signals)
cli_script(captions ${PROJECT_BINARY_DIR}/captions)
cli_script(rank ${PROJECT_BINARY_DIR}/rank)
cli_script(unclip ${PROJECT_BINARY_DIR}/unclip)
cli_script(data_commands $<TARGET_FILE:make_damage> $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/data-commands)
cli_script(index ${PROJECT_BINARY_DIR}/cli-index)
cli_script(home ${PROJECT_BINARY_DIR}/home)
cli_script(sets ${PROJECT_BINARY_DIR}/sets)
cli_script(plain ${PROJECT_BINARY_DIR}/plain)
cli_script(report $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/report)
cli_script(search $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/search)
cli_script(upsampler $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/upsampler)
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
    add_executable(net_relay ${CMAKE_CURRENT_SOURCE_DIR}/cli/net_relay.c)
    cli_script(ranks_net $<TARGET_FILE:make_pictures> $<TARGET_FILE:net_relay> ${PROJECT_BINARY_DIR}/ranks-net)
    set_tests_properties(cli_ranks_net PROPERTIES PROCESSORS 2)
endif()
cli_script(ranks $<TARGET_FILE:make_pictures> $<TARGET_FILE:cl_layer> ${PROJECT_BINARY_DIR}/ranks)
set_tests_properties(cli_ranks PROPERTIES PROCESSORS 2) # ranks wait for each other
cli_script(shards $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/shards)
cli_script(shards_kinds $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/shards_kinds)
set_tests_properties(cli_shards cli_shards_kinds PROPERTIES PROCESSORS 2)
cli_script(plan ${PROJECT_BINARY_DIR}/cli-plan)
cli_script(room $<TARGET_FILE:make_pictures> $<TARGET_FILE:cl_layer> ${PROJECT_SOURCE_DIR}/models/demo ${PROJECT_BINARY_DIR}/cli-room)
cli_script(eval $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/eval)

add_test(NAME cold_start COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/cold_start.sh $<TARGET_FILE:dalle-cl>
    ${PROJECT_SOURCE_DIR}/models/demo ${PROJECT_BINARY_DIR}/cold-start)
set_tests_properties(cold_start PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT
    "DALLE_CL_CACHE=${PROJECT_BINARY_DIR}/test-cache;POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/pocl-cache")

# The program with a kind of model more, the toy in tests/models/toy: its folder's sources and presets, and the table
# of kinds with its line.  All else is the program's own objects.
file(GLOB TOY_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/models/toy/*.c)
file(GLOB TOY_PRESETS CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/models/toy/presets/*.cfg)
set(PROGRAM_SYMBOLS ${EMBED_SYMBOLS})
set(EMBED_OUTPUTS)
set(EMBED_SYMBOLS)
embed(presets preset ${CMAKE_CURRENT_SOURCE_DIR}/models ${TOY_PRESETS})
embedded_table(${PROJECT_BINARY_DIR}/embedded/toy_table.c ${PROGRAM_SYMBOLS} ${EMBED_SYMBOLS})
set(objects)
foreach(target IN ITEMS embedded dalle-cl)
    list(APPEND objects $<FILTER:$<TARGET_OBJECTS:${target}>,EXCLUDE,/embedded/table.c>)
endforeach()
foreach(room IN LISTS ROOMS)
    list(APPEND objects $<FILTER:$<TARGET_OBJECTS:room_${room}>,EXCLUDE,/models/kinds.c>)
endforeach()
add_executable(toy_program ${PROJECT_SOURCE_DIR}/models/kinds.c ${TOY_SOURCES} ${EMBED_OUTPUTS}
    ${PROJECT_BINARY_DIR}/embedded/toy_table.c ${objects})
target_include_directories(toy_program PRIVATE ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
target_compile_definitions(toy_program PRIVATE KINDS_DEF="models/toy.def")
target_link_libraries(toy_program PRIVATE ${PROGRAM_LIBRARIES})
add_test(NAME cli_kinds COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/kinds.sh $<TARGET_FILE:toy_program>
    $<TARGET_FILE:dalle-cl> $<TARGET_FILE:make_pictures> ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/kinds)
set_tests_properties(cli_kinds PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")

add_test(NAME cli_compress COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/compress.sh $<TARGET_FILE:toy_program>
    $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/compress)
set_tests_properties(cli_compress PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")

add_test(NAME cli_kills COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/kills.sh $<TARGET_FILE:toy_program> $<TARGET_FILE:cl_layer>
    $<TARGET_FILE:make_pictures> ${PROJECT_BINARY_DIR}/kills)
set_tests_properties(cli_kills PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")

# What the shipped DALL-E 2 draws, told apart by its own CLIP.
add_test(NAME cli_demo2 COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/demo2.sh $<TARGET_FILE:dalle-cl> ${PROJECT_SOURCE_DIR}
    ${PROJECT_BINARY_DIR}/demo2)
set_tests_properties(cli_demo2 PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")

# What the shipped model draws of captions that it was never told.
add_test(NAME cli_near COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/near.sh $<TARGET_FILE:dalle-cl> ${PROJECT_SOURCE_DIR}
    ${PROJECT_BINARY_DIR}/near)
set_tests_properties(cli_near PROPERTIES LABELS cli SKIP_RETURN_CODE 77 TIMEOUT 900 ENVIRONMENT "${ENV_COMMON}")
