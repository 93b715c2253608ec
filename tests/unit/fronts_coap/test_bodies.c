/* Kept bodies: found by who asks for what, as long as they are kept, within bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fronts/coap/bodies.h"
#include "wire/transmission.h"

#define SECOND UINT64_C(1000000)

enum { ALL = 40000, SHARE = ALL / 4 };

struct shop {
    struct cg_quota quota;
    struct cg_coap_bodies bodies;
    uint64_t now_us;
};

static int setup(void **state) {
    static struct shop shop;
    shop = (struct shop){.quota = {.max = 1000000}, .now_us = 1000 * SECOND};
    cg_coap_bodies_init(&shop.bodies, ALL, &shop.quota);
    *state = &shop;
    return 0;
}

static int teardown(void **state) {
    struct shop *shop = *state;
    cg_coap_bodies_fini(&shop->bodies);
    assert_int_equal(shop->quota.used, 0);
    assert_int_equal(shop->bodies.keep.used, 0);
    return 0;
}

static struct cg_addr address(const char *text) {
    struct cg_addr addr;
    assert_int_equal(cg_addr_parse(&addr, cg_slice_str(text), CG_COAP_PORT), CG_OK);
    return addr;
}

static struct cg_request request_from(const char *peer, const char *path) {
    struct cg_request request = {.method = CG_GET,
                                 .path = cg_slice_str(path),
                                 .peer = address(peer),
                                 .reached = address("127.0.0.1"),
                                 .scheme = CG_CRI_COAP};
    request.from = cg_addr_host(&request.peer);
    return request;
}

static int keep(struct shop *shop, const struct cg_request *request, char filling, size_t len) {
    struct cg_buf buf;
    cg_buf_init(&buf, 0);
    memset(cg_buf_reserve(&buf, len), filling, len);
    buf.len = len;
    struct cg_bytes *bytes = cg_bytes_new(&buf, &shop->quota);
    assert_non_null(bytes);
    const struct cg_coap_body body = {
        .code = CG_CODE(2, 5), .options = cg_slice_str("\xc1\x3e"), .bytes = bytes, .etag = cg_slice_str("tag")};
    int err = cg_coap_bodies_keep(&shop->bodies, request, &body, shop->now_us);
    cg_bytes_unref(bytes);
    return err;
}

static void keep_small(struct shop *shop, const struct cg_request *request, char filling) {
    assert_int_equal(keep(shop, request, filling, 100), CG_OK);
}

static const struct cg_coap_body *find(struct shop *shop, const struct cg_request *request) {
    return cg_coap_bodies_find(&shop->bodies, request, shop->now_us);
}

static void expect(struct shop *shop, const struct cg_request *request, char filling) {
    const struct cg_coap_body *body = find(shop, request);
    assert_non_null(body);
    assert_int_equal(body->bytes->data[0], filling);
    assert_int_equal(body->code, CG_CODE(2, 5));
    assert_true(cg_slice_is(body->options, "\xc1\x3e"));
    assert_true(cg_slice_is(body->etag, "tag"));
}

static void test_is_found_by_the_same_request(void **state) {
    struct shop *shop = *state;
    struct cg_request request = request_from("127.0.0.1:5000", "/lamps/status");
    keep_small(shop, &request, 'a');
    expect(shop, &request, 'a');
}

/* Another question, or another client's: nobody gets what somebody else asked for. */
static void test_is_not_found_by_another(void **state) {
    struct shop *shop = *state;
    const struct cg_client client = {.name = "dashboard"};
    struct cg_opt accept = {.number = CG_OPT_ACCEPT, .value = cg_slice_str("\x32")};
    const struct cg_request mine = request_from("127.0.0.1:5000", "/lamps/status");
    keep_small(shop, &mine, 'a');
    struct cg_request others[] = {request_from("127.0.0.1:5001", "/lamps/status"),
                                  request_from("127.0.0.2:5000", "/lamps/status"),
                                  request_from("127.0.0.1:5000", "/lamps"),
                                  mine,
                                  mine,
                                  mine,
                                  mine,
                                  mine,
                                  mine,
                                  mine,
                                  mine,
                                  mine};
    others[3].method = CG_FETCH;
    others[4].query = cg_slice_str("x");
    others[5].query = cg_slice_of("", 0);
    others[6].scheme = CG_CRI_COAPS;
    others[7].client = &client;
    others[8].forward = true;
    others[9].options = (struct cg_opts){.list = &accept, .count = 1};
    others[10].reached = address("127.0.0.9");
    others[11].host = cg_slice_str("lamps.example");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_null(find(shop, &others[i]));
    expect(shop, &mine, 'a');
}

/* RFC 7252 §5.6: an ETag is no part of the Cache-Key, nor is what is marked NoCacheKey. */
static void test_some_options_do_not_count(void **state) {
    struct shop *shop = *state;
    struct cg_request request = request_from("127.0.0.1:5000", "/lamps");
    keep_small(shop, &request, 'a');
    struct cg_opt options[] = {{.number = CG_OPT_ETAG, .value = cg_slice_str("tag")},
                               {.number = CG_OPT_SIZE2, .value = CG_SLICE_NONE},
                               {.number = CG_OPT_SIZE1, .value = CG_SLICE_NONE}};
    request.options = (struct cg_opts){.list = options, .count = 3};
    expect(shop, &request, 'a');
}

/* Parts of different length must not run into each other. */
static void test_path_and_query_are_apart(void **state) {
    struct shop *shop = *state;
    struct cg_request one = request_from("127.0.0.1:5000", "/ab"), other = request_from("127.0.0.1:5000", "/a");
    one.query = cg_slice_str("c");
    other.query = cg_slice_str("bc");
    keep_small(shop, &one, 'a');
    assert_null(find(shop, &other));
}

