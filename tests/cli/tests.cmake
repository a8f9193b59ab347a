# SPDX-License-Identifier: MIT
# The built program as a user runs it: a cmocka program that starts it.
unit_test(cli_program ${CMAKE_CURRENT_SOURCE_DIR}/cli/test_program.c cli ${UP_TO_data})
target_compile_definitions(test_cli_program PRIVATE PROGRAM="$<TARGET_FILE:dalle-cl>")
add_dependencies(test_cli_program dalle-cl)
