# rooms.cmake -- one object library per room, the table of devices' backends, and the kernels and presets embedded in
# the binary.
# SPDX-License-Identifier: MIT

set(ROOMS)
# room(name folders...): compiles the folders' C (and, in data/, C++) files into room_<name>.
macro(room name)
    set(sources)
    foreach(folder IN ITEMS ${ARGN})
        file(GLOB found CONFIGURE_DEPENDS ${folder}/*.c ${folder}/*.cc)
        list(APPEND sources ${found})
    endforeach()
    if(sources)
        add_library(room_${name} OBJECT ${sources})
        target_include_directories(room_${name} PUBLIC ${PROJECT_SOURCE_DIR})
        target_link_libraries(room_${name} PUBLIC PkgConfig::DEPS Threads::Threads)
        list(APPEND ROOMS ${name})
    endif()
endmacro()

# kinds(folders): the folders of the kinds of model, by the lines of models/kinds.def.
macro(kinds folders)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/models/kinds.def)
    file(STRINGS models/kinds.def ${folders} REGEX "^MODEL_KIND\\([a-z0-9_]+\\)")
    list(TRANSFORM ${folders} REPLACE "^MODEL_KIND\\(([a-z0-9_]+)\\).*" "models/\\1")
endmacro()

set(BACKENDS)
set(BACKEND_LIBRARIES)
# backend(name folder libraries...): a room that implements devices (host/device/backend.h) and alone sees its libraries.
macro(backend name folder)
    room(${name} ${folder})
    target_link_libraries(room_${name} PUBLIC ${ARGN})
    list(APPEND BACKENDS ${name})
    list(APPEND BACKEND_LIBRARIES ${ARGN})
endmacro()

# The room `backends`: the table of all of them, in the order in which their devices are listed.
macro(backend_table)
    set(table "/* Made by cmake/rooms.cmake. */\n#include \"host/device/backend.h\"\n")
    foreach(backend IN LISTS BACKENDS)
        string(APPEND table "extern const device_backend ${backend}_backend;\n")
    endforeach()
    string(APPEND table "const device_backend *const device_backends[] = {\n")
    foreach(backend IN LISTS BACKENDS)
        string(APPEND table "    &${backend}_backend,\n")
    endforeach()
    string(APPEND table "    0\n};\n")
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/backends/backends.c CONTENT "${table}" @ONLY)
    room(backends ${PROJECT_BINARY_DIR}/backends)
endmacro()

# embed(list-variable kind root files...): each file becomes a byte array; includes of .clh are inlined.
function(embed output kind root)
    foreach(file IN LISTS ARGN)
        file(RELATIVE_PATH relative ${root} ${file})
        string(REGEX REPLACE "[^A-Za-z0-9]" "_" symbol "${kind}_${relative}")
        set(target ${PROJECT_BINARY_DIR}/embedded/${symbol}.c)
        add_custom_command(OUTPUT ${target}
            COMMAND ${CMAKE_COMMAND} -DINPUT=${file} -DOUTPUT=${target} -DSYMBOL=${symbol} -DNAME=${relative}
                    -DROOT=${PROJECT_SOURCE_DIR} -P ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
            DEPENDS ${file} ${EMBED_HEADERS} ${PROJECT_SOURCE_DIR}/cmake/embed.cmake
            COMMENT "Embedding ${relative}" VERBATIM)
        list(APPEND outputs ${target})
        list(APPEND symbols ${symbol})
    endforeach()
    set(EMBED_OUTPUTS ${EMBED_OUTPUTS} ${outputs} PARENT_SCOPE)
    set(EMBED_SYMBOLS ${EMBED_SYMBOLS} ${symbols} PARENT_SCOPE)
endfunction()

file(GLOB EMBED_HEADERS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cl/*.clh)
file(GLOB KERNELS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cl/ops/*.cl ${PROJECT_SOURCE_DIR}/cl/gemm/*.cl ${PROJECT_SOURCE_DIR}/cl/device/*.cl ${PROJECT_SOURCE_DIR}/cl/graph/*.cl
    ${PROJECT_SOURCE_DIR}/cl/cuda/*.clh) # the last are raw: host/device/cuda puts them before a kernel
file(GLOB PRESETS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/models/*/presets/*.cfg)
set(EMBED_OUTPUTS)
set(EMBED_SYMBOLS)
embed(kernels kernel ${PROJECT_SOURCE_DIR}/cl ${KERNELS})
embed(presets preset ${PROJECT_SOURCE_DIR}/models ${PRESETS})

file(GLOB PAGES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/app/report/*.css ${PROJECT_SOURCE_DIR}/app/report/*.js)
embed(pages page ${PROJECT_SOURCE_DIR}/app ${PAGES})

# embedded_table(file symbols...): writes the C file that lists embedded files.
function(embedded_table file)
    set(table "/* Made by cmake/rooms.cmake. */\n#include \"host/base/embedded.h\"\n")
    foreach(symbol IN LISTS ARGN)
        string(APPEND table "extern const embedded_file embedded_${symbol};\n")
    endforeach()
    string(APPEND table "const embedded_file *const embedded_files[] = {\n")
    foreach(symbol IN LISTS ARGN)
        string(APPEND table "    &embedded_${symbol},\n")
    endforeach()
    string(APPEND table "    0\n};\n")
    file(CONFIGURE OUTPUT ${file} CONTENT "${table}" @ONLY)
endfunction()

embedded_table(${PROJECT_BINARY_DIR}/embedded/table.c ${EMBED_SYMBOLS})
add_library(embedded OBJECT ${PROJECT_BINARY_DIR}/embedded/table.c ${EMBED_OUTPUTS})
target_include_directories(embedded PRIVATE ${PROJECT_SOURCE_DIR})

# commit_of_sources(variable): the commit that is checked out here, "" where that is not known.  A new one configures
# again.
function(commit_of_sources result)
    set(${result} "" PARENT_SCOPE)
    find_package(Git QUIET)
    if(NOT GIT_FOUND)
        return()
    endif()
    set(git ${GIT_EXECUTABLE} -C ${PROJECT_SOURCE_DIR} rev-parse)
    execute_process(COMMAND ${git} --show-toplevel OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(NOT top STREQUAL PROJECT_SOURCE_DIR) # unpacked into another repository, or into none
        return()
    endif()
    execute_process(COMMAND ${git} --short=12 HEAD OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    execute_process(COMMAND ${git} --path-format=absolute --git-path logs/HEAD OUTPUT_VARIABLE log
        OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(EXISTS "${log}")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${log})
    endif()
    set(${result} "${commit}" PARENT_SCOPE)
endfunction()
