/* The hard thing: a member is no item. It is an entry in as many lists as there are mappings that expect it, and what
 * the settings file or a security group says of it is not for changing here. So what is asked is compared with what
 * there is when its turn has come, and becomes edits of those mappings alone whose lists differ, as one revision. */
#include "fronts/admin/member_edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "fronts/admin/condition.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/members.h"
#include "model/mapping.h"
#include "settings/json_load.h"

enum { MAPPINGS_MAX = 1000 /* that one member is put into */ };

/* ---- What is configured ---- */

static uint64_t mix(uint64_t hash, const char *text) {
    for (; *text != '\0'; text++) hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    return (hash ^ 0xff) * UINT64_C(0x100000001b3); /* FNV-1a, each text with its end */
}

uint64_t cg_member_tag(const char *collection, const char *where, const struct cg_member *member) {
    char address[CG_ADDR_TEXT_MAX] = "";
    if (member->addr.family != CG_FAMILY_NONE) cg_addr_emit(&member->addr, address);
    uint64_t hash = mix(mix(UINT64_C(0xcbf29ce484222325), collection), where);
    return mix(mix(mix(hash, member->name), address), member->is_unicast_only ? "u" : "");
}

uint64_t cg_member_revision(uint64_t tags) { return tags == 0 ? 0 : (tags >> 1) | 1; }

/* ---- What is asked ---- */

struct member_edit {
    struct cg_admin_edit edit;
    struct cg_gateway *gateway;
    enum { MEMBER_PUT, MEMBER_PATCH } how;
    json_t *body;
    struct cg_condition if_match, if_none_match;
    char name[CG_ADDR_TEXT_MAX]; /* as the path has it; once planned, as it will be */
    bool is_planned, is_new, is_renamed;
};

/* A mapping that has the member, or is to have it. */
struct place {
    const struct cg_mapping *mapping;
    const struct cg_member *member; /* NULL: it does not have it */
    bool is_wanted;
};

struct planning {
    struct member_edit *own;
    struct cg_change *change;
    const struct cg_config *config;
    struct place *places;
    size_t count, room;
    uint64_t tags;
    char shown[CG_ADDR_TEXT_MAX];   /* its address as GET shows it; "": none */
    char address[CG_ADDR_TEXT_MAX]; /* that it is to have from now on; "": each as it is */
    char first[CG_ADDR_TEXT_MAX];   /* that it is to have where it comes to */
    char name[CG_ADDR_TEXT_MAX];    /* that it is to have from now on */
};

static struct member_edit *own_of(struct cg_admin_edit *edit) { return CG_CONTAINER(edit, struct member_edit, edit); }

static void mistake(struct planning *planning, const char *pointer, const char *what) {
    cg_mistakes_add(&planning->change->mistakes, pointer, "%s", what);
}

static bool is_mistaken(const struct planning *planning) { return planning->change->mistakes.count > 0; }

/* ---- What there is ---- */

static struct place *add_place(struct planning *planning, const struct cg_mapping *mapping,
                               const struct cg_member *member) {
    if (planning->count == planning->room) {
        const size_t room = planning->room == 0 ? 16 : 2 * planning->room;
        struct place *places = realloc(planning->places, room * sizeof *places);
        if (places == NULL) return NULL;
        planning->places = places;
        planning->room = room;
    }
    struct place *place = &planning->places[planning->count++];
    *place = (struct place){.mapping = mapping, .member = member};
    return place;
}

static void note(struct planning *planning, const char *collection, const char *where, const struct cg_member *member) {
    planning->tags += cg_member_tag(collection, where, member);
    if (member->addr.family != CG_FAMILY_NONE && planning->shown[0] == '\0')
        cg_addr_emit(&member->addr, planning->shown);
}

/* False: no memory. */
static bool look_at_all(struct planning *planning) {
    const struct cg_config *config = planning->config;
    const struct cg_slice name = cg_slice_str(planning->own->name);
    for (size_t i = 0; i < config->security_group_count; i++) {
        const struct cg_security_keys *group = &config->security_groups[i];
        const struct cg_member *member = cg_members_named(&group->members, name);
        if (member != NULL) note(planning, "security-groups", group->name, member);
    }
    const struct cg_mapping *mapping;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;) {
        const struct cg_member *member = cg_mapping_member(mapping, name);
        if (member == NULL) continue;
        note(planning, "mappings", mapping->name, member);
        if (add_place(planning, mapping, member) == NULL) return false;
    }
    return true;
}

