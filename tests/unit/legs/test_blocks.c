/* Large answers: what makes a first block, and what makes one answer of the others (RFC 7959). */
#include "legs/fake_owner.h"

#include "base/container.h"
#include "legs/blocks.h"
#include "legs/observe.h"

#include <stdio.h>
#include <string.h>

/* Answers emission `index` with a block. */
static void answer_block(struct world *world, size_t index, const char *from, uint32_t number, bool more,
                         const char *payload, const char *etag) {
    uint8_t value[2] = {(uint8_t)(number >> 4), (uint8_t)(number << 4 | (more ? 8 : 0))}; /* szx 0: 16 bytes */
    struct cg_opt list[] = {{.number = CG_OPT_ETAG, .value = cg_slice_str(etag)},
                            {.number = CG_OPT_BLOCK2, .value = cg_slice_of(value, sizeof value)}};
    struct cg_opts options = {.list = list, .count = 2};
    struct answer answer = {.type = CG_NON, .code = CG_CODE(2, 5), .mid = 5, .payload = payload, .options = &options};
    world_answer_as(world, index, from, answer);
}

static void expect_block_request(const struct world *world, size_t index, uint32_t number) {
    uint32_t value;
    assert_true(index < world->sent_count);
    assert_int_equal(world->sent[index].msg.type, CG_CON);
    assert_true(cg_msg_find_uint(&world->sent[index].msg, CG_OPT_BLOCK2, &value));
    assert_int_equal(value, number << 4);
}

static void test_blocks_make_one_answer(void **state) { /* R40 */
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2", "small");
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    world_run(world);
    assert_int_equal(call.replies, 0); /* everybody answered, but one not wholly */
    expect_block_request(world, 1, 1);
    answer_block(world, 1, "127.1.0.1", 1, true, "ghijklmnopqrstuv", "e");
    expect_block_request(world, 2, 2);
    assert_memory_not_equal(world->sent[1].msg.token.bytes, world->sent[2].msg.token.bytes, 8);
    answer_block(world, 2, "127.1.0.1", 2, false, "wxyz", "e");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdefghijklmnopqrstuvwxyz\""));
}

static void expect_blocks_refused(struct world *world, struct call *call) {
    world_advance(world, 2 * SECOND);
    assert_int_equal(call->reply.summary.answered, 0);
    assert_int_equal(call->reply.summary.rejected, 1);
    assert_non_null(strstr(call->text, "\"reason\":\"blocks-incomplete\""));
    assert_non_null(strstr(call->text, "\"answers\":[]"));
}

