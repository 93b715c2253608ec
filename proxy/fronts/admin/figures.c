/* What is used, and how it goes: for whoever looks at a list of mappings or clients, whose documents have nothing of
 * it. In pages, the latest used first, so that what is on the screen is on the first one. */
#include "fronts/admin/figures.h"

#include <inttypes.h>

#include "base/calendar.h"
#include "base/text.h"
#include "fronts/admin/private.h"
#include "fronts/admin/resources.h"
#include "recorder/figures.h"

void cg_admin_put_counts(struct cg_buf *to, const struct cg_admin *admin) {
    static const struct cg_figure_counts none;
    const struct cg_figure_counts *counts =
        admin->source.figures == NULL ? &none : cg_figures_counts(admin->source.figures);
    cg_buf_printf(to,
                  "\"running\":%zu,\"requests\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"answers\":%" PRIu64
                  ",\"failed\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"rejected\":%" PRIu64,
                  cg_gateway_running(admin->gateway), counts->requests, counts->refused, counts->answers,
                  counts->failed, counts->missing, counts->rejected);
}

/* ---- The page ---- */

struct page {
    struct cg_buf of[2]; /* by enum cg_figure_of */
    size_t count;
};

static void put_mapping(struct cg_buf *to, const struct cg_figure *figure, const char *at) {
    cg_buf_printf(to,
                  "{\"requests\":%" PRIu64 ",\"median_ms\":%" PRIu32 ",\"last\":{\"at\":\"%s\",\"outcome\":\"%s\","
                  "\"answered\":%" PRIu32 ",\"expected\":%" PRIu32 "}}",
                  figure->requests, cg_figure_median_ms(figure), at, cg_outcome_names[figure->outcome],
                  figure->answered, figure->expected);
}

static void add(struct page *page, const struct cg_figure *figure) {
    char at[CG_CALENDAR_MAX];
    struct cg_buf *to = &page->of[figure->of];
    cg_calendar_emit_ms(at, figure->last_ms);
    if (to->len > 0) cg_buf_put_u8(to, ',');
    cg_buf_put_json(to, cg_slice_str(figure->name));
    cg_buf_put_u8(to, ':');
    if (figure->of == CG_FIGURE_OF_MAPPING) {
        put_mapping(to, figure, at);
    } else {
        cg_buf_printf(to, "{\"requests\":%" PRIu64 ",\"last_use\":\"%s\"}", figure->requests, at);
    }
    page->count++;
}

/* Returns the cursor of the next page; 0: there is none. */
static uint64_t fill(struct page *page, const struct cg_figures *figures, size_t limit, uint64_t before) {
    const struct cg_figure *figure = cg_figures_before(figures, before);
    for (; figure != NULL && page->count < limit; figure = cg_figures_older(figures, figure)) {
        add(page, figure);
        before = figure->number;
    }
    return figure == NULL ? 0 : before;
}

static void put_object(struct cg_buf *to, const char *key, struct cg_buf *members) {
    cg_buf_printf(to, ",\"%s\":{", key);
    cg_buf_put_slice(to, cg_buf_slice(members));
    cg_buf_put_u8(to, '}');
    to->failed |= members->failed;
    cg_buf_fini(members);
}

static void reply(struct cg_admin_call *call, struct page *page, uint64_t next) {
    struct cg_buf body;
    cg_buf_init(&body, 0);
    cg_buf_put_str(&body, "{\"counts\":{");
    cg_admin_put_counts(&body, call->admin);
    cg_buf_put_u8(&body, '}');
    put_object(&body, "mappings", &page->of[CG_FIGURE_OF_MAPPING]);
    put_object(&body, "clients", &page->of[CG_FIGURE_OF_CLIENT]);
    if (next == 0) {
        cg_buf_put_str(&body, ",\"next\":null}\n");
    } else {
        cg_buf_printf(&body, ",\"next\":\"%" PRIu64 "\"}\n", next);
    }
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &body);
}

static void serve_figures(struct cg_admin_call *call) {
    const struct cg_figures *figures = call->admin->source.figures;
    struct cg_problem problem = {0};
    struct page page = {.count = 0};
    uint64_t before = 0;
    size_t limit;
    int err = cg_admin_query_limit(call, &limit, &problem);
    if (err == CG_OK) err = cg_admin_query_number(call, "cursor", UINT64_MAX, &before, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    for (size_t i = 0; i < 2; i++) cg_buf_init(&page.of[i], 0);
    reply(call, &page, figures == NULL ? 0 : fill(&page, figures, limit, before));
}

#define COUNT   "{'type': 'integer', 'minimum': 0}"
#define TIME    "{'type': 'string', 'format': 'date-time'}"
#define BY_NAME "'type': 'object', 'additionalProperties': {'type': 'object', 'additionalProperties': false, "

static const struct cg_admin_schema schemas[] = {
    {"Figures",
     "{'type': 'object', 'additionalProperties': false, 'required': ['counts', 'mappings', 'clients', 'next'], "
     "'properties': {"
     "'counts': {'type': 'object', 'description': 'Since the start; running: at this moment.', 'additionalProperties': "
     "false, 'properties': {'running': " COUNT ", 'requests': " COUNT ", 'refused': " COUNT ", 'answers': " COUNT
     ", 'failed': " COUNT ", 'missing': " COUNT ", 'rejected': " COUNT "}},"
     "'mappings': {'description': 'Those that were used since the start. median_ms: how long its latest exchanges "
     "took.', " BY_NAME "'required': ['requests', 'median_ms', 'last'], 'properties': {'requests': " COUNT
     ", 'median_ms': " COUNT ", 'last': {'type': 'object', 'additionalProperties': false, 'properties': {'at': " TIME
     ", 'outcome': {'enum': ['answered', 'failed', 'missing', 'silent', 'refused', 'left']}, 'answered': " COUNT
     ", 'expected': " COUNT "}}}}},"
     "'clients': {" BY_NAME "'required': ['requests', 'last_use'], 'properties': {'requests': " COUNT
     ", 'last_use': " TIME "}}},"
     "'next': {'type': ['string', 'null'], 'description': 'The cursor of the next page; null: there is none.'}}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/figures",
     .role = CG_ROLE_VIEWER,
     .serve = serve_figures,
     .id = "figures.get",
     .says = "How much mappings and clients are used and what came of it, the latest used first, since the start.",
     .answer = "Figures",
     .queries = "limit cursor",
     .status = 200},
};

const struct cg_admin_routes cg_routes_figures = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
