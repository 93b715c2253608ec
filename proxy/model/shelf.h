/* Things that were made of something, kept beside it as long as it stays as it is, for whoever wants the same. */
#ifndef CG_MODEL_SHELF_H
#define CG_MODEL_SHELF_H

#include <stddef.h>

struct cg_shelved {
    struct cg_shelved *next;
    const void *key;                          /* what it is; compared as a pointer */
    size_t size;                              /* bytes that it takes */
    void (*drop)(struct cg_shelved *shelved); /* frees it */
};

struct cg_shelf {
    struct cg_shelved *first;
};

static inline void cg_shelf_put(struct cg_shelf *shelf, struct cg_shelved *shelved) {
    shelved->next = shelf->first;
    shelf->first = shelved;
}

static inline struct cg_shelved *cg_shelf_find(const struct cg_shelf *shelf, const void *key) {
    struct cg_shelved *shelved = shelf->first;
    while (shelved != NULL && shelved->key != key) shelved = shelved->next;
    return shelved;
}

static inline size_t cg_shelf_size(const struct cg_shelf *shelf) {
    size_t size = 0;
    for (const struct cg_shelved *shelved = shelf->first; shelved != NULL; shelved = shelved->next)
        size += shelved->size;
    return size;
}

static inline void cg_shelf_clear(struct cg_shelf *shelf) {
    while (shelf->first != NULL) {
        struct cg_shelved *shelved = shelf->first;
        shelf->first = shelved->next;
        shelved->drop(shelved);
    }
}

#endif
