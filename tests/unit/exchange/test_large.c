/* Requests that are too large for a multicast, as conversations (scenario.h). With blocks of 16 bytes everything longer
 * is large. */
#include "exchange/fake_world.h"
#include "exchange/scenario.h"

#include <stdio.h>
#include <string.h>

#define LARGE   "'block_size':16,'timeout':60,'repair':{'large_requests':true}"
#define ONE     LARGE ",'membership':'complete','members':['127.1.0.1']"
#define TWO     LARGE ",'membership':'complete','members':['127.1.0.1','127.1.0.2']"
#define BODY    "0123456789abcdefghijklmnopqrstuvwxyz" /* 36 bytes: three blocks */
#define FIRST   "1:0/1/16 size1:36 tag 0123456789abcdef"
#define SECOND_ "1:1/1/16 tag ghijklmnopqrstuv"
#define LAST    "1:2/0/16 tag wxyz"

/* May it be? */

static void without_the_setting_it_is_refused(void **state) {
    (void)state;
    gateway_serves("/lamps", "'block_size':16,'members':['127.1.0.1','127.1.0.2']");
    client_asks("alice", "PUT /lamps " BODY);
    client_gets("alice", "problem too-large");
    nothing_is_sent();
    client_asks("alice", "PUT /lamps 0123456789abcdef"); /* as much as goes */
    group_hears("NON PUT /base 0123456789abcdef");
    time_passes(2);
    client_gets("alice", "missing 127.1.0.1", "missing 127.1.0.2", "deadline");
}

static void without_configured_members_it_is_refused(void **state) {
    (void)state;
    gateway_serves("/lamps", LARGE);
    client_asks("alice", "PUT /lamps " BODY);
    client_gets("alice", "problem too-large");
}

static void who_does_not_listen_is_refused(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO);
    client_asks("alice", "PUT /lamps timeout:0 " BODY);
    client_gets("alice", "problem multicast-timeout");
}

static void what_cannot_be_sent_is_no_silence(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO);
    nothing_can_be_sent();
    client_asks("alice", "PUT /lamps " BODY);
    client_gets("alice", "problem cannot-emit");
}

static void what_clients_protect_passes_as_it_is(void **state) {
    (void)state;
    gateway_serves("/lamps", "'security':'relay','block_size':16");
    gateway_relays("/lamps");
    client_asks("alice", "POST /lamps oscore:00 " BODY);
    group_hears("NON POST oscore:00 " BODY);
    time_passes(2);
    client_gets("alice", "deadline");
}

/* Blocks */

static void members_get_it_by_unicast_in_blocks(void **state) { /* R41 */
    (void)state;
    gateway_serves("/lamps", TWO);
    client_asks("alice", "PUT /lamps/image " BODY);
    member_hears("127.1.0.1", "CON PUT /base/image " FIRST);
    member_hears("127.1.0.2", "CON PUT /base/image " FIRST);
    member_answers("127.1.0.2", "2.31 1:0/1/16");
    member_hears("127.1.0.2", "CON PUT /base/image " SECOND_);
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base/image " SECOND_);
    member_answers("127.1.0.1", "2.31 1:1/1/16");
    member_hears("127.1.0.1", "CON PUT /base/image " LAST);
    member_answers("127.1.0.1", "2.04 1:2/0/16");
    member_answers("127.1.0.2", "2.31 1:1/1/16");
    member_hears("127.1.0.2", "CON PUT /base/image " LAST);
    client_gets_nothing("alice");
    member_answers("127.1.0.2", "2.04 1:2/0/16 done");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "127.1.0.2 by unicast 2.04 done", "all");
}

static void a_block_that_is_lost_is_said_again(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "POST /lamps " BODY);
    member_hears("127.1.0.1", "CON POST /base " FIRST);
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON POST /base " SECOND_);
    time_passes(0.16);
    member_hears("127.1.0.1", "CON POST /base " SECOND_);
    member_answers("127.1.0.1", "2.31 1:1/1/16");
    member_hears("127.1.0.1", "CON POST /base " LAST);
    member_answers("127.1.0.1", "2.01");
    client_gets("alice", "127.1.0.1 by unicast 2.01", "all");
}

