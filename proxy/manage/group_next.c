/* A security group's keys to come: one more member, who is to go, new ones; and members' files. The hard thing: nothing
 * may be given out twice, so that whatever was prepared before counts as given, also when it was given up: its Gid, and
 * the gateway's Sender ID. */
#include <string.h>
#include <strings.h>

#include "keys/document.h"
#include "manage/group_body.h"
#include "manage/group_work.h"
#include "settings/json_load.h"

/* ---- One more member ---- */

static json_t *find_member(const json_t *keys, const char *id, size_t *index) {
    const json_t *members = json_object_get(keys, "members");
    for (*index = 0; *index < json_array_size(members); (*index)++) {
        json_t *member = json_array_get(members, *index);
        if (strcasecmp(cg_keys_text(member, "sender_id"), id) == 0) return member;
    }
    return NULL;
}

/* The file of one who is in the keys, for the answer. */
static int lend_file(struct cg_group_work *work, json_t *keys, const char *id) {
    enum { FIRST_MEMBER = 2 }; /* group.json and gateway.json come before */
    size_t index;
    if (find_member(keys, id, &index) == NULL)
        return cg_problem_set(&work->request->problem, CG_E_NOT_FOUND,
                              "nobody with Sender ID %s is in security group %s", id, work->request->group);
    (void)snprintf(work->member, sizeof work->member, "%s", id);
    work->file = cg_keyring_file(keys, FIRST_MEMBER + index);
    return work->file == NULL ? cg_group_no_memory(work) : CG_OK;
}

static int open_keys(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_item *item,
                     json_t **keys) {
    struct cg_problem *problem = &work->request->problem;
    int err = cg_sealed_keys_open(seal, item, keys, problem);
    if (err < 0 || json_object_get(*keys, "members") != NULL) return err;
    json_decref(*keys);
    *keys = NULL;
    return cg_problem_set(problem, CG_E_CONFLICT,
                          "the keys of security group %s are managed elsewhere, and only the gateway's own are here: "
                          "whoever manages them adds and evicts; prepare-rekey takes the gateway's next ones",
                          work->request->group);
}

/* As cg_keyring_rekey wants it: what was given out last under this group. *before is new. */
static int given_before(struct cg_group_work *work, const struct cg_seal *seal, json_t *keys, json_t **before) {
    if (work->next != NULL) return open_keys(work, seal, work->next, before);
    json_t *document = cg_group_document(work->group), *common = json_object();
    json_t *latest = json_object_get(document, "latest_gid");
    *before = cg_json_copy(keys);
    bool ok = document != NULL && common != NULL && *before != NULL &&
              (latest == NULL || json_object_set(common, "gid", latest) == 0) &&
              (latest == NULL || json_object_set(*before, "common", common) == 0);
    json_decref(common);
    json_decref(document);
    if (ok) return CG_OK;
    json_decref(*before);
    *before = NULL;
    return cg_group_no_memory(work);
}

static int rekey(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_keyring_options *ring,
                 json_t *keys) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *before = NULL;
    int err = given_before(work, seal, keys, &before);
    if (err == CG_OK) err = cg_group_tell_keyring(work, cg_keyring_rekey(keys, ring, before, error), error);
    json_decref(before);
    return err;
}

static int read_joiner(struct cg_group_request *request, struct cg_keyring_member *member) {
    int err = cg_group_check_keys(request, CG_GROUP_FORM_JOIN);
    if (err == CG_OK) err = cg_group_read_member(request, request->body, "", member);
    return err == CG_OK ? cg_group_check_flag(request, "rekey") : err;
}

/* A mistake of the last of the members is one of the body's. */
static const char *retell_joiner(const char *pointer) {
    const char *key = strrchr(pointer, '/');
    return key == NULL ? "" : key;
}

static int join(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_keyring_options *ring,
                bool rekeys, json_t *keys) {
    char error[CG_KEYS_ERROR_MAX] = "";
    bool is_in_place = work->next != NULL || !rekeys; /* under keys that there are */
    const struct cg_item *base = work->next != NULL ? work->next : work->current;
    int err = cg_group_tell_keyring(work, cg_keyring_add(keys, ring, error), error);
    if (err == CG_OK && !is_in_place) err = rekey(work, seal, ring, keys);
    if (err == CG_OK) err = cg_group_seal_keys(work, seal, is_in_place ? base->name : NULL, keys, retell_joiner);
    if (err < 0) return err;
    const json_t *members = json_object_get(keys, "members");
    err = lend_file(work, keys, cg_keys_text(json_array_get(members, json_array_size(members) - 1), "sender_id"));
    return err == CG_OK ? cg_group_keep(work, rekeys ? "next" : "keys") : err;
}

