/* Why: proxies have to read some options and must not read the rest. Hard: Observe lives on both sides with different
 * values, and Proxy-Uri is one option that has to be cut in two. */
#include "oscore/state.h"
#include "oscore/classes.h"
#include "base/arena.h"
#include "wire/uri.h"

int cg_oscore_find_option(const struct cg_msg *msg, struct cg_slice *value) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    int found = 0;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt) && opt.number <= CG_OPT_OSCORE) {
        if (opt.number != CG_OPT_OSCORE) continue;
        *value = opt.value;
        found++;
    }
    if (found == 0) return CG_E_BAD_REQUEST;
    return found == 1 && msg->payload.len > 0 ? CG_OK : CG_E_BAD_OPTION;
}

static bool is_whole(struct cg_slice block) {
    if (block.len > 3) return false;
    bool first = block.len < 2 || (block.data[0] == 0 && block.data[block.len - 2] == 0);
    return first && (block.len == 0 || (block.data[block.len - 1] & 0xf8) == 0); /* number 0, none behind it */
}

bool cg_oscore_is_fragment(const struct cg_msg *msg) {
    uint16_t number = cg_code_is_request(msg->code) ? CG_OPT_BLOCK1 : CG_OPT_BLOCK2;
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, msg);
    while (cg_opt_next(&iter, &opt))
        if (opt.number == number && !is_whole(opt.value)) return true;
    return false;
}

static bool names_scheme(const struct cg_msg *msg) {
    struct cg_slice value;
    return cg_msg_find(msg, CG_OPT_PROXY_SCHEME, &value) || cg_msg_find(msg, CG_OPT_PROXY_SCHEME_NUMBER, &value);
}

/* draft-ietf-core-oscore-capable-proxies, "Protection of CoAP Options": the proxy at the other end is the next who
 * looks at any of them, and Uri-Host and Uri-Port belong to Proxy-Scheme, where that is inside. */
static bool is_outer_to_hop(const struct cg_msg *msg, uint16_t number) {
    return (number == CG_OPT_URI_HOST || number == CG_OPT_URI_PORT) && !names_scheme(msg);
}

bool cg_oscore_option_is_outer(const struct cg_oscore_context *context, const struct cg_msg *msg, uint16_t number) {
    if (context->hop) return is_outer_to_hop(msg, number);
    switch (number) {
    case CG_OPT_URI_HOST:
    case CG_OPT_URI_PORT:
    case CG_OPT_OSCORE:
    case CG_OPT_HOP_LIMIT:
    case CG_OPT_PROXY_URI:
    case CG_OPT_PROXY_SCHEME:
    case CG_OPT_PROXY_CRI:
    case CG_OPT_PROXY_SCHEME_NUMBER: return true;
    default: break;
    }
    for (size_t i = 0; i < CG_OSCORE_CLASS_U_MAX && context->class_u[i] != 0; i++)
        if (context->class_u[i] == number) return true;
    return false;
}

uint8_t cg_oscore_outer_code(const struct cg_msg *plain) {
    struct cg_slice value;
    bool observe = cg_msg_find(plain, CG_OPT_OBSERVE, &value);
    if (cg_code_is_request(plain->code)) return observe ? CG_FETCH : CG_POST;
    return observe ? CG_CODE(2, 5) : CG_CODE(2, 4);
}

/* The URI up to the end of its authority. */
static struct cg_slice without_path(struct cg_slice text, const struct cg_uri *uri) {
    const uint8_t *end = text.data + text.len;
    if (uri->path.len > 0)
        end = uri->path.data;
    else if (uri->has_query)
        end = uri->query.data - 1;
    return cg_slice_of(text.data, (size_t)(end - text.data));
}

int cg_oscore_put_outer(const struct cg_oscore_context *context, const struct cg_msg *plain, struct cg_slice option,
                        struct cg_msg_writer *to) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool done = false;
    cg_opt_iter_init(&iter, plain);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number == CG_OPT_OSCORE && !context->hop) return CG_E_PROTECT;
        if (opt.number > CG_OPT_OSCORE && !done) {
            cg_msg_put_opt(to, CG_OPT_OSCORE, option);
            done = true;
        }
        if (opt.number == CG_OPT_PROXY_URI && !context->hop) {
            struct cg_uri uri;
            int err = cg_uri_parse(&uri, opt.value, NULL);
            if (err != CG_OK) return err;
            cg_msg_put_opt(to, CG_OPT_PROXY_URI, without_path(opt.value, &uri));
        } else if (opt.number == CG_OPT_OBSERVE || cg_oscore_option_is_outer(context, plain, opt.number)) {
            cg_msg_put_opt(to, opt.number, opt.value);
        }
    }
    if (!done) cg_msg_put_opt(to, CG_OPT_OSCORE, option);
    return CG_OK;
}

