/* Security groups as they are shown. The hard thing: what is shown is made of what is public from the start, so that
 * nothing has to be left out. */
#include <time.h>

#include "base/text.h"
#include "keys/document.h"
#include "manage/group_work.h"
#include "settings/stored.h"

/* ---- Parts ---- */

static json_t *time_json(int64_t ms) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm utc;
    char text[sizeof "2026-11-29T12:00:00Z"];
    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return json_null();
    return json_string(text);
}

static json_t *text_or_null(const char *text) { return text == NULL ? json_null() : json_string(text); }

static bool put_origin(json_t *to, const struct cg_config *config, const char *name, const struct cg_item *item) {
    const char *reason = NULL;
    enum cg_item_state state =
        item == NULL ? CG_ITEM_IN_USE : cg_stored_state(config, CG_ITEM_SECURITY_GROUP, name, &reason);
    return cg_keys_set(to, "source", json_string(item == NULL ? "file" : "stored")) &&
           cg_keys_set(to, "state", json_string(cg_item_state_names[state])) &&
           cg_keys_set(to, "reason", text_or_null(reason)) &&
           cg_keys_set(to, "revision", item == NULL ? json_null() : json_integer((json_int_t)item->revision)) &&
           cg_keys_set(to, "changed", item == NULL ? json_null() : time_json(item->changed_ms)) &&
           cg_keys_set(to, "changed_by", item == NULL ? json_null() : json_string(item->changed_by)) &&
           cg_keys_set(to, "warnings", json_array());
}

/* ---- Who holds which keys ---- */

static const char *held(const struct cg_groups *groups, const char *group, enum cg_keyring_epoch epoch,
                        const char *keys, const json_t *member) {
    const struct cg_groups_options *options = &groups->options;
    const char *hex = cg_keys_text(member, "credential");
    uint8_t identity[32];
    size_t len = 0;
    bool knows = hex != NULL && cg_hex_parse(cg_slice_str(hex), identity, sizeof identity, &len) == CG_OK;
    if (knows && options->has_proven(options->ctx, group, epoch, cg_slice_of(identity, len))) return "proven";
    return keys != NULL && cg_group_is_fetched(options->manage, keys, cg_keys_text(member, "id")) ? "fetched"
                                                                                                  : "unknown";
}

/* A member of one epoch, who may be in the other, too. */
static bool put_holding(json_t *member, const struct cg_groups *groups, const char *group, enum cg_keyring_epoch epoch,
                        const char *keys) {
    json_t *holds = json_object_get(member, "holds");
    if (holds == NULL) {
        holds = json_object();
        if (!cg_keys_set(member, "holds", holds)) return false;
    }
    return cg_keys_set(holds, epoch == CG_KEYRING_NEXT ? "next" : "current",
                       json_string(held(groups, group, epoch, keys, member)));
}

static json_t *find(const json_t *members, const json_t *id, size_t hint) {
    json_t *member = json_array_get(members, hint);
    size_t i;
    if (json_equal(json_object_get(member, "id"), id)) return member; /* nearly always: order is kept */
    json_array_foreach(members, i, member) {
        if (json_equal(json_object_get(member, "id"), id)) return member;
    }
    return NULL;
}

/* Those of the epoch, into the list of all. */
static bool add_members(json_t *members, const struct cg_groups *groups, const char *group, enum cg_keyring_epoch epoch,
                        const char *name, const json_t *keys) {
    json_t *listed;
    size_t i, count = json_array_size(members);
    json_array_foreach(json_object_get(keys, "members"), i, listed) {
        json_t *member = count == 0 ? NULL : find(members, json_object_get(listed, "id"), i);
        if (member == NULL) {
            member = json_copy(listed);
            if (member == NULL || json_array_append_new(members, member) != 0) return false;
        }
        if (!put_holding(member, groups, group, epoch, name)) return false;
    }
    return true;
}

/* ---- Stored ones ---- */

