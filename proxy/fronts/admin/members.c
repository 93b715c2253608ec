/* Members by name. The hard thing: there is no list of them in that order, and what belongs to one is all over the
 * settings and what was heard; so a page keeps the first so many names behind its cursor, and goes through everything
 * once, a slice in each turn: what is pushed out of the page on the way cannot come back. */
#include "fronts/admin/members.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "base/calendar.h"
#include "base/check.h"
#include "base/container.h"
#include "base/text.h"
#include "fronts/admin/condition.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/member_edit.h"
#include "fronts/admin/private.h"
#include "fronts/admin/resources.h"
#include "io/loop.h"
#include "legs/protector.h"
#include "model/known.h"
#include "model/mapping.h"

enum {
    LOOKS_A_TURN = 2000, /* at members */
    LIMIT_MAX = 500,
    LISTED_MAX = 64, /* mappings of one member */
};

struct row {
    char name[CG_ADDR_TEXT_MAX];
    char address[CG_ADDR_TEXT_MAX]; /* configured; "": none */
    bool is_configured;
    struct cg_buf mappings, groups, heard; /* JSON, each item behind a comma */
    unsigned mapping_count, group_count, heard_count;
    int64_t last_us; /* monotonic; INT64_MIN: never */
    uint64_t tags;   /* of one that is shown alone: cg_member_revision */
};

enum phase { IN_GROUPS, IN_MAPPINGS, IN_KNOWNS };

struct cg_member_page {
    struct cg_member_page *prev, *next;
    struct cg_admin_call *call;
    struct cg_config *config; /* a reference */
    char after[CG_ADDR_TEXT_MAX];
    size_t limit;
    bool is_alone; /* one member, not a page: */
    char name[CG_ADDR_TEXT_MAX];
    uint16_t status; /* of the reply that shows it; 0: 200, where there is one */
    enum cg_member_place place;
    struct cg_condition if_none_match;
    enum phase phase;
    size_t at, member; /* of the group or mapping that is looked at */
    struct cg_known_walk walk;
    bool walks;
    bool failed; /* no memory */
    size_t count;
    struct row *rows[LIMIT_MAX + 1]; /* ascending */
};

/* ---- The page ---- */

static void free_row(struct row *row) {
    cg_buf_fini(&row->mappings);
    cg_buf_fini(&row->groups);
    cg_buf_fini(&row->heard);
    free(row);
}

static struct row *new_row(const char *name) {
    struct row *row = calloc(1, sizeof *row);
    if (row == NULL) return NULL;
    snprintf(row->name, sizeof row->name, "%s", name);
    row->last_us = INT64_MIN;
    cg_buf_init(&row->mappings, 0);
    cg_buf_init(&row->groups, 0);
    cg_buf_init(&row->heard, 0);
    return row;
}