/* ---- The body ---- */

static void check_keys(struct planning *planning) {
    static const char *const known[] = {"name",      "address",         "mappings", "configured",
                                        "last_seen", "security_groups", "warmth",   "heard"};
    const char *key;
    json_t *value;
    json_object_foreach(planning->own->body, key, value) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) is_known |= strcmp(key, known[i]) == 0;
        if (!is_known) mistake(planning, "", "only \"name\", \"address\" and \"mappings\" of a member can be set");
    }
}

/* False: it is no address. */
static bool normal_address(const char *text, char to[CG_ADDR_TEXT_MAX]) {
    struct cg_addr addr;
    if (text == NULL || cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT) < 0) return false;
    cg_addr_emit(&addr, to);
    return true;
}

static void read_address(struct planning *planning) {
    const json_t *value = json_object_get(planning->own->body, "address");
    if (value == NULL || json_is_null(value)) return;
    if (!normal_address(json_string_value(value), planning->address)) {
        mistake(planning, "/address", "must be a member's address, such as \"192.0.2.7\" or \"[2001:db8::7]:5683\"");
    } else if (strcmp(planning->address, planning->shown) == 0) {
        planning->address[0] = '\0';
    }
}

/* Who has no other name has its address's text. */
static void read_name(struct planning *planning) {
    const json_t *value = json_object_get(planning->own->body, "name");
    const char *now = planning->own->name, *name = value == NULL ? now : json_string_value(value);
    const bool is_same = name != NULL && strcmp(name, now) == 0;
    if (!is_same && planning->own->how == MEMBER_PUT) {
        mistake(planning, "/name", "must be the name in the path, or absent");
    } else if (!is_same && (name == NULL || !cg_admin_is_name(name))) {
        mistake(planning, "/name", "must match [a-z0-9][a-z0-9._-]{0,63}");
    } else if (is_same && planning->address[0] != '\0' && strcmp(now, planning->shown) == 0) {
        snprintf(planning->name, sizeof planning->name, "%s", planning->address);
    } else {
        snprintf(planning->name, sizeof planning->name, "%s", name);
    }
}

/* False: no memory. */
static bool want(struct planning *planning, size_t index, const char *name) {
    char pointer[48];
    const struct cg_mapping *mapping = name == NULL ? NULL : cg_mapping_by_name(planning->config, name);
    snprintf(pointer, sizeof pointer, "/mappings/%zu", index);
    if (mapping == NULL) {
        mistake(planning, pointer, "must be the name of a mapping that is in use");
        return true;
    }
    struct place *place = planning->places;
    while (place < planning->places + planning->count && place->mapping != mapping) place++;
    if (place == planning->places + planning->count) place = add_place(planning, mapping, NULL);
    if (place == NULL) return false;
    if (place->is_wanted) mistake(planning, pointer, "is there twice");
    place->is_wanted = true;
    return true;
}

static bool read_mappings(struct planning *planning) {
    const json_t *list = json_object_get(planning->own->body, "mappings");
    const bool is_patch = planning->own->how == MEMBER_PATCH;
    bool fits = true;
    if (list == NULL && is_patch) {
        for (size_t i = 0; i < planning->count; i++) planning->places[i].is_wanted = true;
    } else if (!json_is_array(list) && !(json_is_null(list) && is_patch)) {
        mistake(planning, "/mappings", "must be a list of mappings' names");
    } else if (json_array_size(list) > MAPPINGS_MAX) {
        mistake(planning, "/mappings", "has more than 1000 names");
    } else {
        for (size_t i = 0; fits && i < json_array_size(list); i++)
            fits = want(planning, i, json_string_value(json_array_get(list, i)));
    }
    return fits;
}

/* Where it is to be put, its address must be known. */
static void check_places(struct planning *planning) {
    bool comes = false;
    for (size_t i = 0; i < planning->count; i++)
        comes |= planning->places[i].is_wanted && planning->places[i].member == NULL;
    if (planning->count == 0) mistake(planning, "/mappings", "must name the mappings that are to expect it");
    const char *known = planning->address[0] != '\0' ? planning->address : planning->shown;
    snprintf(planning->first, sizeof planning->first, "%s", known);
    if (comes && known[0] == '\0' && !normal_address(planning->own->name, planning->first)) {
        mistake(planning, "/address", "must be there: nobody knows where the member is");
    }
}