/* RFC 7959 §2.3, figure 9 */
static void a_member_may_ask_for_smaller_blocks(void **state) {
    (void)state;
    gateway_serves("/lamps", "'block_size':32,'timeout':60,'membership':'complete','members':['127.1.0.1']");
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/32 size1:36 tag 0123456789abcdefghijklmnopqrstuv");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base " LAST);
    member_answers("127.1.0.1", "2.04 1:2/0/16");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
}

/* RFC 7959 §2.9.3 */
static void a_block_that_is_too_large_is_cut_smaller(void **state) {
    (void)state;
    gateway_serves("/lamps", "'block_size':32,'timeout':60,'membership':'complete','members':['127.1.0.1']");
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/32 size1:36 tag 0123456789abcdefghijklmnopqrstuv");
    member_answers("127.1.0.1", "4.13 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base " FIRST);
    member_answers("127.1.0.1", "4.13 1:0/1/16 64 bytes at most"); /* the whole is */
    client_gets("alice", "127.1.0.1 by unicast 4.13 64 bytes at most", "all");
}

/* RFC 7959 §2.9.2: it has forgotten what came before. */
static void who_lacks_blocks_gets_them_again(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base " FIRST);
    for (unsigned times = 1; times < 5; times++) {
        member_answers("127.1.0.1", "2.31 1:0/1/16");
        member_hears("127.1.0.1", "CON PUT /base " SECOND_);
        member_answers("127.1.0.1", "4.08");
        member_hears("127.1.0.1", "CON PUT /base " FIRST);
    }
    member_answers("127.1.0.1", "4.08 and again"); /* so be it */
    client_gets("alice", "127.1.0.1 by unicast 4.08 and again", "all");
}

static void an_error_is_the_response(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO);
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base " FIRST);
    member_hears("127.1.0.2", "CON PUT /base " FIRST);
    member_answers("127.1.0.1", "4.05");
    member_answers("127.1.0.2", "2.31 1:0/1/16");
    member_hears("127.1.0.2", "CON PUT /base " SECOND_);
    member_answers("127.1.0.2", "5.00 1:1/0/16 full");
    client_gets("alice", "127.1.0.1 by unicast 4.05", "127.1.0.2 by unicast 5.00 full", "all");
}

static void what_makes_no_sense_is_said(void **state) {
    (void)state;
    static const char *const responses[] = {"2.31", "2.04", "2.31 1:1/1/16", "2.31 1:0/1/32"};
    gateway_serves("/lamps", TWO);
    for (size_t i = 0; i < sizeof responses / sizeof *responses; i++) {
        client_asks("alice", "PUT /lamps " BODY);
        member_hears("127.1.0.1", "CON PUT /base " FIRST);
        member_hears("127.1.0.2", "CON PUT /base " FIRST);
        member_answers("127.1.0.1", responses[i]);
        member_answers("127.1.0.2", "4.04");
        client_gets("alice", "127.1.0.2 by unicast 4.04", "rejected 127.1.0.1 bad-block", "missing 127.1.0.1 refused",
                    "deadline");
    }
}

/* RFC 7959 §2.3: it has acted on the part already. */
static void a_member_may_take_each_block_for_itself(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base " FIRST);
    member_answers("127.1.0.1", "2.04 1:0/0/16");
    member_hears("127.1.0.1", "CON PUT /base " SECOND_);
    member_answers("127.1.0.1", "2.04 1:1/0/16");
    member_hears("127.1.0.1", "CON PUT /base " LAST);
    member_answers("127.1.0.1", "2.04 1:2/0/16");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
}

static void the_last_block_is_not_gone_on_from(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "PUT /lamps 0123456789abcdefg");
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base 1:1/0/16 tag g");
    member_answers("127.1.0.1", "2.31 1:1/1/16");
    client_gets("alice", "rejected 127.1.0.1 bad-block", "missing 127.1.0.1 refused", "deadline");
}

/* Single members, and those who are silent */

