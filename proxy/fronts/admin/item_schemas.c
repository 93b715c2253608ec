/* Schemas of items: what the settings file's schema says of one, without what only that file can say, and with what is
 * known of items. */
#include "fronts/admin/item_schemas.h"

#include <string.h>

#include "base/buf.h"
#include "settings/json_load.h"
#include "settings/stored.h"

/* As shown.c shows it. */
static const char known[] =
    "{'source': {'enum': ['stored', 'file'], 'readOnly': true, 'description': 'Who defines it.'},"
    " 'state': {'enum': ['in-use', 'shadowed', 'disabled'], 'readOnly': true},"
    " 'reason': {'type': ['string', 'null'], 'readOnly': true, 'description': 'Why it is not in use.'},"
    " 'revision': {'type': ['integer', 'null'], 'readOnly': true, 'description': 'That made it so.'},"
    " 'changed': {'type': ['string', 'null'], 'format': 'date-time', 'readOnly': true},"
    " 'changed_by': {'type': ['string', 'null'], 'readOnly': true},"
    " 'warnings': {'type': 'array', 'items': {'$ref': '#/components/schemas/Mistake'}, 'readOnly': true},"
    " 'effective': {'type': ['object', 'null'], 'readOnly': true,"
    "   'description': 'Every key written out; of one item only.'}}";

static const char name[] = "{'type': 'string', 'pattern': '^[a-z0-9][a-z0-9._-]{0,63}$'}";

json_t *cg_schema_quoted(const char *text) {
    struct cg_buf json;
    cg_buf_init(&json, 0);
    for (; *text != '\0'; text++) cg_buf_put_u8(&json, *text == '\'' ? '"' : (uint8_t)*text);
    json_t *value = cg_json_load(cg_buf_slice(&json), 0, NULL);
    cg_buf_fini(&json);
    return value;
}

static json_t *with_known(const json_t *schema) {
    json_t *all = cg_json_deep_copy(schema), *properties = json_object_get(all, "properties"),
           *more = cg_schema_quoted(known);
    (void)json_object_update(properties, more);
    (void)json_object_set_new(properties, "name", cg_schema_quoted(name));
    json_decref(more);
    return all;
}

static void drop_from_required(json_t *schema, const char *key) {
    json_t *required = json_object_get(schema, "required");
    for (size_t i = json_array_size(required); i-- > 0;) {
        if (strcmp(json_string_value(json_array_get(required, i)), key) == 0) (void)json_array_remove(required, i);
    }
}

/* As shown: whole items of others' making, and those of the file that are out of use. */
static json_t *shown(const json_t *schema) {
    json_t *all = with_known(schema);
    static const char *const rules[] = {"oneOf", "minProperties"};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) (void)json_object_del(all, rules[i]);
    (void)json_object_set_new(all, "required",
                              json_pack("[s,s,s,s,s,s]", "name", "source", "state", "reason", "revision", "changed"));
    return all;
}

static json_t *sent(const json_t *schema) {
    json_t *all = with_known(schema);
    drop_from_required(all, "name");
    return all;
}

static json_t *reference(const char *prefix, const char *suffix) {
    return json_pack("{s:s++}", "$ref", "#/components/schemas/", prefix, suffix);
}

static bool set(json_t *schemas, const char *prefix, const char *suffix, json_t *schema) {
    struct cg_buf key;
    cg_buf_init(&key, 0);
    cg_buf_printf(&key, "%s%s", prefix, suffix);
    cg_buf_put_u8(&key, '\0');
    bool done = !key.failed && json_object_set_new(schemas, (const char *)key.data, schema) == 0;
    cg_buf_fini(&key);
    return done;
}

static json_t *list_of(const char *prefix) {
    return json_pack("{s:s,s:[s,s],s:b,s:{s:{s:s,s:o},s:{s:[s,s],s:s}}}", "type", "object", "required", "items", "next",
                     "additionalProperties", 0, "properties", "items", "type", "array", "items", reference(prefix, ""),
                     "next", "type", "string", "null", "description",
                     "The cursor of the next page; null: there is none.");
}

static bool add_kind(json_t *schemas, const char *prefix, const json_t *schema) {
    return schema != NULL && set(schemas, prefix, "", shown(schema)) && set(schemas, prefix, "Set", sent(schema)) &&
           set(schemas, prefix, "List", list_of(prefix)) &&
           set(schemas, prefix, "New",
               json_pack("{s:[o,{s:[s]}]}", "allOf", reference(prefix, "Set"), "required", "name")) &&
           set(schemas, prefix, "Patch",
               json_pack("{s:s,s:s}", "type", "object", "description",
                         "A merge patch (RFC 7396) on the item as it was set."));
}

static json_t *schema_of(enum cg_item_kind kind) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    bool done = cg_settings_item_schema(&text, kind) && !text.failed;
    json_t *schema = done ? cg_json_load(cg_buf_slice(&text), 0, NULL) : NULL;
    cg_buf_fini(&text);
    return schema;
}

bool cg_item_schemas_add(json_t *schemas) {
    static const struct {
        enum cg_item_kind kind;
        const char *prefix;
    } kinds[] = {{CG_ITEM_MAPPING, "Mapping"}, {CG_ITEM_CLIENT, "Client"}, {CG_ITEM_REACTION, "Reaction"}};
    bool done = json_object_set_new(schemas, "SettingsSet", schema_of(CG_ITEM_SETTINGS)) == 0;
    for (size_t i = 0; done && i < sizeof kinds / sizeof *kinds; i++) {
        json_t *schema = schema_of(kinds[i].kind);
        done = add_kind(schemas, kinds[i].prefix, schema);
        json_decref(schema);
    }
    return done;
}
