/* Items as text. The hard thing is that a page has many, and documents may be large: a document, which is JSON in one
 * form already, is put in between as bytes, and never parsed. */
#include "fronts/admin/shown.h"

#include <stdio.h>
#include <string.h>

#include "base/calendar.h"
#include "base/text.h"
#include "fronts/admin/call.h"
#include "fronts/admin/reading.h"
#include "model/reaction.h"
#include "settings/json_load.h"
#include "settings/stored.h"

/* Members that nobody sets. */
static const char *const known[] = {"name",    "source",     "state",    "reason",   "revision",
                                    "changed", "changed_by", "warnings", "effective"};

json_t *cg_shown_as_set(const json_t *shown) {
    json_t *document = cg_json_deep_copy(shown);
    for (size_t i = 0; document != NULL && i < sizeof known / sizeof *known; i++)
        (void)json_object_del(document, known[i]);
    return document;
}

static struct cg_slice skip_space(struct cg_slice text) {
    size_t at = 0;
    while (at < text.len && strchr(" \n,", text.data[at]) != NULL) at++;
    return cg_slice_of(text.data + at, text.len - at);
}

/* An object's members, without its name, which stands first if at all. */
static struct cg_slice members_of(struct cg_slice object) {
    static const char name[] = "\"name\": \"";
    if (object.len < 2) return CG_SLICE_NONE;
    struct cg_slice inside = skip_space(cg_slice_of(object.data + 1, object.len - 2));
    if (!cg_slice_starts(inside, name)) return inside;
    inside = cg_slice_of(inside.data + sizeof name - 1, inside.len - sizeof name + 1);
    const uint8_t *end = memchr(inside.data, '"', inside.len);
    return skip_space(cg_slice_of(end + 1, inside.len - (size_t)(end + 1 - inside.data)));
}

static void put_members(struct cg_buf *to, struct cg_slice object) {
    struct cg_slice members = members_of(object);
    if (members.len == 0) return;
    cg_buf_put_u8(to, ',');
    cg_buf_put_slice(to, members);
}

static void put_warnings(struct cg_buf *to, const struct cg_config *config, enum cg_item_kind kind, const char *name) {
    struct cg_mistakes warnings;
    char base[2 * CG_NAME_MAX];
    cg_mistakes_init(&warnings);
    cg_stored_warnings(config, kind, name, &warnings);
    snprintf(base, sizeof base, "/%s/%s", cg_item_collections[kind], name);
    cg_buf_put_str(to, ",\"warnings\":");
    cg_admin_put_mistakes(to, &warnings, base);
    cg_mistakes_fini(&warnings);
}

static void put_effective(struct cg_buf *to, const struct cg_config *config, enum cg_item_kind kind, const char *name) {
    cg_buf_put_str(to, ",\"effective\":");
    if (!cg_stored_put_effective(to, config, kind, name)) cg_buf_put_str(to, "null");
}

void cg_shown_put_stored(struct cg_buf *to, const struct cg_config *config, const struct cg_item *item,
                         enum cg_shown_form form) {
    char changed[CG_CALENDAR_MAX];
    const char *reason;
    enum cg_item_state state = cg_stored_state(config, item->kind, item->name, &reason);
    cg_calendar_emit_ms(changed, item->changed_ms);
    cg_buf_put_str(to, "{\"name\":");
    cg_buf_put_json(to, cg_slice_str(item->name));
    put_members(to, item->document);
    cg_admin_put_text(to, "source", "stored");
    cg_admin_put_text(to, "state", cg_item_state_names[state]);
    cg_admin_put_text(to, "reason", reason);
    cg_buf_put_str(to, ",\"revision\":");
    cg_buf_put_decimal(to, item->revision);
    cg_admin_put_text(to, "changed", changed);
    cg_admin_put_text(to, "changed_by", item->changed_by);
    if (state == CG_ITEM_IN_USE) put_warnings(to, config, item->kind, item->name);
    if (form == CG_SHOWN_ALONE) put_effective(to, config, item->kind, item->name);
    cg_buf_put_u8(to, '}');
}

void cg_shown_put_of_file(struct cg_buf *to, const struct cg_config *config, enum cg_item_kind kind, const char *name,
                          enum cg_shown_form form) {
    struct cg_buf effective;
    cg_buf_init(&effective, 0);
    bool is_in_use = cg_stored_put_effective(&effective, config, kind, name);
    cg_buf_put_str(to, "{\"name\":");
    cg_buf_put_json(to, cg_slice_str(name));
    put_members(to, cg_buf_slice(&effective));
    cg_admin_put_text(to, "source", "file");
    cg_admin_put_text(to, "state", cg_item_state_names[is_in_use ? CG_ITEM_IN_USE : CG_ITEM_DISABLED]);
    cg_admin_put_text(to, "reason", is_in_use ? NULL : "\"enabled\" is false");
    cg_buf_put_str(to, ",\"revision\":null,\"changed\":null,\"changed_by\":null");
    if (is_in_use) put_warnings(to, config, kind, name);
    if (form == CG_SHOWN_ALONE) {
        cg_buf_put_str(to, ",\"effective\":");
        cg_buf_put_slice(to, is_in_use ? cg_buf_slice(&effective) : cg_slice_str("null"));
    }
    cg_buf_put_u8(to, '}');
    if (effective.failed) to->failed = true;
    cg_buf_fini(&effective);
}

/* ---- The settings file's ---- */

/* How many there may be in the snapshot, whoever defines them. */
static size_t count_of(const struct cg_config *config, enum cg_item_kind kind) {
    switch (kind) {
    case CG_ITEM_SECURITY_GROUP: return config->security_group_count;
    case CG_ITEM_CLIENT: return config->client_count;
    case CG_ITEM_REACTION: return config->reaction_count;
    case CG_ITEM_MAPPING: return config->mapping_count + config->idle_mapping_count;
    default: return 0;
    }
}

static const char *name_of_mapping(const struct cg_config *config, size_t index) {
    if (index >= config->mapping_count) return config->idle_mappings[index - config->mapping_count].name;
    const struct cg_mapping *mapping = cg_config_mapping(config, (uint32_t)index);
    return mapping == NULL ? NULL : mapping->name;
}

/* NULL: a gap. */
static const char *name_at(const struct cg_config *config, enum cg_item_kind kind, size_t index) {
    const struct cg_client *client;
    switch (kind) {
    case CG_ITEM_SECURITY_GROUP: return config->security_groups[index].name;
    case CG_ITEM_CLIENT: return (client = cg_config_client(config, (uint32_t)index)) == NULL ? NULL : client->name;
    case CG_ITEM_REACTION: return config->reactions[index].name;
    default: return name_of_mapping(config, index);
    }
}

/* Keeps `names` in order; what does not fit any more falls out at its end. Most come in order. */
static size_t insert(const char **names, size_t count, size_t max, const char *name) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(names[middle], name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == max) return count;
    size_t behind = (count < max ? count : max - 1) - low;
    memmove(names + low + 1, names + low, behind * sizeof *names);
    names[low] = name;
    return count < max ? count + 1 : count;
}

size_t cg_shown_names_of_file(const struct cg_config *config, enum cg_item_kind kind, const char *after,
                              const char **names, size_t max) {
    size_t count = 0, most = count_of(config, kind);
    for (size_t i = 0; i < most; i++) {
        const char *name = name_at(config, kind, i);
        if (name != NULL && strcmp(name, after) > 0 && cg_stored_is_of_file(config, kind, name))
            count = insert(names, count, max, name);
    }
    return count;
}