static void test_blocks_that_do_not_fit_are_refused(void **state) {
    struct world *world = *state;
    struct call call;
    world->config->limits.answer = 64;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_get(world, &call, "/lamps");
    size_t at = world->sent_count;
    answer_block(world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_block(world, at, "127.1.0.1", 1, false, "not full, and it says more to come", "e");
    expect_blocks_refused(world, &call);
    world_get(world, &call, "/lamps");
    at = world->sent_count;
    answer_block(world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_block(world, at, "127.1.0.1", 3, false, "skips", "e");
    expect_blocks_refused(world, &call);
    world_get(world, &call, "/lamps");
    at = world->sent_count;
    answer_block(world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    expect_blocks_refused(world, &call); /* the rest never comes */
    world_get(world, &call, "/lamps");
    at = world->sent_count;
    for (uint32_t i = 0; i < 10 && at - 1 + i < world->sent_count; i++) { /* without end */
        answer_block(world, at - 1 + i, "127.1.0.1", i, true, "0123456789abcdef", "e");
    }
    expect_blocks_refused(world, &call);
}

/* What a first answer may look like, and why it is refused. */

struct first {
    const char *what;
    uint8_t value[4];
    size_t len;
    unsigned times; /* that the option is there */
    size_t payload;
    const char *reason; /* NULL: it is whole */
};

static const struct first firsts[] = {
    {"48 bytes, block of 32", {0x09}, 1, 1, 48, "bad-block"},
    {"16 bytes, block of 32", {0x09}, 1, 1, 16, "bad-block"},
    {"a full block that is not the first", {0x18}, 1, 1, 16, "bad-block"},
    {"the last block alone", {0x10}, 1, 1, 4, "bad-block"},
    {"a block far behind", {0xff, 0xff, 0xf8}, 3, 1, 16, "bad-block"},
    {"reserved size, more", {0x0f}, 1, 1, 16, "bad-block"},
    {"reserved size, last", {0x07}, 1, 1, 5, "bad-block"},
    {"a value of 4 bytes, more", {0, 0, 0, 0x08}, 4, 1, 16, "bad-block"},
    {"a value of 4 bytes, last", {0, 0, 0, 0}, 4, 1, 5, "bad-block"},
    {"two Block2 options, more", {0x08}, 1, 2, 16, "bad-block"},
    {"two Block2 options, last", {0x00}, 1, 2, 5, "bad-block"},
    {"longer than its only block", {0x00}, 0, 1, 17, "bad-block"},
    {"no bytes, more", {0x08}, 1, 1, 0, "bad-block"},
    {"an only block, full", {0x00}, 0, 1, 16, NULL},
    {"an only block, not full", {0x02}, 1, 1, 48, NULL},
    {"an only block of the largest size", {0x06}, 1, 1, 48, NULL},
    {"a value with leading zeros", {0, 0, 0}, 3, 1, 5, NULL},
    {"an empty only block", {0}, 0, 1, 0, NULL},
};

static void answer_first(struct world *world, const struct first *first) {
    char payload[64] = {0};
    memset(payload, 'x', first->payload);
    struct cg_opt list[2];
    for (unsigned i = 0; i < first->times; i++) {
        list[i] = (struct cg_opt){.number = CG_OPT_BLOCK2, .value = cg_slice_of(first->value, first->len)};
    }
    struct cg_opts options = {.list = list, .count = first->times};
    world_answer_as(world, world->sent_count - 1, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .payload = payload, .options = &options});
}

static void expect_rejected(const struct call *call, const char *what, const char *reason) {
    char part[64];
    snprintf(part, sizeof part, "\"reason\":\"%s\"", reason);
    if (call->reply.summary.answered != 0 || call->reply.summary.rejected != 1 || strstr(call->text, part) == NULL) {
        fail_msg("%s: %s", what, call->text);
    }
}

static void expect_whole(const struct call *call, const char *what) {
    if (call->reply.summary.answered != 1 || call->reply.summary.rejected != 0) fail_msg("%s: %s", what, call->text);
}

static void test_what_is_no_first_block_is_rejected(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        world_get(world, &call, "/lamps");
        size_t sent = world->sent_count;
        answer_first(world, &firsts[i]);
        world_advance(world, 2 * SECOND);
        assert_int_equal(world->sent_count, sent); /* nothing is fetched */
        if (firsts[i].reason != NULL) {
            expect_rejected(&call, firsts[i].what, firsts[i].reason);
        } else {
            expect_whole(&call, firsts[i].what);
        }
    }
}

static void start(struct world *world, struct call *call, uint8_t method) {
    struct cg_request *request = world_new(world, call, "/lamps");
    assert_non_null(request);
    request->method = method;
    request->payload = cg_slice_str("set");
    world_go(world, call);
}

/* Asking for the second block would do it all again. */
static void test_blocks_of_unsafe_methods_are_not_fetched(void **state) {
    struct world *world = *state;
    static const uint8_t unsafe[] = {CG_POST, CG_PUT, CG_DELETE, CG_PATCH, CG_IPATCH};
    static const struct first more = {"more", {0x08}, 1, 1, 16, "blocks-unsafe"};
    static const struct first only = {"only", {0x00}, 0, 1, 16, NULL};
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    for (size_t i = 0; i < sizeof unsafe; i++) {
        size_t sent = world->sent_count;
        start(world, &call, unsafe[i]);
        answer_first(world, &more);
        world_advance(world, 2 * SECOND);
        assert_int_equal(world->sent_count, sent + 1);
        expect_rejected(&call, "unsafe", more.reason);
        start(world, &call, unsafe[i]);
        answer_first(world, &only);
        world_advance(world, 2 * SECOND);
        expect_whole(&call, "unsafe, whole");
    }
}

static void test_blocks_of_fetch_carry_its_payload(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    start(world, &call, CG_FETCH);
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    expect_block_request(world, 1, 1);
    assert_int_equal(world->sent[1].msg.code, CG_FETCH);
    assert_true(cg_slice_is(world->sent[1].msg.payload, "set"));
    answer_block(world, 1, "127.1.0.1", 1, false, "g", "e");
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdefg\""));
}