static void a_named_member_gets_it_without_the_setting(void **state) {
    (void)state;
    gateway_serves("/lamps", "'block_size':16,'stand_in':'members','members':['127.1.0.1','127.1.0.2']");
    client_asks("alice", "PUT /lamps/.member/127.1.0.2:5683 0123456789abcdefg");
    member_hears("127.1.0.2", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.2", "2.31 1:0/1/16");
    member_hears("127.1.0.2", "CON PUT /base 1:1/0/16 tag g");
    member_answers("127.1.0.2", "2.04");
    client_gets("alice", "127.1.0.2 by unicast 2.04", "all");
}

static void who_stops_answering_is_missing(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO ",'max_timeout':300");
    client_asks("alice", "PUT /lamps timeout:20 0123456789abcdefg");
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_hears("127.1.0.2", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base 1:1/0/16 tag g");
    member_answers("127.1.0.1", "2.04");
    member_answers("127.1.0.2", "2.31 1:0/1/16");
    member_hears("127.1.0.2", "CON PUT /base 1:1/0/16 tag g");
    member_answers("127.1.0.2", "ACK");
    time_passes(20);
    client_gets("alice", "127.1.0.1 by unicast 2.04", "missing 127.1.0.2", "deadline");
}

static void nobody_is_waited_for_who_has_given_up(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO);
    client_asks("alice", "PUT /lamps timeout:20 0123456789abcdefg");
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_hears("127.1.0.2", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.1", "4.04");
    member_answers("127.1.0.2", "RST");
    client_gets("alice", "127.1.0.1 by unicast 4.04", "missing 127.1.0.2", "deadline");
}

static void what_clients_do_not_want_to_hear_is_asked_for_all_the_same(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "PUT /lamps no-response:26 0123456789abcdefg");
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base 1:1/0/16 tag g");
    member_answers("127.1.0.1", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
}

static void who_leaves_ends_it(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base " FIRST);
    client_leaves("alice");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    time_passes(10);
    nothing_is_sent();
}

/* The response */

/* RFC 7959 §2.7: without the payload, which has been said. */
static void the_response_may_come_in_blocks(void **state) {
    (void)state;
    gateway_serves("/lamps", TWO);
    client_asks("alice", "FETCH /lamps 0123456789abcdefg");
    member_hears("127.1.0.1", "CON FETCH /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_hears("127.1.0.2", "CON FETCH /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.2", "4.04");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON FETCH /base 2:0/0/16 1:1/0/16 tag g");
    member_answers("127.1.0.1", "2.05 2:0/1/16 1:1/0/16 ABCDEFGHIJKLMNOP");
    member_hears("127.1.0.1", "CON FETCH /base 2:1/0/16 tag");
    client_gets_nothing("alice");
    member_answers("127.1.0.1", "2.05 2:1/0/16 QR");
    client_gets("alice", "127.1.0.2 by unicast 4.04", "127.1.0.1 by unicast 2.05 ABCDEFGHIJKLMNOPQR", "all");
}

static void a_response_in_blocks_to_what_is_unsafe_is_refused(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    client_asks("alice", "POST /lamps 0123456789abcdefg");
    member_hears("127.1.0.1", "CON POST /base 1:0/1/16 size1:17 tag 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON POST /base 1:1/0/16 tag g");
    member_answers("127.1.0.1", "2.04 2:0/1/16 1:1/0/16 ABCDEFGHIJKLMNOP");
    client_gets("alice", "rejected 127.1.0.1 blocks-unsafe", "missing 127.1.0.1 refused", "deadline");
}

/* Keys */

/* A member that has started again wants to see once more that requests are fresh. */
static void challenges_in_the_middle_are_answered(void **state) {
    (void)state;
    gateway_serves("/lamps", "'block_size':16,'stand_in':'members','members':['127.1.0.1','127.1.0.2']");
    gateway_holds_keys("/lamps");
    client_asks("alice", "PUT /lamps/.member/127.1.0.1:5683 0123456789abcdefg");
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:17 tag keys:1 0123456789abcdef");
    member_answers("127.1.0.1", "4.01 echo:1");
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:17 echo:1 tag keys:1 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base 1:1/0/16 tag keys:1 g");
    member_answers("127.1.0.1", "4.01 echo:2");
    member_hears("127.1.0.1", "CON PUT /base 1:1/0/16 echo:2 tag keys:1 g");
    member_answers("127.1.0.1", "4.01 echo:3");
    member_hears("127.1.0.1", "CON PUT /base 1:1/0/16 echo:3 tag keys:1 g");
    member_answers("127.1.0.1", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
}

/* Its last block is the request. */
static void a_post_is_challenged_once_when_all_is_said(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    gateway_holds_keys("/lamps");
    client_asks("alice", "POST /lamps 0123456789abcdefg");
    member_hears("127.1.0.1", "CON POST /base 1:0/1/16 size1:17 tag keys:1 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON POST /base 1:1/0/16 tag keys:1 g");
    member_answers("127.1.0.1", "4.01 echo:1");
    member_hears("127.1.0.1", "CON POST /base 1:1/0/16 echo:1 tag keys:1 g");
    member_answers("127.1.0.1", "4.01 echo:2");
    nothing_is_sent();
    client_gets("alice", "missing 127.1.0.1", "deadline");
}

/* Nothing goes out under the old ones; of a POST the last block is not said again at all. */
static void keys_may_change_in_the_middle(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    gateway_holds_keys("/lamps");
    client_asks("alice", "POST /lamps 0123456789abcdefg");
    member_hears("127.1.0.1", "CON POST /base 1:0/1/16 size1:17 tag keys:1 0123456789abcdef");
    keys_change();
    time_passes(3);
    member_hears("127.1.0.1", "CON POST /base 1:0/1/16 size1:17 tag keys:2 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON POST /base 1:1/0/16 tag keys:2 g");
    keys_change();
    time_passes(10);
    nothing_is_sent();
    member_answers("127.1.0.1", "2.04");
    client_gets("alice", "127.1.0.1 by unicast 2.04", "all");
}

/* What a member has of a block may not be known, as here after new keys: before all is begun again, the next is tried.
 */
static void who_may_have_a_block_is_given_the_next(void **state) {
    (void)state;
    gateway_serves("/lamps", ONE);
    gateway_holds_keys("/lamps");
    client_asks("alice", "PUT /lamps " BODY);
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:36 tag keys:1 0123456789abcdef");
    member_answers("127.1.0.1", "2.31 1:0/1/16");
    member_hears("127.1.0.1", "CON PUT /base 1:1/1/16 tag keys:1 ghijklmnopqrstuv");
    keys_change();
    time_passes(0.16);
    member_hears("127.1.0.1", "CON PUT /base 1:1/1/16 tag keys:2 ghijklmnopqrstuv");
    member_answers("127.1.0.1", "4.08");
    member_hears("127.1.0.1", "CON PUT /base 1:2/0/16 tag keys:2 wxyz");
    member_answers("127.1.0.1", "4.08"); /* it has not, after all */
    member_hears("127.1.0.1", "CON PUT /base 1:0/1/16 size1:36 tag keys:2 0123456789abcdef");
    member_answers("127.1.0.1", "4.04");
    client_gets("alice", "127.1.0.1 by unicast 4.04", "all");
}

/* Many */

static void put_large(struct world *world, struct call *call) {
    static uint8_t body[3000];
    struct cg_request *request = world_new(world, call, "/lamps");
    assert_non_null(request);
    request->method = CG_PUT;
    request->payload = cg_slice_of(body, sizeof body);
    world_go(world, call);
    world_run(world);
}

static void answer(struct world *world, size_t index, uint8_t code, const char *block1) {
    char from[16];
    snprintf(from, sizeof from, "127.1.0.%u", world->sent[index].route.to.ip[3]);
    struct cg_opt opt = {.number = CG_OPT_BLOCK1, .value = cg_slice_str(block1)};
    struct cg_opts options = {.list = &opt, .count = 1};
    world_answer_as(
        world, index, from,
        (struct answer){.type = CG_ACK, .code = code, .mid = world->sent[index].msg.mid, .options = &options});
    world_run(world);
}

static void thirty_two_are_under_way_at_once(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    world_add_members(world, lamps, 40);
    lamps->repair_large_requests = true;
    put_large(world, &call);
    assert_int_equal(world->sent_count, 32);
    for (size_t i = 0; i < 32; i++) assert_int_equal(world->sent[i].msg.payload.len, 1024);
    answer(world, 0, CG_CODE(2, 31), "\x0e");
    assert_int_equal(world->sent_count, 33); /* its next block */
    assert_int_equal(world->sent[32].route.to.ip[3], world->sent[0].route.to.ip[3]);
    for (size_t i = 1; i < 32; i++) answer(world, i, CG_CODE(4, 4), "\x0e");
    assert_int_equal(world->sent_count, 33 + 8); /* who had to wait */
    for (size_t i = 33; i < 33 + 8; i++) answer(world, i, CG_CODE(4, 4), "\x0e");
    assert_int_equal(call.replies, 0);
    answer(world, 32, CG_CODE(4, 4), "\x1e");
    assert_int_equal(call.reply.summary.answered, 40);
    assert_string_equal(call.reply.summary.ended_by, "all");
}

static struct cg_slice tag_of(const struct world *world, size_t index) {
    struct cg_slice tag;
    assert_true(cg_msg_find(&world->sent[index].msg, CG_OPT_REQUEST_TAG, &tag));
    assert_int_equal(tag.len, CG_UPLOAD_TAG);
    return tag;
}

/* RFC 9175 §3 */
static void each_upload_has_a_tag_of_its_own(void **state) {
    struct world *world = *state;
    struct call first, second;
    world_add_members(world, world_mapping(world, "lamps"), 1);
    world->config->group.nstart = 2;
    put_large(world, &first);
    put_large(world, &second);
    assert_int_equal(world->sent_count, 2);
    assert_false(cg_slice_equal(tag_of(world, 0), tag_of(world, 1)));
    answer(world, 0, CG_CODE(2, 31), "\x0e");
    assert_int_equal(world->sent_count, 3);
    assert_true(cg_slice_equal(tag_of(world, 0), tag_of(world, 2)));
    assert_memory_not_equal(world->sent[0].msg.token.bytes, world->sent[2].msg.token.bytes, 8);
}

static void the_refusal_names_setting_and_size(void **state) {
    struct world *world = *state;
    struct call call;
    struct cg_mapping *lamps = world_mapping(world, "lamps");
    put_large(world, &call);
    assert_int_equal(call.problem.err, CG_E_TOO_BIG);
    assert_non_null(strstr(call.problem.detail, "3000"));
    assert_non_null(strstr(call.problem.detail, "1024"));
    assert_non_null(strstr(call.problem.detail, "large_requests"));
    lamps->repair_large_requests = true;
    put_large(world, &call);
    assert_int_equal(call.problem.err, CG_E_TOO_BIG);
    assert_non_null(strstr(call.problem.detail, "no configured members"));
    assert_int_equal(world->sent_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        scenario(without_the_setting_it_is_refused),
        scenario(without_configured_members_it_is_refused),
        scenario(who_does_not_listen_is_refused),
        scenario(what_cannot_be_sent_is_no_silence),
        scenario(what_clients_protect_passes_as_it_is),
        scenario(members_get_it_by_unicast_in_blocks),
        scenario(a_block_that_is_lost_is_said_again),
        scenario(a_member_may_ask_for_smaller_blocks),
        scenario(a_block_that_is_too_large_is_cut_smaller),
        scenario(who_lacks_blocks_gets_them_again),
        scenario(an_error_is_the_response),
        scenario(what_makes_no_sense_is_said),
        scenario(a_member_may_take_each_block_for_itself),
        scenario(the_last_block_is_not_gone_on_from),
        scenario(a_named_member_gets_it_without_the_setting),
        scenario(who_stops_answering_is_missing),
        scenario(nobody_is_waited_for_who_has_given_up),
        scenario(what_clients_do_not_want_to_hear_is_asked_for_all_the_same),
        scenario(who_leaves_ends_it),
        scenario(the_response_may_come_in_blocks),
        scenario(a_response_in_blocks_to_what_is_unsafe_is_refused),
        scenario(challenges_in_the_middle_are_answered),
        scenario(a_post_is_challenged_once_when_all_is_said),
        scenario(keys_may_change_in_the_middle),
        scenario(who_may_have_a_block_is_given_the_next),
        world_test(thirty_two_are_under_way_at_once),
        world_test(each_upload_has_a_tag_of_its_own),
        world_test(the_refusal_names_setting_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
