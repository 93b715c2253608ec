#include "fake_shortage.h"

#include <openssl/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned left, behind;
static bool came, paused;

static bool fails(void) {
    if (paused) return false;
    if (left == 0) {
        if (!came || behind == 0) return false;
        behind--;
        return true;
    }
    if (--left > 0) return false;
    came = true;
    return true;
}

/* clang-format off: the names are the linker's */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
/* clang-format on */

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }

void *__wrap_realloc(void *block, size_t size) { return fails() ? NULL : __real_realloc(block, size); }

char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

static void *openssl_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return malloc(size);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line) {
    (void)file, (void)line;
    return realloc(block, size);
}

static void openssl_free(void *block, const char *file, int line) {
    (void)file, (void)line;
    free(block);
}

void shortage_init(void) {
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free)) abort();
}

void shortage_order(unsigned nth, unsigned more) {
    left = nth;
    behind = more;
    came = false;
}

bool shortage_came(void) { return came; }

void shortage_pause(void) { paused = true; }

void shortage_resume(void) { paused = false; }

unsigned shortage_every(const struct shortage_scenario *scenario, void *ctx, unsigned more) {
    for (unsigned nth = 1;; nth++) {
        scenario->before(ctx);
        shortage_order(nth, more);
        scenario->act(ctx);
        left = behind = 0;
        bool enough = !came;
        scenario->after(ctx);
        if (enough) return nth - 1;
    }
}