/* A second block that is sent in answer to the request for it. */
struct second {
    const char *what;
    uint8_t value;
    unsigned times;
    uint8_t code;
    const char *payload;
    bool fits, begins; /* or all is asked for anew */
};

static const struct second seconds[] = {
    {"as asked for", 0x21, 1, CG_CODE(2, 5), "end", true, false},
    {"smaller", 0x40, 1, CG_CODE(2, 5), "end", true, false},
    {"larger than asked for", 0x12, 1, CG_CODE(2, 5), "end", false, false},
    {"another code", 0x21, 1, CG_CODE(2, 3), "end", false, true},
    {"an error", 0x21, 1, CG_CODE(4, 4), "end", false, true},
    {"twice", 0x21, 2, CG_CODE(2, 5), "end", false, false},
    {"no block", 0, 0, CG_CODE(2, 5), "end", false, false},
    {"the one before", 0x11, 1, CG_CODE(2, 5), "end", false, false},
    {"the one after", 0x31, 1, CG_CODE(2, 5), "end", false, false},
    {"longer than its size", 0x21, 1, CG_CODE(2, 5), "0123456789abcdef0123456789abcdefg", false, false},
    {"short, and more to come", 0x29, 1, CG_CODE(2, 5), "end", false, false},
    {"reserved size", 0x27, 1, CG_CODE(2, 5), "end", false, false},
};

static void answer_sized(struct world *world, uint8_t value, unsigned times, uint8_t code, const char *payload) {
    struct cg_opt block = {.number = CG_OPT_BLOCK2, .value = cg_slice_of(&value, 1)};
    struct cg_opt list[] = {block, block};
    struct cg_opts options = {.list = list, .count = times};
    world_answer_as(world, world->sent_count - 1, "127.1.0.1",
                    (struct answer){.type = CG_NON, .code = code, .payload = payload, .options = &options});
}

static void test_further_blocks_fit_exactly(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        const struct second *second = &seconds[i];
        world_get(world, &call, "/lamps");
        answer_sized(world, 0x09, 1, CG_CODE(2, 5), "0123456789abcdef0123456789abcdef");
        answer_sized(world, 0x19, 1, CG_CODE(2, 5), "0123456789abcdef0123456789abcdef");
        size_t sent = world->sent_count;
        answer_sized(world, second->value, second->times, second->code, second->payload);
        assert_int_equal(world->sent_count, sent + second->begins);
        world_advance(world, 2 * SECOND);
        if (second->fits) {
            expect_whole(&call, second->what);
            assert_non_null(strstr(call.text, "0123456789abcdef0123456789abcdefend\""));
        } else {
            expect_rejected(&call, second->what, "blocks-incomplete");
        }
    }
}

/* What a first block may not have no further one may (RFC 7252 §5.7, RFC 8613 §8.1). */
static void test_options_of_further_blocks_are_looked_at(void **state) {
    struct world *world = *state;
    static const struct {
        uint16_t number;
        bool fits;
    } rows[] = {{CG_OPT_MAX_AGE, true},  /* understood */
                {2053, true},            /* critical, not understood, safe to forward */
                {2050, false},           /* elective, unsafe */
                {65003, false},          /* critical, unsafe */
                {CG_OPT_OSCORE, false}}; /* of an answer to a plain request */
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cg_opt list[] = {{.number = CG_OPT_BLOCK2, .value = cg_slice_str("\x11")},
                                {.number = rows[i].number, .value = cg_slice_str("x")}};
        bool first = rows[i].number > CG_OPT_BLOCK2;
        struct cg_opts options = {.list = (struct cg_opt[]){list[!first], list[first]}, .count = 2};
        world_get(world, &call, "/lamps");
        answer_sized(world, 0x09, 1, CG_CODE(2, 5), "0123456789abcdef0123456789abcdef");
        world_answer_as(world, world->sent_count - 1, "127.1.0.1",
                        (struct answer){.type = CG_NON, .code = CG_CODE(2, 5), .payload = "end", .options = &options});
        world_advance(world, 2 * SECOND);
        if (rows[i].fits) {
            expect_whole(&call, "passes");
        } else {
            expect_rejected(&call, "unsafe", "blocks-incomplete");
        }
    }
}

