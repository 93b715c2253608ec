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
#include "fronts/admin/private.h"
#include "fronts/admin/resources.h"
#include "io/loop.h"
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
};

enum phase { IN_GROUPS, IN_MAPPINGS, IN_KNOWNS };

struct cg_member_page {
    struct cg_member_page *prev, *next;
    struct cg_admin_call *call;
    struct cg_config *config; /* a reference */
    char after[CG_ADDR_TEXT_MAX];
    size_t limit;
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

static bool look_at_group(struct cg_member_page *page, size_t *looks) {
    if (page->at == page->config->security_group_count) return false;
    const struct cg_security_keys *group = &page->config->security_groups[page->at];
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
    size_t count = mapping == NULL ? 0 : mapping->member_count;
    for (; page->member<count && * looks> 0; page->member++, --*looks) {
        struct row *row = add_configured(page, &mapping->members[page->member]);
        if (row != NULL) add_name(&row->mappings, &row->mapping_count, mapping->name);
    }
    if (page->member == count) page->at++, page->member = 0;
    if (*looks > 0) --*looks;
    return true;
}

static void put_heard(struct row *row, const struct cg_known *known, const struct cg_known_record *record) {
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
    cg_buf_printf(to, "],\"median_ms\":%" PRIu64 ",\"loss\":%.3f,\"requests\":%u,\"out_of_reach\":%s}",
                  cg_known_median_us(known) / 1000, (double)record->lost, record->casts,
                  cg_known_is_out_of_reach(known) ? "true" : "false");
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
    put_heard(row, known, &record);
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
    page->call->ctx = NULL;
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

static void reply(struct cg_member_pages *pages, struct cg_member_page *page) {
    struct cg_admin_call *call = page->call;
    struct cg_buf body;
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

static void serve_list(struct cg_admin_call *call) {
    struct cg_member_pages *pages = &call->admin->member_pages;
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
    page->call = call;
    call->ctx = page;
    page->config = cg_config_ref(cg_gateway_config(pages->gateway));
    cg_known_walk_begin(cg_gateway_knowns(pages->gateway), &page->walk);
    DL_APPEND(pages->all, page);
    CG_CHECK(uv_idle_start(&pages->turn, on_turn) == 0);
}

static void left_list(struct cg_admin_call *call) {
    if (call->ctx != NULL) free_page(&call->admin->member_pages, call->ctx);
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
    {"MemberList", CG_ADMIN_LIST_SCHEMA("Member")},
};

const struct cg_admin_routes cg_routes_members = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
