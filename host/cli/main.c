/* main.c -- the program: everything is in the table of commands.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"
#include "host/device/device.h"

#include <string.h>

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], DEVICE_HELPER_WORD) == 0) return device_help(argc, argv);
    device_prepare_process();
    return cli_main(argc, argv);
}
