/* The page's files. The hard thing: a file has two forms, which caches and conditions must not mix up, so each has an
 * entity tag of its own and every reply says that it depends on Accept-Encoding. */
#include "fronts/admin/page.h"

#include <stdio.h>

#include "base/text.h"

/* It may run and load what is served here, and ask the API; nothing of elsewhere, nothing that stands in markup. */
#define POLICY                                                                                                         \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "   \
    "form-action 'none'; frame-ancestors 'none'"

enum { TAG_MAX = 64 };

const struct cg_page_file *cg_page_find(struct cg_slice path) {
    if (cg_slice_is(path, "/")) path = cg_slice_str("/index.html");
    for (size_t i = 0; i < cg_page_file_count; i++) {
        if (cg_slice_is(path, cg_page_files[i].path)) return &cg_page_files[i];
    }
    return NULL;
}

/* ---- Which form (RFC 9110 §12.5.3) ---- */

/* "q=0", "q=0.000" */
static bool is_zero_weight(struct cg_slice parameter) {
    if (!cg_slice_starts_nocase(parameter, "q=0")) return false;
    for (size_t i = 3; i < parameter.len; i++) {
        if (parameter.data[i] != '0' && parameter.data[i] != '.') return false;
    }
    return true;
}

static bool is_taken(struct cg_slice parameters) {
    struct cg_slice parameter;
    while (cg_http_next_item(&parameters, ';', &parameter)) {
        if (is_zero_weight(parameter)) return false;
    }
    return true;
}

bool cg_page_takes_gzip(const struct cg_http_message *message) {
    struct cg_slice list, item, coding;
    bool any = false;
    if (cg_http_field(message, "Accept-Encoding", &list) < 0) return false;
    while (cg_http_next_item(&list, ',', &item)) {
        if (!cg_http_next_item(&item, ';', &coding)) continue;
        if (cg_slice_is_nocase(coding, "gzip")) return is_taken(item);
        if (cg_slice_is(coding, "*")) any = is_taken(item);
    }
    return any;
}

/* ---- Conditions ---- */

/* A weak comparison (RFC 9110 §13.1.2). */
static bool is_tag(struct cg_slice item, const char *tag) {
    if (cg_slice_starts(item, "W/")) item = cg_slice_of(item.data + 2, item.len - 2);
    return cg_slice_is(item, "*") || cg_slice_is(item, tag);
}

static bool has_it(const struct cg_http_message *message, const char *tag) {
    struct cg_slice list, item;
    if (cg_http_field(message, "If-None-Match", &list) < 0) return false;
    while (cg_http_next_item(&list, ',', &item)) {
        if (is_tag(item, tag)) return true;
    }
    return false;
}

/* ---- Replies ---- */

enum form { PLAIN, GZIP };

static void reply(const struct cg_page_file *file, struct cg_http_call *call, enum form form) {
    char tag[TAG_MAX];
    snprintf(tag, sizeof tag, "\"%s%s\"", file->tag, form == GZIP ? "-gzip" : "");
    bool is_known = has_it(cg_http_call_message(call), tag);
    const struct cg_http_header headers[] = {
        {"ETag", tag},
        {"Vary", "Accept-Encoding"},
        {"Cache-Control", "no-cache"}, /* it is asked for again, and mostly has not changed */
        {"Content-Encoding", form == GZIP && !is_known ? "gzip" : ""},
        {"Content-Security-Policy", POLICY},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Referrer-Policy", "no-referrer"},
        {"X-Frame-Options", "DENY"},
    };
    const struct cg_http_head head = {.status = is_known ? 304 : 200,
                                      .content_type = is_known ? "" : file->content_type,
                                      .headers = headers,
                                      .header_count = sizeof headers / sizeof headers[0]};
    cg_http_call_reply_static(call, &head, is_known ? CG_SLICE_NONE : form == GZIP ? file->gzip : file->plain);
}

int cg_page_serve(const struct cg_page_file *file, struct cg_http_call *call, struct cg_problem *problem) {
    const struct cg_http_message *message = cg_http_call_message(call);
    bool reads = cg_slice_is(message->method, "GET") || cg_slice_is(message->method, "HEAD");
    if (!reads) {
        problem->allow = CG_METHOD_BIT(CG_GET);
        return cg_problem_set(problem, CG_E_METHOD, "%s is read with GET", file->path);
    }
    if (message->body_is_too_big) return cg_problem_set(problem, CG_E_TOO_BIG, "%s takes no body", file->path);
    bool is_smaller = file->gzip.len < file->plain.len;
    reply(file, call, is_smaller && cg_page_takes_gzip(message) ? GZIP : PLAIN);
    return CG_OK;
}
