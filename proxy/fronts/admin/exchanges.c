/* The exchanges that run and those of late (recorder/), latest first. A page is bounded in bytes as well as in items,
 * since an exchange is as long as its group makes it. */
#include "fronts/admin/call.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "recorder/recorder.h"

enum {
    PAGE_MAX = 256 * 1024, /* bytes, beyond which no further exchange is added */
    LOOKS_MAX = 200000,    /* at exchanges and, for a member, at what members did, in a page */
};

static int refuse_without_recorder(struct cg_problem *problem) {
    return cg_problem_set(problem, CG_E_NOT_FOUND, "nothing is recorded here (recorder.memory)");
}

/* ---- A list ---- */

static int take_outcome(const struct cg_admin_call *call, enum cg_outcome *outcome, struct cg_problem *problem) {
    char text[CG_ADMIN_QUERY_MAX];
    *outcome = CG_OUTCOME_COUNT;
    if (!cg_admin_query(call, "outcome", text)) return CG_OK;
    for (size_t i = 0; i < CG_OUTCOME_COUNT; i++) {
        if (strcmp(cg_outcome_names[i], text) == 0) *outcome = (enum cg_outcome)i;
    }
    if (*outcome != CG_OUTCOME_COUNT) return CG_OK;
    return cg_problem_set(problem, CG_E_BAD_REQUEST,
                          "outcome must be running, answered, failed, missing, silent, refused or left");
}

/* What is longer than any name fits nothing. */
static void take_text(const struct cg_admin_call *call, const char *name, char *to, size_t size) {
    char text[CG_ADMIN_QUERY_MAX];
    if (cg_admin_query(call, name, text)) snprintf(to, size, "%.*s", (int)size - 1, strlen(text) < size ? text : "?");
}

static int take_filter(const struct cg_admin_call *call, struct cg_record_filter *filter, struct cg_problem *problem) {
    *filter = (struct cg_record_filter){.outcome = CG_OUTCOME_COUNT};
    take_text(call, "mapping", filter->mapping, sizeof filter->mapping);
    take_text(call, "client", filter->client, sizeof filter->client);
    take_text(call, "member", filter->member, sizeof filter->member);
    return take_outcome(call, &filter->outcome, problem);
}

/* A page that is being filled. */
struct page {
    struct cg_buf text;
    size_t limit, count, looks;
    const struct cg_record_filter *filter;
};

static bool is_full(const struct page *page) {
    return page->count == page->limit || page->text.len > PAGE_MAX || page->looks > LOOKS_MAX;
}

static void add(struct page *page, const struct cg_record *record) {
    page->looks++;
    if (page->filter->member[0] != '\0')
        page->looks += record->answer_count + record->missing_count + record->refusal_count;
    if (!cg_record_fits(record, page->filter)) return;
    if (page->count++ > 0) cg_buf_put_u8(&page->text, ',');
    cg_record_put_json(&page->text, record, CG_RECORD_BRIEF);
}

/* They are on the first page, as far as they fit: who wants to see more of them asks for a longer one. */
static void add_running(struct page *page, struct cg_recorder *recorder) {
    struct cg_record *record;
    for (uint32_t place = 0; !is_full(page) && (record = cg_recorder_next_running(recorder, &place)) != NULL;) {
        add(page, record);
        cg_record_free(record);
    }
}

/* Returns the cursor of the next page; 0: there is none. */
static uint64_t add_ended(struct page *page, const struct cg_recorder *recorder, uint64_t before) {
    const struct cg_record *record = cg_recorder_before(recorder, before);
    for (; record != NULL && !is_full(page); record = cg_recorder_older(recorder, record)) add(page, record);
    return record == NULL ? 0 : record->number + 1;
}

static void reply_page(struct cg_admin_call *call, struct page *page, uint64_t next) {
    cg_buf_put_str(&page->text, "],\"next\":");
    if (next == 0) {
        cg_buf_put_str(&page->text, "null}\n");
    } else {
        cg_buf_put_str(&page->text, "\"");
        cg_buf_put_decimal(&page->text, next);
        cg_buf_put_str(&page->text, "\"}\n");
    }
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &page->text);
}