int cg_group_join(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    struct cg_keyring_member member;
    const struct cg_keyring_options ring = {.members = 1, .each = &member};
    bool rekeys = !json_is_false(json_object_get(request->body, "rekey"));
    json_t *keys = NULL;
    int err = read_joiner(request, &member);
    if (err < 0) return err;
    if (!rekeys && work->next != NULL)
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "a rekey of security group %s is prepared: with \"rekey\": true the member joins under "
                              "those keys; or activate or abandon it first",
                              request->group);
    err = open_keys(work, seal, work->next != NULL ? work->next : work->current, &keys);
    if (err == CG_OK) err = cg_group_begin(work);
    if (err == CG_OK) err = join(work, seal, &ring, rekeys, keys);
    json_decref(keys);
    return err;
}

/* ---- The next keys ---- */

static int read_evicted(struct cg_group_request *request, struct cg_keyring_options *ring) {
    const json_t *list = json_object_get(request->body, "evict"), *id;
    size_t i;
    if (list == NULL) return CG_OK;
    if (!json_is_array(list) || json_array_size(list) > CG_KEYS_EVICT_MAX)
        return cg_group_mistake(request, "/evict", "must be an array of at most 256 Sender IDs");
    json_array_foreach(list, i, id) {
        char pointer[32];
        (void)snprintf(pointer, sizeof pointer, "/evict/%zu", i);
        if (!json_is_string(id)) return cg_group_mistake(request, pointer, "must be a Sender ID in hexadecimal");
        ring->evict[ring->evict_count++] = json_string_value(id);
    }
    return CG_OK;
}

static int renew(struct cg_group_work *work, const struct cg_seal *seal, const struct cg_keyring_options *ring,
                 json_t *keys) {
    char error[CG_KEYS_ERROR_MAX] = "";
    json_t *before = NULL;
    if (!cg_group_says(work->request, "new_sender_id")) return rekey(work, seal, ring, keys);
    int err = given_before(work, seal, keys, &before);
    if (err == CG_OK) err = cg_group_tell_keyring(work, cg_keyring_new_sender_id(keys, before, error), error);
    json_decref(before);
    return err;
}

static int make_next(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    struct cg_keyring_options ring = {0};
    json_t *keys = NULL;
    int err = cg_group_check_keys(request, CG_GROUP_FORM_PREPARE);
    if (err == CG_OK) err = cg_group_check_flag(request, "new_sender_id");
    if (err == CG_OK) err = read_evicted(request, &ring);
    if (err == CG_OK && ring.evict_count > 0 && cg_group_says(request, "new_sender_id"))
        err = cg_group_mistake(request, "/new_sender_id", "evicts nobody: who is to go needs new keys");
    if (err == CG_OK) err = open_keys(work, seal, work->current, &keys);
    if (err == CG_OK) err = renew(work, seal, &ring, keys);
    if (err == CG_OK) err = cg_group_seal_keys(work, seal, NULL, keys, cg_group_retell_wishes);
    json_decref(keys);
    return err;
}

static int take_in_next(struct cg_group_work *work, const struct cg_seal *seal) {
    int err = cg_group_check_keys(work->request, CG_GROUP_FORM_PREPARE_IMPORT);
    return err == CG_OK ? cg_group_take_in(work, seal) : err;
}

int cg_group_prepare(struct cg_group_work *work, const struct cg_seal *seal) {
    struct cg_group_request *request = work->request;
    int err = cg_group_check_flag(request, "replace");
    if (err < 0) return err;
    if (work->next != NULL && !cg_group_says(request, "replace"))
        return cg_problem_set(&request->problem, CG_E_CONFLICT,
                              "a rekey of security group %s is prepared already: activate makes its keys those in use; "
                              "\"replace\": true gives it up for this one",
                              request->group);
    err = cg_group_begin(work);
    if (err == CG_OK) err = cg_group_has_keys(request) ? take_in_next(work, seal) : make_next(work, seal);
    if (err == CG_OK) err = cg_group_keep(work, "next");
    return err == CG_OK ? cg_group_locate(work) : err;
}

int cg_group_fetch(struct cg_group_work *work, const struct cg_seal *seal) {
    const struct cg_item *item = work->epoch == CG_KEYRING_NEXT ? work->next : work->current;
    json_t *keys = NULL;
    (void)snprintf(work->keys, sizeof work->keys, "%.32s", item->name);
    int err = open_keys(work, seal, item, &keys);
    if (err == CG_OK) err = lend_file(work, keys, work->request->member);
    json_decref(keys);
    return err;
}

/* Whom the next keys are for, is looked at on the loop. */
int cg_group_check_activation(struct cg_group_work *work) {
    int err = cg_group_check_keys(work->request, CG_GROUP_FORM_ACTIVATE);
    if (err == CG_OK) err = cg_group_check_flag(work->request, "force");
    if (err < 0 || work->next == NULL) return err;
    work->document = cg_group_document(work->next);
    return work->document == NULL ? cg_group_no_memory(work) : CG_OK;
}
