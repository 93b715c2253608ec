/* The hard thing: jansson goes on when memory is short. It then complains of a text that is good, or takes a string
 * without the part that it could not keep. So it is asked whether it lacked any memory on the way, and nothing that it
 * has made then counts. It knows one allocator for all its uses in the process, which is why that wipes as well. */
#include "settings/json_text.h"

#include <malloc.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>

static _Thread_local unsigned shortages;

static void *allocate(size_t size) {
    void *block = malloc(size);
    shortages += block == NULL;
    return block;
}

/* Takes blocks of plain malloc as well, so it may be put in place after others used jansson. */
static void wipe_and_free(void *block) {
    if (block == NULL) return;
    sodium_memzero(block, malloc_usable_size(block));
    free(block);
}

static void put_in_place(void) { json_set_alloc_funcs(allocate, wipe_and_free); }

void cg_json_watch_memory(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, put_in_place); /* cannot fail with these arguments */
}

json_t *cg_json_read(struct cg_slice text, json_error_t *error, bool *is_short) {
    cg_json_watch_memory();
    const unsigned before = shortages;
    json_t *json = json_loadb(text.len == 0 ? "" : (const char *)text.data, text.len, JSON_REJECT_DUPLICATES, error);
    *is_short = shortages != before;
    if (!*is_short) return json;
    json_decref(json);
    return NULL;
}