static int read_body(struct planning *planning) {
    check_keys(planning);
    read_address(planning);
    read_name(planning);
    if (!read_mappings(planning)) return cg_problem_no_memory(&planning->change->problem);
    if (!is_mistaken(planning)) check_places(planning);
    return is_mistaken(planning) ? CG_E_FORMAT : CG_OK;
}

/* ---- The lists ---- */

static const char *address_of(const json_t *entry) {
    return json_string_value(json_is_object(entry) ? json_object_get(entry, "address") : entry);
}

static bool is_called(const json_t *entry, const char *name) {
    char address[CG_ADDR_TEXT_MAX];
    const char *said = json_string_value(json_object_get(entry, "name"));
    if (said != NULL) return strcmp(said, name) == 0;
    return normal_address(address_of(entry), address) && strcmp(address, name) == 0;
}

static size_t find_entry(const json_t *list, const char *name) {
    size_t index = 0;
    while (index < json_array_size(list) && !is_called(json_array_get(list, index), name)) index++;
    return index;
}

/* The entry as it is to be, new; NULL: no memory. What else it says stays. */
static json_t *entry_for(const struct planning *planning, const json_t *before) {
    char address[CG_ADDR_TEXT_MAX] = "";
    const char *given = before == NULL ? planning->first : planning->address;
    snprintf(address, sizeof address, "%s", given);
    if (given[0] == '\0') (void)normal_address(address_of(before), address);
    const bool is_named = strcmp(planning->name, address) != 0;
    if (!is_named && !json_is_object(before)) return json_string(address);
    json_t *entry = json_is_object(before) ? cg_json_copy((json_t *)before) : json_object();
    bool ok = entry != NULL && json_object_set_new(entry, "address", json_string(address)) == 0 &&
              (!is_named || json_object_set_new(entry, "name", json_string(planning->name)) == 0);
    if (!is_named) (void)json_object_del(entry, "name");
    if (ok) return entry;
    json_decref(entry);
    return NULL;
}

/* False: no memory. */
static bool edit_list(const struct planning *planning, const struct place *place, json_t *list) {
    const size_t index = find_entry(list, planning->own->name);
    if (!place->is_wanted) return json_array_remove(list, index) == 0;
    json_t *entry = entry_for(planning, json_array_get(list, index));
    if (index == json_array_size(list)) return json_array_append_new(list, entry) == 0;
    return json_array_set_new(list, index, entry) == 0;
}

static int edit_mapping(struct planning *planning, const struct place *place) {
    struct cg_change *change = planning->change;
    const struct cg_item *item = cg_change_find(change, CG_ITEM_MAPPING, place->mapping->name);
    json_t *document = item == NULL ? NULL : cg_json_load(item->document, 0, NULL);
    json_t *list = json_object_get(document, "members");
    bool ok = document != NULL;
    if (ok && !json_is_array(list)) {
        ok = json_object_set_new(document, "members", json_array()) == 0;
        list = json_object_get(document, "members");
    }
    ok = ok && edit_list(planning, place, list);
    int err = !ok ? cg_problem_no_memory(&change->problem)
                  : cg_change_put(change, CG_ITEM_MAPPING, item->name, document, item->sealed);
    json_decref(document);
    return err;
}

static int refuse(const struct cg_mapping *mapping, struct cg_problem *problem) {
    if (mapping->security == CG_SECURITY_GROUP)
        return cg_problem_set(problem, CG_E_CONFLICT,
                              "the members of mapping %s are those of its security group: they are changed by "
                              "security-groups/%s/members",
                              mapping->name, mapping->keys->name);
    return cg_problem_set(problem, CG_E_CONFLICT,
                          "the members of mapping %s are in the settings file, at /mappings/%" PRIu32
                          "/members: they are changed there, and castgate reloads (SIGHUP)",
                          mapping->name, mapping->place);
}

static int plan_place(struct planning *planning, const struct place *place) {
    const struct cg_mapping *mapping = place->mapping;
    const bool is_there = place->member != NULL, is_other = strcmp(planning->name, planning->own->name) != 0;
    const bool differs = is_there != place->is_wanted || planning->address[0] != '\0' || is_other;
    if (!differs) return CG_OK;
    return mapping->security == CG_SECURITY_GROUP || !mapping->is_stored ? refuse(mapping, &planning->change->problem)
                                                                         : edit_mapping(planning, place);
}

/* ---- The change ---- */

