/* The members' resources. The hard thing: a page is made over many turns of the loop, by turns with others
 * (member_roll.h has the slices), and its client may leave meanwhile. */
#include "fronts/admin/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/check.h"
#include "base/container.h"
#include "base/text.h"
#include "fronts/admin/condition.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/member_edit.h"
#include "fronts/admin/member_roll.h"
#include "fronts/admin/private.h"
#include "fronts/admin/resources.h"

struct cg_member_page {
    struct cg_member_page *prev, *next;
    struct cg_admin_call *call;
    struct cg_member_roll roll;
    uint16_t status; /* of the reply that shows it; 0: 200, where there is one */
    enum cg_member_place place;
    struct cg_condition if_none_match;
};

/* ---- Its document ---- */

static void put_next(struct cg_buf *to, const struct cg_member_page *page) {
    cg_buf_put_str(to, "],\"next\":");
    if (page->roll.count <= page->roll.limit) {
        cg_buf_put_str(to, "null}\n");
        return;
    }
    cg_buf_put_u8(to, '"');
    cg_buf_put_base64url(to, cg_slice_str(page->roll.rows[page->roll.limit - 1]->name));
    cg_buf_put_str(to, "\"}\n");
}

static void free_page(struct cg_member_pages *pages, struct cg_member_page *page) {
    DL_DELETE(pages->all, page);
    if (!page->roll.is_alone) page->call->ctx = NULL;
    cg_member_roll_end(&page->roll);
    free(page);
}

static void reply_no_memory(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    cg_problem_no_memory(&problem);
    cg_admin_reply_problem(call, &problem);
}

/* Below CG_ADMIN_ROOT, as it may stand in a path (RFC 3986 §3.3). */
static void put_location(struct cg_buf *to, const char *name) {
    cg_buf_put_str(to, CG_ADMIN_ROOT "/members/");
    for (const uint8_t *at = (const uint8_t *)name; *at != '\0'; at++) {
        bool is_safe = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9') || strchr(".-_:", *at) != NULL;
        cg_buf_printf(to, is_safe ? "%c" : "%%%02X", *at);
    }
    cg_buf_put_u8(to, '\0');
}

static void reply_alone(struct cg_admin_call *call, const struct cg_member_page *page,
                        const struct cg_member_row *row) {
    struct cg_buf body, location;
    const uint64_t revision = cg_member_revision(row->tags);
    struct cg_admin_head head = {.status = page->status == 0 ? 200 : page->status, .etag = revision};
    if (page->status == 0 && cg_condition_has(&page->if_none_match, revision)) {
        cg_admin_reply_unchanged(call, revision);
        return;
    }
    cg_buf_init(&body, 0);
    cg_buf_init(&location, 0);
    cg_member_row_put(&body, row);
    cg_buf_put_u8(&body, '\n');
    put_location(&location, row->name);
    body.failed |= location.failed;
    if (page->place == CG_MEMBER_LOCATED && !location.failed) head.location = (const char *)location.data;
    cg_admin_reply_bytes(call, &head, &body);
    cg_buf_fini(&location);
}

/* One whose last place has just been taken from it is shown without any. */
static void reply_one(struct cg_admin_call *call, struct cg_member_page *page) {
    struct cg_problem problem = {0};
    const struct cg_member_row *row =
        cg_member_roll_one(&page->roll, page->status != 0 ? CG_MEMBER_ANYWAY : CG_MEMBER_IF_THERE);
    if (page->roll.failed) {
        reply_no_memory(call);
    } else if (row == NULL) {
        cg_problem_set(&problem, CG_E_NOT_FOUND, "nothing is configured, and nothing was heard of \"%s\"",
                       page->roll.name);
        cg_admin_reply_problem(call, &problem);
    } else {
        reply_alone(call, page, row);
    }
}

static void reply(struct cg_member_pages *pages, struct cg_member_page *page) {
    struct cg_admin_call *call = page->call;
    struct cg_buf body;
    if (page->roll.is_alone) {
        page->call->ctx = NULL;
        reply_one(call, page);
        free_page(pages, page);
        return;
    }
    if (page->roll.failed) {
        free_page(pages, page);
        reply_no_memory(call);
        return;
    }
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, "{\"items\":[");
    for (size_t i = 0; i < page->roll.count && i < page->roll.limit; i++) {
        if (i > 0) cg_buf_put_u8(&body, ',');
        cg_member_row_put(&body, page->roll.rows[i]);
    }
    put_next(&body, page);
    free_page(pages, page);
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

static void on_turn(uv_idle_t *turn) {
    struct cg_member_pages *pages = turn->data;
    struct cg_member_page *page = pages->all;
    if (page == NULL) {
        CG_CHECK(uv_idle_stop(turn) == 0);
        return;
    }
    DL_DELETE(pages->all, page);
    DL_APPEND(pages->all, page);
    if (!cg_member_roll_look(&page->roll)) reply(pages, page);
}

/* ---- Asking ---- */

static void left_list(struct cg_admin_call *call) {
    if (call->ctx != NULL) free_page(&call->admin->member_pages, call->ctx);
}

