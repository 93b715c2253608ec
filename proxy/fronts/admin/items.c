/* The collections: lists, and items that are read, made, replaced, patched and deleted. The hard thing is two editors:
 * what a request says about what is there (If-Match, a merge patch) is looked at when its turn has come, by the write
 * path, and not when it is read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/text.h"
#include "fronts/admin/condition.h"
#include "fronts/admin/edit.h"
#include "fronts/admin/items.h"
#include "fronts/admin/merge.h"
#include "fronts/admin/resources.h"
#include "fronts/admin/shown.h"
#include "settings/stored.h"

enum {
    PAGE_BYTES = 256 << 10, /* a page ends early beyond: no turn of the loop is long */
    CURSOR_MAX = CG_NAME_MAX + 2,
    FILE_NAMES = 256, /* that are looked up at once */
};

static enum cg_item_kind kind_of(const struct cg_admin_call *call) {
    return (enum cg_item_kind)call->match.route->about;
}

/* ---- Lists ---- */

/* Where a page begins: behind that name, or behind the file's item of that name, where the stored one comes next. */
struct place {
    char name[CG_NAME_MAX + 1];
    bool is_of_file;
};

static int parse_cursor(const struct cg_admin_call *call, struct place *place, struct cg_problem *problem) {
    char text[CURSOR_MAX];
    *place = (struct place){0};
    int err = cg_admin_query_cursor(call, text, sizeof text, problem);
    if (err < 0 || text[0] == '\0') return err;
    if ((text[0] != 'f' && text[0] != 's') || text[1] == '\0') return cg_admin_refuse_cursor(problem);
    memcpy(place->name, text + 1, strlen(text));
    place->is_of_file = text[0] == 'f';
    return CG_OK;
}

static void put_cursor(struct cg_buf *to, const struct place *place) {
    uint8_t bytes[CURSOR_MAX];
    size_t len = strlen(place->name);
    bytes[0] = place->is_of_file ? 'f' : 's';
    memcpy(bytes + 1, place->name, len);
    cg_buf_put_u8(to, '"');
    cg_buf_put_base64url(to, cg_slice_of(bytes, len + 1));
    cg_buf_put_u8(to, '"');
}

struct page {
    const struct cg_manage *manage;
    const struct cg_config *config;
    enum cg_item_kind kind;
    size_t limit, count;
    struct place at; /* the latest that was put */
    const char *of_file[FILE_NAMES];
    size_t of_file_count, of_file_at;
    struct cg_buf *to;
};

static const struct cg_item *next_stored(const struct page *page) {
    const struct cg_item *same = page->at.is_of_file ? cg_manage_find(page->manage, page->kind, page->at.name) : NULL;
    return same != NULL ? same : cg_manage_next(page->manage, page->kind, page->at.name);
}

static const char *next_of_file(struct page *page) {
    if (page->of_file_at == page->of_file_count && page->of_file_count == FILE_NAMES) {
        page->of_file_at = 0;
        page->of_file_count =
            cg_shown_names_of_file(page->config, page->kind, page->of_file[FILE_NAMES - 1], page->of_file, FILE_NAMES);
    }
    return page->of_file_at < page->of_file_count ? page->of_file[page->of_file_at] : NULL;
}

static void note_place(struct page *page, const char *name, bool is_of_file) {
    snprintf(page->at.name, sizeof page->at.name, "%s", name);
    page->at.is_of_file = is_of_file;
}

/* False: there are no more. */
static bool put_next(struct page *page) {
    const struct cg_item *stored = next_stored(page);
    const char *of_file = next_of_file(page);
    if (stored == NULL && of_file == NULL) return false;
    if (page->count > 0) cg_buf_put_u8(page->to, ',');
    page->count++;
    if (of_file != NULL && (stored == NULL || strcmp(of_file, stored->name) <= 0)) {
        cg_shown_put_of_file(page->to, page->config, page->kind, of_file, CG_SHOWN_IN_LIST);
        page->of_file_at++;
        note_place(page, of_file, true);
    } else {
        cg_shown_put_stored(page->to, page->config, stored, CG_SHOWN_IN_LIST);
        note_place(page, stored->name, false);
    }
    return true;
}

