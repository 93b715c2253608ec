/* Security groups below /admin/v1: what is asked of manage/groups.h, and what came of it. The hard thing: a member's
 * file is given once, so the answer that has it goes out as it is, and is kept nowhere. */
#include "manage/groups.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "fronts/admin/call.h"
#include "fronts/admin/condition.h"
#include "fronts/admin/items.h"
#include "fronts/admin/resources.h"
#include "settings/stored.h"

#define ROOT CG_ADMIN_ROOT "/security-groups/"

/* ---- Answers ---- */

static void reply_refusal(struct cg_admin_call *call, const struct cg_group_request *request) {
    char base[CG_NAME_MAX + sizeof "/security-groups/"];
    (void)snprintf(base, sizeof base, "/security-groups/%s", request->group);
    cg_admin_reply_mistakes(call, &request->problem, &request->mistakes, base, CG_SLICE_NONE);
}

static uint64_t revision_of(const json_t *view) {
    return (uint64_t)json_integer_value(json_object_get(view, "revision"));
}

static void reply_success(struct cg_admin_call *call, struct cg_group_request *request) {
    char location[sizeof ROOT + CG_NAME_MAX + sizeof "/members/" + CG_ID_HEX_MAX];
    bool is_dry = request->mode == CG_CHANGE_DRY;
    bool makes = request->wish == CG_GROUP_CREATE || (request->wish == CG_GROUP_PUT && request->is_new) ||
                 request->wish == CG_GROUP_JOIN;
    struct cg_admin_head head = {.status = makes && !is_dry ? 201 : 200, .etag = revision_of(request->answer)};
    if (request->answer == NULL) {
        cg_admin_reply_none(call);
        return;
    }
    const char *id = json_string_value(json_object_get(json_object_get(request->answer, "member"), "id"));
    (void)snprintf(location, sizeof location, ROOT "%s%s%s", request->group, id == NULL ? "" : "/members/",
                   id == NULL ? "" : id);
    if (head.status == 201) head.location = location;
    cg_admin_reply_json(call, &head, json_incref(request->answer));
}

static void on_done(struct cg_group_request *request) {
    struct cg_admin_call *call = request->ctx;
    if (call != NULL && request->err < 0) reply_refusal(call, request);
    if (call != NULL && request->err == CG_OK) reply_success(call, request);
    if (call != NULL) call->ctx = NULL;
    cg_group_request_free(request);
}

/* It goes its way: what is committed is committed. */
static void left(struct cg_admin_call *call) {
    struct cg_group_request *request = call->ctx;
    if (request != NULL) request->ctx = NULL;
}

/* ---- Questions ---- */

/* NULL: it is answered already. */
static struct cg_group_request *begin(struct cg_admin_call *call, enum cg_group_wish wish) {
    struct cg_problem problem = {0};
    struct cg_group_request *request = cg_group_request_new();
    int err = request == NULL ? cg_problem_no_memory(&problem) : cg_admin_mode(call, &request->mode, &problem);
    if (err < 0) {
        cg_group_request_free(request);
        cg_admin_reply_problem(call, &problem);
        return NULL;
    }
    request->wish = wish;
    request->author = cg_admin_author(call);
    request->operation = call->match.route->id;
    request->body = json_incref(call->body);
    request->done = on_done;
    request->ctx = call;
    call->ctx = request;
    if (wish != CG_GROUP_CREATE) (void)snprintf(request->group, sizeof request->group, "%s", cg_admin_part(call, 0));
    return request;
}

static void ask(struct cg_admin_call *call, struct cg_group_request *request) {
    if (request != NULL) cg_groups_ask(cg_admin_groups(call), request);
}

static void serve_post(struct cg_admin_call *call) { ask(call, begin(call, CG_GROUP_CREATE)); }
static void serve_join(struct cg_admin_call *call) { ask(call, begin(call, CG_GROUP_JOIN)); }
static void serve_prepare(struct cg_admin_call *call) { ask(call, begin(call, CG_GROUP_PREPARE)); }
static void serve_abandon(struct cg_admin_call *call) { ask(call, begin(call, CG_GROUP_ABANDON)); }
static void serve_activate(struct cg_admin_call *call) { ask(call, begin(call, CG_GROUP_ACTIVATE)); }

static void refuse(struct cg_admin_call *call, struct cg_group_request *request, const struct cg_problem *problem) {
    call->ctx = NULL;
    cg_group_request_free(request);
    cg_admin_reply_problem(call, problem);
}

