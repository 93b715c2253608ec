/* Block options (RFC 7959 §2.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "wire/block.h"
#include "wire/msg.h"

static void assert_value(struct cg_block block, size_t len, const char *bytes) {
    uint8_t value[CG_BLOCK_MAX];
    assert_int_equal(cg_block_emit(&block, value), len);
    assert_memory_equal(value, bytes, len);
}

static void values_are_as_short_as_they_can_be(void **state) {
    (void)state;
    assert_value((struct cg_block){0}, 0, "");
    assert_value((struct cg_block){.szx = 6}, 1, "\x06");
    assert_value((struct cg_block){.number = 1, .more = true, .szx = 2}, 1, "\x1a");
    assert_value((struct cg_block){.number = 15, .szx = 6}, 1, "\xf6");
    assert_value((struct cg_block){.number = 16}, 2, "\x01\x00");
    assert_value((struct cg_block){.number = 4095, .szx = 6}, 2, "\xff\xf6");
    assert_value((struct cg_block){.number = 4096, .more = true}, 3, "\x01\x00\x08");
    assert_value((struct cg_block){.number = 0xfffff, .more = true, .szx = 6}, 3, "\xff\xff\xfe");
}

typedef enum cg_block_found find_fn(struct cg_slice options, uint16_t number, struct cg_block *block);

static enum cg_block_found find_by(find_fn *finds, const char *values[], size_t count, struct cg_block *block) {
    uint8_t bytes[64];
    struct cg_msg_writer writer;
    cg_msg_begin_inner(&writer, bytes, sizeof bytes, CG_EMPTY);
    cg_msg_put_opt(&writer, CG_OPT_ETAG, cg_slice_str("e"));
    for (size_t i = 0; i < count; i++) cg_msg_put_opt(&writer, CG_OPT_BLOCK2, cg_slice_str(values[i]));
    int len = cg_msg_end(&writer);
    assert_true(len > 0);
    return finds(cg_slice_of(bytes + 1, (size_t)len - 1), CG_OPT_BLOCK2, block);
}

static enum cg_block_found find(const char *values[], size_t count, struct cg_block *block) {
    return find_by(cg_block_find, values, count, block);
}

static void one_option_is_found(void **state) {
    (void)state;
    struct cg_block block;
    assert_int_equal(find(NULL, 0, &block), CG_BLOCK_NONE);
    assert_int_equal(find((const char *[]){"\x1a"}, 1, &block), CG_BLOCK_ONE);
    assert_int_equal(block.number, 1);
    assert_true(block.more);
    assert_int_equal(block.szx, 2);
    assert_int_equal(find((const char *[]){"\xff\xff\xf6"}, 1, &block), CG_BLOCK_ONE);
    assert_int_equal(block.number, 0xfffff);
    assert_false(block.more);
    assert_int_equal(find((const char *[]){""}, 1, &block), CG_BLOCK_ONE);
    assert_int_equal(block.number, 0);
}

static void malformed_options_are_told(void **state) {
    (void)state;
    struct cg_block block;
    assert_int_equal(find((const char *[]){"\x1f"}, 1, &block), CG_BLOCK_MALFORMED);             /* the reserved size */
    assert_int_equal(find((const char *[]){"\x01\x01\x01\x01"}, 1, &block), CG_BLOCK_MALFORMED); /* too long */
    assert_int_equal(find((const char *[]){"\x1a", "\x1a"}, 2, &block),
                     CG_BLOCK_MALFORMED); /* repeated (RFC 7252 §5.4.5) */
}

static void a_block_that_others_follow_is_full(void **state) {
    (void)state;
    struct cg_block more = {.more = true, .szx = 1}, last = {.szx = 1};
    assert_int_equal(cg_block_size(&more), 32);
    assert_true(cg_block_has_its_size(&more, 32));
    assert_false(cg_block_has_its_size(&more, 31));
    assert_false(cg_block_has_its_size(&more, 33));
    assert_true(cg_block_has_its_size(&last, 0));
    assert_true(cg_block_has_its_size(&last, 32));
    assert_false(cg_block_has_its_size(&last, 33));
}

/* RFC 8323 §6: any number of blocks of 1024 bytes, and behind the last ones a part of one. */
static void a_stream_may_carry_many_at_once(void **state) {
    (void)state;
    struct cg_block more, last;
    assert_int_equal(find_by(cg_block_find_bert, (const char *[]){"\x3f"}, 1, &more), CG_BLOCK_ONE);
    assert_int_equal(find_by(cg_block_find_bert, (const char *[]){"\x37"}, 1, &last), CG_BLOCK_ONE);
    assert_int_equal(more.number, 3);
    assert_int_equal(cg_block_size(&more), 1024);
    assert_true(cg_block_has_its_size(&more, 1024));
    assert_true(cg_block_has_its_size(&more, 5 * 1024));
    assert_false(cg_block_has_its_size(&more, 0));
    assert_false(cg_block_has_its_size(&more, 1025));
    assert_true(cg_block_has_its_size(&last, 0));
    assert_true(cg_block_has_its_size(&last, 5000));
}

static void a_size_is_rounded_down_to_one_that_blocks_have(void **state) {
    (void)state;
    static const struct {
        size_t size;
        uint8_t szx;
    } rows[] = {{0, 0}, {16, 0}, {31, 0}, {32, 1}, {500, 4}, {512, 5}, {1023, 5}, {1024, 6}, {65536, 6}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) assert_int_equal(cg_block_szx(rows[i].size), rows[i].szx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_as_short_as_they_can_be),
        cmocka_unit_test(one_option_is_found),
        cmocka_unit_test(a_size_is_rounded_down_to_one_that_blocks_have),
        cmocka_unit_test(malformed_options_are_told),
        cmocka_unit_test(a_block_that_others_follow_is_full),
        cmocka_unit_test(a_stream_may_carry_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
