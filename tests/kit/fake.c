/* fake.c -- stands for every program of a kit, and for a driver, in tests/kit/whole.sh: it does what its
 * name says.
 * SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef DRIVER
#define EXPORT __attribute__((visibility("default")))
EXPORT int clIcdGetPlatformIDsKHR(unsigned count, void **id, unsigned *total);
int clIcdGetPlatformIDsKHR(unsigned count, void **id, unsigned *total)
{
    (void)count;
    (void)id;
    *total = 1;
    return 0;
}

__attribute__((constructor)) static void load(void)
{
    if (strcmp(DRIVER, "aborts") == 0) abort();
    while (strcmp(DRIVER, "hangs") == 0) pause();
}
#else
/* Deaf to SIGTERM, with a child that has left the group. */
static int hang(void)
{
    signal(SIGTERM, SIG_IGN);
    if (fork() == 0) setsid();
    while (pause()) continue;
    return 0;
}

static const char *option(int count, char **arguments, const char *name)
{
    for (int i = 1; i + 1 < count; ++i) {
        if (strcmp(arguments[i], name) == 0) return arguments[i + 1];
    }
    return "";
}

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file) return;
    fputs(text, file);
    fclose(file);
}

/* Five steps as the reference has them, then it trains on and on. */
static int train(const char *run)
{
    mkdir(run, 0777);
    write_file(run, "config.cfg", "batch = 4\nsteps = 100\n");
    write_file(run, "metrics.jsonl",
               "{\"step\":1,\"loss\":2.0,\"x\":1}\n{\"step\":2,\"loss\":1.001}\n{\"step\":3,\"lo");
    write_file(run, "times.jsonl",
               "{\"step\":1,\"kind\":\"time\",\"steps\":1,\"device\":9,\"data\":0,\"other\":0}\n"
               "{\"step\":2,\"kind\":\"time\",\"steps\":1,\"device\":0.5,\"data\":0,\"other\":0}\n");
    return hang();
}

static int program(int count, char **arguments)
{
    const char *command = count > 1 ? arguments[1] : "";
    if (strcmp(command, "train") == 0) return train(option(count, arguments, "--run"));
    if (strcmp(command, "bench") == 0) return hang();
    if (strcmp(command, "devices") == 0 && strcmp(option(count, arguments, "devices"), "--json") == 0)
        puts("a \"warning\"\n[\n  { \"name\": \"fake\", \"usable\": true, \"default\": true }\n]");
    else
        puts("what a \"program\" | says \\ with\ta tab and \001 control, \xff bytes");
    return 0;
}

int main(int count, char **arguments)
{
    const char *slash = strrchr(arguments[0], '/'), *name = slash ? slash + 1 : arguments[0];
    if (strcmp(name, "dalle-cl") == 0) return program(count, arguments);
    if (strstr(name, "crashes") || strcmp(name, "agree_record") == 0) raise(SIGSEGV);
    if (strstr(name, "hangs")) return hang();
    if (strstr(name, "probe")) puts("fake\n  an instruction                       runs");
    if (strstr(name, "skips")) return 77;
    if (strstr(name, "fails")) {
        puts("[  ERROR   ] --- \"3\" != | \\ 4");
        return 1;
    }
    return 0;
}
#endif
