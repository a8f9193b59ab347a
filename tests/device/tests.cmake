# SPDX-License-Identifier: MIT
# With a table of backends of its own.
unit_test(device_two_backends ${CMAKE_CURRENT_SOURCE_DIR}/device/two_backends.c device base device opencl)
target_sources(test_device_two_backends PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/device/host_device.c)

# What PoCL's start needs; once is enough.
set_tests_properties(device_devices_at_once PROPERTIES LABELS "device;host")