static int read_page(struct cg_admin_call *call, struct cg_member_page *page, struct cg_problem *problem) {
    int err = cg_admin_query_limit(call, &page->roll.limit, problem);
    if (err < 0) return err;
    if (page->roll.limit > CG_MEMBER_ROLL_MAX) page->roll.limit = CG_MEMBER_ROLL_MAX;
    return cg_admin_query_cursor(call, page->roll.after, sizeof page->roll.after, problem);
}

static void begin(struct cg_admin_call *call, struct cg_member_page *page) {
    struct cg_member_pages *pages = &call->admin->member_pages;
    page->call = call;
    call->ctx = page;
    cg_member_roll_begin(&page->roll, pages->gateway);
    DL_APPEND(pages->all, page);
    CG_CHECK(uv_idle_start(&pages->turn, on_turn) == 0);
}

static struct cg_member_page *new_page_of_one(const char *name) {
    struct cg_member_page *page = calloc(1, sizeof *page);
    if (page == NULL) return NULL;
    page->roll.is_alone = true;
    page->roll.limit = 1;
    snprintf(page->roll.name, sizeof page->roll.name, "%s", name);
    return page;
}

void cg_member_show(struct cg_admin_call *call, const char *name, uint16_t status, enum cg_member_place place) {
    struct cg_member_page *page = new_page_of_one(name);
    if (page == NULL) {
        reply_no_memory(call);
        return;
    }
    page->status = status;
    page->place = place;
    call->left = left_list;
    begin(call, page);
}

static void serve_get(struct cg_admin_call *call) {
    struct cg_member_page *page = new_page_of_one(cg_admin_part(call, 0));
    struct cg_problem problem = {0};
    int err = page == NULL ? cg_problem_no_memory(&problem)
                           : cg_condition_of(&page->if_none_match, cg_http_call_message(call->http), "If-None-Match",
                                             CG_TAGS_WEAK, &problem);
    if (err == CG_OK) {
        begin(call, page);
        return;
    }
    free(page);
    cg_admin_reply_problem(call, &problem);
}

static void serve_list(struct cg_admin_call *call) {
    struct cg_member_page *page = calloc(1, sizeof *page);
    struct cg_problem problem = {0};
    if (page == NULL) {
        reply_no_memory(call);
        return;
    }
    if (read_page(call, page, &problem) < 0) {
        free(page);
        cg_admin_reply_problem(call, &problem);
        return;
    }
    begin(call, page);
}

/* ---- Forgetting ---- */

struct forgetting {
    struct cg_admin_forget wish;
    struct cg_admin_call *call; /* NULL: its client has left */
};

static void on_forgotten(struct cg_admin_forget *wish, int err, const struct cg_problem *problem) {
    struct forgetting *forgetting = CG_CONTAINER(wish, struct forgetting, wish);
    struct cg_problem none = {0};
    if (forgetting->call != NULL && err < 0) {
        cg_admin_reply_problem(forgetting->call, problem);
    } else if (forgetting->call != NULL && wish->forgotten == 0) {
        cg_problem_set(&none, CG_E_NOT_FOUND, "nothing was heard of \"%s\"", wish->name);
        cg_admin_reply_problem(forgetting->call, &none);
    } else if (forgetting->call != NULL) {
        struct cg_author author = cg_admin_author(forgetting->call);
        if (cg_admin_manage(forgetting->call) != NULL)
            cg_manage_note(cg_admin_manage(forgetting->call), &author, "members.delete", wish->name, "done", "");
        cg_admin_reply_none(forgetting->call);
    }
    free(forgetting);
}

static void serve_delete(struct cg_admin_call *call) {
    const struct cg_admin_source *source = &call->admin->source;
    struct forgetting *forgetting = source->forget == NULL ? NULL : calloc(1, sizeof *forgetting);
    if (forgetting == NULL) {
        reply_no_memory(call);
        return;
    }
    snprintf(forgetting->wish.name, sizeof forgetting->wish.name, "%s", cg_admin_part(call, 0));
    forgetting->wish.done = on_forgotten;
    forgetting->call = call;
    call->ctx = forgetting;
    source->forget(source->ctx, &forgetting->wish);
}

static void left_delete(struct cg_admin_call *call) {
    struct forgetting *forgetting = call->ctx;
    if (forgetting != NULL) forgetting->call = NULL;
}

/* ---- Opening and closing ---- */

void cg_member_pages_open(struct cg_member_pages *pages, uv_loop_t *uv, struct cg_gateway *gateway) {
    *pages = (struct cg_member_pages){.gateway = gateway};
    CG_CHECK(uv_idle_init(uv, &pages->turn) == 0);
    pages->turn.data = pages;
}

static void on_turn_closed(uv_handle_t *handle) {
    struct cg_member_pages *pages = handle->data;
    pages->on_closed(pages->ctx);
}