static json_t *keys_document(const struct cg_groups *groups, const json_t *document, const char *key) {
    const char *name = cg_keys_text(document, key);
    const struct cg_item *item = name == NULL ? NULL : cg_manage_find(groups->options.manage, CG_ITEM_KEYS, name);
    return item == NULL ? NULL : cg_group_document(item);
}

/* An epoch without its members; null: there is none. */
static json_t *epoch_json(const json_t *keys) {
    if (keys == NULL) return json_null();
    json_t *epoch = json_copy((json_t *)keys);
    (void)json_object_del(epoch, "members");
    (void)json_object_del(epoch, "group");
    return epoch;
}

static bool put_numbers(json_t *keys, const struct cg_groups *groups, const char *group) {
    const struct cg_groups_options *options = &groups->options;
    struct cg_group_numbers numbers = {.state = "unknown"};
    if (!json_is_object(keys)) return true;
    options->numbers(options->ctx, group, &numbers);
    json_t *json = json_object();
    return cg_keys_set(keys, "numbers", json) && cg_keys_set(json, "state", json_string(numbers.state)) &&
           cg_keys_set(json, "used", json_integer((json_int_t)numbers.used)) &&
           cg_keys_set(json, "of", json_integer((json_int_t)CG_SENDER_NUMBERS));
}

static bool put_epochs(json_t *view, const struct cg_groups *groups, const char *name, const json_t *document,
                       enum cg_group_detail detail) {
    json_t *current = keys_document(groups, document, "keys"), *next = keys_document(groups, document, "next"),
           *members = json_array();
    bool ok = cg_keys_set(view, "keys", epoch_json(current)) && cg_keys_set(view, "next", epoch_json(next)) &&
              put_numbers(json_object_get(view, "keys"), groups, name);
    if (detail == CG_GROUP_WHOLE) {
        ok = ok && add_members(members, groups, name, CG_KEYRING_CURRENT, cg_keys_text(document, "keys"), current) &&
             add_members(members, groups, name, CG_KEYRING_NEXT, cg_keys_text(document, "next"), next) &&
             json_object_set(view, "members", members) == 0;
    } else {
        size_t count = json_array_size(json_object_get(current, "members"));
        ok = ok && cg_keys_set(view, "member_count", json_integer((json_int_t)count));
    }
    json_decref(members);
    json_decref(current);
    json_decref(next);
    return ok;
}

static json_t *view_stored(const struct cg_groups *groups, const char *name, const struct cg_item *item,
                           enum cg_group_detail detail) {
    static const char *const shown[] = {"pending", "group_manager", "app_group", "security_group"};
    const struct cg_groups_options *options = &groups->options;
    json_t *document = cg_group_document(item), *view = json_object();
    bool ok = document != NULL && cg_keys_set(view, "name", json_string(name)) &&
              cg_keys_set(view, "warm", json_boolean(json_is_true(json_object_get(document, "warm"))));
    for (size_t i = 0; ok && i < sizeof shown / sizeof *shown; i++) ok = cg_keys_copy(view, document, shown[i]);
    ok = ok && put_epochs(view, groups, name, document, detail) &&
         put_origin(view, options->config(options->ctx), name, item);
    json_decref(document);
    if (ok) return view;
    json_decref(view);
    return NULL;
}

/* ---- The settings file's ---- */

static bool add_file_member(json_t *members, const struct cg_groups *groups, const struct cg_security_keys *keys,
                            const struct cg_member *member) {
    char address[CG_ADDR_TEXT_MAX];
    json_t *json = json_object();
    if (json_array_append_new(members, json) != 0) return false;
    bool ok = cg_keys_set(json, "name", json_string(member->name)) &&
              cg_keys_set(json, "credential", cg_keys_hex(member->identity.data, member->identity.len));
    if (ok && member->addr.family != CG_FAMILY_NONE) {
        (void)cg_addr_emit(&member->addr, address);
        ok = cg_keys_set(json, "address", json_string(address));
    }
    if (member->is_unicast_only) ok = ok && cg_keys_set(json, "multicast", json_false());
    ok = ok && put_holding(json, groups, keys->name, CG_KEYRING_CURRENT, NULL);
    return ok && (keys->next_file == NULL || put_holding(json, groups, keys->name, CG_KEYRING_NEXT, NULL));
}

