# SPDX-License-Identifier: MIT
# Refused host allocations: the linker sends these calls of our objects to tests/support/alloc.
set(ALLOC_WRAPPED malloc calloc realloc free posix_memalign strdup strndup realpath
    fopen fclose opendir closedir scandir mmap munmap pthread_create open_memstream
    png_create_read_struct png_create_write_struct jpeg_CreateDecompress XML_ParserCreate FT_Init_FreeType
    archive_read_new archive_write_new archive_entry_new FcInitLoadConfigAndFonts FcNameParse FcFontMatch
    hb_buffer_create hb_ft_font_create_referenced
    sentencepiece_train sentencepiece_load sentencepiece_destroy sentencepiece_count sentencepiece_piece
    sentencepiece_score sentencepiece_unknown sentencepiece_find sentencepiece_encode sentencepiece_normalize
    sentencepiece_decode)
list(TRANSFORM ALLOC_WRAPPED PREPEND "-Wl,--wrap=" OUTPUT_VARIABLE ALLOC_LINK)

file(GLOB ALLOC_DOUBLE CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/support/alloc/*.c
    ${CMAKE_CURRENT_SOURCE_DIR}/support/alloc/*.cc)
file(GLOB ALLOC_CLI CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/app/cli/*.c)
list(FILTER ALLOC_CLI EXCLUDE REGEX "/main\\.c$")
file(GLOB ALLOC_ALONE CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/host/comm/alone/*.c) # one rank: MPI allocates as it likes

add_library(alloc_double OBJECT ${ALLOC_DOUBLE})
target_include_directories(alloc_double PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(alloc_double PUBLIC PkgConfig::DEPS PkgConfig::SHAPING)
# The wrappers bear the names the linker gives them.
target_compile_options(alloc_double PRIVATE -fno-builtin)
add_library(alloc_cli OBJECT ${ALLOC_CLI} ${ALLOC_ALONE})
target_include_directories(alloc_cli PUBLIC ${PROJECT_SOURCE_DIR})
target_link_libraries(alloc_cli PUBLIC PkgConfig::DEPS)

# By default points spread over every call site; eight times as many under `slow`.
foreach(stem IN ITEMS alloc alloc_data alloc_debian alloc_eval alloc_models alloc_report alloc_search alloc_train alloc_unclip)
    unit_test(faults_${stem} ${CMAKE_CURRENT_LIST_DIR}/test_${stem}.c faults ${UP_TO_eval})
    target_sources(test_faults_${stem} PRIVATE $<TARGET_OBJECTS:alloc_double> $<TARGET_OBJECTS:alloc_cli>)
    target_link_options(test_faults_${stem} PRIVATE ${ALLOC_LINK})
    target_link_libraries(test_faults_${stem} PRIVATE PkgConfig::CAIRO PkgConfig::LAPACK)
    add_test(NAME faults_${stem}_more COMMAND test_faults_${stem} --more)
    set_tests_properties(faults_${stem}_more PROPERTIES LABELS "faults;slow" ENVIRONMENT "${ENV_COMMON}"
        SKIP_RETURN_CODE 77 TIMEOUT 7200)
endforeach()