/* After a smaller one the numbers count in the smaller size (RFC 7959 §2.4). */
static void test_the_size_of_blocks_may_shrink(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_get(world, &call, "/lamps");
    answer_sized(world, 0x09, 1, CG_CODE(2, 5), "0123456789abcdefghijklmnopqrstuv");
    answer_sized(world, 0x28, 1, CG_CODE(2, 5), "wxyz0123456789ab");
    expect_block_request(world, 2, 3);
    answer_sized(world, 0x30, 1, CG_CODE(2, 5), "end");
    world_advance(world, 2 * SECOND);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdefghijklmnopqrstuvwxyz0123456789abend\""));
}

/* R40 (RFC 7959 §2.8): the group is told a size, and who is asked for further blocks the smaller of that and its own.
 */
static void test_the_group_request_says_how_large_blocks_may_be(void **state) {
    struct world *world = *state;
    struct call call;
    uint32_t value;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_mapping(world, "lamps")->block_size = 16;
    world_get(world, &call, "/lamps");
    assert_true(cg_msg_find_uint(&world->sent[0].msg, CG_OPT_BLOCK2, &value));
    assert_int_equal(value, 0);
    answer_sized(world, 0x09, 1, CG_CODE(2, 5), "0123456789abcdefghijklmnopqrstuv"); /* larger all the same */
    expect_block_request(world, 1, 2);
    answer_sized(world, 0x20, 1, CG_CODE(2, 5), "end");
    world_answer(world, 0, "127.1.0.2", "small");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdefghijklmnopqrstuvend\""));
    world_mapping(world, "lamps")->block_size = 64;
    world_get(world, &call, "/lamps");
    assert_true(cg_msg_find_uint(&world->sent[world->sent_count - 1].msg, CG_OPT_BLOCK2, &value));
    assert_int_equal(value, 2);
    answer_block(world, world->sent_count - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e"); /* smaller: so be it */
    expect_block_request(world, world->sent_count - 1, 1);
}

static void test_only_safe_requests_say_how_large_blocks_may_be(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_slice value;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_mapping(world, "lamps")->block_size = 64;
    start(world, &call, CG_FETCH);
    assert_true(cg_msg_find(&world->sent[0].msg, CG_OPT_BLOCK2, &value));
    world_advance(world, 10 * SECOND);
    start(world, &call, CG_PUT);
    assert_false(cg_msg_find(&world->sent[1].msg, CG_OPT_BLOCK2, &value));
    world_advance(world, 10 * SECOND);
    world_mapping(world, "lamps")->security = CG_SECURITY_RELAY;
    start(world, &call, CG_FETCH);
    assert_false(cg_msg_find(&world->sent[2].msg, CG_OPT_BLOCK2, &value));
}

/* R40: one representation, not the beginning of one and the end of another. */
static void test_what_changes_meanwhile_is_fetched_anew(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2", "small");
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_block(world, 1, "127.1.0.1", 1, true, "ghijklmnopqrstuv", "e");
    answer_block(world, 2, "127.1.0.1", 2, true, "of something else", "f");
    expect_block_request(world, 3, 0);
    answer_block(world, 3, "127.1.0.1", 0, true, "ABCDEFGHIJKLMNOP", "f");
    expect_block_request(world, 4, 1);
    answer_block(world, 4, "127.1.0.1", 1, false, "QR", "f");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"body\":\"ABCDEFGHIJKLMNOPQR\""));
    assert_non_null(strstr(call.text, "\"options\":{\"4\":[\"66\"]}"));
    assert_non_null(strstr(call.text, "\"via\":\"unicast\""));
    assert_int_equal(call.reply.summary.answered, 2);
}

static void test_what_has_become_small_is_whole(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_sized(world, 0, 0, CG_CODE(4, 0), "no such block");
    expect_block_request(world, 2, 0);
    answer_sized(world, 0, 0, CG_CODE(2, 5), "small now");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"body\":\"small now\""));
    world_get(world, &call, "/lamps");
    size_t at = world->sent_count;
    answer_block(world, at - 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    answer_sized(world, 0, 0, CG_CODE(4, 4), "gone");
    answer_sized(world, 0, 0, CG_CODE(4, 4), "gone");
    world_run(world);
    assert_int_equal(call.reply.summary.failed, 1); /* what it says in the end is its answer */
}