static void put_page(struct page *page) {
    bool more = true;
    page->of_file_count = cg_shown_names_of_file(page->config, page->kind, page->at.name, page->of_file, FILE_NAMES);
    cg_buf_put_str(page->to, "{\"items\":[");
    while (more && page->count < page->limit && page->to->len < PAGE_BYTES) more = put_next(page);
    more = more && (next_stored(page) != NULL || next_of_file(page) != NULL);
    cg_buf_put_str(page->to, "],\"next\":");
    if (more) {
        put_cursor(page->to, &page->at);
    } else {
        cg_buf_put_str(page->to, "null");
    }
    cg_buf_put_str(page->to, "}\n");
}

void cg_items_serve_list(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct cg_buf body;
    struct page page = {.manage = cg_admin_manage(call), .config = cg_admin_config(call), .kind = kind_of(call)};
    int err = cg_admin_query_limit(call, &page.limit, &problem);
    if (err == CG_OK) err = parse_cursor(call, &page.at, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    cg_buf_init(&body, 0);
    page.to = &body;
    put_page(&page);
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

/* ---- One item ---- */

static int not_there(struct cg_problem *problem, enum cg_item_kind kind, const char *name) {
    return cg_problem_set(problem, CG_E_NOT_FOUND, "there is no \"%s\" among the %s", name, cg_item_collections[kind]);
}

static void reply_item(struct cg_admin_call *call, const struct cg_item *item, struct cg_admin_head head) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_shown_put_stored(&body, cg_admin_config(call), item, CG_SHOWN_ALONE);
    cg_buf_put_str(&body, "\n");
    head.etag = item->revision;
    cg_admin_reply_bytes(call, &head, &body);
}

static void reply_of_file(struct cg_admin_call *call, enum cg_item_kind kind, const char *name) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_shown_put_of_file(&body, cg_admin_config(call), kind, name, CG_SHOWN_ALONE);
    cg_buf_put_str(&body, "\n");
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

/* Where the settings file has one of that name, too, the stored one is what can be changed. */
void cg_items_serve_get(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct cg_condition if_none_match;
    const char *name = cg_admin_part(call, 0);
    enum cg_item_kind kind = kind_of(call);
    const struct cg_item *item = cg_manage_find(cg_admin_manage(call), kind, name);
    int err =
        cg_condition_of(&if_none_match, cg_http_call_message(call->http), "If-None-Match", CG_TAGS_WEAK, &problem);
    bool is_of_file = item == NULL && cg_stored_is_of_file(cg_admin_config(call), kind, name);
    if (err == CG_OK && item == NULL && !is_of_file) err = not_there(&problem, kind, name);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
    } else if (is_of_file) {
        reply_of_file(call, kind, name);
    } else if (cg_condition_has(&if_none_match, item->revision)) {
        cg_admin_reply_unchanged(call, item->revision);
    } else {
        reply_item(call, item, (struct cg_admin_head){.status = 200});
    }
}

/* ---- Changes ---- */

int cg_items_refuse_of_file(struct cg_problem *problem, enum cg_item_kind kind, const char *name) {
    return cg_problem_set(
        problem, CG_E_CONFLICT,
        "\"%s\" is among the %s of the settings file: it is changed there, and castgate reloads (SIGHUP)", name,
        cg_item_collections[kind]);
}

int cg_items_plan(struct cg_change *change, const struct cg_config *config, const struct cg_items_wish *wish) {
    struct cg_problem *problem = &change->problem;
    const struct cg_item *there = cg_change_find(change, wish->kind, wish->name);
    bool is_of_file = cg_stored_is_of_file(config, wish->kind, wish->name);
    bool needs_one = wish->what == CG_WISH_PATCH || wish->what == CG_WISH_DELETE;
    if (is_of_file && (there == NULL || wish->what != CG_WISH_DELETE))
        return cg_items_refuse_of_file(problem, wish->kind, wish->name);
    if (there == NULL && needs_one) return not_there(problem, wish->kind, wish->name);
    if (there != NULL && wish->what == CG_WISH_CREATE)
        return cg_problem_set(problem, CG_E_CONFLICT, "there is a \"%s\" among the %s already", wish->name,
                              cg_item_collections[wish->kind]);
    int err = cg_condition_check(&wish->if_match, &wish->if_none_match, there == NULL ? 0 : there->revision, problem);
    if (err < 0) return err;
    if (wish->what == CG_WISH_DELETE) return cg_change_remove(change, wish->kind, wish->name);
    json_t *document =
        wish->what == CG_WISH_PATCH ? cg_merge_patched(there->document, wish->document) : json_incref(wish->document);
    err = document == NULL
              ? cg_problem_no_memory(problem)
              : cg_change_put(change, wish->kind, wish->name, document, there == NULL ? CG_SLICE_NONE : there->sealed);
    json_decref(document);
    return err;
}

