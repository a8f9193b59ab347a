/* net_relay.c -- a slow network that loses packets, where the kernel has no netem:
 *     net_relay SPACE_A SPACE_B DELAY LOSS
 * makes a device `relay` in each of two network namespaces (10.78.0.1 and 10.78.0.2) and carries packets
 * between them, each DELAY milliseconds late, LOSS in a thousand never.  Which are lost is the same in each
 * run of as many packets.  Says "ready" when it is, and ends with its standard input.
 * SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKET = 65536, WAITING = 4096 };

typedef struct packet {
    int64_t due; /* milliseconds */
    int to;      /* a file */
    size_t size;
    uint8_t *bytes;
} packet;

/* All are as late as each other, so that the first to come is the first to go. */
static packet waiting[WAITING];
static int first, count;

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int open_end(const char *space, int number)
{
    char path[200], command[300];
    struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
    snprintf(path, sizeof path, "/run/netns/%s", space);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    if (in < 0 || setns(in, CLONE_NEWNET) != 0) fail(path);
    close(in);
    int f = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    strcpy(r.ifr_name, "relay");
    if (f < 0 || ioctl(f, TUNSETIFF, &r) != 0) fail("/dev/net/tun");
    snprintf(command, sizeof command, "ip addr add 10.78.0.%d/24 dev relay && ip link set relay up", number);
    if (system(command) != 0) exit(EXIT_FAILURE);
    return f;
}

static void take(int from, int to, int64_t delay, unsigned loss)
{
    static uint8_t bytes[PACKET];
    static unsigned draw = 1;
    ssize_t size = read(from, bytes, sizeof bytes);
    draw = draw * 1103515245u + 12345u;
    if (size <= 0 || (draw >> 16) % 1000 < loss || count == WAITING) return;
    packet *p = &waiting[(first + count++) % WAITING];
    *p = (packet){ now() + delay, to, (size_t)size, malloc((size_t)size) };
    if (!p->bytes) fail("a packet");
    memcpy(p->bytes, bytes, (size_t)size);
}

static void give(void)
{
    for (; count && waiting[first].due <= now(); --count, first = (first + 1) % WAITING) {
        packet *p = &waiting[first];
        if (write(p->to, p->bytes, p->size) < 0) fail("the other end");
        free(p->bytes);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) return fprintf(stderr, "net_relay SPACE_A SPACE_B DELAY LOSS\n"), 2;
    int a = open_end(argv[1], 1), b = open_end(argv[2], 2);
    int64_t delay = atoi(argv[3]);
    unsigned loss = (unsigned)atoi(argv[4]);
    struct pollfd from[3] = { { a, POLLIN, 0 }, { b, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        int64_t left = count ? waiting[first].due - now() : -1;
        poll(from, 3, count && left < 0 ? 0 : (int)left);
        if (from[0].revents & POLLIN) take(a, b, delay, loss);
        if (from[1].revents & POLLIN) take(b, a, delay, loss);
        if (from[2].revents) return 0;
        give();
    }
}