static json_t *file_members(const struct cg_groups *groups, const struct cg_security_keys *keys) {
    json_t *members = json_array();
    for (size_t i = 0; i < keys->members.count; i++) {
        if (add_file_member(members, groups, keys, &keys->members.list[i])) continue;
        json_decref(members);
        return NULL;
    }
    return members;
}

static json_t *view_file(const struct cg_groups *groups, const struct cg_config *config,
                         const struct cg_security_keys *keys, enum cg_group_detail detail) {
    json_t *view = json_object(), *epoch = json_object();
    bool ok = cg_keys_set(view, "name", json_string(keys->name)) &&
              cg_keys_set(view, "warm", json_boolean(keys->warm)) &&
              cg_keys_set(view, "file", text_or_null(keys->file)) &&
              cg_keys_set(view, "next_file", text_or_null(keys->next_file)) && cg_keys_set(view, "keys", epoch) &&
              put_numbers(epoch, groups, keys->name);
    if (detail == CG_GROUP_WHOLE)
        ok = ok && cg_keys_set(view, "members", file_members(groups, keys));
    else
        ok = ok && cg_keys_set(view, "member_count", json_integer((json_int_t)keys->members.count));
    if (ok && put_origin(view, config, keys->name, NULL)) return view;
    json_decref(view);
    return NULL;
}

static const struct cg_security_keys *of_file(const struct cg_config *config, const char *name) {
    const struct cg_security_keys *keys;
    if (!cg_stored_is_of_file(config, CG_ITEM_SECURITY_GROUP, name)) return NULL;
    HASH_FIND_STR(config->security_groups_by_name, name, keys);
    return keys;
}

json_t *cg_groups_view(const struct cg_groups *groups, const char *name, enum cg_group_detail detail, int *err) {
    const struct cg_groups_options *options = &groups->options;
    const struct cg_config *config = options->config(options->ctx);
    const struct cg_security_keys *keys = of_file(config, name);
    const struct cg_item *item = cg_manage_find(options->manage, CG_ITEM_SECURITY_GROUP, name);
    *err = CG_E_NOT_FOUND;
    if (keys == NULL && item == NULL) return NULL;
    *err = CG_E_NO_MEMORY;
    return keys != NULL ? view_file(groups, config, keys, detail) : view_stored(groups, name, item, detail);
}

/* ---- Answers ---- */

static json_t *location(const char *group, const json_t *member) {
    return json_sprintf("/admin/v1/security-groups/%s/members/%s/file?epoch=next", group, cg_keys_text(member, "id"));
}

/* Where each member's file of what was prepared is fetched. */
static json_t *locations(const struct cg_group_work *work) {
    json_t *list = json_array(), *member;
    size_t i;
    bool is_managed = json_is_true(json_object_get(work->made.document, "managed"));
    if (!is_managed) return list;
    json_array_foreach(json_object_get(work->made.document, "members"), i, member) {
        (void)json_array_append_new(list, location(work->request->group, member));
    }
    return list;
}

static json_t *answer_joiner(const struct cg_group_work *work) {
    const json_t *members = json_object_get(work->made.document, "members");
    json_t *answer = json_object();
    bool is_next = work->epoch == CG_KEYRING_NEXT;
    bool ok = json_object_set(answer, "member", json_array_get(members, json_array_size(members) - 1)) == 0 &&
              cg_keys_set(answer, "epoch", json_string(is_next ? "next" : "current")) &&
              json_object_set(answer, "file", work->file) == 0 &&
              cg_keys_set(answer, "next",
                          json_string(is_next ? "give the file to the member, and the others theirs of the prepared "
                                                "keys; then activate"
                                              : "give the file to the member; it can read all that is or was sent "
                                                "under these keys, and whoever is to verify its requests needs the "
                                                "group's files anew"));
    if (ok) return answer;
    json_decref(answer);
    return NULL;
}

