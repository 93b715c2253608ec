/* Merge patches: null takes away, objects go deep, everything else is put in its place. */
#include "fronts/admin/merge.h"

#include "settings/json_load.h"

static bool merge(json_t *target, const json_t *patch) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)patch, key, value) {
        if (json_is_null(value)) {
            (void)json_object_del(target, key);
            continue;
        }
        json_t *there = json_object_get(target, key);
        if (!json_is_object(value)) {
            if (json_object_set_new(target, key, cg_json_deep_copy(value)) < 0) return false;
            continue;
        }
        if (!json_is_object(there)) {
            there = json_object(); /* a patch of nothing is what it puts, without its nulls (§2) */
            if (json_object_set_new(target, key, there) < 0) return false;
        }
        if (!merge(there, value)) return false;
    }
    return true;
}

json_t *cg_merge_patched(struct cg_slice document, const json_t *patch) {
    json_t *target = cg_json_load(document, 0, NULL);
    if (target != NULL && merge(target, patch)) return target;
    json_decref(target);
    return NULL;
}