/* Of a revision; 0: there is none. */
static int check_conditions(struct cg_admin_call *call, uint64_t revision, struct cg_problem *problem) {
    struct cg_condition if_match, if_none_match;
    const struct cg_http_message *message = cg_http_call_message(call->http);
    int err = cg_condition_of(&if_match, message, "If-Match", CG_TAGS_STRONG, problem);
    if (err == CG_OK) err = cg_condition_of(&if_none_match, message, "If-None-Match", CG_TAGS_WEAK, problem);
    return err == CG_OK ? cg_condition_check(&if_match, &if_none_match, revision, problem) : err;
}

/* A group that is there is changed by whoever says what it was. */
static void serve_matched(struct cg_admin_call *call, enum cg_group_wish wish) {
    struct cg_problem problem = {0};
    struct cg_group_request *request = begin(call, wish);
    if (request == NULL) return;
    const char *name = request->group;
    const struct cg_item *item = cg_manage_find(cg_admin_manage(call), CG_ITEM_SECURITY_GROUP, name);
    request->has_match = item != NULL;
    request->match = item == NULL ? 0 : item->revision;
    int err = item == NULL && cg_stored_is_of_file(cg_admin_config(call), CG_ITEM_SECURITY_GROUP, name)
                  ? cg_items_refuse_of_file(&problem, CG_ITEM_SECURITY_GROUP, name)
                  : check_conditions(call, request->match, &problem);
    if (err == CG_OK)
        ask(call, request);
    else
        refuse(call, request, &problem);
}

static void serve_put(struct cg_admin_call *call) { serve_matched(call, CG_GROUP_PUT); }
static void serve_patch(struct cg_admin_call *call) { serve_matched(call, CG_GROUP_PATCH); }
static void serve_delete(struct cg_admin_call *call) { serve_matched(call, CG_GROUP_DELETE); }

/* Who is to go needs no more than new keys that it does not get. */
static void serve_evict(struct cg_admin_call *call) {
    bool replaces = false;
    struct cg_problem problem = {0};
    if (cg_admin_query_bool(call, "replace", &replaces, &problem) < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    struct cg_group_request *request = begin(call, CG_GROUP_PREPARE);
    if (request == NULL) return;
    json_decref(request->body);
    request->body = json_pack("{s:[s],s:b}", "evict", cg_admin_part(call, 1), "replace", replaces);
    ask(call, request);
}

static int read_epoch(struct cg_admin_call *call, struct cg_group_request *request, struct cg_problem *problem) {
    char text[CG_ADMIN_QUERY_MAX];
    if (!cg_admin_query(call, "epoch", text)) return CG_OK;
    request->has_epoch = true;
    request->epoch = strcmp(text, "next") == 0 ? CG_KEYRING_NEXT : CG_KEYRING_CURRENT;
    if (request->epoch == CG_KEYRING_NEXT || strcmp(text, "current") == 0) return CG_OK;
    return cg_problem_set(problem, CG_E_BAD_REQUEST, "epoch must be current or next");
}

static void serve_file(struct cg_admin_call *call) {
    struct cg_problem problem = {.allow = CG_METHOD_BIT(CG_GET)};
    if (cg_slice_is(cg_http_call_message(call->http)->method, "HEAD")) {
        (void)cg_problem_set(&problem, CG_E_METHOD, "the file is given once, and HEAD would lose it");
        cg_admin_reply_problem(call, &problem);
        return;
    }
    struct cg_group_request *request = begin(call, CG_GROUP_FETCH);
    if (request == NULL) return;
    const char *id = cg_admin_part(call, 1);
    for (size_t i = 0; id[i] != '\0' && i + 1 < sizeof request->member; i++) request->member[i] = cg_ascii_lower(id[i]);
    if (read_epoch(call, request, &problem) == CG_OK) {
        ask(call, request);
        return;
    }
    refuse(call, request, &problem);
}

/* ---- Reading ---- */

static void serve_get(struct cg_admin_call *call) { ask(call, begin(call, CG_GROUP_READ)); }

/* Further pages of members: where they begin is a number, which others need not know. */
static json_t *next_members(const json_t *view, size_t from) {
    size_t seen = from + json_array_size(json_object_get(view, "members"));
    bool is_last = seen >= (size_t)json_integer_value(json_object_get(view, "member_count"));
    return is_last ? json_null() : json_sprintf("%zu", seen);
}

static void reply_members(struct cg_admin_call *call, const struct cg_group_request *request) {
    json_t *members = json_object_get(request->answer, "members");
    json_t *body = json_pack("{s:O,s:o}", "items", members, "next", next_members(request->answer, request->from));
    cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200}, body);
}

