/* Places in documents where names stand. The hard thing: with 10 000 mappings most documents must not be parsed for
 * it; what is nowhere in the text is not referred to. */
#include "manage/references.h"

#include <stdio.h>

#include "settings/json_load.h"

struct place {
    enum cg_item_kind from, to;
    const char *keys[4]; /* from the document inwards, NULL behind the last; of a list each member is looked at */
};

static const struct place places[] = {
    {CG_ITEM_SECURITY_GROUP, CG_ITEM_KEYS, {"keys"}},
    {CG_ITEM_SECURITY_GROUP, CG_ITEM_KEYS, {"next"}},
    {CG_ITEM_TOKEN, CG_ITEM_CLIENT, {"client"}},
    {CG_ITEM_MAPPING, CG_ITEM_SECURITY_GROUP, {"security"}},
    {CG_ITEM_MAPPING, CG_ITEM_CLIENT, {"clients"}},
    {CG_ITEM_MAPPING, CG_ITEM_CLIENT, {"clients", "name"}},
    {CG_ITEM_REACTION, CG_ITEM_SECURITY_GROUP, {"when", "group"}},
    {CG_ITEM_REACTION, CG_ITEM_MAPPING, {"do", "mapping"}},
};

enum { COUNT = sizeof places / sizeof *places };

bool cg_references_may(enum cg_item_kind from, enum cg_item_kind to) {
    for (size_t i = 0; i < COUNT; i++) {
        if (places[i].from == from && places[i].to == to) return true;
    }
    return false;
}

static bool is_named(const json_t *value, const char *const *keys, const char *name);

static bool any_is_named(const json_t *list, const char *const *keys, const char *name) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (is_named(json_array_get(list, i), keys, name)) return true;
    }
    return false;
}

static bool is_named(const json_t *value, const char *const *keys, const char *name) {
    if (json_is_array(value)) return any_is_named(value, keys, name);
    if (*keys != NULL) return json_is_object(value) && is_named(json_object_get(value, *keys), keys + 1, name);
    return json_is_string(value) && strcmp(json_string_value(value), name) == 0;
}

static bool mentions(struct cg_slice document, const char *name) {
    char quoted[CG_NAME_MAX + 3];
    size_t len = (size_t)snprintf(quoted, sizeof quoted, "\"%.*s\"", CG_NAME_MAX, name);
    return document.len > 0 && memmem(document.data, document.len, quoted, len) != NULL;
}

enum cg_reference cg_references_look(enum cg_item_kind from, struct cg_slice document, enum cg_item_kind to,
                                     const char *name) {
    json_error_t error;
    if (!cg_references_may(from, to) || !mentions(document, name)) return CG_REFERENCE_NONE;
    json_t *parsed = cg_json_load(document, 0, &error);
    if (parsed == NULL && json_error_code(&error) == json_error_out_of_memory) return CG_REFERENCE_UNKNOWN;
    bool has = false;
    for (size_t i = 0; !has && i < COUNT; i++) {
        has = places[i].from == from && places[i].to == to && is_named(parsed, places[i].keys, name);
    }
    json_decref(parsed);
    return has ? CG_REFERENCE_MADE : CG_REFERENCE_NONE;
}
