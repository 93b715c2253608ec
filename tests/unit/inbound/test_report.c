/* What a member's request may be: a report in one datagram; and what its sender wants to hear. */
#include "fake_post.h"

#include <string.h>

static uint8_t answer_to(struct post *post, struct letter_style style) {
    struct parcel parcel;
    struct cg_msg plain;
    struct letter letter = post_write(&post->lamps[1], style);
    post_deliver(post, &parcel, &letter);
    if (parcel.saying != CG_INBOUND_ANSWER) return 0;
    assert_int_equal(post_open(&post->lamps[1], &letter, &parcel, &plain), CG_OK);
    assert_int_equal(plain.payload.len, 0);
    return plain.code;
}

static uint8_t answer_to_options(struct post *post, const struct cg_opt *list, size_t count) {
    struct cg_opts options = {.list = (struct cg_opt *)(uintptr_t)list, .count = count};
    return answer_to(post, (struct letter_style){.options = &options});
}

static struct cg_opt option(uint16_t number, const char *value) {
    return (struct cg_opt){.number = number, .value = cg_slice_str(value)};
}

static void test_methods(void **state) {
    struct post *post = *state;
    post_introduce(post, 1, (struct letter_style){0});
    static const uint8_t taken[] = {CG_POST, CG_PUT, CG_PATCH, CG_IPATCH};
    static const uint8_t refused[] = {CG_GET, CG_DELETE, CG_FETCH, CG_CODE(0, 8)};
    for (size_t i = 0; i < sizeof taken; i++) {
        assert_int_equal(answer_to(post, (struct letter_style){.code = taken[i]}), CG_CODE(2, 4));
        assert_int_equal(post->heard[post->heard_count - 1].method, taken[i]);
    }
    assert_int_equal(post->heard_count, 1 + sizeof taken);
    for (size_t i = 0; i < sizeof refused; i++)
        assert_int_equal(answer_to(post, (struct letter_style){.code = refused[i]}), CG_CODE(4, 5));
    assert_int_equal(post->heard_count, 1 + sizeof taken);
    assert_int_equal(post_count(post, CG_ALERT_MALFORMED), sizeof refused);
}

static void test_path_query_and_format(void **state) {
    struct post *post = *state;
    post_introduce(post, 1, (struct letter_style){0});
    const struct cg_opt all[] = {option(CG_OPT_URI_HOST, "gateway"), option(CG_OPT_URI_PATH, "floor 1"),
                                 option(CG_OPT_URI_PATH, "a/b"),     option(CG_OPT_CONTENT_FORMAT, "\x32"),
                                 option(CG_OPT_URI_QUERY, "room=3"), option(CG_OPT_URI_QUERY, "x"),
                                 option(CG_OPT_ACCEPT, "\x32")};
    assert_int_equal(answer_to_options(post, all, sizeof all / sizeof *all), CG_CODE(2, 4));
    const struct heard *heard = &post->heard[1];
    assert_string_equal(heard->path, "/floor%201/a%2Fb");
    assert_string_equal(heard->query, "room=3&x");
    assert_true(heard->has_format && heard->format == 50);
}

static void test_the_root(void **state) {
    struct post *post = *state;
    post_introduce(post, 1, (struct letter_style){0});
    assert_int_equal(answer_to_options(post, NULL, 0), CG_CODE(2, 4));
    assert_string_equal(post->heard[1].path, "/");
    assert_string_equal(post->heard[1].query, "");
}

static void test_refused_options(void **state) {
    struct post *post = *state;
    post_introduce(post, 1, (struct letter_style){0});
    const struct {
        struct cg_opt opt;
        uint8_t code;
    } all[] = {
        {option(CG_OPT_IF_MATCH, "x"), CG_CODE(4, 2)},   {option(CG_OPT_URI_PATH, ".."), CG_CODE(4, 0)},
        {option(2049, "unknown"), CG_CODE(4, 2)},        {option(CG_OPT_BLOCK1, "\x0e"), CG_CODE(4, 13)},
        {option(CG_OPT_BLOCK1, "\x16"), CG_CODE(4, 13)}, {option(CG_OPT_CONTENT_FORMAT, "xyz"), CG_CODE(4, 0)},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_int_equal(answer_to_options(post, &all[i].opt, 1), all[i].code);
    assert_int_equal(post->heard_count, 1);
    const struct cg_opt elective = option(2050, "unknown"), whole = option(CG_OPT_BLOCK1, "\x06"),
                        observe = option(CG_OPT_OBSERVE, "");
    assert_int_equal(answer_to_options(post, &elective, 1), CG_CODE(2, 4));
    assert_int_equal(answer_to_options(post, &whole, 1), CG_CODE(2, 4));
    assert_int_equal(answer_to_options(post, &observe, 1), CG_CODE(2, 4));
}

static void test_no_response(void **state) {
    struct post *post = *state;
    struct parcel parcel;
    post_introduce(post, 1, (struct letter_style){0});
    struct cg_opt no_success = option(CG_OPT_NO_RESPONSE, "\x02"), no_errors = option(CG_OPT_NO_RESPONSE, "\x08");
    struct cg_opts options = {.list = &no_success, .count = 1};
    struct letter letter = post_write(&post->lamps[1], (struct letter_style){.options = &options});
    post_deliver(post, &parcel, &letter);
    assert_int_equal(parcel.saying, CG_INBOUND_ACKNOWLEDGE);
    assert_int_equal(post->heard_count, 2);
    assert_int_equal(answer_to_options(post, &no_errors, 1), CG_CODE(2, 4));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        post_test(test_methods),         post_test(test_path_query_and_format), post_test(test_the_root),
        post_test(test_refused_options), post_test(test_no_response),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
