/* Who may use a mapping, and for what. The hard thing: anonymous clients are a deviation from the proxy specification,
 * so they are kept to reading, and to listeners where it was decided that strangers may come in. */
#include "settings/draft.h"
#include "settings/rows.h"

static void print_name(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_grant *grant = target;
    cg_out_text(out, row->key, grant->client == NULL ? "anonymous" : grant->client->name);
}

const struct cg_kind cg_kind_client_name = {.print = print_name, .json = "'type': 'string'"};

static void read_client(struct cg_reader *reader, const struct cg_at *at, const char *name, struct cg_grant *grant) {
    if (strcmp(name, "anonymous") == 0) {
        static const struct cg_at document;
        if (!reader->takes_anonymous && !cg_is_mistaken(reader, &document, "http") &&
            !cg_is_mistaken(reader, &document, "coap")) {
            cg_mistake_at(reader, at,
                          "no listener takes anonymous clients: one on loopback, or with \"insecure\": true, does");
        }
        return;
    }
    grant->client = cg_config_client_by_name(reader->config, name);
    if (grant->client == NULL && !cg_is_undefined_again(reader, "clients", name, at))
        cg_mistake_at(reader, at, "the client \"%.64s\" is not defined in \"clients\"", name);
}

/* What is relayed has its method inside: "methods" may be written and bind nothing. */
static uint32_t read_relayed_methods(struct cg_reader *reader, const struct cg_at *at, const json_t *json) {
    if (json != NULL) (void)cg_read_method_set(reader, at, json);
    return CG_METHODS_RELAYED;
}

/* What this client may send; without "methods", all that it may have. */
static uint32_t read_methods(struct cg_reader *reader, const struct cg_at *at, const json_t *json, bool anonymous,
                             uint32_t of_mapping) {
    uint32_t most = anonymous ? of_mapping & CG_METHODS_SAFE : of_mapping;
    if (most == 0)
        cg_mistake_at(reader, at, "anonymous clients may only GET and FETCH, which the mapping does not let pass");
    if (json == NULL || most == 0) return most;
    uint32_t methods = cg_read_method_set(reader, at, json);
    if (anonymous && (methods & ~CG_METHODS_SAFE) != 0) {
        cg_mistake_at(reader, at, "anonymous clients may only GET and FETCH");
    } else if ((methods & ~of_mapping) != 0) {
        cg_mistake_at(reader, at, "has a method that the mapping does not let pass");
    }
    return methods;
}

static const char *read_grant(struct cg_reader *reader, const struct cg_at *at, const json_t *json,
                              const struct cg_mapping *mapping, struct cg_grant *grant) {
    struct cg_at child = *at;
    const char *name = json_string_value(json);
    if (!json_is_string(json)) {
        if (!cg_read_object(reader, at, &cg_grant_rows, json, grant)) return NULL;
        const json_t *value = cg_read_member(at, json, "name", &child);
        if (value == NULL) cg_mistake_missing(reader, at, "name", "needs \"name\"");
        name = value == NULL ? NULL : cg_read_text(reader, &child, value);
    }
    if (name == NULL) return NULL;
    read_client(reader, &child, name, grant);
    bool anonymous = strcmp(name, "anonymous") == 0;
    const json_t *methods = cg_read_member(at, json, "methods", &child);
    const struct cg_at *methods_at = methods == NULL ? at : &child;
    grant->methods = mapping->security == CG_SECURITY_RELAY
                         ? read_relayed_methods(reader, methods_at, methods)
                         : read_methods(reader, methods_at, methods, anonymous, mapping->methods);
    return name;
}

void cg_read_grants(struct cg_reader *reader, struct cg_draft *draft) {
    struct cg_mapping *mapping = &draft->mapping;
    struct cg_seen *seen = NULL;
    struct cg_at at;
    const json_t *json = cg_read_member(draft->at, draft->json, "clients", &at);
    if (json == NULL || !cg_read_is_array(reader, &at, json, cg_row_of(&cg_mapping_rows, "clients")->max)) return;
    mapping->grants = cg_keep_array(reader, json_array_size(json), sizeof *mapping->grants);
    if (mapping->grants == NULL) return;
    mapping->grant_count = json_array_size(json);
    for (size_t i = 0; i < mapping->grant_count; i++) {
        struct cg_at child = {.up = &at, .index = i};
        const char *name = read_grant(reader, &child, json_array_get(json, i), mapping, &mapping->grants[i]);
        const char *first = name == NULL ? NULL : cg_seen_before(reader, &seen, cg_slice_str(name), &child);
        if (first != NULL) cg_mistake_at(reader, &child, "is the same client as %s", first);
    }
    cg_seen_clear(&seen);
}