static int check_condition(struct planning *planning) {
    const struct member_edit *own = planning->own;
    struct cg_problem *problem = &planning->change->problem;
    const uint64_t revision = cg_member_revision(planning->tags);
    int err = cg_condition_check(&own->if_match, &own->if_none_match, revision, problem);
    if (err == CG_E_STALE && revision != 0)
        return cg_problem_set(problem, err,
                              "somebody has changed the member meanwhile: its ETag is \"%" PRIu64 "\" now", revision);
    return err;
}

static int plan_all(struct planning *planning) {
    struct member_edit *own = planning->own;
    if (!look_at_all(planning)) return cg_problem_no_memory(&planning->change->problem);
    own->is_new = planning->tags == 0;
    if (own->is_new && own->how == MEMBER_PATCH)
        return cg_problem_set(&planning->change->problem, CG_E_NOT_FOUND, "no member \"%s\" is configured", own->name);
    int err = check_condition(planning);
    if (err == CG_OK) err = read_body(planning);
    for (size_t i = 0; err == CG_OK && i < planning->count; i++) err = plan_place(planning, &planning->places[i]);
    if (err < 0) return err;
    own->is_planned = true;
    own->is_renamed = strcmp(own->name, planning->name) != 0;
    snprintf(own->name, sizeof own->name, "%s", planning->name);
    return CG_OK;
}

/* On the disk's thread: it goes through all mappings. */
static int plan(struct cg_change *change, const struct cg_manage *manage) {
    struct member_edit *own = own_of(CG_CONTAINER(change, struct cg_admin_edit, change));
    struct planning planning = {.own = own, .change = change, .config = cg_gateway_config(own->gateway)};
    (void)manage;
    int err = plan_all(&planning);
    free(planning.places);
    return err;
}

/* What is wrong with a mapping's list is wrong with what was sent. */
static const char *place_of(const char *pointer) {
    const char *last = strrchr(pointer, '/');
    if (last != NULL && (strcmp(last, "/address") == 0 || strcmp(last, "/name") == 0)) return last;
    return "/mappings";
}

static void place_mistakes(struct cg_admin_edit *edit, struct cg_mistakes *mistakes) {
    struct cg_mistakes placed;
    if (!own_of(edit)->is_planned) return;
    cg_mistakes_init(&placed);
    for (const struct cg_mistake *at = mistakes->first; at != NULL; at = at->next)
        cg_mistakes_add(&placed, place_of(at->pointer), "%s: %s", at->pointer, at->message);
    cg_mistakes_fini(mistakes);
    *mistakes = placed;
}

static void reply(struct cg_admin_edit *edit) {
    const struct member_edit *own = own_of(edit);
    const bool is_elsewhere = own->is_new || own->is_renamed;
    cg_member_show(edit->call, own->name, own->is_new ? 201 : 200, is_elsewhere ? CG_MEMBER_LOCATED : CG_MEMBER_HERE);
}

static void free_edit(struct cg_admin_edit *edit) {
    struct member_edit *own = own_of(edit);
    json_decref(own->body);
    free(own);
}

static int read_conditions(const struct cg_admin_call *call, struct member_edit *own, struct cg_problem *problem) {
    const struct cg_http_message *message = cg_http_call_message(call->http);
    int err = cg_condition_of(&own->if_match, message, "If-Match", CG_TAGS_STRONG, problem);
    if (err < 0) return err;
    return cg_condition_of(&own->if_none_match, message, "If-None-Match", CG_TAGS_WEAK, problem);
}

static void start(struct cg_admin_call *call, int how) {
    struct cg_problem problem = {0};
    struct member_edit *own = calloc(1, sizeof *own);
    int err = own == NULL ? cg_problem_no_memory(&problem) : read_conditions(call, own, &problem);
    if (err < 0) {
        free(own);
        cg_admin_reply_problem(call, &problem);
        return;
    }
    own->edit.change.plan = plan;
    own->edit.change.place = CG_PLAN_ON_DISK;
    own->edit.reply = reply;
    own->edit.place_mistakes = place_mistakes;
    own->edit.free = free_edit;
    own->gateway = cg_admin_gateway(call);
    own->how = how;
    own->body = json_incref(call->body);
    snprintf(own->name, sizeof own->name, "%s", cg_admin_part(call, 0));
    call->left = cg_admin_edit_left;
    cg_admin_edit_start(&own->edit, call);
}

void cg_member_edit_put(struct cg_admin_call *call) { start(call, MEMBER_PUT); }
void cg_member_edit_patch(struct cg_admin_call *call) { start(call, MEMBER_PATCH); }
