/* main.c -- the program: everything is in the table of commands.
 * SPDX-License-Identifier: MIT */
#include "app/cli/cli.h"
#include "host/device/device.h"

#include <string.h>

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

/* Where one of the three was closed, the next file opened would take its place and be written our messages.
 * Standard output becomes one that cannot be written, so that what was to be there is missed. */
static void fill_standard_streams(void)
{
    static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY };
    for (int i = 0; i < 3; ++i)
        if (fcntl(i, F_GETFD) < 0 && open("/dev/null", modes[i]) != i) _exit(1);
}

int main(int argc, char **argv)
{
    fill_standard_streams();
    if (argc > 1 && strcmp(argv[1], DEVICE_HELPER_WORD) == 0) return device_help(argc, argv);
    device_prepare_process();
    signal(SIGXFSZ, SIG_IGN); /* a file over the limit is a write that fails, with its reason */
    cli_set_commit(*DALLE_CL_COMMIT ? DALLE_CL_COMMIT : NULL);
    return cli_main(argc, argv);
}