/* FETCH: who sends the payload again must send the same; a further block may be asked for without. */
static void test_payloads(void **state) {
    struct shop *shop = *state;
    struct cg_request request = request_from("127.0.0.1:5000", "/lamps");
    request.method = CG_FETCH;
    request.payload = cg_slice_str("which");
    keep_small(shop, &request, 'a');
    expect(shop, &request, 'a');
    request.payload = cg_slice_str("others");
    assert_null(find(shop, &request));
    request.payload = CG_SLICE_NONE;
    expect(shop, &request, 'a');
}

static void test_a_new_body_replaces_the_old(void **state) {
    struct shop *shop = *state;
    struct cg_request request = request_from("127.0.0.1:5000", "/lamps");
    keep_small(shop, &request, 'a');
    size_t used = shop->bodies.keep.used;
    keep_small(shop, &request, 'b');
    expect(shop, &request, 'b');
    assert_int_equal(shop->bodies.keep.used, used);
}

static void test_is_gone_after_its_time(void **state) {
    struct shop *shop = *state;
    struct cg_request one = request_from("127.0.0.1:5000", "/one"), other = request_from("127.0.0.1:5000", "/other");
    assert_int_equal(cg_keep_expire(&shop->bodies.keep, shop->now_us), UINT64_MAX);
    uint64_t start = shop->now_us;
    keep_small(shop, &one, 'a');
    shop->now_us += 100 * SECOND;
    keep_small(shop, &other, 'b');
    assert_int_equal(cg_keep_expire(&shop->bodies.keep, shop->now_us), start + CG_EXCHANGE_LIFETIME_US);
    shop->now_us = start + CG_EXCHANGE_LIFETIME_US - 1;
    expect(shop, &one, 'a');
    shop->now_us++;
    assert_null(find(shop, &one)); /* although nobody has looked for what is over */
    assert_int_equal(cg_keep_expire(&shop->bodies.keep, shop->now_us), start + 100 * SECOND + CG_EXCHANGE_LIFETIME_US);
    expect(shop, &other, 'b');
}

static void test_a_clients_own_oldest_goes_first(void **state) {
    struct shop *shop = *state;
    struct cg_request another = request_from("127.0.0.9:5000", "/lamps");
    struct cg_request mine[3] = {request_from("127.0.0.1:5000", "/0"), request_from("127.0.0.1:5001", "/1"),
                                 request_from("127.0.0.1:5000", "/2")};
    keep_small(shop, &another, 'x');
    for (int i = 0; i < 3; i++) assert_int_equal(keep(shop, &mine[i], (char)('0' + i), SHARE / 2 - 500), CG_OK);
    assert_null(find(shop, &mine[0])); /* three do not fit the share, whatever ports they are from */
    expect(shop, &mine[1], '1');
    expect(shop, &mine[2], '2');
    expect(shop, &another, 'x');
}

static void test_no_body_is_more_than_a_share(void **state) {
    struct shop *shop = *state;
    struct cg_request request = request_from("127.0.0.1:5000", "/lamps");
    assert_int_equal(keep(shop, &request, 'a', SHARE), CG_E_NO_MEMORY);
    assert_null(find(shop, &request));
}

static void test_the_oldest_of_all_goes_where_all_is_full(void **state) {
    struct shop *shop = *state;
    struct cg_request requests[5];
    static const char *const peers[] = {"127.0.0.1:5", "127.0.0.2:5", "127.0.0.3:5", "127.0.0.4:5", "127.0.0.5:5"};
    for (int i = 0; i < 5; i++) {
        requests[i] = request_from(peers[i], "/lamps");
        assert_int_equal(keep(shop, &requests[i], (char)('0' + i), SHARE - 1000), CG_OK);
        shop->now_us += SECOND;
    }
    assert_null(find(shop, &requests[0]));
    for (int i = 1; i < 5; i++) expect(shop, &requests[i], (char)('0' + i));
    assert_true(shop->bodies.keep.used <= ALL);
}

static void test_the_quota_bounds_it(void **state) {
    struct shop *shop = *state;
    struct cg_request request = request_from("127.0.0.1:5000", "/lamps");
    shop->quota.max = 150; /* the payload, and little more */
    assert_int_equal(keep(shop, &request, 'a', 100), CG_E_NO_MEMORY);
    assert_null(find(shop, &request));
}

static void test_etags_are_made_of_the_bytes(void **state) {
    (void)state;
    uint8_t one[CG_COAP_ETAG_MAX], same[CG_COAP_ETAG_MAX], other[CG_COAP_ETAG_MAX];
    cg_coap_body_make_etag(one, cg_slice_str("bytes"));
    cg_coap_body_make_etag(same, cg_slice_str("bytes"));
    cg_coap_body_make_etag(other, cg_slice_str("others"));
    assert_memory_equal(one, same, sizeof one);
    assert_memory_not_equal(one, other, sizeof one);
}

#define shop_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        shop_test(test_is_found_by_the_same_request),
        shop_test(test_is_not_found_by_another),
        shop_test(test_some_options_do_not_count),
        shop_test(test_path_and_query_are_apart),
        shop_test(test_payloads),
        shop_test(test_a_new_body_replaces_the_old),
        shop_test(test_is_gone_after_its_time),
        shop_test(test_a_clients_own_oldest_goes_first),
        shop_test(test_no_body_is_more_than_a_share),
        shop_test(test_the_oldest_of_all_goes_where_all_is_full),
        shop_test(test_the_quota_bounds_it),
        cmocka_unit_test(test_etags_are_made_of_the_bytes),
    };
    return cmocka_run_group_tests_name("fronts_coap/bodies", tests, NULL, NULL);
}
