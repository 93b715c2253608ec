/* Security groups as they are shown. The hard thing: what is shown is made of what is public from the start, so that
 * nothing has to be left out. */
#include <time.h>

#include "base/text.h"
#include "keys/document.h"
#include "manage/group_work.h"
#include "settings/json_load.h"
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

/* ---- Read, on the worker's thread ---- */

/* All who are in either epoch, by their Sender IDs, in the order of the first. */
struct listing {
    json_t *all;   /* of copies */
    json_t *by_id; /* the same */
};

static json_t *listed(struct listing *listing, json_t *member) {
    const char *id = cg_keys_text(member, "id");
    json_t *one = json_object_get(listing->by_id, id);
    if (one != NULL) return one;
    one = cg_json_copy(member);
    bool ok = cg_keys_set(one, "holds", json_object()) && json_array_append(listing->all, one) == 0 &&
              json_object_set(listing->by_id, id, one) == 0;
    json_decref(one);
    return ok ? one : NULL;
}

/* Whether they hold the epoch's keys only the loop knows. */
static bool list_members(struct listing *listing, const json_t *keys, const char *epoch) {
    json_t *member;
    size_t i;
    json_array_foreach(json_object_get(keys, "members"), i, member) {
        json_t *one = listed(listing, member);
        if (one == NULL || !cg_keys_set(json_object_get(one, "holds"), epoch, json_null())) return false;
    }
    return true;
}

/* An epoch without its members; null: there is none. */
static json_t *epoch_json(const json_t *keys) {
    if (keys == NULL) return json_null();
    json_t *epoch = cg_json_copy((json_t *)keys);
    (void)json_object_del(epoch, "members");
    (void)json_object_del(epoch, "group");
    return epoch;
}

static bool put_page(json_t *shown, const json_t *all, size_t from) {
    json_t *page = json_array();
    size_t count = json_array_size(all);
    bool ok =
        cg_keys_set(shown, "members", page) && cg_keys_set(shown, "member_count", json_integer((json_int_t)count));
    for (size_t i = from; ok && i < count && i < from + CG_GROUP_PAGE; i++)
        ok = json_array_append(page, json_array_get(all, i)) == 0;
    return ok;
}

static bool show(json_t *shown, const json_t *current, const json_t *next, size_t from) {
    struct listing listing = {.all = json_array(), .by_id = json_object()};
    bool ok = cg_keys_set(shown, "keys", epoch_json(current)) && cg_keys_set(shown, "next", epoch_json(next)) &&
              list_members(&listing, current, "current") && list_members(&listing, next, "next") &&
              put_page(shown, listing.all, from);
    json_decref(listing.by_id);
    json_decref(listing.all);
    return ok;
}

int cg_group_read(struct cg_group_work *work) {
    if (work->group == NULL) return CG_OK; /* the settings file's */
    json_t *current = work->current == NULL ? NULL : cg_group_document(work->current),
           *next = work->next == NULL ? NULL : cg_group_document(work->next);
    json_decref(work->shown);
    work->shown = json_object();
    bool is_whole = (current != NULL || work->current == NULL) && (next != NULL || work->next == NULL);
    bool ok = is_whole && show(work->shown, current, next, work->request->from);
    json_decref(current);
    json_decref(next);
    return ok ? CG_OK : cg_problem_no_memory(&work->request->problem);
}

/* Of what was prepared. */
int cg_group_locate(struct cg_group_work *work) {
    json_t *member;
    size_t i;
    work->locations = json_array();
    if (!json_is_true(json_object_get(work->made.document, "managed"))) return CG_OK;
    json_array_foreach(json_object_get(work->made.document, "members"), i, member) {
        json_t *location = json_sprintf("/admin/v1/security-groups/%s/members/%s/file?epoch=next", work->request->group,
                                        cg_keys_text(member, "id"));
        if (json_array_append_new(work->locations, location) != 0) return cg_problem_no_memory(&work->request->problem);
    }
    return CG_OK;
}

/* ---- Stored ones, on the loop ---- */

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

/* Of one member, in each epoch that it is in. */
static bool put_holding(json_t *member, const struct cg_groups *groups, const char *group, const char *current,
                        const char *next) {
    json_t *holds = json_object_get(member, "holds");
    bool in_current = json_object_get(holds, "current") != NULL, in_next = json_object_get(holds, "next") != NULL;
    return (!in_current ||
            cg_keys_set(holds, "current", json_string(held(groups, group, CG_KEYRING_CURRENT, current, member)))) &&
           (!in_next || cg_keys_set(holds, "next", json_string(held(groups, group, CG_KEYRING_NEXT, next, member))));
}

