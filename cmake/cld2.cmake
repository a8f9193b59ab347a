# cld2.cmake -- the target CLD2::CLD2, of Debian's libcld2-dev.
# SPDX-License-Identifier: MIT
find_path(CLD2_INCLUDE cld2/public/compact_lang_det.h)
find_library(CLD2_LIBRARY cld2)
if(NOT CLD2_INCLUDE OR NOT CLD2_LIBRARY)
    message(FATAL_ERROR "CLD2, which guesses languages, is missing: install libcld2-dev")
endif()
if(NOT TARGET CLD2::CLD2)
    add_library(CLD2::CLD2 UNKNOWN IMPORTED)
    set_target_properties(CLD2::CLD2 PROPERTIES IMPORTED_LOCATION "${CLD2_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${CLD2_INCLUDE}")
endif()