bool cg_items_has_name(const json_t *body, const char *name) {
    const json_t *said = json_object_get(body, "name");
    return said == NULL || (json_is_string(said) && strcmp(json_string_value(said), name) == 0);
}

struct item_edit {
    struct cg_admin_edit edit;
    struct cg_gateway *gateway;
    struct cg_items_wish wish;
    char name[CG_NAME_MAX + 1];
    bool is_new;
};

static struct item_edit *own_of(struct cg_admin_edit *edit) { return CG_CONTAINER(edit, struct item_edit, edit); }

static int plan(struct cg_change *change, const struct cg_manage *manage) {
    struct item_edit *own = own_of(CG_CONTAINER(change, struct cg_admin_edit, change));
    own->is_new = cg_manage_find(manage, own->wish.kind, own->name) == NULL;
    return cg_items_plan(change, cg_gateway_config(own->gateway), &own->wish);
}

/* Without a change in it nothing was made, and the item is as it was. */
static void reply_made(struct cg_admin_edit *edit) {
    struct item_edit *own = own_of(edit);
    const struct cg_item *item = cg_manage_find(cg_admin_manage(edit->call), own->wish.kind, own->name);
    char location[sizeof CG_ADMIN_ROOT + CG_ADMIN_TARGET_MAX];
    snprintf(location, sizeof location, CG_ADMIN_ROOT "/%s", edit->target);
    if (item == NULL) {
        cg_admin_reply_none(edit->call);
    } else if (own->is_new) {
        reply_item(edit->call, item, (struct cg_admin_head){.status = 201, .location = location});
    } else {
        reply_item(edit->call, item, (struct cg_admin_head){.status = 200});
    }
}

static void free_edit(struct cg_admin_edit *edit) {
    struct item_edit *own = own_of(edit);
    json_decref(own->wish.document);
    free(own);
}

static int read_conditions(const struct cg_admin_call *call, struct cg_items_wish *wish, struct cg_problem *problem) {
    const struct cg_http_message *message = cg_http_call_message(call->http);
    int err = cg_condition_of(&wish->if_match, message, "If-Match", CG_TAGS_STRONG, problem);
    if (err < 0) return err;
    return cg_condition_of(&wish->if_none_match, message, "If-None-Match", CG_TAGS_WEAK, problem);
}

static int read_wish(const struct cg_admin_call *call, struct item_edit *own, struct cg_problem *problem) {
    struct cg_items_wish *wish = &own->wish;
    wish->name = own->name;
    if (call->body != NULL && (wish->document = cg_shown_as_set(call->body)) == NULL)
        return cg_problem_no_memory(problem);
    return read_conditions(call, wish, problem);
}

static struct item_edit *new_edit(struct cg_admin_call *call, const char *name, enum cg_wish_what what) {
    struct item_edit *own = calloc(1, sizeof *own);
    if (own == NULL) return NULL;
    own->edit.change.plan = plan;
    own->edit.reply = reply_made;
    own->edit.free = free_edit;
    own->gateway = cg_admin_gateway(call);
    own->wish = (struct cg_items_wish){.what = what, .kind = kind_of(call)};
    snprintf(own->name, sizeof own->name, "%s", name);
    snprintf(own->edit.target, sizeof own->edit.target, "%s/%s", cg_item_collections[own->wish.kind], name);
    return own;
}

static void start(struct cg_admin_call *call, const char *name, enum cg_wish_what what) {
    struct cg_problem problem = {0};
    if (!cg_items_has_name(call->body, name)) {
        cg_admin_reply_invalid(call, "/name", "must be \"%s\", as the path says, or absent", name);
        return;
    }
    struct item_edit *own = new_edit(call, name, what);
    if (own == NULL) {
        (void)cg_problem_no_memory(&problem);
        cg_admin_reply_problem(call, &problem);
        return;
    }
    if (read_wish(call, own, &problem) == CG_OK) {
        cg_admin_edit_start(&own->edit, call);
        return;
    }
    cg_admin_reply_problem(call, &problem);
    free_edit(&own->edit);
}

static void serve_post(struct cg_admin_call *call) {
    const char *name = json_string_value(json_object_get(call->body, "name"));
    if (name != NULL && cg_admin_is_name(name)) {
        start(call, name, CG_WISH_CREATE);
        return;
    }
    cg_admin_reply_invalid(call, "/name", "must be there, and match [a-z0-9][a-z0-9._-]{0,63}");
}