static bool put_shown(json_t *view, const struct cg_group_work *work, const json_t *document) {
    json_t *member;
    size_t i;
    bool ok = json_object_update(view, work->shown) == 0;
    json_array_foreach(json_object_get(view, "members"), i, member) {
        ok = ok && put_holding(member, work->groups, work->request->group, cg_keys_text(document, "keys"),
                               cg_keys_text(document, "next"));
    }
    return ok && put_numbers(json_object_get(view, "keys"), work->groups, work->request->group);
}

/* Without what the keys' items would have to be read for. */
static bool put_outline(json_t *view, const struct cg_groups *groups, const char *name, const json_t *document) {
    bool has_keys = json_object_get(document, "keys") != NULL, has_next = json_object_get(document, "next") != NULL;
    return cg_keys_set(view, "keys", has_keys ? json_object() : json_null()) &&
           cg_keys_set(view, "next", has_next ? json_object() : json_null()) &&
           put_numbers(json_object_get(view, "keys"), groups, name);
}

/* `work`: with what was read; NULL: as it is listed. */
static json_t *view_stored(const struct cg_groups *groups, const char *name, const struct cg_item *item,
                           const struct cg_group_work *work) {
    static const char *const shown[] = {"pending", "group_manager", "app_group", "security_group"};
    const struct cg_groups_options *options = &groups->options;
    json_t *document = cg_group_document(item), *view = json_object();
    bool ok = document != NULL && cg_keys_set(view, "name", json_string(name)) &&
              cg_keys_set(view, "warm", json_boolean(json_is_true(json_object_get(document, "warm"))));
    for (size_t i = 0; ok && i < sizeof shown / sizeof *shown; i++) ok = cg_keys_copy(view, document, shown[i]);
    ok = ok && (work == NULL ? put_outline(view, groups, name, document) : put_shown(view, work, document)) &&
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
    json_t *holds = json_object();
    return ok && cg_keys_set(json, "holds", holds) && cg_keys_set(holds, "current", json_null()) &&
           (keys->next_file == NULL || cg_keys_set(holds, "next", json_null())) &&
           put_holding(json, groups, keys->name, NULL, NULL);
}

static json_t *file_members(const struct cg_groups *groups, const struct cg_security_keys *keys, size_t from) {
    json_t *members = json_array();
    for (size_t i = from; i < keys->members.count && i < from + CG_GROUP_PAGE; i++) {
        if (add_file_member(members, groups, keys, &keys->members.list[i])) continue;
        json_decref(members);
        return NULL;
    }
    return members;
}

static json_t *view_file(const struct cg_groups *groups, const struct cg_config *config,
                         const struct cg_security_keys *keys, const struct cg_group_work *work) {
    json_t *view = json_object(), *epoch = json_object();
    bool ok = cg_keys_set(view, "name", json_string(keys->name)) &&
              cg_keys_set(view, "warm", json_boolean(keys->warm)) &&
              cg_keys_set(view, "file", text_or_null(keys->file)) &&
              cg_keys_set(view, "next_file", text_or_null(keys->next_file)) && cg_keys_set(view, "keys", epoch) &&
              put_numbers(epoch, groups, keys->name);
    ok = ok && cg_keys_set(view, "member_count", json_integer((json_int_t)keys->members.count));
    if (work != NULL) ok = ok && cg_keys_set(view, "members", file_members(groups, keys, work->request->from));
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

static json_t *view(const struct cg_groups *groups, const char *name, const struct cg_group_work *work, int *err) {
    const struct cg_groups_options *options = &groups->options;
    const struct cg_config *config = options->config(options->ctx);
    const struct cg_security_keys *keys = of_file(config, name);
    const struct cg_item *item =
        work != NULL ? work->group : cg_manage_find(options->manage, CG_ITEM_SECURITY_GROUP, name);
    *err = CG_E_NOT_FOUND;
    if (keys == NULL && item == NULL) return NULL;
    *err = CG_E_NO_MEMORY;
    return keys != NULL ? view_file(groups, config, keys, work) : view_stored(groups, name, item, work);
}

json_t *cg_groups_view(const struct cg_groups *groups, const char *name, int *err) {
    return view(groups, name, NULL, err);
}

/* ---- Answers ---- */

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
    bool ok = cg_keys_set(answer, "group", cg_groups_view(work->groups, work->request->group, &err)) &&
              cg_keys_set(answer, "next", json_string(next)) &&
              (!is_prepared || json_object_set(answer, "files", work->locations) == 0);
    if (ok) return answer;
    json_decref(answer);
    return NULL;
}

json_t *cg_group_answer(const struct cg_group_work *work) {
    int err;
    switch (work->request->wish) {
    case CG_GROUP_CREATE:
    case CG_GROUP_PUT:
    case CG_GROUP_PATCH:
    case CG_GROUP_READ: return view(work->groups, work->request->group, work, &err);
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
        json_t *after = cg_json_copy(work->document);
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
         cg_keys_set(answer, "warnings", json_array()) && cg_keys_set(answer, "sends", json_array());
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
