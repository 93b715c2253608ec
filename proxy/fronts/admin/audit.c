/* The audit: who did what, with which result, latest first. It is only read here: nobody takes anything out of it. */
#include "fronts/admin/reading.h"
#include "fronts/admin/resources.h"

static bool hear(void *ctx, uint64_t number, const struct cg_deed *deed) {
    struct cg_admin_reading *reading = ctx;
    struct cg_buf *to = &reading->text;
    if (!cg_admin_reading_next(reading, number)) return true;
    cg_buf_put_str(to, "{\"number\":");
    cg_buf_put_decimal(to, number);
    cg_admin_put_time(to, "at", deed->at_ms);
    cg_admin_put_text(to, "who", deed->who);
    cg_admin_put_text(to, "from", deed->from);
    cg_admin_put_text(to, "operation", deed->operation);
    cg_admin_put_text(to, "target", deed->target);
    cg_admin_put_text(to, "result", deed->result);
    cg_admin_put_text(to, "detail", deed->detail);
    cg_admin_put_number(to, "revision", deed->revision);
    cg_buf_put_u8(to, '}');
    return !to->failed;
}

/* One more than the page has says whether there is another page. */
static int read_audit(struct cg_admin_reading *reading, struct cg_items_file *file) {
    cg_admin_reading_begin(reading);
    int err = cg_items_audit(file, reading->before, reading->limit + 1, hear, reading, &reading->problem);
    cg_admin_reading_end(reading);
    return err;
}

static void serve_audit(struct cg_admin_call *call) { cg_admin_read_page(call, read_audit); }

static const struct cg_admin_schema schemas[] = {
    {"Deed",
     "{'type': 'object', 'required': ['number', 'at', 'who', 'from', 'operation', 'target', 'result', 'detail', "
     "'revision'], 'additionalProperties': false, 'properties': {"
     "'number': {'type': 'integer'}, 'at': {'type': 'string', 'format': 'date-time'},"
     "'who': {'type': 'string', 'description': 'The client; -: nobody who is known.'},"
     "'from': {'type': 'string', 'description': 'The address.'}, 'operation': {'type': 'string'},"
     "'target': {'type': 'string'}, 'result': {'enum': ['done', 'refused', 'failed']},"
     "'detail': {'type': 'string'}, 'revision': {'type': ['integer', 'null']}}}"},
    {"DeedList", CG_ADMIN_LIST_SCHEMA("Deed")},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/audit",
     .role = CG_ROLE_ADMIN,
     .serve = serve_audit,
     .left = cg_admin_reading_left,
     .id = "audit.list",
     .says = "Who did what, and with which result, latest first; what was refused, too.",
     .answer = "DeedList",
     .queries = "limit cursor",
     .status = 200},
};

const struct cg_admin_routes cg_routes_audit = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