static void serve_list(struct cg_admin_call *call) {
    struct cg_recorder *recorder = cg_admin_recorder(call);
    struct cg_problem problem = {0};
    struct cg_record_filter filter;
    struct page page = {.filter = &filter};
    uint64_t before = 0;
    int err = recorder == NULL ? refuse_without_recorder(&problem) : CG_OK;
    if (err == CG_OK) err = cg_admin_query_limit(call, &page.limit, &problem);
    if (err == CG_OK) err = cg_admin_query_number(call, "cursor", UINT64_MAX, &before, &problem);
    if (err == CG_OK) err = take_filter(call, &filter, &problem);
    if (err < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    cg_buf_init(&page.text, 0);
    cg_buf_put_str(&page.text, "{\"items\":[");
    if (before == 0) add_running(&page, recorder);
    reply_page(call, &page, add_ended(&page, recorder, before));
}

/* ---- One of them ---- */

static const struct cg_record *find(struct cg_admin_call *call, struct cg_problem *problem) {
    const struct cg_recorder *recorder = cg_admin_recorder(call);
    const struct cg_record *record = NULL;
    if (recorder == NULL) {
        refuse_without_recorder(problem);
    } else if ((record = cg_recorder_find(recorder, cg_admin_part(call, 0))) == NULL) {
        cg_problem_set(problem, CG_E_NOT_FOUND, "no exchange of late has this id, or not any more (recorder.memory)");
    }
    return record;
}

static void reply_record(struct cg_admin_call *call, const struct cg_record *record) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_record_put_json(&text, record, CG_RECORD_WHOLE);
    cg_buf_put_u8(&text, '\n');
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &text);
}

static void serve_one(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct cg_recorder *recorder = cg_admin_recorder(call);
    struct cg_record *running = recorder == NULL ? NULL : cg_recorder_find_running(recorder, cg_admin_part(call, 0));
    const struct cg_record *record = running != NULL ? running : find(call, &problem);
    if (record == NULL) {
        cg_admin_reply_problem(call, &problem);
    } else {
        reply_record(call, record);
    }
    cg_record_free(running);
}

/* What members say is for administrators. */
static enum cg_tape_payloads payloads_for(const struct cg_admin_call *call) {
    return call->who.role >= CG_ROLE_ADMIN ? CG_TAPE_SHOWS_PAYLOADS : CG_TAPE_HIDES_PAYLOADS;
}

/* ---- Its datagrams ---- */

static int check_pcap(const struct cg_record *record, struct cg_problem *problem) {
    if (record->hides_members)
        return cg_problem_set(problem, CG_E_FORBIDDEN, "its mapping hides its members, whom datagrams show");
    if (record->tape == NULL) return cg_problem_set(problem, CG_E_NOT_FOUND, "nothing was sent for this exchange");
    return CG_OK;
}

static void serve_pcap(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct cg_buf bytes;
    const struct cg_record *record = find(call, &problem);
    if (record == NULL || check_pcap(record, &problem) < 0) {
        cg_admin_reply_problem(call, &problem);
        return;
    }
    cg_buf_init(&bytes, 0);
    cg_recorder_put_pcap(cg_admin_recorder(call), record, payloads_for(call), &bytes);
    cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200, .content_type = "application/vnd.tcpdump.pcap"},
                         &bytes);
}

/* ---- What the core was told ---- */

static int check_transcript(const struct cg_record *record, struct cg_problem *problem) {
    const bool is_hidden = record->hides_members && record->tape != NULL;
    if (!is_hidden) return CG_OK;
    return cg_problem_set(problem, CG_E_FORBIDDEN, "its mapping hides its members, whom a transcript shows");
}

static void serve_transcript(struct cg_admin_call *call) {
    struct cg_problem problem = {0};
    struct cg_buf text;
    const struct cg_record *record = find(call, &problem);
    int err = record == NULL ? problem.err : check_transcript(record, &problem);
    cg_buf_init(&text, 0);
    if (err == CG_OK)
        err = cg_recorder_put_transcript(cg_admin_recorder(call), record, payloads_for(call), &text, &problem);
    if (err == CG_OK) {
        cg_admin_reply_bytes(call, &(struct cg_admin_head){.status = 200}, &text);
        return;
    }
    cg_buf_fini(&text);
    cg_admin_reply_problem(call, &problem);
}

/* ---- The table ---- */

#define COUNT           "{'type': 'integer', 'minimum': 0}"
#define TEXT_OR_NULL    "{'type': ['string', 'null']}"
#define LIST_OF_OBJECTS "{'type': 'array', 'items': {'type': 'object'}}"

