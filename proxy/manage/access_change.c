/* Two snapshots, mapping by mapping. A mapping that is not in use grants nothing. The hard thing is which mappings to
 * look at: a change of mappings is theirs alone, any other may put mappings out of use that nobody has named. */
#include "manage/access_change.h"

#include "model/mapping.h"
#include "wire/msg.h"

struct comparison {
    const struct cg_config *was, *will;
    json_t *gains, *loses;
    bool failed;
};

static const char *client_of(const struct cg_grant *grant) {
    return grant->client == NULL ? NULL : grant->client->name;
}

static bool is_of(const struct cg_grant *grant, const char *client) {
    const char *name = client_of(grant);
    return name == NULL || client == NULL ? name == client : strcmp(name, client) == 0;
}

static uint32_t methods_of(const struct cg_mapping *mapping, const char *client) {
    for (size_t i = 0; mapping != NULL && i < mapping->grant_count; i++) {
        if (is_of(&mapping->grants[i], client)) return mapping->grants[i].methods;
    }
    return 0;
}

static json_t *names_of(uint32_t methods) {
    json_t *names = json_array();
    for (unsigned code = 1; code <= 7; code++) {
        if ((methods & CG_METHOD_BIT(code)) != 0) (void)json_array_append_new(names, json_string(cg_method_name(code)));
    }
    return names;
}

/* What `one` grants and `other` does not. */
static void compare(struct comparison *comparison, json_t *to, const struct cg_mapping *one,
                    const struct cg_mapping *other) {
    for (size_t i = 0; one != NULL && i < one->grant_count; i++) {
        const char *client = client_of(&one->grants[i]);
        uint32_t more = one->grants[i].methods & ~methods_of(other, client);
        if (more == 0) continue;
        json_t *row = json_pack("{s:s, s:s, s:o}", "client", client == NULL ? "anonymous" : client, "mapping",
                                one->name, "methods", names_of(more));
        if (json_array_append_new(to, row) != 0) comparison->failed = true;
    }
}

static void compare_mapping(struct comparison *comparison, const char *name) {
    const struct cg_mapping *was = cg_mapping_by_name(comparison->was, name);
    const struct cg_mapping *will = cg_mapping_by_name(comparison->will, name);
    if (was == will) return;
    compare(comparison, comparison->gains, will, was);
    compare(comparison, comparison->loses, was, will);
}

static void compare_all(struct comparison *comparison) {
    const struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(comparison->was, &next)) != NULL;) {
        compare_mapping(comparison, mapping->name);
    }
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(comparison->will, &next)) != NULL;) {
        if (cg_mapping_by_name(comparison->was, mapping->name) == NULL) compare_mapping(comparison, mapping->name);
    }
}

static bool is_of_mappings_alone(const struct cg_edit *edits, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (edits[i].kind != CG_ITEM_MAPPING && edits[i].kind != CG_ITEM_REACTION) return false;
    }
    return true;
}

int cg_access_change(const struct cg_change *change, json_t **gains, json_t **loses) {
    size_t count;
    const struct cg_edit *edits = cg_change_edits(change, &count);
    struct comparison comparison = {
        .was = change->was, .will = change->will, .gains = json_array(), .loses = json_array()};
    bool knows_both = change->was != NULL && change->will != NULL;
    comparison.failed = comparison.gains == NULL || comparison.loses == NULL;
    if (knows_both && is_of_mappings_alone(edits, count)) {
        for (size_t i = 0; i < count; i++) {
            if (edits[i].kind == CG_ITEM_MAPPING) compare_mapping(&comparison, edits[i].name);
        }
    } else if (knows_both) {
        compare_all(&comparison);
    }
    *gains = comparison.gains;
    *loses = comparison.loses;
    if (!comparison.failed) return CG_OK;
    json_decref(*gains);
    json_decref(*loses);
    *gains = *loses = NULL;
    return CG_E_NO_MEMORY;
}
