# embed.cmake -- cmake -DINPUT= -DOUTPUT= -DSYMBOL= -DNAME= -DROOT= -P embed.cmake
# Writes the file as a C byte array (not a string literal: C11 promises only 4,095 characters), with
# `#include "x.clh"` inlined once each and #line marks, so that compilers name the true file and line.
# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.25)

get_filename_component(folder ${INPUT} DIRECTORY)
set(included)

function(inline path result)
    file(RELATIVE_PATH shown ${ROOT} ${path})
    file(READ ${path} text)
    # Semicolons and brackets would be taken for list syntax.
    string(REPLACE ";" "\x01" text "${text}")
    string(REPLACE "[" "\x02" text "${text}")
    string(REPLACE "]" "\x03" text "${text}")
    string(REPLACE "\\\n" "\x04\n" text "${text}")
    string(REPLACE "\n" ";" lines "${text}")
    set(number 0)
    set(out "#line 1 \"${shown}\"\n")
    foreach(line IN LISTS lines)
        math(EXPR number "${number} + 1")
        if(line MATCHES "^#include \"([a-z0-9_/]+\\.clh)\"")
            set(header ${ROOT}/cl/${CMAKE_MATCH_1})
            if(NOT header IN_LIST included)
                list(APPEND included ${header})
                inline(${header} body)
                math(EXPR next "${number} + 1")
                string(APPEND out "${body}#line ${next} \"${shown}\"\n")
            else()
                string(APPEND out "\n")
            endif()
        else()
            string(APPEND out "${line}\n")
        endif()
    endforeach()
    set(included ${included} PARENT_SCOPE)
    set(${result} "${out}" PARENT_SCOPE)
endfunction()

if(INPUT MATCHES "\\.cl$")
    inline(${INPUT} text)
    string(REPLACE "\x01" ";" text "${text}")
    string(REPLACE "\x02" "[" text "${text}")
    string(REPLACE "\x03" "]" text "${text}")
    string(REPLACE "\x04" "\\" text "${text}")
    file(WRITE ${OUTPUT}.txt "${text}")
    file(READ ${OUTPUT}.txt hex HEX)
    file(REMOVE ${OUTPUT}.txt)
else()
    file(READ ${INPUT} hex HEX)
endif()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "/* Made by cmake/embed.cmake from ${NAME}. */\n#include \"host/base/embedded.h\"\n"
    "static const unsigned char bytes[] = {\n${bytes}0};\n"
    "extern const embedded_file embedded_${SYMBOL};\n"
    "const embedded_file embedded_${SYMBOL} = { \"${NAME}\", bytes, sizeof bytes - 1 };\n")
