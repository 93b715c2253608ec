/* What simulated members are sent in blocks (R41; RFC 7959 §2.5, RFC 9175 §3). */
#include "fake_fleet.h"

#include <sodium.h>
#include <stdlib.h>

#define BODY "0123456789abcdefghijklmnopqrstuvwxyz" /* 36 bytes */

static uint16_t next_mid;

/* What the member says to 16 bytes of the body, or to fewer at its end. */
static const struct cg_msg *put(const char *body, unsigned number, const char *tag) {
    char part[17] = {0};
    bool more = strlen(body) > (number + 1) * 16;
    strncpy(part, body + (size_t)number * 16, 16);
    int block1 = (int)(number << 4 | (more ? 8 : 0));
    return ASK(0, .mid = ++next_mid, .code = CG_PUT, .path = "firmware", .block1 = block1 > 0 ? block1 : -1, .tag = tag,
               .payload = part);
}

static void expect(const char *body, unsigned number, const char *tag, uint8_t code) {
    const struct cg_msg *msg = put(body, number, tag);
    assert_int_equal(msg->code, code);
    bool more = strlen(body) > (number + 1) * 16;
    assert_int_equal(option(msg, CG_OPT_BLOCK1), number << 4 | (more ? 8u : 0u));
}

static void expect_kept(const char *body) {
    uint8_t hash[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof hash + 1], text[160];
    crypto_hash_sha256(hash, (const uint8_t *)body, strlen(body));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    (void)snprintf(text, sizeof text, "{\"size\":%zu,\"sha256\":\"%s\"}", strlen(body), hex);
    assert_payload(ASK(0, .mid = ++next_mid, .path = "firmware"), text);
}

static void what_comes_in_blocks_is_one(void **state) {
    (void)state;
    START("--count", "1");
    expect_kept("");
    expect(BODY, 0, "t", CG_CODE(2, 31));
    expect(BODY, 1, "t", CG_CODE(2, 31));
    expect_kept(""); /* not before it is whole */
    expect(BODY, 2, "t", CG_CODE(2, 4));
    expect_kept(BODY);
    assert_int_equal(ASK(0, .mid = ++next_mid, .code = CG_PUT, .path = "firmware", .payload = "whole")->code,
                     CG_CODE(2, 4));
    expect_kept("whole");
}

/* As new requests, since their responses were lost. */
static void blocks_that_come_again_change_nothing(void **state) {
    (void)state;
    START("--count", "1");
    expect(BODY, 0, "t", CG_CODE(2, 31));
    expect(BODY, 1, "t", CG_CODE(2, 31));
    expect(BODY, 1, "t", CG_CODE(2, 31));
    expect(BODY, 2, "t", CG_CODE(2, 4));
    expect(BODY, 2, "t", CG_CODE(2, 4));
    expect_kept(BODY);
}

static void uploads_with_other_tags_are_others(void **state) {
    (void)state;
    START("--count", "1");
    static const char other[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    expect(BODY, 0, "t", CG_CODE(2, 31));
    expect(other, 0, "u", CG_CODE(2, 31));
    expect(BODY, 1, "t", CG_CODE(2, 31));
    expect(other, 1, "u", CG_CODE(2, 4));
    expect_kept(other);
    expect(BODY, 2, "t", CG_CODE(2, 4));
    expect_kept(BODY);
}

static void what_is_not_in_order_is_incomplete(void **state) {
    (void)state;
    START("--count", "1");
    expect(BODY, 1, "t", CG_CODE(4, 8));
    expect(BODY, 0, "t", CG_CODE(2, 31));
    expect(BODY, 2, "t", CG_CODE(4, 8));
    expect(BODY, 0, "t", CG_CODE(2, 31)); /* from the beginning */
    expect(BODY, 1, "t", CG_CODE(2, 31));
    expect(BODY, 1, NULL, CG_CODE(4, 8)); /* somebody else's */
    expect(BODY, 2, "t", CG_CODE(2, 4));
    expect_kept(BODY);
}

static void the_one_that_was_idle_longest_gives_way(void **state) {
    (void)state;
    START("--count", "1");
    static const char *const tags[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < 5; i++) {
        expect(BODY, 0, tags[i], CG_CODE(2, 31));
        if (i == 3) expect(BODY, 1, "a", CG_CODE(2, 31));
    }
    expect(BODY, 1, "b", CG_CODE(4, 8));
    expect(BODY, 2, "a", CG_CODE(2, 4));
    expect(BODY, 1, "e", CG_CODE(2, 31));
}

static void what_is_too_large_or_malformed_is_refused(void **state) {
    (void)state;
    START("--count", "1");
    const struct cg_msg *msg = ASK(0, .mid = ++next_mid, .code = CG_PUT, .path = "firmware", .tag = "t",
                                   .block1 = 0x10000 << 4, .payload = "x");
    assert_int_equal(msg->code, CG_CODE(4, 13));
    assert_int_equal(option(msg, CG_OPT_SIZE1), 1 << 20);
    msg = ASK(0, .mid = ++next_mid, .code = CG_PUT, .path = "firmware", .block1 = 0x08, .payload = "not full");
    assert_int_equal(msg->code, CG_CODE(4, 0));
    msg = ASK(0, .mid = ++next_mid, .code = CG_PUT, .path = "firmware", .block1 = 0x07, .payload = "x");
    assert_int_equal(msg->code, CG_CODE(4, 0));
    msg = ASK(0, .mid = ++next_mid, .code = CG_POST, .path = "firmware");
    assert_int_equal(msg->code, CG_CODE(4, 5));
    msg = ASK(0, .mid = ++next_mid, .code = CG_PUT, .path = "light", .block1 = -1, .payload = "on");
    assert_int_equal(msg->code, CG_CODE(4, 2)); /* nowhere else */
}

static void big_is_as_large_as_was_said(void **state) {
    (void)state;
    START("--count", "1", "--big-size", "8192");
    assert_int_equal(option(ASK(0, .mid = ++next_mid, .path = "big"), CG_OPT_SIZE2), 8192);
    const struct cg_msg *msg = ASK(0, .mid = ++next_mid, .path = "big", .block2 = 127 << 4 | 2);
    assert_int_equal(msg->payload.len, 64);
    assert_int_equal(option(msg, CG_OPT_BLOCK2), 127 << 4 | 2);
    assert_memory_equal(msg->payload.data, "member     1 line 127 .", 23);
    assert_int_equal(msg->payload.data[63], '\n');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        fleet_test(what_comes_in_blocks_is_one),
        fleet_test(blocks_that_come_again_change_nothing),
        fleet_test(uploads_with_other_tags_are_others),
        fleet_test(what_is_not_in_order_is_incomplete),
        fleet_test(the_one_that_was_idle_longest_gives_way),
        fleet_test(what_is_too_large_or_malformed_is_refused),
        fleet_test(big_is_as_large_as_was_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
