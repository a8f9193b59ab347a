/* alloc_stack.c -- names of this program's functions, static ones too, from its own symbol table.
 * SPDX-License-Identifier: MIT */
#include "tests/support/alloc/alloc_fault.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);

typedef struct program {
    const char *map;
    const ElfW(Sym) * symbols;
    size_t count;
    const char *names;
    uintptr_t load; /* where address 0 of the file lies */
} program;

static int first_load(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    *(uintptr_t *)user = info->dlpi_addr;
    return 1; /* the program itself comes first */
}

static program open_program(void)
{
    program p = { 0 };
    struct stat about;
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &about) != 0) abort();
    void *map = __real_mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    close(file);
    if (map == MAP_FAILED) abort();
    p.map = map;
    const ElfW(Ehdr) *header = map;
    const ElfW(Shdr) *sections = (const void *)(p.map + header->e_shoff);
    for (int i = 0; i < header->e_shnum; ++i) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        p.symbols = (const void *)(p.map + sections[i].sh_offset);
        p.count = sections[i].sh_size / sizeof *p.symbols;
        p.names = p.map + sections[sections[i].sh_link].sh_offset;
    }
    dl_iterate_phdr(first_load, &p.load);
    return p;
}

static const char *name_of(const void *address)
{
    static program p;
    if (!p.map) p = open_program();
    uintptr_t at =
        (uintptr_t)address - 1 - p.load; /* a return address may be the next function's first byte */
    for (size_t i = 0; i < p.count; ++i) {
        const ElfW(Sym) *s = &p.symbols[i];
        if ((s->st_info & 0xf) == STT_FUNC && at >= s->st_value && at < s->st_value + s->st_size)
            return p.names + s->st_name;
    }
    return NULL;
}

static bool is_double(const char *name)
{
    return strncmp(name, "alloc_", 6) == 0 || strncmp(name, "__wrap_", 7) == 0 || strcmp(name, "look") == 0 ||
           strcmp(name, "copy_text") == 0;
}

void alloc_stack_text(const alloc_stack *who, char *text, size_t room)
{
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < who->count && used < room; ++i) {
        const char *name = name_of(who->frame[i]);
        if (!name || is_double(name) || strcmp(name, "_start") == 0) continue;
        used += (size_t)snprintf(text + used, room - used, "%s%s", used ? " < " : "", name);
    }
}

bool alloc_stack_has(const alloc_stack *who, const char *wanted)
{
    for (int i = 0; i < who->count; ++i) {
        const char *name = name_of(who->frame[i]);
        size_t length = strlen(wanted);
        /* The compiler may append ".part.0" and the like. */
        if (name && strncmp(name, wanted, length) == 0 && (name[length] == '\0' || name[length] == '.'))
            return true;
    }
    return false;
}
