/* interp.c -- says which loader x86-64 programs are started by, wherever the kit was unpacked.
 *     kit-interp LOADER PROGRAM...
 * LOADER, an absolute path, is written behind each program's end and its PT_INTERP header pointed there: the kernel
 * reads it from the file, and nothing that is mapped moves. A program that names LOADER already is left as it is.
 * SPDX-License-Identifier: MIT */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool whole(ssize_t done, size_t wanted)
{
    return done >= 0 && (size_t)done == wanted;
}

/* Where the file's PT_INTERP header stands, or -1. */
static off_t find_header(int file, Elf64_Phdr *p)
{
    Elf64_Ehdr e;
    if (!whole(pread(file, &e, sizeof e, 0), sizeof e)) return -1;
    if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_CLASS] != ELFCLASS64) return -1;
    for (int i = 0; i < e.e_phnum; ++i) {
        const off_t place = (off_t)e.e_phoff + (off_t)i * e.e_phentsize;
        if (!whole(pread(file, p, sizeof *p, place), sizeof *p)) return -1;
        if (p->p_type == PT_INTERP) return place;
    }
    return -1;
}

static bool names_already(int file, const Elf64_Phdr *p, const char *loader, size_t length)
{
    char text[PATH_MAX];
    return p->p_filesz == length && whole(pread(file, text, length, (off_t)p->p_offset), length) &&
           memcmp(text, loader, length) == 0;
}

static bool set(int file, const char *loader)
{
    Elf64_Phdr p;
    struct stat s;
    const size_t length = strlen(loader) + 1;
    const off_t place = find_header(file, &p);
    if (place < 0) {
        errno = ENOEXEC;
        return false;
    }
    if (names_already(file, &p, loader, length)) return true;
    if (fstat(file, &s) != 0 || !whole(pwrite(file, loader, length, s.st_size), length)) return false;
    p.p_offset = (Elf64_Off)s.st_size;
    p.p_filesz = p.p_memsz = length;
    return whole(pwrite(file, &p, sizeof p, place), sizeof p);
}

int main(int count, char **arguments)
{
    int status = 0;
    if (count < 3 || arguments[1][0] != '/' || strlen(arguments[1]) >= PATH_MAX) {
        fprintf(stderr, "usage: kit-interp LOADER PROGRAM..., where LOADER is an absolute path\n");
        return 2;
    }
    for (int i = 2; i < count; ++i) {
        const int file = open(arguments[i], O_RDWR | O_CLOEXEC);
        if (file < 0 || !set(file, arguments[1])) {
            fprintf(stderr, "cannot set the loader of '%s': %s\n", arguments[i], strerror(errno));
            status = 1;
        }
        if (file >= 0) close(file);
    }
    return status;
}