static json_t *answer_step(const struct cg_group_work *work, const char *next) {
    int err;
    json_t *answer = json_object();
    bool is_prepared = work->request->wish == CG_GROUP_PREPARE;
    bool ok =
        cg_keys_set(answer, "group", cg_groups_view(work->groups, work->request->group, CG_GROUP_IN_LIST, &err)) &&
        cg_keys_set(answer, "next", json_string(next)) &&
        (!is_prepared || cg_keys_set(answer, "files", locations(work)));
    if (ok) return answer;
    json_decref(answer);
    return NULL;
}

json_t *cg_group_answer(const struct cg_group_work *work) {
    int err;
    switch (work->request->wish) {
    case CG_GROUP_CREATE:
    case CG_GROUP_PUT:
    case CG_GROUP_PATCH: return cg_groups_view(work->groups, work->request->group, CG_GROUP_WHOLE, &err);
    case CG_GROUP_JOIN: return answer_joiner(work);
    case CG_GROUP_FETCH: return json_incref(work->file);
    case CG_GROUP_PREPARE:
        return answer_step(work,
                           "both keys are accepted, and the gateway goes on sending under those in use: give each "
                           "member its file, then activate");
    case CG_GROUP_ABANDON: return answer_step(work, "nothing is prepared any more; the keys in use go on");
    case CG_GROUP_ACTIVATE:
        return answer_step(work, "the gateway sends under the new keys; who does not have them hears nothing any more");
    case CG_GROUP_DELETE: break;
    }
    return NULL;
}

json_t *cg_group_difference(const struct cg_group_work *work) {
    json_t *answer = json_object(), *list = json_array(), *change;
    const json_t *differs = work->change.difference;
    bool ok = cg_keys_set(answer, "difference", list);
    if (work->has_made) {
        json_t *after = json_copy(work->document);
        const char *as = work->epoch == CG_KEYRING_NEXT ? "next" : "keys";
        change = json_object();
        ok = ok && json_object_set(after, as, work->made.document) == 0 &&
             cg_keys_set(change, "kind", json_string(cg_item_collections[CG_ITEM_SECURITY_GROUP])) &&
             cg_keys_set(change, "name", json_string(work->request->group)) &&
             cg_keys_set(change, "before", work->group == NULL ? json_null() : cg_group_document(work->group)) &&
             json_object_set(change, "after", after) == 0 && json_array_append(list, change) == 0;
        json_decref(after);
        json_decref(change);
    } else if (differs != NULL) {
        ok = ok && json_array_extend(list, (json_t *)differs) == 0;
    }
    ok = ok && cg_keys_set(answer, "gains", json_array()) && cg_keys_set(answer, "loses", json_array()) &&
         cg_keys_set(answer, "warnings", json_array()) && cg_keys_set(answer, "sends", json_null());
    if (ok) return answer;
    json_decref(answer);
    return NULL;
}

/* ---- All of them, by name ---- */

static const char *next_of_file(const struct cg_config *config, const char *after) {
    const char *best = NULL;
    for (size_t i = 0; i < config->security_group_count; i++) {
        const char *name = config->security_groups[i].name;
        bool is_nearer = strcmp(name, after) > 0 && (best == NULL || strcmp(name, best) < 0);
        if (is_nearer && cg_stored_is_of_file(config, CG_ITEM_SECURITY_GROUP, name)) best = name;
    }
    return best;
}

const char *cg_groups_next(const struct cg_groups *groups, const char *after) {
    const struct cg_groups_options *options = &groups->options;
    const struct cg_item *item = cg_manage_next(options->manage, CG_ITEM_SECURITY_GROUP, after);
    const char *of_file = next_of_file(options->config(options->ctx), after);
    if (item == NULL || of_file == NULL) return item == NULL ? of_file : item->name;
    return strcmp(of_file, item->name) < 0 ? of_file : item->name;
}
