/* Stored security groups. The hard thing: their keys are sealed and may stay so, for want of the key that opens them;
 * that is nobody's mistake, and ends nothing but the group. */
#include "settings/rows.h"
#include "settings/security_group.h"
#include "settings/stored_reader.h"

#include <sodium.h>
#include <stdio.h>

#define NAME "'type': 'string', 'pattern': '^[a-z0-9][a-z0-9._-]{0,63}$'"

static const struct cg_row stored_group_rows[] = {
    {"keys", &cg_kind_own_text, CG_ROW_PLACE(struct cg_security_keys, stored_keys), .json = NAME,
     .says = "The keys in use, by name. Without them the group is out of use."},
    {"next", &cg_kind_next_file, CG_ROW_PLACE(struct cg_security_keys, stored_next),
     .says = "Those of the next epoch, by name: accepted, not yet sent under."},
    {"warm", &cg_kind_bool, CG_ROW_PLACE(struct cg_security_keys, warm), .fallback = "false",
     .says = "Whether its configured members are met before they have to act."},
    CG_ROW_OWN("latest_gid"), /* of keys that were given out last */
    CG_ROW_OWN("pending"),    /* without keys: where they are to come from */
    CG_ROW_OWN("group_manager"),
    CG_ROW_OWN("app_group"),
    CG_ROW_OWN("security_group"),
};
const struct cg_rows cg_stored_group_rows = {"/security_groups/*", CG_ROWS(stored_group_rows)};

static struct cg_security_group *parse_keys(struct cg_reader *reader, const struct cg_at *at, struct cg_slice text) {
    struct cg_security_group *keys = NULL;
    struct cg_mistakes mistakes;
    cg_mistakes_init(&mistakes);
    int err = cg_security_group_parse(text, CG_GROUP_FILE_OF_MEMBERS, &keys, &mistakes);
    if (err == CG_E_NO_MEMORY) reader->out_of_memory = true;
    for (const struct cg_mistake *it = mistakes.first; it != NULL; it = it->next)
        cg_mistake_at(reader, at, "the keys%s%s: %s", *it->pointer == '\0' ? "" : " at ", it->pointer, it->message);
    cg_mistakes_fini(&mistakes);
    return keys;
}

static struct cg_security_group *open_keys(struct cg_stored_reading *reading, const struct cg_at *at,
                                           const struct cg_item *item) {
    const struct cg_stored *stored = reading->stored;
    struct cg_security_group *keys = NULL;
    struct cg_buf secret;
    cg_buf_init(&secret, 0);
    int err = stored->unseal == NULL ? CG_E_NOT_FOUND : stored->unseal(stored->ctx, item, &secret);
    if (err == CG_E_NO_MEMORY) {
        reading->reader->out_of_memory = true;
    } else if (err < 0) {
        reading->rests = err == CG_E_KEY_REFUSED
                             ? "its keys cannot be opened: they are sealed with another key, or damaged"
                             : "its keys cannot be opened: the key that seals them is not there";
    } else {
        keys = parse_keys(reading->reader, at, cg_buf_slice(&secret));
    }
    if (secret.data != NULL) sodium_memzero(secret.data, secret.cap);
    cg_buf_fini(&secret);
    return keys;
}

/* The keys that `key` names, whose name is kept in *name; NULL: none, or a mistake. */
static struct cg_security_group *read_keys(struct cg_stored_reading *reading, const struct cg_at *up,
                                           const json_t *object, const char *key, const char **name) {
    struct cg_reader *reader = reading->reader;
    struct cg_at at;
    const json_t *json = cg_read_member(up, object, key, &at);
    const char *text = json == NULL || json_is_null(json) ? NULL : cg_read_text(reader, &at, json);
    if (text == NULL) return NULL;
    const struct cg_stored_entry *entry = cg_stored_find(reading, CG_ITEM_KEYS, text);
    if (entry == NULL) {
        cg_mistake_at(reader, &at, "there are no keys \"%.64s\"", text);
        return NULL;
    }
    *name = cg_keep_text(reader, cg_slice_str(text));
    return open_keys(reading, &at, entry->item);
}

static const char *why_none(struct cg_reader *reader, const json_t *json) {
    static const char sentence[] = "its keys have yet to come";
    const char *from = json_string_value(json_object_get(json, "group_manager"));
    char text[sizeof sentence + 1100];
    if (from == NULL) return sentence;
    (void)snprintf(text, sizeof text, "%s from %.1024s", sentence, from);
    return cg_keep_text(reader, cg_slice_str(text));
}

static void read_group(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json) {
    struct cg_reader *reader = reading->reader;
    struct cg_security_keys *group = cg_add_security_group(reader, at->key);
    if (group == NULL || !cg_read_object(reader, at, &cg_stored_group_rows, json, group)) return;
    group->keys = read_keys(reading, at, json, "keys", &group->stored_keys);
    group->next_keys = read_keys(reading, at, json, "next", &group->stored_next);
    if (group->stored_keys == NULL && reading->rests == NULL) reading->rests = why_none(reader, json);
    cg_fill_security_group(reader, group);
}

void cg_stored_read_group(struct cg_stored_reading *reading, const struct cg_at *at, const json_t *json) {
    struct cg_reader *reader = reading->reader;
    struct cg_security_keys *of_file;
    if (!cg_check_security_group_name(reader, at, at->key)) return;
    HASH_FIND_STR(reader->config->security_groups_by_name, at->key, of_file);
    if (of_file != NULL) {
        reader->shadow = "the settings file has a security group of that name";
        reader->shadow_at = cg_pointer_text(reader, at);
    } else {
        read_group(reading, at, json);
    }
}

/* By the rows of where it is from. */
static void print_group(struct cg_out *out, const struct cg_row *row, const void *target) {
    const struct cg_security_keys *group = target;
    const struct cg_row stored = {.key = row->key, .kind = row->kind, .of = &cg_stored_group_rows};
    cg_print_object(out, group->stored_keys == NULL ? row : &stored, target);
}

const struct cg_kind cg_kind_security_group = {
    .shape = CG_SHAPE_OBJECT, .print = print_group, .json = "'type': 'object'"};
