/* main.c -- the program: everything is in the table of commands.
 * SPDX-License-Identifier: MIT */
#include "host/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