static void on_members(struct cg_group_request *request) {
    struct cg_admin_call *call = request->ctx;
    if (call != NULL && request->err < 0) reply_refusal(call, request);
    if (call != NULL && request->err == CG_OK) reply_members(call, request);
    if (call != NULL) call->ctx = NULL;
    cg_group_request_free(request);
}

static void serve_members(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    uint64_t from = 0;
    struct cg_group_request *request = begin(call, CG_GROUP_READ);
    if (request == NULL) return;
    request->done = on_members;
    if (cg_admin_query_number(call, "cursor", CG_KEYS_MEMBERS_MAX * 100, &from, &problem) < 0) {
        refuse(call, request, &problem);
        return;
    }
    request->from = (size_t)from;
    ask(call, request);
}

/* From the first name behind `after`; *more: one behind the last that is listed, or NULL. */
static json_t *list_groups(const struct cg_groups *groups, const char *after, size_t limit, const char **last) {
    json_t *items = json_array();
    const char *name = cg_groups_next(groups, after);
    int err;
    *last = NULL;
    for (size_t i = 0; i < limit && name != NULL; i++) {
        *last = name;
        if (json_array_append_new(items, cg_groups_view(groups, name, &err)) != 0) {
            json_decref(items);
            return NULL;
        }
        name = cg_groups_next(groups, name);
    }
    if (name == NULL) *last = NULL;
    return items;
}

/* The name of the last that was listed, which others need not know. */
static json_t *cursor_json(const char *name) {
    char text[(CG_NAME_MAX + 2) / 3 * 4 + 1];
    text[cg_base64url_emit(text, cg_slice_str(name))] = '\0';
    return json_string(text);
}