static void put_inner_opt(const struct cg_msg *plain, const struct cg_opt *opt, struct cg_msg_writer *to) {
    bool notification = opt->number == CG_OPT_OBSERVE && cg_code_is_response(plain->code);
    cg_msg_put_opt(to, opt->number, notification ? CG_SLICE_NONE : opt->value);
}

/* The inner options of a message whose path and query come out of a Proxy-Uri: two ascending lists become one. */
static int put_inner_with(const struct cg_oscore_context *context, const struct cg_msg *plain,
                          const struct cg_opts *more, struct cg_msg_writer *to) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    size_t next = 0;
    cg_opt_iter_init(&iter, plain);
    while (cg_opt_next(&iter, &opt)) {
        if (cg_oscore_option_is_outer(context, plain, opt.number)) continue;
        if (opt.number == CG_OPT_URI_PATH || opt.number == CG_OPT_URI_QUERY) return CG_E_BAD_URI; /* RFC 7252 §5.10.2 */
        for (; next < more->count && more->list[next].number < opt.number; next++)
            cg_msg_put_opt(to, more->list[next].number, more->list[next].value);
        put_inner_opt(plain, &opt, to);
    }
    for (; next < more->count; next++) cg_msg_put_opt(to, more->list[next].number, more->list[next].value);
    return CG_OK;
}

static int put_inner_of_proxy_uri(const struct cg_oscore_context *context, const struct cg_msg *plain,
                                  struct cg_slice proxy_uri, struct cg_msg_writer *to) {
    struct cg_arena arena;
    struct cg_opts opts;
    struct cg_uri uri;
    cg_arena_init(&arena, 64 * 1024, NULL);
    int err = cg_uri_parse(&uri, proxy_uri, NULL);
    if (err == CG_OK) err = cg_uri_decompose(&opts, &arena, uri.path, CG_SLICE_NONE, uri.query, CG_SLICE_NONE);
    if (err == CG_OK) err = put_inner_with(context, plain, &opts, to);
    cg_arena_fini(&arena);
    return err;
}

int cg_oscore_put_inner(const struct cg_oscore_context *context, const struct cg_msg *plain, struct cg_msg_writer *to) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    struct cg_slice proxy_uri;
    if (!context->hop && cg_msg_find(plain, CG_OPT_PROXY_URI, &proxy_uri))
        return put_inner_of_proxy_uri(context, plain, proxy_uri, to);
    cg_opt_iter_init(&iter, plain);
    while (cg_opt_next(&iter, &opt))
        if (!cg_oscore_option_is_outer(context, plain, opt.number)) put_inner_opt(plain, &opt, to);
    return CG_OK;
}

/* A proxy on the way to this one may have added a Hop-Limit, or counted it down (RFC 8768). */
static bool keeps_outer(const struct cg_oscore_context *context, const struct cg_msg *inner, uint16_t number) {
    return cg_oscore_option_is_outer(context, inner, number) || (context->hop && number == CG_OPT_HOP_LIMIT);
}

/* Moves to the next outer option that a server keeps. */
static bool next_outer(const struct cg_oscore_context *context, const struct cg_msg *inner, struct cg_opt_iter *iter,
                       struct cg_opt *opt) {
    struct cg_slice inside;
    while (cg_opt_next(iter, opt))
        if (opt->number != CG_OPT_OSCORE && keeps_outer(context, inner, opt->number) &&
            !cg_msg_find(inner, opt->number, &inside))
            return true;
    return false;
}

void cg_oscore_merge_request(const struct cg_oscore_context *context, const struct cg_msg *outer,
                             const struct cg_msg *inner, struct cg_msg_writer *to) {
    struct cg_opt_iter outer_iter, inner_iter;
    struct cg_opt outside, inside;
    cg_opt_iter_init(&outer_iter, outer);
    cg_opt_iter_init(&inner_iter, inner);
    bool more_outside = next_outer(context, inner, &outer_iter, &outside);
    while (cg_opt_next(&inner_iter, &inside)) {
        for (; more_outside && outside.number < inside.number;
             more_outside = next_outer(context, inner, &outer_iter, &outside))
            cg_msg_put_opt(to, outside.number, outside.value);
        cg_msg_put_opt(to, inside.number, inside.value);
    }
    for (; more_outside; more_outside = next_outer(context, inner, &outer_iter, &outside))
        cg_msg_put_opt(to, outside.number, outside.value);
}

static void put_order(struct cg_slice piv, struct cg_msg_writer *to) {
    uint32_t order = 0;
    for (size_t i = piv.len > 3 ? piv.len - 3 : 0; i < piv.len; i++) order = order << 8 | piv.data[i];
    cg_msg_put_uint(to, CG_OPT_OBSERVE, order);
}

void cg_oscore_put_response(const struct cg_msg *inner, struct cg_slice piv, struct cg_msg_writer *to) {
    struct cg_opt_iter iter;
    struct cg_opt opt;
    cg_opt_iter_init(&iter, inner);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number == CG_OPT_OBSERVE)
            put_order(piv, to);
        else
            cg_msg_put_opt(to, opt.number, opt.value);
    }
}
