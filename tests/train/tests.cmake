# SPDX-License-Identifier: MIT
# Programs that watch what is done to files: these calls of theirs go through train/disk.c.
set(DISK_CALLS fopen fclose fwrite fflush open close write fsync ftruncate fallocate rename link unlink mkdir)
list(TRANSFORM DISK_CALLS PREPEND "LINKER:--wrap=" OUTPUT_VARIABLE DISK_WRAPS)
foreach(test kill power)
    target_sources(test_train_${test} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/train/disk.c)
    target_link_options(test_train_${test} PRIVATE ${DISK_WRAPS})
endforeach()

# Instants of SIGKILL: 20 in every run, 200 in the slow ones; DALLE_CL_KILLS says how many, DALLE_CL_SEED which.
add_test(NAME train_kill_200 COMMAND test_train_kill 200)
set_tests_properties(train_kill_200 PROPERTIES LABELS "train;slow" ENVIRONMENT "${ENV_COMMON}" SKIP_RETURN_CODE 77 TIMEOUT 3600)