/* The first place whose name is not below that one. */
static size_t place_of(const struct cg_member_page *page, const char *name) {
    size_t low = 0, high = page->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(page->rows[middle]->name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct row *insert(struct cg_member_page *page, size_t place, const char *name) {
    struct row *row = new_row(name);
    if (row == NULL) {
        page->failed = true;
        return NULL;
    }
    if (page->count == page->limit + 1) free_row(page->rows[--page->count]);
    memmove(&page->rows[place + 1], &page->rows[place], (page->count - place) * sizeof(struct row *));
    page->rows[place] = row;
    page->count++;
    return row;
}

/* NULL: it is not on this page. One more is kept than is shown, so that it is known whether there is a next page. */
static struct row *row_of(struct cg_member_page *page, const char *name) {
    if (page->is_alone && strcmp(name, page->name) != 0) return NULL;
    if (strcmp(name, page->after) <= 0) return NULL;
    size_t place = place_of(page, name);
    if (place < page->count && strcmp(page->rows[place]->name, name) == 0) return page->rows[place];
    return place == page->limit + 1 ? NULL : insert(page, place, name);
}

static void add_name(struct cg_buf *to, unsigned *count, const char *name) {
    if (*count >= LISTED_MAX) return;
    if ((*count)++ > 0) cg_buf_put_u8(to, ',');
    cg_buf_put_json(to, cg_slice_str(name));
}

static struct row *add_configured(struct cg_member_page *page, const struct cg_member *member) {
    struct row *row = row_of(page, member->name);
    if (row == NULL) return NULL;
    row->is_configured = true;
    if (member->addr.family != CG_FAMILY_NONE && row->address[0] == '\0') cg_addr_emit(&member->addr, row->address);
    return row;
}

/* ---- What there is, in slices ---- */

/* Where there are very many in a list, one of them is not looked for. */
static void note_one(struct cg_member_page *page, const char *collection, const char *where,
                     const struct cg_member *member) {
    struct row *row = member == NULL ? NULL : add_configured(page, member);
    if (row == NULL) return;
    row->tags += cg_member_tag(collection, where, member);
    if (page->phase == IN_GROUPS) {
        add_name(&row->groups, &row->group_count, where);
    } else {
        add_name(&row->mappings, &row->mapping_count, where);
    }
}

static bool look_at_group(struct cg_member_page *page, size_t *looks) {
    if (page->at == page->config->security_group_count) return false;
    const struct cg_security_keys *group = &page->config->security_groups[page->at];
    if (page->is_alone) {
        note_one(page, "security-groups", group->name, cg_members_named(&group->members, cg_slice_str(page->name)));
        page->at++;
        --*looks;
        return true;
    }
    for (; page->member<group->members.count && * looks> 0; page->member++, --*looks) {
        struct row *row = add_configured(page, &group->members.list[page->member]);
        if (row != NULL) add_name(&row->groups, &row->group_count, group->name);
    }
    if (page->member == group->members.count) page->at++, page->member = 0;
    return true;
}

static bool look_at_mapping(struct cg_member_page *page, size_t *looks) {
    if (page->at == page->config->mapping_count) return false;
    const struct cg_mapping *mapping = cg_config_mapping(page->config, (uint32_t)page->at);
    size_t count = mapping == NULL || page->is_alone ? 0 : mapping->member_count;
    if (page->is_alone && mapping != NULL)
        note_one(page, "mappings", mapping->name, cg_mapping_member(mapping, cg_slice_str(page->name)));
    for (; page->member<count && * looks> 0; page->member++, --*looks) {
        struct row *row = add_configured(page, &mapping->members[page->member]);
        if (row != NULL) add_name(&row->mappings, &row->mapping_count, mapping->name);
    }
    if (page->member == count) page->at++, page->member = 0;
    if (*looks > 0) --*looks;
    return true;
}

/* It has yet to take what is sent with its group's key in use. */
static bool is_cold(const struct cg_member_page *page, const struct cg_known_record *record) {
    const struct cg_mapping *mapping = cg_mapping_by_name(page->config, record->mapping);
    const struct cg_slice identity = cg_slice_of(record->identity, record->identity_len);
    return mapping != NULL && cg_protector_is_cold(mapping->protector, identity);
}

static void put_heard(const struct cg_member_page *page, struct row *row, const struct cg_known *known,
                      const struct cg_known_record *record) {
    char text[CG_ADDR_TEXT_MAX];
    struct cg_buf *to = &row->heard;
    if (row->heard_count >= LISTED_MAX) return;
    if (row->heard_count++ > 0) cg_buf_put_u8(to, ',');
    cg_buf_put_str(to, "{\"mapping\":");
    cg_buf_put_json(to, cg_slice_str(record->mapping));
    cg_buf_put_str(to, ",\"kid\":\"");
    cg_buf_put_hex(to, cg_slice_of(record->kid, record->kid_len));
    cg_buf_put_str(to, "\",\"addresses\":[");
    for (unsigned i = 0; i < record->addr_count; i++) {
        cg_addr_emit(&record->addrs[i], text);
        cg_buf_printf(to, "%s\"%s\"", i > 0 ? "," : "", text);
    }
    cg_buf_printf(to, "],\"median_ms\":%" PRIu64 ",\"p99_ms\":%" PRIu64 ",\"loss\":%.3f,\"requests\":%u",
                  cg_known_median_us(known) / 1000, cg_known_p99_us(known) / 1000, (double)record->lost, record->casts);
    cg_buf_printf(to, ",\"out_of_reach\":%s,\"cold\":%s}", cg_known_is_out_of_reach(known) ? "true" : "false",
                  is_cold(page, record) ? "true" : "false");
}

/* What a mapping hides of its members, or one that is gone has hidden, is hidden here, too. */
static bool is_hidden(const struct cg_member_page *page, const char *mapping_name) {
    const struct cg_mapping *mapping = cg_mapping_by_name(page->config, mapping_name);
    return mapping == NULL || mapping->anonymise;
}

static bool look_at_known(struct cg_member_page *page, size_t *looks) {
    struct cg_known_record record;
    char name[CG_ADDR_TEXT_MAX];
    const struct cg_known *known = cg_known_walk_next(&page->walk);
    if (known == NULL) return false;
    *looks -= *looks > 8 ? 8 : *looks; /* it costs more than one in the settings */
    cg_known_record(known, &record);
    if (is_hidden(page, record.mapping)) return true;
    cg_known_shown(&record, name);
    struct row *row = row_of(page, name);
    if (row == NULL) return true;
    put_heard(page, row, known, &record);
    if (record.last_us > row->last_us) row->last_us = record.last_us;
    return true;
}

/* False: that was all. */
static bool look(struct cg_member_page *page) {
    static bool (*const looks_at[])(struct cg_member_page * page, size_t * looks) = {look_at_group, look_at_mapping,
                                                                                     look_at_known};
    for (size_t looks = LOOKS_A_TURN; looks > 0 && !page->failed;) {
        if (looks_at[page->phase](page, &looks)) continue;
        if (page->phase == IN_KNOWNS) return false;
        page->phase++;
        page->at = page->member = 0;
    }
    return !page->failed;
}

/* ---- Its document ---- */

static void put_text(struct cg_buf *to, const char *key, const char *text) {
    cg_buf_printf(to, ",\"%s\":", key);
    if (text[0] == '\0') {
        cg_buf_put_str(to, "null");
    } else {
        cg_buf_put_json(to, cg_slice_str(text));
    }
}

static void put_list(struct cg_buf *to, const char *key, const struct cg_buf *items) {
    cg_buf_printf(to, ",\"%s\":[", key);
    cg_buf_put_slice(to, cg_buf_slice(items));
    cg_buf_put_u8(to, ']');
    to->failed |= items->failed;
}

static void put_row(struct cg_buf *to, const struct row *row) {
    char seen[CG_CALENDAR_MAX] = "";
    if (row->last_us != INT64_MIN)
        cg_calendar_emit_s(seen, (int64_t)time(NULL) - ((int64_t)cg_loop_now_us() - row->last_us) / 1000000);
    cg_buf_put_str(to, "{\"name\":");
    cg_buf_put_json(to, cg_slice_str(row->name));
    cg_buf_printf(to, ",\"configured\":%s", row->is_configured ? "true" : "false");
    put_text(to, "address", row->address);
    put_text(to, "last_seen", seen);
    put_list(to, "security_groups", &row->groups);
    put_list(to, "mappings", &row->mappings);
    put_list(to, "heard", &row->heard);
    cg_buf_put_u8(to, '}');
}

static void put_next(struct cg_buf *to, const struct cg_member_page *page) {
    cg_buf_put_str(to, "],\"next\":");
    if (page->count <= page->limit) {
        cg_buf_put_str(to, "null}\n");
        return;
    }
    cg_buf_put_u8(to, '"');
    cg_buf_put_base64url(to, cg_slice_str(page->rows[page->limit - 1]->name));
    cg_buf_put_str(to, "\"}\n");
}

static void free_page(struct cg_member_pages *pages, struct cg_member_page *page) {
    DL_DELETE(pages->all, page);
    if (!page->is_alone) page->call->ctx = NULL;
    cg_known_walk_end(cg_gateway_knowns(pages->gateway), &page->walk);
    for (size_t i = 0; i < page->count; i++) free_row(page->rows[i]);
    cg_config_unref(page->config);
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

static void reply_alone(struct cg_admin_call *call, const struct cg_member_page *page, const struct row *row) {
    struct cg_buf body, location;
    const uint64_t revision = cg_member_revision(row->tags);
    struct cg_admin_head head = {.status = page->status == 0 ? 200 : page->status, .etag = revision};
    if (page->status == 0 && cg_condition_has(&page->if_none_match, revision)) {
        cg_admin_reply_unchanged(call, revision);
        return;
    }
    cg_buf_init(&body, 0);
    cg_buf_init(&location, 0);
    put_row(&body, row);
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
    struct row *row = page->count > 0 ? page->rows[0] : page->status != 0 ? insert(page, 0, page->name) : NULL;
    if (page->failed) {
        reply_no_memory(call);
    } else if (row == NULL) {
        cg_problem_set(&problem, CG_E_NOT_FOUND, "nothing is configured, and nothing was heard of \"%s\"", page->name);
        cg_admin_reply_problem(call, &problem);
    } else {
        reply_alone(call, page, row);
    }
}

static void reply(struct cg_member_pages *pages, struct cg_member_page *page) {
    struct cg_admin_call *call = page->call;
    struct cg_buf body;
    if (page->is_alone) {
        page->call->ctx = NULL;
        reply_one(call, page);
        free_page(pages, page);
        return;
    }
    if (page->failed) {
        free_page(pages, page);
        reply_no_memory(call);
        return;
    }
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, "{\"items\":[");
    for (size_t i = 0; i < page->count && i < page->limit; i++) {
        if (i > 0) cg_buf_put_u8(&body, ',');
        put_row(&body, page->rows[i]);
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
    if (!look(page)) reply(pages, page);
}

/* ---- Asking ---- */

static void left_list(struct cg_admin_call *call) {
    if (call->ctx != NULL) free_page(&call->admin->member_pages, call->ctx);
}

static int read_page(struct cg_admin_call *call, struct cg_member_page *page, struct cg_problem *problem) {
    char cursor[CG_ADMIN_QUERY_MAX];
    size_t len = 0;
    int err = cg_admin_query_limit(call, &page->limit, problem);
    if (err < 0) return err;
    if (page->limit > LIMIT_MAX) page->limit = LIMIT_MAX;
    if (!cg_admin_query(call, "cursor", cursor)) return CG_OK;
    if (cg_base64url_parse(cg_slice_str(cursor), (uint8_t *)page->after, sizeof page->after - 1, &len) == CG_OK &&
        memchr(page->after, '\0', len) == NULL)
        return CG_OK;
    return cg_problem_set(problem, CG_E_BAD_REQUEST, "cursor must be what \"next\" of the page before has said");
}

static void begin(struct cg_admin_call *call, struct cg_member_page *page) {
    struct cg_member_pages *pages = &call->admin->member_pages;
    page->call = call;
    call->ctx = page;
    page->config = cg_config_ref(cg_gateway_config(pages->gateway));
    cg_known_walk_begin(cg_gateway_knowns(pages->gateway), &page->walk);
    DL_APPEND(pages->all, page);
    CG_CHECK(uv_idle_start(&pages->turn, on_turn) == 0);
}

static struct cg_member_page *new_page_of_one(const char *name) {
    struct cg_member_page *page = calloc(1, sizeof *page);
    if (page == NULL) return NULL;
    page->is_alone = true;
    page->limit = 1;
    snprintf(page->name, sizeof page->name, "%s", name);
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
               "'last_seen', 'security_groups', 'mappings', 'heard'], 'properties': {'name': {'type': 'string'},"
               "'configured': {'type': 'boolean'}, 'address': {'type': ['string', 'null']},"
               "'last_seen': {'type': ['string', 'null'], 'format': 'date-time'},"
               "'security_groups': {'type': 'array', 'items': {'type': 'string'}},"
               "'mappings': {'type': 'array', 'items': {'type': 'string'}},"
               "'heard': {'type': 'array', 'description': 'By mapping whose request it has answered.',"
               " 'items': {'type': 'object'}}}}"},
    {"MemberEdit",
     "{'type': 'object', 'additionalProperties': false, 'properties': {'name': {'type': 'string'},"
     "'address': {'type': ['string', 'null'], 'description': 'null: as it is.'},"
     "'mappings': {'type': ['array', 'null'], 'maxItems': 1000, 'items': {'type': 'string'},"
     "'description': 'All that expect it, of those in use.'},"
     "'configured': {'readOnly': true}, 'last_seen': {'readOnly': true}, 'security_groups': {'readOnly': true},"
     "'heard': {'readOnly': true}}}"},
    {"MemberList", CG_ADMIN_LIST_SCHEMA("Member")},
};

const struct cg_admin_routes cg_routes_members = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