void cg_member_pages_close(struct cg_member_pages *pages, void (*on_closed)(void *ctx), void *ctx) {
    CG_CHECK(pages->all == NULL);
    pages->on_closed = on_closed;
    pages->ctx = ctx;
    uv_close((uv_handle_t *)&pages->turn, on_turn_closed);
}

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/members",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .left = left_list,
     .id = "members.list",
     .says =
         "The members by name: configured ones and such as were heard, with where they are and what they belong to. "
         "What a mapping hides (anonymise) of who was heard is not shown.",
     .answer = "MemberList",
     .queries = "limit cursor",
     .status = 200},
    {.method = "GET",
     .path = "/members/{member}",
     .role = CG_ROLE_VIEWER,
     .serve = serve_get,
     .left = left_list,
     .id = "members.get",
     .says = "One member. Its ETag changes with what is configured of it; without that it has none.",
     .answer = "Member",
     .status = 200,
     .others = {304, 404}},
    {.method = "PUT",
     .path = "/members/{member}",
     .role = CG_ROLE_ADMIN,
     .serve = cg_member_edit_put,
     .left = cg_admin_edit_left,
     .id = "members.put",
     .says = "Says which mappings expect it, and where it is: their lists of members change as one revision. Those of "
             "security groups and of the settings file are changed there.",
     .body = "MemberEdit",
     .answer = "Member",
     .queries = "dry_run",
     .status = 200,
     .others = {201, 409, 412, 428}},
    {.method = "PATCH",
     .path = "/members/{member}",
     .role = CG_ROLE_ADMIN,
     .serve = cg_member_edit_patch,
     .left = cg_admin_edit_left,
     .id = "members.patch",
     .says = "Changes its name, its address or which mappings expect it.",
     .body = "MemberEdit",
     .answer = "Member",
     .queries = "dry_run",
     .flags = CG_ROUTE_MERGE_PATCH,
     .status = 200,
     .others = {404, 409, 412, 428}},
    {.method = "DELETE",
     .path = "/members/{member}",
     .role = CG_ROLE_ADMIN,
     .serve = serve_delete,
     .left = left_delete,
     .id = "members.delete",
     .says = "Forgets what was heard of it, in memory and on the disk. What is configured stays.",
     .status = 204,
     .others = {404}},
};

static const struct cg_admin_schema schemas[] = {
    {"Member", "{'type': 'object', 'additionalProperties': false, 'required': ['name', 'configured', 'address', "
               "'last_seen', 'security_groups', 'mappings', 'warmth', 'heard'], 'properties': {"
               "'name': {'type': 'string'},"
               "'configured': {'type': 'boolean'}, 'address': {'type': ['string', 'null']},"
               "'last_seen': {'type': ['string', 'null'], 'format': 'date-time'},"
               "'security_groups': {'type': 'array', 'items': {'type': 'string'}},"
               "'mappings': {'type': 'array', 'items': {'type': 'string'}},"
               "'warmth': {'type': 'object', 'description': 'By protected mapping that expects it. cold: it has yet to "
               "take what is sent with the key in use, and may first ask whether that is fresh (Echo).',"
               " 'additionalProperties': {'enum': ['cold', 'warm']}},"
               "'heard': {'type': 'array', 'description': 'By mapping whose request it has answered.',"
               " 'items': {'$ref': '#/components/schemas/MemberHeard'}}}}"},
    {"MemberHeard",
     "{'type': 'object', 'additionalProperties': false, 'required': ['mapping', 'kid', 'addresses', 'median_ms', "
     "'p99_ms', 'loss', 'requests', 'out_of_reach'], 'properties': {'mapping': {'type': 'string'},"
     "'kid': {'type': 'string', 'description': 'Hexadecimal.'},"
     "'addresses': {'type': 'array', 'items': {'type': 'string'}, 'description': 'The latest first.'},"
     "'median_ms': {'type': 'integer', 'description': 'Of its latest answer times to group requests; 0: none yet.'},"
     "'p99_ms': {'type': 'integer', 'description': 'Within which 99 of 100 of them were.'},"
     "'loss': {'type': 'number', 'minimum': 0, 'maximum': 1, 'description': 'Share of group requests lost.'},"
     "'requests': {'type': 'integer', 'description': 'That this share is over, 255 at the most.'},"
     "'out_of_reach': {'type': 'boolean', 'description': 'Multicast does not get there: it is asked by unicast.'}}}"},
    {"MemberEdit",
     "{'type': 'object', 'additionalProperties': false, 'properties': {'name': {'type': 'string'},"
     "'address': {'type': ['string', 'null'], 'description': 'null: as it is.'},"
     "'mappings': {'type': ['array', 'null'], 'maxItems': 1000, 'items': {'type': 'string'},"
     "'description': 'All that expect it, of those in use.'},"
     "'configured': {'readOnly': true}, 'last_seen': {'readOnly': true}, 'security_groups': {'readOnly': true},"
     "'warmth': {'readOnly': true}, 'heard': {'readOnly': true}}}"},
    {"MemberList", CG_ADMIN_LIST_SCHEMA("Member")},
};

const struct cg_admin_routes cg_routes_members = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
