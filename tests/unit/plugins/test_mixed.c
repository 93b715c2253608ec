/* The multipart reply, read by a strict parser: one part a member, whatever is in it. */
#include "fake_host.h"

#include <stdio.h>

#include "wire/content_format.h"

static const struct castgate_encoder *mixed(void) { return cg_plugin_mixed.ops.encoder; }

#define BOUNDARY "01010101010101010101010101010101" /* what the fake host's first random bytes make */

/* One part: the inner response's status line, its header block and its body. */
struct part {
    char status[64];
    char headers[1024];
    size_t body_len;
    const char *body;
};

static const char *copy_until(char *to, size_t size, const char *at, const char *end) {
    const char *found = strstr(at, end);
    assert_non_null(found);
    assert_true((size_t)(found - at) < size);
    memcpy(to, at, (size_t)(found - at));
    to[found - at] = 0;
    return found + strlen(end);
}

static const char *expect(const char *at, const char *literal) {
    assert_memory_equal(at, literal, strlen(literal));
    return at + strlen(literal);
}

/* The part at `at`, and where the next begins; NULL at the closing delimiter. */
static const char *read_part(const char *at, const char *boundary, struct part *part) {
    at = expect(expect(at, "--"), boundary);
    if (at[0] == '-') {
        assert_string_equal(at, "--\r\n");
        return NULL;
    }
    at = expect(at, "\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 ");
    at = copy_until(part->status, sizeof part->status, at, "\r\n");
    at = copy_until(part->headers, sizeof part->headers, at, "\r\n\r\n");
    const char *length = strstr(part->headers, "Content-Length: ");
    part->body = at;
    part->body_len = length == NULL ? 0 : (size_t)strtoul(length + 16, NULL, 10);
    return expect(at + part->body_len, "\r\n");
}

/* Encodes one answer and reads it back; the part borrows from the call. */
static void encode_one(struct castgate_call *call, const struct castgate_answer *answer, struct part *part) {
    call_init(call);
    call->answers = answer;
    call->answer_count = 1;
    assert_int_equal(mixed()->encode(&fake_host, call), 0);
    const char *next = read_part(call_text(call), BOUNDARY, part);
    struct part none;
    assert_non_null(next);
    assert_null(read_part(next, BOUNDARY, &none));
}

static void test_what_it_offers(void **state) {
    (void)state;
    assert_string_equal(mixed()->media_type, "multipart/mixed");
    assert_true(mixed()->empty_is_204);
    assert_null(mixed()->begin);
}

static void test_a_part_is_a_whole_response(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.etag = bytes("\xab\xcd", 2);
    answer.has_max_age = true;
    answer.max_age = 30;
    answer.reply_from = bytes("\x82\x01\x44\x7f\x01\x00\x01", 7);
    answer.kid = bytes("\x11", 1);
    answer.has_kid = true;
    answer.verified = CASTGATE_VERIFIED_SOURCE;
    struct castgate_call call;
    struct part part;
    encode_one(&call, &answer, &part);
    assert_string_equal(call.content_type, "multipart/mixed; boundary=" BOUNDARY);
    assert_string_equal(part.status, "200 OK");
    assert_string_equal(part.headers, "Content-Type: text/plain;charset=utf-8\r\n"
                                      "ETag: \"abcd\"\r\n"
                                      "Cache-Control: max-age=30\r\n"
                                      "Reply-From: :ggFEfwEAAQ==:\r\n"
                                      "Castgate-Member: \"lamp-1\";verified=source;kid=:EQ==:;via=multicast;ms=12\r\n"
                                      "Content-Length: 2");
    assert_memory_equal(part.body, "on", 2);
    call_fini(&call);
}

/* A List of RFC 9651: options in order, values as byte sequences. */
static void test_other_options_are_a_list(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.options = bytes("\xe1\x06\xf8\x08\xe0\xf4\xd7", 7); /* 2053 and 65001 */
    struct castgate_call call;
    struct part part;
    encode_one(&call, &answer, &part);
    assert_non_null(strstr(part.headers, "\r\nCastgate-Options: 2053;v=:CA==:, 65001;v=::\r\n"));
    call_fini(&call);
}

/* RFC 8613 §11: the code outside says nothing about the one inside. */
static void test_a_protected_answer_has_the_reason_of_its_status(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(CG_FORMAT_OSCORE, text("ciphertext"));
    answer.code = 132; /* 4.04 */
    answer.status = 200;
    struct castgate_call call;
    struct part part;
    encode_one(&call, &answer, &part);
    assert_string_equal(part.status, "200 OK");
    call_fini(&call);
}

