# SPDX-License-Identifier: MIT
# The parts of the developers' tools that can be wrong unnoticed: what they measure with, and what the demo model is
# measured by.
foreach(stem gallery wordings demo_wordings mean)
    unit_test(tools_${stem} tools/test_${stem}.c tools base data)
endforeach()
foreach(stem gallery wordings)
    target_sources(test_tools_${stem} PRIVATE ${PROJECT_SOURCE_DIR}/tools/gallery.c ${PROJECT_SOURCE_DIR}/tools/wordings.c)
endforeach()
target_sources(test_tools_mean PRIVATE ${PROJECT_SOURCE_DIR}/tools/mean.c)
