/* Items: one piece of memory each, which nobody changes once others have it. */
#include "model/item.h"

#include <stdio.h>
#include <stdlib.h>

const char *const cg_item_collections[CG_ITEM_KIND_COUNT] = {
    [CG_ITEM_SETTINGS] = "settings",  [CG_ITEM_KEYS] = "keys",    [CG_ITEM_SECURITY_GROUP] = "security-groups",
    [CG_ITEM_CLIENT] = "clients",     [CG_ITEM_TOKEN] = "tokens", [CG_ITEM_MAPPING] = "mappings",
    [CG_ITEM_REACTION] = "reactions",
};

const char *const cg_item_state_names[] = {"in-use", "shadowed", "disabled"};

bool cg_item_kind_of(struct cg_slice collection, enum cg_item_kind *kind) {
    for (size_t i = 0; i < CG_ITEM_KIND_COUNT; i++) {
        if (!cg_slice_is(collection, cg_item_collections[i])) continue;
        *kind = (enum cg_item_kind)i;
        return true;
    }
    return false;
}

static struct cg_slice copy(uint8_t *to, struct cg_slice from) {
    if (from.len > 0) memcpy(to, from.data, from.len);
    return cg_slice_of(to, from.len);
}

struct cg_item *cg_item_new(enum cg_item_kind kind, const char *name, struct cg_slice document,
                            struct cg_slice sealed) {
    struct cg_item *item = calloc(1, sizeof *item + document.len + sealed.len);
    if (item == NULL) return NULL;
    item->references = 1;
    item->kind = kind;
    snprintf(item->name, sizeof item->name, "%s", name);
    item->document = copy(item->bytes, document);
    item->sealed = copy(item->bytes + document.len, sealed);
    return item;
}

struct cg_item *cg_item_ref(struct cg_item *item) {
    item->references++;
    return item;
}

void cg_item_unref(struct cg_item *item) {
    if (item != NULL && --item->references == 0) free(item);
}