#define HEAD_PROPERTIES                                                                                                \
    "'id': {'type': 'string'}, 'mapping': " TEXT_OR_NULL ", 'client': " TEXT_OR_NULL ", 'from': " TEXT_OR_NULL         \
    ", 'method': {'type': 'string'}, 'path': " TEXT_OR_NULL ", 'member': " TEXT_OR_NULL                                \
    ", 'begun': {'type': 'string', 'format': 'date-time'}, 'ms': " COUNT                                               \
    ", 'outcome': {'enum': ['running', 'answered', 'failed', 'missing', 'silent', 'refused', 'left']}"                 \
    ", 'status': {'type': ['integer', 'null']}, 'problem': {'type': ['object', 'null']}"                               \
    ", 'summary': {'type': 'object'}, 'cut': {'type': 'boolean'}"                                                      \
    ", 'timeline': {'type': ['object', 'null'], 'description': 'sent_ms since the beginning; leisure_ms and "          \
    "deadline_ms since the group request; last_ms: the last answer; in lists dots, of up to 256 answers'}"
#define HEAD_REQUIRED "'id', 'mapping', 'method', 'begun', 'ms', 'outcome', 'status', 'problem', 'summary', 'timeline'"

static const struct cg_admin_schema schemas[] = {
    {"ExchangeBrief", "{'type': 'object', 'additionalProperties': false, 'required': [" HEAD_REQUIRED
                      "], 'properties': {" HEAD_PROPERTIES "}}"},
    {"ExchangeList", CG_ADMIN_LIST_SCHEMA("ExchangeBrief")},
    {"Exchange", "{'type': 'object', 'additionalProperties': false, 'required': [" HEAD_REQUIRED
                 ", 'answers', 'missing', 'rejected'], 'properties': {" HEAD_PROPERTIES ", 'answers': " LIST_OF_OBJECTS
                 ", 'missing': " LIST_OF_OBJECTS ", 'rejected': " LIST_OF_OBJECTS ", 'left_out': " COUNT
                 ", 'measured': {'type': ['object', 'null']}"
                 ", 'predicted': {'type': ['object', 'null']}}}"},
    {"Pcap", "{'type': 'string', 'format': 'binary'}"},
    {"Transcript",
     "{'type': 'object', 'additionalProperties': false, 'required': ['transcript', 'started_us', 'ended_us', 'left', "
     "'joined', 'request', 'scene', 'exchange', 'signs', 'words'], 'properties': {'transcript': {'const': 1, "
     "'description': 'the version of its form'}, 'started_us': {'type': 'integer', 'description': 'since its request "
     "was "
     "let in, as all times here'}, 'ended_us': " COUNT
     ", 'left': {'type': 'boolean', 'description': 'its client, before "
     "the end'}, 'joined': {'type': 'boolean', 'description': 'others have waited for the same requests'}, 'request': "
     "{'type': 'object'}, 'scene': {'type': 'object', 'description': 'settings, and what was known of members'}, "
     "'exchange': {'$ref': '#/components/schemas/Exchange'}, 'signs': " LIST_OF_OBJECTS ", 'words': " LIST_OF_OBJECTS
     "}}"},
};

static const struct cg_admin_route routes[] = {
    {.method = "GET",
     .path = "/exchanges",
     .role = CG_ROLE_VIEWER,
     .serve = serve_list,
     .id = "exchanges.list",
     .says = "The running exchanges, then those of late, the latest first.",
     .answer = "ExchangeList",
     .queries = "limit cursor mapping client outcome member",
     .status = 200},
    {.method = "GET",
     .path = "/exchanges/{id}",
     .role = CG_ROLE_VIEWER,
     .serve = serve_one,
     .id = "exchanges.get",
     .says = "One exchange, with what each member did.",
     .answer = "Exchange",
     .status = 200,
     .others = {404}},
    {.method = "GET",
     .path = "/exchanges/{id}/pcap",
     .role = CG_ROLE_OPERATOR,
     .serve = serve_pcap,
     .id = "exchanges.pcap",
     .says = "The datagrams that were sent and received for it, as they were on the wire, in a made-up IP packet each. "
             "Those that nothing protects are cut before their payloads, but for administrators, and where "
             "recorder.payloads keeps these.",
     .answer = "Pcap",
     .answer_type = "application/vnd.tcpdump.pcap",
     .status = 200,
     .others = {403, 404}},
    {.method = "GET",
     .path = "/exchanges/{id}/transcript",
     .role = CG_ROLE_OPERATOR,
     .serve = serve_transcript,
     .id = "exchanges.transcript",
     .says =
         "What the gateway's core was told while it ran, for castgate --replay. Payloads are shown to administrators "
         "alone, and only those that recorder.payloads keeps.",
     .answer = "Transcript",
     .status = 200,
     .others = {403, 404, 409}},
};

const struct cg_admin_routes cg_routes_exchanges = {CG_ADMIN_ROUTES(routes), CG_ADMIN_SCHEMAS(schemas)};
