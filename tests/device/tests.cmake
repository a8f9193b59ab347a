# SPDX-License-Identifier: MIT
# With tables of backends of their own.
unit_test(device_two_backends ${CMAKE_CURRENT_SOURCE_DIR}/device/two_backends.c device base device opencl)
target_sources(test_device_two_backends PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/device/host_device.c)
unit_test(device_choosing ${CMAKE_CURRENT_SOURCE_DIR}/device/choosing.c "device;host" base device)
unit_test(device_fft_lies ${CMAKE_CURRENT_SOURCE_DIR}/device/fft_lies.c device base device opencl)

# What PoCL's start needs; once is enough.
set_tests_properties(device_devices_at_once PROPERTIES LABELS "device;host")