void cg_items_serve_put(struct cg_admin_call *call) { start(call, cg_admin_part(call, 0), CG_WISH_PUT); }
void cg_items_serve_patch(struct cg_admin_call *call) { start(call, cg_admin_part(call, 0), CG_WISH_PATCH); }
void cg_items_serve_delete(struct cg_admin_call *call) { start(call, cg_admin_part(call, 0), CG_WISH_DELETE); }

/* ---- Routes ---- */

#define ITEMS(collection, kind, one, schema)                                                                           \
    {.method = "GET",                                                                                                  \
     .path = "/" collection,                                                                                           \
     .role = CG_ROLE_VIEWER,                                                                                           \
     .serve = cg_items_serve_list,                                                                                     \
     .id = collection ".list",                                                                                         \
     .says = "All " collection ", the settings file's, too, by name.",                                                 \
     .answer = schema "List",                                                                                          \
     .queries = "limit cursor",                                                                                        \
     .about = kind,                                                                                                    \
     .status = 200},                                                                                                   \
        {.method = "POST",                                                                                             \
         .path = "/" collection,                                                                                       \
         .role = CG_ROLE_ADMIN,                                                                                        \
         .serve = serve_post,                                                                                          \
         .left = cg_admin_edit_left,                                                                                   \
         .id = collection ".post",                                                                                     \
         .says = "Makes a " one ", whose name must be new.",                                                           \
         .body = schema "New",                                                                                         \
         .answer = schema,                                                                                             \
         .queries = "dry_run",                                                                                         \
         .about = kind,                                                                                                \
         .status = 201,                                                                                                \
         .others = {200, 409}},                                                                                        \
        {.method = "GET",                                                                                              \
         .path = "/" collection "/{name}",                                                                             \
         .role = CG_ROLE_VIEWER,                                                                                       \
         .serve = cg_items_serve_get,                                                                                  \
         .id = collection ".get",                                                                                      \
         .says = "A " one ", and what it comes to with every default.",                                                \
         .answer = schema,                                                                                             \
         .about = kind,                                                                                                \
         .status = 200,                                                                                                \
         .others = {304, 404}},                                                                                        \
        {.method = "PUT",                                                                                              \
         .path = "/" collection "/{name}",                                                                             \
         .role = CG_ROLE_ADMIN,                                                                                        \
         .serve = cg_items_serve_put,                                                                                  \
         .left = cg_admin_edit_left,                                                                                   \
         .id = collection ".put",                                                                                      \
         .says = "Replaces a " one ", or makes it.",                                                                   \
         .body = schema "Set",                                                                                         \
         .answer = schema,                                                                                             \
         .queries = "dry_run",                                                                                         \
         .about = kind,                                                                                                \
         .status = 200,                                                                                                \
         .others = {201, 409, 412, 428}},                                                                              \
        {.method = "PATCH",                                                                                            \
         .path = "/" collection "/{name}",                                                                             \
         .role = CG_ROLE_ADMIN,                                                                                        \
         .serve = cg_items_serve_patch,                                                                                \
         .left = cg_admin_edit_left,                                                                                   \
         .id = collection ".patch",                                                                                    \
         .says = "Changes some keys of a " one " (RFC 7396).",                                                         \
         .body = schema "Patch",                                                                                       \
         .answer = schema,                                                                                             \
         .queries = "dry_run",                                                                                         \
         .flags = CG_ROUTE_MERGE_PATCH,                                                                                \
         .about = kind,                                                                                                \
         .status = 200,                                                                                                \
         .others = {404, 409, 412, 428}},                                                                              \
    {                                                                                                                  \
        .method = "DELETE", .path = "/" collection "/{name}", .role = CG_ROLE_ADMIN, .serve = cg_items_serve_delete,   \
        .left = cg_admin_edit_left, .id = collection ".delete", .says = "Takes a " one " away.", .queries = "dry_run", \
        .about = kind, .status = 204, .others = {200, 404, 409, 412, 428},                                             \
    }

static const struct cg_admin_route routes[] = {
    ITEMS("mappings", CG_ITEM_MAPPING, "mapping", "Mapping"),
    ITEMS("clients", CG_ITEM_CLIENT, "client", "Client"),
    ITEMS("reactions", CG_ITEM_REACTION, "reaction", "Reaction"),
};

const struct cg_admin_routes cg_routes_items = {CG_ADMIN_ROUTES(routes)};