static void test_what_changes_all_the_time_is_given_up(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_get(world, &call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "0");
    for (unsigned times = 1; times < 4; times++) {
        const char etags[] = {(char)('0' + times), '\0'};
        answer_block(world, world->sent_count - 1, "127.1.0.1", 1, true, "0123456789abcdef", etags);
        expect_block_request(world, world->sent_count - 1, 0);
        answer_block(world, world->sent_count - 1, "127.1.0.1", 0, true, "0123456789abcdef", etags);
        expect_block_request(world, world->sent_count - 1, 1);
    }
    size_t sent = world->sent_count;
    answer_block(world, sent - 1, "127.1.0.1", 1, true, "0123456789abcdef", "9");
    assert_int_equal(world->sent_count, sent);
    expect_blocks_refused(world, &call);
}

/* A group answer that was lost: the one that silence asked for may be the first of several blocks as well. */
static void test_the_first_block_may_come_by_unicast(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 2);
    lamps->repair_unicast = true;
    lamps->leisure = 0.5;
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2", "small");
    world_advance(world, SECOND);
    assert_int_equal(world->sent_count, 2);
    answer_block(world, 1, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    expect_block_request(world, 2, 1);
    answer_block(world, 2, "127.1.0.1", 1, false, "g", "e");
    world_run(world);
    assert_int_equal(call.replies, 1);
    assert_non_null(strstr(call.text, "\"body\":\"0123456789abcdefg\""));
}

static void start_unicast(struct world *world, struct call *call) {
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world_mapping(world, "lamps")->timeout_us = world_mapping(world, "lamps")->max_timeout_us = 1000 * SECOND;
    world_get(world, call, "/lamps");
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    expect_block_request(world, 1, 1);
}

