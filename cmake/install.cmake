# install.cmake -- the program, the library with its header, pkg-config and CMake package files, the manual,
# shell completion and the demo models.
# SPDX-License-Identifier: MIT
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(BUILD_SHARED_LIBS)
    set(EXPORTS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
    target_link_options(dalle PRIVATE -Wl,--version-script=${EXPORTS})
    set_target_properties(dalle PROPERTIES LINK_DEPENDS ${EXPORTS})
endif()
target_include_directories(dalle INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
install(TARGETS dalle EXPORT dalleTargets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES app/api/dalle.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})

set(DALLE_PC_MODULES "clblast nettle jansson libarchive libpng libjpeg libwebp libwebpdemux lcms2 libexif sentencepiece zlib icu-uc freetype2 fontconfig harfbuzz lapacke blas")
if(CLFFT_TARGET)
    set(DALLE_PC_CLFFT clFFT)
endif()
set(DALLE_PC_REQUIRES "OpenCL ${DALLE_PC_CLFFT} ${DALLE_PC_MODULES}")
set(PC_FOLDER ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH DALLE_PC_PREFIX /prefix/${PC_FOLDER} /prefix)
configure_file(cmake/dalle.pc.in ${PROJECT_BINARY_DIR}/dalle.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/dalle.pc DESTINATION ${PC_FOLDER})

set(PACKAGE_FOLDER ${CMAKE_INSTALL_LIBDIR}/cmake/dalle)
configure_package_config_file(cmake/dalleConfig.cmake.in ${PROJECT_BINARY_DIR}/dalleConfig.cmake
    INSTALL_DESTINATION ${PACKAGE_FOLDER})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dalleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/dalleConfig.cmake ${PROJECT_BINARY_DIR}/dalleConfigVersion.cmake cmake/cld2.cmake
    DESTINATION ${PACKAGE_FOLDER})
install(EXPORT dalleTargets NAMESPACE dalle:: DESTINATION ${PACKAGE_FOLDER})

install(DIRECTORY examples/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
foreach(model IN ITEMS demo demo2)
    if(EXISTS ${PROJECT_SOURCE_DIR}/models/${model}/model.json)
        install(DIRECTORY models/${model} DESTINATION ${CMAKE_INSTALL_DATADIR}/dalle-cl/models)
    endif()
endforeach()

if(TARGET dalle-cl)
    install(TARGETS dalle-cl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    # printed(file arguments...): what the program says, as a file.
    function(printed file)
        add_custom_command(OUTPUT ${PROJECT_BINARY_DIR}/${file}
            COMMAND dalle-cl ${ARGN} > ${PROJECT_BINARY_DIR}/${file} DEPENDS dalle-cl VERBATIM)
        set(PRINTED ${PRINTED} ${PROJECT_BINARY_DIR}/${file} PARENT_SCOPE)
    endfunction()
    printed(dalle-cl.1 man)
    printed(dalle-cl.bash completion bash)
    printed(_dalle-cl completion zsh)
    printed(dalle-cl.fish completion fish)
    add_custom_target(manual ALL DEPENDS ${PRINTED})
    install(FILES ${PROJECT_BINARY_DIR}/dalle-cl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
    install(FILES ${PROJECT_BINARY_DIR}/dalle-cl.bash RENAME dalle-cl
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
    install(FILES ${PROJECT_BINARY_DIR}/_dalle-cl DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
    install(FILES ${PROJECT_BINARY_DIR}/dalle-cl.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
endif()