/* RFC 8075 §7, note 8: Max-Age of a 5.03 says when to try again. */
static void test_503_says_when_to_try_again(void **state) {
    (void)state;
    static const struct {
        uint8_t code;
        uint16_t status;
        bool has_max_age, says;
    } rows[] = {{163, 503, true, true}, {163, 503, false, false}, {69, 200, true, false}, {160, 500, true, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct castgate_answer answer = plain_answer(0, text("busy"));
        answer.code = rows[i].code;
        answer.status = rows[i].status;
        answer.has_max_age = rows[i].has_max_age;
        answer.max_age = rows[i].has_max_age ? 7 : 60;
        struct castgate_call call;
        struct part part;
        encode_one(&call, &answer, &part);
        assert_int_equal(strstr(part.headers, "\r\nRetry-After: 7\r\n") != NULL, rows[i].says);
        assert_int_equal(strstr(part.headers, "Retry-After") != NULL, rows[i].says);
        call_fini(&call);
    }
}

static void test_bodies_stay_in_their_part(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "",
        "\r\n--",
        "\r\n--\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "one\ntwo\n",
        "data: x\n\nevent: y\n\n",
        "\xff\xfe\x80",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        const struct castgate_answer answer = plain_answer(0, text(bodies[i]));
        struct castgate_call call;
        struct part part;
        encode_one(&call, &answer, &part);
        assert_int_equal(part.body_len, strlen(bodies[i]));
        assert_memory_equal(part.body, bodies[i], part.body_len);
        call_fini(&call);
    }
    const struct castgate_answer answer = plain_answer(42, bytes("a\0b", 3));
    struct castgate_call call;
    call_init(&call);
    call.answers = &answer;
    call.answer_count = 1;
    assert_int_equal(mixed()->encode(&fake_host, &call), 0);
    assert_non_null(memmem(call.written.data, call.written.len, "\r\n\r\na\0b\r\n--", 11));
    call_fini(&call);
}

static void test_boundary_occurs_in_no_body(void **state) {
    (void)state;
    const struct castgate_answer answers[] = {
        plain_answer(0, text("\r\n--" BOUNDARY "--\r\n")),
        plain_answer(0, text("02020202020202020202020202020202")),
        plain_answer(0, text("harmless")),
    };
    struct castgate_call call;
    struct part part;
    call_init(&call);
    call.answers = answers;
    call.answer_count = 3;
    assert_int_equal(mixed()->encode(&fake_host, &call), 0);
    assert_int_equal(call.randoms, 3); /* drawn until nobody has it */
    assert_string_equal(call.content_type, "multipart/mixed; boundary=03030303030303030303030303030303");
    unsigned parts = 0;
    for (const char *at = call_text(&call); (at = read_part(at, "03030303030303030303030303030303", &part)) != NULL;) {
        assert_int_equal(part.body_len, answers[parts].payload.len);
        parts++;
    }
    assert_int_equal(parts, 3);
    call_fini(&call);
}

static void test_names_are_escaped(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.member = text("a\"b\\c");
    struct castgate_call call;
    struct part part;
    encode_one(&call, &answer, &part);
    assert_non_null(strstr(part.headers, "Castgate-Member: \"a\\\"b\\\\c\";verified=none;via=multicast;ms=12"));
    call_fini(&call);
}

static void test_nothing_forges_a_header(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(0, text("on"));
    answer.media_type = text("text/plain\r\nSet-Cookie: a=b");
    struct castgate_call call;
    call_init(&call);
    call.answers = &answer;
    call.answer_count = 1;
    assert_int_equal(mixed()->encode(&fake_host, &call), -1);
    assert_int_equal(call.written.len, 0);
    call_fini(&call);
}

static void test_statuses_without_body(void **state) {
    (void)state;
    struct castgate_answer answer = plain_answer(CASTGATE_FORMAT_NONE, bytes(NULL, 0));
    answer.media_type = bytes(NULL, 0);
    answer.code = 68; /* 2.04 */
    answer.status = 204;
    struct castgate_call call;
    struct part part;
    encode_one(&call, &answer, &part);
    assert_string_equal(part.status, "204 No Content");
    assert_null(strstr(part.headers, "Content-"));
    call_fini(&call);
    answer.code = 133; /* 4.05 */
    answer.status = 400;
    encode_one(&call, &answer, &part);
    assert_memory_equal(part.status, "400 ", 4);
    assert_non_null(strstr(part.headers, "Content-Length: 0"));
    call_fini(&call);
}

static void test_many_parts_in_order(void **state) {
    (void)state;
    enum { MANY = 1000 };
    static struct castgate_answer answers[MANY];
    static char texts[MANY][8];
    for (int i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "n%d", i);
        answers[i] = plain_answer(0, text(texts[i]));
    }
    struct castgate_call call;
    struct part part;
    call_init(&call);
    call.answers = answers;
    call.answer_count = MANY;
    assert_int_equal(mixed()->encode(&fake_host, &call), 0);
    int parts = 0;
    for (const char *at = call_text(&call); (at = read_part(at, BOUNDARY, &part)) != NULL; parts++) {
        assert_int_equal(part.body_len, strlen(texts[parts]));
        assert_memory_equal(part.body, texts[parts], part.body_len);
    }
    assert_int_equal(parts, MANY);
    call_fini(&call);
}

static void test_a_full_host_is_told(void **state) {
    (void)state;
    const struct castgate_answer answer = plain_answer(0, text("on"));
    for (size_t room = 0; room < 200; room += 20) {
        struct castgate_call call;
        call_init(&call);
        call.answers = &answer;
        call.answer_count = 1;
        call.room = room;
        assert_int_equal(mixed()->encode(&fake_host, &call), -1);
        call_fini(&call);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_offers),
        cmocka_unit_test(test_a_part_is_a_whole_response),
        cmocka_unit_test(test_other_options_are_a_list),
        cmocka_unit_test(test_a_protected_answer_has_the_reason_of_its_status),
        cmocka_unit_test(test_503_says_when_to_try_again),
        cmocka_unit_test(test_bodies_stay_in_their_part),
        cmocka_unit_test(test_boundary_occurs_in_no_body),
        cmocka_unit_test(test_names_are_escaped),
        cmocka_unit_test(test_nothing_forges_a_header),
        cmocka_unit_test(test_statuses_without_body),
        cmocka_unit_test(test_many_parts_in_order),
        cmocka_unit_test(test_a_full_host_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