static void serve_list(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    char after[CG_NAME_MAX + 1] = "";
    const char *last;
    size_t limit;
    if (cg_admin_query_limit(call, &limit, &problem) < 0 ||
        cg_admin_query_cursor(call, after, sizeof after, &problem) < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    json_t *items = list_groups(cg_admin_groups(call), after, limit, &last);
    json_t *next = last == NULL ? json_null() : cursor_json(last);
    json_t *body = items == NULL ? NULL : json_pack("{s:o,s:o}", "items", items, "next", next);
    cg_admin_reply_json(call, &(struct cg_admin_head){.status = 200}, body);
}

/* ---- What there is ---- */

#define EPOCH                                                                                                          \
    "{'type': ['object', 'null'], 'readOnly': true, 'description': 'What is public of an epoch: gid, algorithms, the " \
    "gateway\\u2019s own sender_id, managed (whether all members\\u2019 keys are here), and numbers (state, used, "    \
    "of).'}"

static const struct cg_admin_schema schemas[] = {
    {"GroupMember",
     "{'type': 'object', 'required': ['credential', 'holds'], 'properties': {"
     "'id': {'type': 'string', 'description': 'Its Sender ID in hexadecimal.'}, 'name': {'type': 'string'},"
     "'address': {'type': 'string'}, 'multicast': {'const': false},"
     "'credential': {'type': 'string', 'description': 'SHA-256 of it.'},"
     "'holds': {'type': 'object', 'description': 'Of which epoch it is known to hold the keys.', 'properties': {"
     "'current': {'enum': ['proven', 'fetched', 'unknown']}, 'next': {'enum': ['proven', 'fetched', 'unknown']}}}}}"},
    {"GroupMemberList", CG_ADMIN_LIST_SCHEMA("GroupMember")},
    {"SecurityGroup",
     "{'type': 'object', 'required': ['name', 'source', 'state', 'reason', 'revision', 'changed', 'warm'],"
     "'properties': {'name': {'type': 'string'}, 'warm': {'type': 'boolean'},"
     "'keys': " EPOCH ", 'next': " EPOCH ","
     "'members': {'type': 'array', 'items': {'$ref': '#/components/schemas/GroupMember'}},"
     "'member_count': {'type': 'integer'}, 'pending': {'const': true}, 'group_manager': {'type': 'string'},"
     "'app_group': {'type': 'string'}, 'security_group': {'type': 'string'},"
     "'file': {'type': ['string', 'null']}, 'next_file': {'type': ['string', 'null']},"
     "'source': {'enum': ['stored', 'file']}, 'state': {'enum': ['in-use', 'shadowed', 'disabled']},"
     "'reason': {'type': ['string', 'null']}, 'revision': {'type': ['integer', 'null']},"
     "'changed': {'type': ['string', 'null'], 'format': 'date-time'}, 'changed_by': {'type': ['string', 'null']},"
     "'warnings': {'type': 'array', 'items': {'$ref': '#/components/schemas/Mistake'}}}}"},
    {"SecurityGroupList", CG_ADMIN_LIST_SCHEMA("SecurityGroup")},
    {"SecurityGroupNew",
     "{'type': 'object', 'description': 'A group whose keys are made here (members, algorithms as COSE numbers), or "
     "taken in (a security group file, flat, with never_sent: true), or have yet to come (pending: true).',"
     "'properties': {'name': {'type': 'string', 'pattern': '^[a-z0-9][a-z0-9._-]{0,63}$'},"
     "'members': {'type': ['array', 'integer']}, 'addresses': {'type': 'string'}, 'warm': {'type': 'boolean'},"
     "'alg_aead': {'type': ['integer', 'null']}, 'alg_group_enc': {'type': ['integer', 'null']},"
     "'alg_signature': {'type': ['integer', 'null']}, 'alg_pairwise_key_agreement': {'type': ['integer', 'null']},"
     "'hkdf': {'enum': ['sha256', 'sha512']}, 'countersign_elements': {'enum': [4, 5]},"
     "'member_peers': {'enum': ['all', 'gateway']}, 'common': {'type': 'object'}, 'self': {'type': 'object'},"
     "'peers': {'type': 'object'}, 'never_sent': {'type': 'boolean'}, 'pending': {'type': 'boolean'},"
     "'group_manager': {'type': 'string'}, 'app_group': {'type': 'string'},"
     "'security_group': {'type': 'string'}}}"},
    {"Joiner", "{'type': 'object', 'properties': {'name': {'type': 'string'}, 'address': {'type': ['string', 'null']},"
               "'multicast': {'type': 'boolean'}, 'rekey': {'type': 'boolean', 'default': true, 'description': 'Under "
               "new keys, so that it reads nothing of before.'}}}"},
    {"Joined", "{'type': 'object', 'required': ['member', 'epoch', 'file', 'next'], 'properties': {"
               "'member': {'type': 'object'}, 'epoch': {'enum': ['current', 'next']},"
               "'file': {'$ref': '#/components/schemas/KeyFile'}, 'next': {'type': 'string'}}}"},
    {"KeyFile", "{'type': 'object', 'description': 'A security group file, with secrets: it is given once.',"
                "'required': ['common', 'self', 'peers'], 'properties': {'common': {'type': 'object'},"
                "'self': {'type': 'object'}, 'peers': {'type': 'object'}}}"},
    {"Rekey", "{'type': 'object', 'properties': {'evict': {'type': 'array', 'items': {'type': 'string'}, 'maxItems': "
              "256}, 'new_sender_id': {'type': 'boolean'}, 'replace': {'type': 'boolean'},"
              "'common': {'type': 'object'}, 'self': {'type': 'object'}, 'peers': {'type': 'object'},"
              "'never_sent': {'type': 'boolean'}}}"},
    {"Activation", "{'type': 'object', 'properties': {'force': {'type': 'boolean'}}}"},
    {"RekeyStep", "{'type': 'object', 'required': ['group', 'next'], 'properties': {"
                  "'group': {'$ref': '#/components/schemas/SecurityGroup'}, 'next': {'type': 'string'},"
                  "'files': {'type': 'array', 'items': {'type': 'string'}}}}"},
    {"SecurityGroupPatch", "{'type': 'object', 'properties': {'warm': {'type': 'boolean'}}}"},
};

#define KEYS_MAX ((size_t)20 << 20) /* ten thousand members' */
#define ONE      "/security-groups/{name}"

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/security-groups",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .id = "security-groups.list",
     .says = "Security groups, without secrets.",
     .answer = "SecurityGroupList",
     .queries = "limit cursor",
     .status = 200},
    {.method = "POST",
     .path = "/security-groups",
     .role = CG_ROLE_ADMIN,
     .serve = serve_post,
     .left = left,
     .id = "security-groups.post",
     .says = "Makes a security group, takes one in, or notes one whose keys have yet to "
             "come.",
     .body = "SecurityGroupNew",
     .body_max = KEYS_MAX,
     .answer = "SecurityGroup",
     .queries = "dry_run",
     .status = 201,
     .others = {200, 409}},
    {.method = "GET",
     .path = ONE,
     .role = CG_ROLE_VIEWER,
     .serve = serve_get,
     .left = left,
     .id = "security-groups.get",
     .says = "A security group: what is public of its keys, its members, and who holds which epoch.",
     .answer = "SecurityGroup",
     .status = 200,
     .others = {404}},
    {.method = "PUT",
     .path = ONE,
     .role = CG_ROLE_ADMIN,
     .serve = serve_put,
     .left = left,
     .id = "security-groups.put",
     .says = "Makes one of that name, gives one its keys that has waited for them, or "
             "sets what may be changed.",
     .body = "SecurityGroupNew",
     .body_max = KEYS_MAX,
     .answer = "SecurityGroup",
     .queries = "dry_run",
     .status = 200,
     .others = {201, 409, 412, 428}},
    {.method = "PATCH",
     .path = ONE,
     .role = CG_ROLE_ADMIN,
     .serve = serve_patch,
     .left = left,
     .id = "security-groups.patch",
     .says = "Changes what may be changed of it.",
     .body = "SecurityGroupPatch",
     .answer = "SecurityGroup",
     .queries = "dry_run",
     .flags = CG_ROUTE_MERGE_PATCH,
     .status = 200,
     .others = {404, 409, 412, 428}},
    {.method = "DELETE",
     .path = ONE,
     .role = CG_ROLE_ADMIN,
     .serve = serve_delete,
     .left = left,
     .id = "security-groups.delete",
     .says = "Deletes it with its keys, for good.",
     .queries = "dry_run",
     .status = 204,
     .others = {200, 404, 409, 412, 428}},
    {.method = "GET",
     .path = ONE "/members",
     .role = CG_ROLE_VIEWER,
     .serve = serve_members,
     .left = left,
     .queries = "cursor",
     .id = "security-groups.members.list",
     .says = "Its members.",
     .answer = "GroupMemberList",
     .status = 200,
     .others = {404}},
    {.method = "POST",
     .path = ONE "/members",
     .role = CG_ROLE_ADMIN,
     .serve = serve_join,
     .left = left,
     .id = "security-groups.members.post",
     .says = "One more member; its file is in the answer, and given this once.",
     .body = "Joiner",
     .answer = "Joined",
     .queries = "dry_run",
     .status = 201,
     .others = {200, 404, 409}},
    {.method = "DELETE",
     .path = ONE "/members/{id}",
     .role = CG_ROLE_ADMIN,
     .serve = serve_evict,
     .left = left,
     .id = "security-groups.members.delete",
     .says = "Evicts a member: prepares keys that it does not get.",
     .answer = "RekeyStep",
     .queries = "dry_run replace",
     .status = 200,
     .others = {404, 409}},
    {.method = "GET",
     .path = ONE "/members/{id}/file",
     .role = CG_ROLE_ADMIN,
     .serve = serve_file,
     .left = left,
     .id = "security-groups.members.file",
     .says = "The member's file of the epoch (current or next; the prepared one, "
             "if there is one): once.",
     .answer = "KeyFile",
     .queries = "epoch",
     .status = 200,
     .others = {404, 409}},
    {.method = "POST",
     .path = ONE "/prepare-rekey",
     .role = CG_ROLE_ADMIN,
     .serve = serve_prepare,
     .left = left,
     .id = "security-groups.prepare-rekey",
     .says = "Makes the next keys, or takes them in: both are accepted from now "
             "on.",
     .body = "Rekey",
     .body_max = KEYS_MAX,
     .answer = "RekeyStep",
     .queries = "dry_run",
     .status = 200,
     .flags = CG_ROUTE_BODY_OPTIONAL,
     .others = {404, 409}},
    {.method = "DELETE",
     .path = ONE "/prepare-rekey",
     .role = CG_ROLE_ADMIN,
     .serve = serve_abandon,
     .left = left,
     .id = "security-groups.abandon-rekey",
     .says = "Gives up what is prepared.",
     .answer = "RekeyStep",
     .queries = "dry_run",
     .status = 200,
     .others = {404, 409}},
    {.method = "POST",
     .path = ONE "/activate",
     .role = CG_ROLE_ADMIN,
     .serve = serve_activate,
     .left = left,
     .id = "security-groups.activate",
     .says = "The prepared keys come into use, once all members are known to hold "
             "them.",
     .body = "Activation",
     .answer = "RekeyStep",
     .queries = "dry_run",
     .status = 200,
     .flags = CG_ROUTE_BODY_OPTIONAL,
     .others = {404, 409}},
};

const struct cg_admin_routes cg_routes_groups = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
