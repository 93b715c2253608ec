/* URIs: what is accepted means one thing, however it is written. The input is up to three lines: the URI, a path and a
 * query that a request appends. */
#include "input.h"

#include "base/text.h"
#include "wire/uri.h"

static struct cg_slice emit_normal(const struct cg_uri *uri) {
    struct cg_buf text;
    cg_buf_init(&text, 0);
    cg_uri_emit_normal(&text, uri);
    CG_CHECK(!text.failed);
    struct cg_slice exact = input_exact(cg_buf_slice(&text));
    cg_buf_fini(&text);
    return exact;
}

static void check_same_options(const struct cg_opts *a, const struct cg_opts *b) {
    CG_CHECK(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        CG_CHECK(a->list[i].number == b->list[i].number);
        CG_CHECK(cg_slice_equal(a->list[i].value, b->list[i].value));
    }
}

/* Options to a path and a query, and back (RFC 7252 §6.5, §6.4). */
static void check_composition(const struct cg_opts *opts, struct cg_arena *arena) {
    struct cg_buf path, query;
    size_t arguments = 0;
    cg_buf_init(&path, 0);
    cg_buf_init(&query, 0);
    for (size_t i = 0; i < opts->count; i++) {
        bool is_path = opts->list[i].number == CG_OPT_URI_PATH;
        if (is_path) {
            cg_buf_put_u8(&path, '/');
        } else if (arguments++ > 0) {
            cg_buf_put_u8(&query, '&');
        }
        cg_uri_encode(is_path ? &path : &query, opts->list[i].value, is_path ? CG_URI_SEGMENT : CG_URI_ARGUMENT);
    }
    CG_CHECK(!path.failed && !query.failed);
    struct cg_opts again;
    struct cg_slice raw_query = arguments == 0 ? CG_SLICE_NONE : cg_slice_of(query.data, query.len);
    if (arguments > 0 && query.len == 0) raw_query = cg_slice_str("");
    int err = cg_uri_decompose(&again, arena, cg_buf_slice(&path), CG_SLICE_NONE, raw_query, CG_SLICE_NONE);
    /* RFC 7252 §6.4 makes no option of "/", so a single empty segment cannot come back. */
    bool lone = path.len == 1;
    CG_CHECK(err == CG_OK);
    if (!lone) check_same_options(opts, &again);
    cg_buf_fini(&path);
    cg_buf_fini(&query);
}

static void check_options(const struct cg_opts *opts) {
    uint16_t last = 0;
    for (size_t i = 0; i < opts->count; i++) {
        const struct cg_opt *opt = &opts->list[i];
        CG_CHECK(opt->number == CG_OPT_URI_PATH || opt->number == CG_OPT_URI_QUERY);
        CG_CHECK(opt->number >= last);
        CG_CHECK(opt->value.len <= 255 && cg_utf8_valid(opt->value));
        CG_CHECK(opt->number != CG_OPT_URI_PATH || !(cg_slice_is(opt->value, ".") || cg_slice_is(opt->value, "..")));
        last = opt->number;
    }
}

static void check_group(const struct cg_uri *uri) {
    const char *why = NULL;
    int err = cg_uri_check_group(uri, &why);
    CG_CHECK((err == CG_OK) == (why == NULL));
    if (err < 0) return;
    CG_CHECK(uri->scheme == CG_SCHEME_COAP && uri->addr.port != CG_COAPS_PORT);
    CG_CHECK(uri->addr.family == CG_FAMILY_NONE || cg_addr_is_multicast(&uri->addr));
    CG_CHECK(uri->zone.len == 0 || uri->addr.family == CG_FAMILY_IPV6);
}

static void check_walk(const struct cg_uri *uri, const struct cg_opts *opts) {
    struct cg_slice rest = uri->path, item;
    size_t count = 0;
    while (cg_uri_next_segment(&rest, &item)) count++;
    rest = uri->has_query ? cg_slice_of(uri->query.data == NULL ? (const uint8_t *)"" : uri->query.data, uri->query.len)
                          : CG_SLICE_NONE;
    while (cg_uri_next_argument(&rest, &item)) count++;
    CG_CHECK(count == opts->count);
}

static void check_uri(const struct cg_uri *uri, struct cg_slice more_path, struct cg_slice more_query) {
    struct cg_uri again;
    struct cg_arena arena;
    struct cg_opts opts, same;
    cg_arena_init(&arena, SIZE_MAX, NULL);
    check_group(uri);
    struct cg_slice normal = emit_normal(uri);
    CG_CHECK(cg_uri_parse(&again, normal, NULL) == CG_OK);
    struct cg_slice normal_again = emit_normal(&again);
    CG_CHECK(cg_slice_equal(normal, normal_again));
    CG_CHECK(again.scheme == uri->scheme && cg_addr_equal(&again.addr, &uri->addr));
    CG_CHECK(again.has_query == uri->has_query && cg_slice_equal(again.zone, uri->zone));

    int err = cg_uri_decompose(&opts, &arena, uri->path, CG_SLICE_NONE, uri->query, CG_SLICE_NONE);
    int err_again = cg_uri_decompose(&same, &arena, again.path, CG_SLICE_NONE, again.query, CG_SLICE_NONE);
    CG_CHECK(err == err_again && (err == CG_OK || err == CG_E_BAD_URI));
    check_same_options(&opts, &same);
    check_options(&opts);
    if (err == CG_OK) check_walk(uri, &opts);
    check_composition(&opts, &arena);
    /* A path that comes from elsewhere: whatever it holds, the options are good or there are none. */
    err = cg_uri_decompose(&opts, &arena, uri->path, more_path, uri->query, more_query);
    CG_CHECK(err == CG_OK || (err == CG_E_BAD_URI && opts.count == 0));
    check_options(&opts);
    check_composition(&opts, &arena);
    input_free(normal_again);
    input_free(normal);
    cg_arena_fini(&arena);
}

static void check_pieces(struct cg_slice raw) {
    struct cg_buf decoded;
    cg_buf_init(&decoded, 0);
    cg_buf_put_u8(&decoded, 'x');
    int err = cg_uri_decode(raw, &decoded);
    CG_CHECK(decoded.data[0] == 'x' && (err == CG_OK || decoded.len == 1));
    CG_CHECK(decoded.len <= 256);
    if (err == CG_OK && cg_uri_is_dot_segment(raw)) {
        CG_CHECK(decoded.len == 2 || decoded.len == 3);
        CG_CHECK(decoded.data[1] == '.' && decoded.data[decoded.len - 1] == '.');
    }
    cg_buf_fini(&decoded);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input input = {data, size};
    struct cg_slice text = input_exact(input_until(&input, '\n'));
    struct cg_slice more_path = input_exact(input_until(&input, '\n'));
    struct cg_slice more_query = input_exact(input_bytes(&input, input.len));
    struct cg_uri uri;
    const char *why = NULL;
    int err = cg_uri_parse(&uri, text, &why);
    CG_CHECK(err == CG_OK || (err == CG_E_BAD_URI && why != NULL));
    if (err == CG_OK) check_uri(&uri, more_path, more_query);
    check_pieces(text);
    check_pieces(more_path);
    input_free(more_query);
    input_free(more_path);
    input_free(text);
    return 0;
}
