/* JSON from texts. The hard thing: where jansson finds no memory for a token that grows it drops bytes of it and goes
 * on, maybe beyond the token's end, and copies lose members. So a load does not go on: the allocator, which is one for
 * all uses of jansson in the process, leaves it by longjmp. For that it notes what a load was given, and takes back
 * what jansson frees meanwhile only when the load is over. */
#include "settings/json_load.h"

#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 64 };

/* One that this thread is at. */
struct load {
    bool runs, is_left; /* for want of memory */
    jmp_buf out;
    void **given, **back; /* blocks; `back` are some of `given` */
    size_t given_count, back_count, room;
};

static _Thread_local struct load load;
static _Thread_local bool fell_short; /* outside of loads */
static atomic_bool wipes;

/* Blocks of plain malloc as well, of before. */
static void release(void *block) {
    if (block != NULL && wipes) sodium_memzero(block, malloc_usable_size(block));
    free(block);
}

/* ---- The allocator ---- */

static bool grow(void ***list, size_t room) {
    void **more = realloc(*list, room * sizeof **list);
    if (more != NULL) *list = more;
    return more != NULL;
}

/* Both lists have it, so that what is given can be taken back. */
static bool has_room(void) {
    size_t room = load.room == 0 ? ROOM : 2 * load.room;
    if (load.given_count < load.room) return true;
    if (!grow(&load.given, room) || !grow(&load.back, room)) return false;
    load.room = room;
    return true;
}

static void *get_block(size_t size) {
    void *block = !load.runs || has_room() ? malloc(size) : NULL;
    if (block == NULL && load.runs) {
        load.is_left = true;
        longjmp(load.out, 1);
    }
    if (block == NULL) fell_short = true;
    if (load.runs) load.given[load.given_count++] = block;
    return block;
}

static void give_block_back(void *block) {
    if (!load.runs) {
        release(block);
    } else if (block != NULL) {
        load.back[load.back_count++] = block;
    }
}

static void take_over(void) { json_set_alloc_funcs(get_block, give_block_back); }

static void ensure_taken_over(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, take_over); /* cannot fail with these arguments */
}

void cg_json_wipe(void) {
    ensure_taken_over();
    wipes = true;
}

/* ---- Loads ---- */

static void end_load(void **blocks, size_t count) {
    load.runs = false;
    for (size_t i = 0; i < count; i++) release(blocks[i]);
    free(load.given);
    free(load.back);
    load = (struct load){0};
}

/* Where jansson keeps it, and json_error_code looks. */
static void say_no_memory(json_error_t *error) {
    memset(error, 0, sizeof *error);
    error->text[sizeof error->text - 1] = (char)json_error_out_of_memory;
}

static json_t *run_load(const char *bytes, size_t len, size_t flags, json_error_t *error) {
    load.runs = true;
    return setjmp(load.out) == 0 ? json_loadb(bytes, len, flags, error) : NULL;
}

json_t *cg_json_load(struct cg_slice text, size_t flags, json_error_t *error) {
    json_error_t own = {0};
    if (error == NULL) error = &own;
    ensure_taken_over();
    json_t *json = run_load(text.len == 0 ? "" : (const char *)text.data, text.len, flags, error);
    if (load.is_left) {
        end_load(load.given, load.given_count);
        say_no_memory(error);
    } else {
        end_load(load.back, load.back_count);
    }
    sodium_memzero(&own, sizeof own); /* it quotes the text, which may be secret */
    return json;
}

/* ---- Copies ---- */

/* What is not whole is nothing. */
static json_t *whole(json_t *json) {
    if (!fell_short) return json;
    json_decref(json);
    return NULL;
}

json_t *cg_json_copy(json_t *json) {
    ensure_taken_over();
    fell_short = false;
    return whole(json_copy(json));
}

json_t *cg_json_deep_copy(const json_t *json) {
    ensure_taken_over();
    fell_short = false;
    return whole(json_deep_copy(json));
}
