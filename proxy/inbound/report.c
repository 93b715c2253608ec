/* From options to an alert. An option that must be understood and is not (RFC 7252 §5.4.1) makes it none; that nobody
 * here gives out representations makes those that ask for some kind of one no matter. */
#include "inbound/report.h"

#include "wire/block.h"
#include "wire/uri.h"

enum {
    BAD_REQUEST = CG_CODE(4, 0),
    BAD_OPTION = CG_CODE(4, 2),
    NOT_ALLOWED = CG_CODE(4, 5),
    TOO_LARGE = CG_CODE(4, 13)
};
enum { UNAVAILABLE = CG_CODE(5, 3), NO_PROXY = CG_CODE(5, 5) };

struct reading {
    struct cg_alert *alert;
    struct cg_buf path, query;
};

static bool is_report(uint8_t method) {
    return method == CG_POST || method == CG_PUT || method == CG_PATCH || method == CG_IPATCH;
}

static uint8_t read_segment(struct reading *reading, struct cg_slice value) {
    if (cg_uri_is_dot_segment(value) || value.len > 255) return BAD_REQUEST;
    cg_buf_put_u8(&reading->path, '/');
    cg_uri_encode(&reading->path, value, CG_URI_SEGMENT);
    return 0;
}

static uint8_t read_argument(struct reading *reading, struct cg_slice value) {
    if (reading->query.len > 0) cg_buf_put_u8(&reading->query, '&');
    cg_uri_encode(&reading->query, value, CG_URI_ARGUMENT);
    return 0;
}

static uint8_t read_format(struct cg_alert *alert, struct cg_slice value) {
    if (value.len > 2 || alert->has_format) return BAD_REQUEST;
    alert->has_format = true;
    alert->format = (uint16_t)cg_uint_parse(value);
    return 0;
}

static uint8_t read_option(struct reading *reading, const struct cg_opt *opt) {
    switch (opt->number) {
    case CG_OPT_URI_PATH: return read_segment(reading, opt->value);
    case CG_OPT_URI_QUERY: return read_argument(reading, opt->value);
    case CG_OPT_CONTENT_FORMAT: return read_format(reading->alert, opt->value);
    case CG_OPT_PROXY_URI:
    case CG_OPT_PROXY_SCHEME: return NO_PROXY;
    case CG_OPT_URI_HOST:
    case CG_OPT_URI_PORT:
    case CG_OPT_OSCORE:
    case CG_OPT_ACCEPT:
    case CG_OPT_BLOCK2:
    case CG_OPT_BLOCK1: return 0; /* Block1 is looked at apart */
    default: return cg_opt_is_critical(opt->number) ? BAD_OPTION : 0;
    }
}

static uint8_t check_block(const struct cg_msg *request) {
    struct cg_block block;
    switch (cg_block_find(request->options, CG_OPT_BLOCK1, &block)) {
    case CG_BLOCK_NONE: return 0;
    case CG_BLOCK_ONE: return block.number == 0 && !block.more ? 0 : TOO_LARGE;
    case CG_BLOCK_MALFORMED: return BAD_OPTION;
    }
    return BAD_OPTION;
}

static uint8_t read_options(struct reading *reading, const struct cg_msg *request) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    uint8_t code = 0;
    cg_opt_iter_init(&iter, request);
    while (code == 0 && cg_opt_next(&iter, &opt)) code = read_option(reading, &opt);
    return code == 0 ? check_block(request) : code;
}

/* Both stand in one buffer, which does not move any more. */
static uint8_t settle(struct reading *reading, struct cg_buf *text) {
    if (reading->path.len == 0) cg_buf_put_u8(&reading->path, '/');
    cg_buf_put_slice(text, cg_buf_slice(&reading->path));
    cg_buf_put_slice(text, cg_buf_slice(&reading->query));
    if (reading->path.failed || reading->query.failed || text->failed) return UNAVAILABLE;
    reading->alert->path = cg_slice_of(text->data, reading->path.len);
    reading->alert->query = cg_slice_of(text->data + reading->path.len, reading->query.len);
    return 0;
}

uint8_t cg_report_read(struct cg_alert *alert, const struct cg_msg *request, struct cg_buf *text) {
    struct reading reading = {.alert = alert};
    if (!is_report(request->code)) return NOT_ALLOWED;
    cg_buf_init(&reading.path, 0);
    cg_buf_init(&reading.query, 0);
    uint8_t code = read_options(&reading, request);
    if (code == 0) code = settle(&reading, text);
    cg_buf_fini(&reading.path);
    cg_buf_fini(&reading.query);
    alert->method = request->code;
    alert->payload = request->payload;
    return code;
}

bool cg_report_wants_no(const struct cg_msg *request, uint8_t code) {
    uint32_t bits;
    unsigned bit = 1u << ((code >> 5) - 1); /* 2 for 2.xx, 8 for 4.xx, 16 for 5.xx */
    return cg_msg_find_uint(request, CG_OPT_NO_RESPONSE, &bits) && (bits & bit) != 0;
}