static void acknowledge_last(struct world *world) {
    uint16_t mid = world->sent[world->sent_count - 1].msg.mid;
    uint8_t ack[] = {0x60, 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    world_deliver(world, "127.1.0.1", ack, sizeof ack);
}

/* As it was measured. */
static uint64_t timeout_us(const struct world *world) {
    const struct cg_engine *engine = cg_gateway_engine(world->gateway);
    return cg_endpoint_timeout_us(engine, cg_endpoint_find(engine, &world->sent[1].route.to));
}

/* Each is a request of its own (RFC 7252 §4.2): acknowledged for itself, and said five times for itself. */
static void test_each_blocks_request_is_retransmitted_for_itself(void **state) {
    struct world *world = *state;
    struct call call;
    start_unicast(world, &call);
    world_advance(world, 11 * timeout_us(world)); /* after 1 to 1.5, 3 to 4.5, 7 to 10.5 of these */
    assert_true(world->sent_count >= 2 + 3);
    acknowledge_last(world);
    size_t sent = world->sent_count;
    world_advance(world, 200 * SECOND);
    assert_int_equal(world->sent_count, sent); /* the block is on its way */
    answer_block(world, 1, "127.1.0.1", 1, true, "0123456789abcdef", "e");
    expect_block_request(world, sent, 2);
    assert_int_equal(cg_stats_get(cg_gateway_stats(world->gateway), "lamps")->asked, 4); /* retransmissions aside */
    world_advance(world, 24 * timeout_us(world)); /* the fourth comes after 15 to 22.5 of these, the end after 31 */
    assert_int_equal(world->sent_count, sent + 5);
    answer_block(world, sent, "127.1.0.1", 2, true, "0123456789abcdef", "e");
    expect_block_request(world, sent + 5, 3);
    acknowledge_last(world);
    world_advance(world, 200 * SECOND);
    assert_int_equal(world->sent_count, sent + 6);
    answer_block(world, sent + 5, "127.1.0.1", 3, false, "g", "e");
    world_run(world);
    assert_int_equal(call.reply.summary.answered, 1);
}

static void test_a_block_that_cannot_be_asked_for_is_no_problem_of_the_only_member(void **state) {
    struct world *world = *state;
    struct call call;
    start_unicast(world, &call);
    world->emit_error = CG_E_EMIT;
    answer_block(world, 1, "127.1.0.1", 1, true, "0123456789abcdef", "e");
    world_advance(world, 1000 * SECOND);
    assert_int_equal(call.problems, 0);
    assert_int_equal(call.reply.summary.answered, 0);
    assert_int_equal(call.reply.summary.rejected, 1);
}

static void test_a_first_block_alone_is_no_answer_when_nothing_can_be_sent(void **state) {
    struct world *world = *state;
    struct call call;
    world_add_members(world, world_mapping(world, "lamps"), 2);
    world_get(world, &call, "/lamps");
    world_answer(world, 0, "127.1.0.2", "whole");
    world->emit_error = CG_E_EMIT;
    answer_block(world, 0, "127.1.0.1", 0, true, "0123456789abcdef", "e");
    world_advance(world, 2 * SECOND);
    assert_int_equal(call.problems, 0); /* the others' answers count */
    assert_int_equal(call.reply.summary.answered, 1);
    assert_int_equal(call.reply.summary.missing, 1);
    assert_non_null(strstr(call.text, "\"reason\":\"blocks-incomplete\""));
}

/* Of notifications (RFC 7959 §2.6) */

struct fetch {
    struct cg_blocks blocks;
    unsigned whole, incomplete;
    char body[64];
    struct cg_notification notification;
    struct cg_opened opened; /* without what it lends */
};

static struct fetch *fetch_of(const struct cg_blocks *blocks) {
    return CG_CONTAINER((struct cg_blocks *)blocks, struct fetch, blocks);
}

static void on_whole(struct cg_engine *engine, struct cg_blocks *blocks) {
    struct fetch *fetch = fetch_of(blocks);
    struct cg_slice payload = blocks->opened.payload;
    (void)engine;
    fetch->whole++;
    assert_true(payload.len < sizeof fetch->body);
    memcpy(fetch->body, payload.data, payload.len);
    cg_notification_read(&blocks->opened, &fetch->notification);
    fetch->opened = blocks->opened;
}

static void on_incomplete(struct cg_engine *engine, struct cg_blocks *blocks, const char *reason) {
    (void)engine, (void)reason;
    fetch_of(blocks)->incomplete++;
}

static void on_refused(struct cg_engine *engine, struct cg_blocks *blocks, const struct cg_addr *from,
                       const struct cg_opened *opened, const char *reason) {
    (void)engine, (void)blocks, (void)from, (void)opened, (void)reason;
    fail_msg("nothing is refused");
}

static bool is_wanted(const struct cg_blocks *blocks) {
    (void)blocks;
    return true;
}

static const struct cg_blocks_ops fetch_ops = {
    .whole = on_whole, .incomplete = on_incomplete, .refused = on_refused, .is_wanted = is_wanted};

/* The first block of notification 9, with ETag "e", has come from 127.1.0.1. */
static void fetch_rest(struct fetch *fetch, struct owner *owner, struct cg_arena *arena) {
    static uint32_t left = 100, strangers;
    static const char options[] = "\x41"
                                  "e"
                                  "\x21\x09"      /* Observe */
                                  "\xd1\x04\x08"; /* Block2 0/1/16 */
    const struct cg_opened opened = {.code = CG_CODE(2, 5),
                                     .options = cg_slice_of(options, sizeof options - 1),
                                     .payload = cg_slice_str("0123456789abcdef"),
                                     .verified = CASTGATE_VERIFIED_SOURCE,
                                     .has_number = true,
                                     .number = 41,
                                     .generation = 3};
    const struct cg_arrival first = {.from = address("127.1.0.1"), .opened = &opened};
    *fetch = (struct fetch){0};
    assert_true(cg_blocks_init(&fetch->blocks, &fetch_ops, &first, arena, 1000));
    struct cg_blocks_plan plan = {
        .order = owner_order(owner), .is_known_host = true, .left = &left, .strangers = &strangers};
    assert_null(cg_blocks_fetch(owner_engine(owner), &fetch->blocks, &plan));
}

static void expect_no_observe(const struct world *world, size_t index) {
    struct cg_slice ignored;
    assert_true(index < world->sent_count);
    assert_false(cg_msg_find(&world->sent[index].msg, CG_OPT_OBSERVE, &ignored));
}

static void test_further_blocks_of_a_notification_observe_nothing(void **state) {
    struct world *world = *state;
    struct owner owner;
    struct fetch fetch;
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    owner_init(&owner, world);
    fetch_rest(&fetch, &owner, &arena);
    expect_block_request(world, 0, 1);
    expect_no_observe(world, 0);
    answer_block(world, 0, "127.1.0.1", 1, false, "ghij", "e");
    assert_int_equal(fetch.whole, 1);
    assert_string_equal(fetch.body, "0123456789abcdefghij");
    assert_true(fetch.notification.is_observed);
    assert_int_equal(fetch.notification.order, 9);
    assert_int_equal(fetch.opened.number, 41);
    assert_int_equal(world->gateway->engine.asks, 0); /* answered, and over: it does not hear on */
    cg_blocks_fini(owner_engine(&owner), &fetch.blocks);
    cg_arena_fini(&arena);
}

static void test_what_a_notification_has_become_is_that_notification(void **state) {
    struct world *world = *state;
    struct owner owner;
    struct fetch fetch;
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    owner_init(&owner, world);
    fetch_rest(&fetch, &owner, &arena);
    answer_block(world, 0, "127.1.0.1", 1, true, "ghijklmnopqrstuv", "f"); /* it has changed */
    expect_block_request(world, 1, 0);
    expect_no_observe(world, 1);
    answer_block(world, 1, "127.1.0.1", 0, true, "ABCDEFGHIJKLMNOP", "f");
    expect_block_request(world, 2, 1);
    answer_block(world, 2, "127.1.0.1", 1, false, "QRST", "f");
    assert_int_equal(fetch.whole, 1);
    assert_string_equal(fetch.body, "ABCDEFGHIJKLMNOPQRST");
    assert_true(fetch.notification.is_observed);
    assert_int_equal(fetch.notification.order, 9);
    assert_true(fetch.opened.has_number);
    assert_int_equal(fetch.opened.number, 41);
    assert_int_equal(fetch.opened.generation, 3);
    cg_blocks_fini(owner_engine(&owner), &fetch.blocks);
    cg_arena_fini(&arena);
}

/* A newer one has come: the round ends the fetch, and what is still answered finds nobody. */
static void test_a_fetch_may_be_ended_at_any_time(void **state) {
    struct world *world = *state;
    struct owner owner;
    struct fetch fetch;
    struct cg_arena arena;
    cg_arena_init(&arena, 1 << 20, NULL);
    owner_init(&owner, world);
    fetch_rest(&fetch, &owner, &arena);
    cg_blocks_fini(owner_engine(&owner), &fetch.blocks);
    answer_block(world, 0, "127.1.0.1", 1, false, "ghij", "e");
    assert_int_equal(fetch.whole + fetch.incomplete, 0);
    assert_int_equal(world->gateway->totals.fates[CG_FATE_LATE], 1);
    assert_null(world->gateway->engine.tokens.live);
    cg_arena_fini(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        world_test(test_blocks_make_one_answer),
        world_test(test_blocks_that_do_not_fit_are_refused),
        world_test(test_what_is_no_first_block_is_rejected),
        world_test(test_blocks_of_unsafe_methods_are_not_fetched),
        world_test(test_blocks_of_fetch_carry_its_payload),
        world_test(test_further_blocks_fit_exactly),
        world_test(test_options_of_further_blocks_are_looked_at),
        world_test(test_the_size_of_blocks_may_shrink),
        world_test(test_what_changes_meanwhile_is_fetched_anew),
        world_test(test_what_has_become_small_is_whole),
        world_test(test_what_changes_all_the_time_is_given_up),
        world_test(test_the_first_block_may_come_by_unicast),
        world_test(test_the_group_request_says_how_large_blocks_may_be),
        world_test(test_only_safe_requests_say_how_large_blocks_may_be),
        world_test(test_each_blocks_request_is_retransmitted_for_itself),
        world_test(test_a_block_that_cannot_be_asked_for_is_no_problem_of_the_only_member),
        world_test(test_a_first_block_alone_is_no_answer_when_nothing_can_be_sent),
        world_test(test_further_blocks_of_a_notification_observe_nothing),
        world_test(test_what_a_notification_has_become_is_that_notification),
        world_test(test_a_fetch_may_be_ended_at_any_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
