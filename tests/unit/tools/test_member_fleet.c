/* The simulated members as a whole, bytes in and bytes out, with a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "tools/member/fleet.h"
#include "tools/member/resource.h"

enum { SENT_MAX = 4096, SECOND = 1000000 };

struct sent {
    uint32_t member;
    struct cg_addr to;
    struct cg_msg msg;
    bool malformed;
    size_t len;
    uint8_t *bytes;
};

/* One fleet, what it has sent, and the time. */
struct world {
    struct cg_member_options options;
    struct cg_fleet_port port;
    struct cg_fleet *fleet;
    struct sent sent[SENT_MAX];
    size_t len;
    uint64_t now;
    struct cg_addr client;
};

static struct world w;

static void on_send(void *ctx, uint32_t member, const struct cg_addr *to, struct cg_slice datagram) {
    assert_ptr_equal(ctx, &w);
    assert_true(w.len < SENT_MAX);
    struct sent *sent = &w.sent[w.len++];
    *sent = (struct sent){.member = member, .to = *to, .len = datagram.len, .bytes = malloc(datagram.len)};
    CG_CHECK(sent->bytes != NULL);
    memcpy(sent->bytes, datagram.data, datagram.len);
    sent->malformed = cg_msg_parse(&sent->msg, cg_slice_of(sent->bytes, sent->len)) != CG_OK;
}

static void forget_sent(void) {
    while (w.len > 0) free(w.sent[--w.len].bytes);
}

#define START(...)                                                                                                     \
    start((const char *const[]){"castgate-member", "--plain", __VA_ARGS__},                                            \
          sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *) + 2)

static void start(const char *const *argv, size_t argc) {
    char error[CG_MEMBER_ERROR_MAX];
    w.now = 1000 * SECOND;
    assert_int_equal(cg_member_options_parse(&w.options, (int)argc, argv, error), CG_OK);
    assert_int_equal(cg_addr_parse(&w.client, cg_slice_str("127.0.0.1:40000"), 0), CG_OK);
    w.port = (struct cg_fleet_port){.ctx = &w, .send = on_send};
    w.fleet = cg_fleet_new(&w.options, w.options.seed, NULL, &w.port);
    assert_non_null(w.fleet);
}

static int stop(void **state) {
    (void)state;
    cg_fleet_free(w.fleet);
    w.fleet = NULL;
    forget_sent();
    return 0;
}

/* --- requests --- */

struct request {
    enum cg_type type;
    uint8_t code; /* 0: GET */
    uint16_t mid;
    uint8_t token;
    const char *path;
    const char *query;
    const char *payload;
    int observe;     /* -1 stands for 0, so that 0 means none */
    int no_response; /* -1 stands for 0 */
    int block2;      /* -1 stands for 0 */
    int accept;      /* -1 stands for 0 */
    uint16_t extra;  /* an empty option with this number */
    struct cg_slice etag;
};

static void put_number(struct cg_msg_writer *writer, uint16_t number, int value) {
    if (value != 0) cg_msg_put_uint(writer, number, value == -1 ? 0 : (uint32_t)value);
}

static void put_path(struct cg_msg_writer *writer, const char *path) {
    for (size_t len; *path != '\0'; path += len + (path[len] != '\0')) {
        len = strcspn(path, "/");
        cg_msg_put_opt(writer, CG_OPT_URI_PATH, cg_slice_of(path, len));
    }
}

static struct cg_slice emit(const struct request *r, uint8_t *to, size_t cap) {
    struct cg_msg_writer m;
    cg_msg_begin(&m, to, cap, r->type, r->code == 0 ? CG_GET : r->code, r->mid,
                 (struct cg_token){.len = 2, .bytes = {0xca, r->token}});
    if (r->extra != 0 && r->extra < CG_OPT_ETAG) cg_msg_put_opt(&m, r->extra, CG_SLICE_NONE);
    if (r->etag.len > 0) cg_msg_put_opt(&m, CG_OPT_ETAG, r->etag);
    put_number(&m, CG_OPT_OBSERVE, r->observe);
    if (r->extra > CG_OPT_OBSERVE && r->extra < CG_OPT_URI_PATH) cg_msg_put_opt(&m, r->extra, CG_SLICE_NONE);
    if (r->path != NULL) put_path(&m, r->path);
    if (r->query != NULL) cg_msg_put_opt(&m, CG_OPT_URI_QUERY, cg_slice_str(r->query));
    put_number(&m, CG_OPT_ACCEPT, r->accept);
    put_number(&m, CG_OPT_BLOCK2, r->block2);
    if (r->extra > CG_OPT_BLOCK2 && r->extra < CG_OPT_NO_RESPONSE) cg_msg_put_opt(&m, r->extra, cg_slice_str("x"));
    put_number(&m, CG_OPT_NO_RESPONSE, r->no_response);
    if (r->extra > CG_OPT_NO_RESPONSE) cg_msg_put_opt(&m, r->extra, cg_slice_str("x"));
    if (r->payload != NULL) cg_msg_put_payload(&m, cg_slice_str(r->payload));
    int len = cg_msg_end(&m);
    assert_true(len > 0);
    return cg_slice_of(to, (size_t)len);
}

static void run_to(uint64_t when) {
    for (uint64_t next; (next = cg_fleet_run(w.fleet, w.now)) <= when;) w.now = next;
    w.now = when;
}

static void run_now(void) { (void)cg_fleet_run(w.fleet, w.now); }

#define CAST(...)        cast(&(struct request){.type = CG_NON, __VA_ARGS__})
#define ASK(member, ...) ask(member, &(struct request){.type = CG_CON, __VA_ARGS__})

static void cast(const struct request *request) {
    uint8_t bytes[1024];
    cg_fleet_receive_group(w.fleet, 0, &w.client, emit(request, bytes, sizeof bytes), w.now);
    run_now();
}

/* By unicast; the last thing that the member said at once. */
static const struct cg_msg *ask(uint32_t member, const struct request *request) {
    uint8_t bytes[1024];
    size_t before = w.len;
    cg_fleet_receive(w.fleet, member, &w.client, emit(request, bytes, sizeof bytes), w.now);
    run_now();
    if (w.len == before) return NULL;
    assert_int_equal(w.sent[w.len - 1].member, member);
    return &w.sent[w.len - 1].msg;
}

static void say_empty(uint32_t member, enum cg_type type, uint16_t mid) {
    uint8_t bytes[] = {(uint8_t)(0x40 | type << 4), 0, (uint8_t)(mid >> 8), (uint8_t)mid};
    cg_fleet_receive(w.fleet, member, &w.client, cg_slice_of(bytes, sizeof bytes), w.now);
    run_now();
}

static void assert_payload(const struct cg_msg *msg, const char *text) {
    assert_int_equal(msg->payload.len, strlen(text));
    assert_memory_equal(msg->payload.data, text, msg->payload.len);
}

static uint32_t option(const struct cg_msg *msg, uint16_t number) {
    uint32_t value;
    return cg_msg_find_uint(msg, number, &value) ? value : UINT32_MAX;
}

/* --- group requests --- */

/* R30, R31: every member answers, from its own address, Non-confirmable, with the request's token and a Message ID of
 * its own. */
static void every_member_answers_a_group_request(void **state) {
    (void)state;
    START("--count", "20");
    CAST(.mid = 7, .token = 1, .path = "status");
    assert_int_equal(w.len, 20);
    size_t own_mids = 0;
    for (uint32_t i = 0; i < 20; i++) {
        const struct cg_msg *msg = &w.sent[i].msg;
        assert_int_equal(w.sent[i].member, i);
        assert_true(cg_addr_equal(&w.sent[i].to, &w.client));
        assert_int_equal(msg->type, CG_NON);
        assert_int_equal(msg->code, CG_CODE(2, 5));
        assert_int_equal(msg->token.len, 2);
        assert_int_equal(msg->token.bytes[1], 1);
        assert_int_equal(option(msg, CG_OPT_CONTENT_FORMAT), 50);
        own_mids += msg->mid != 7;
    }
    assert_true(own_mids >= 19);
    assert_payload(&w.sent[2].msg, "{\"member\":3,\"address\":\"127.1.0.3:5683\",\"status\":\"ok\"}");
}

static void a_repeated_group_request_is_answered_once(void **state) {
    (void)state;
    START("--count", "3");
    CAST(.mid = 7, .path = "status");
    CAST(.mid = 7, .path = "status");
    assert_int_equal(w.len, 3);
    CAST(.mid = 8, .path = "status");
    assert_int_equal(w.len, 6);
    run_to(w.now + UINT64_C(146) * SECOND); /* past NON_LIFETIME */
    CAST(.mid = 7, .path = "status");
    assert_int_equal(w.len, 9);
}

/* The group is another destination endpoint than the member: the same Message ID is no duplicate there. */
static void message_ids_of_group_and_member_are_apart(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 7, .path = "status");
    assert_non_null(ASK(0, .mid = 7, .path = "status"));
    assert_int_equal(w.len, 2);
}

/* RFC 10020 Response Suppression; R33: No-Response decides either way. */
static void errors_to_the_group_are_suppressed(void **state) {
    (void)state;
    START("--count", "2");
    CAST(.mid = 1, .path = "nowhere");
    CAST(.mid = 2, .path = "status", .code = CG_POST);
    CAST(.mid = 3, .path = "status", .accept = 60);
    CAST(.mid = 4, .path = ".well-known/core", .query = "rt=nothing");
    assert_int_equal(w.len, 0);
    CAST(.mid = 5, .path = "nowhere", .no_response = -1);
    assert_int_equal(w.len, 2);
    assert_int_equal(w.sent[0].msg.code, CG_CODE(4, 4));
    CAST(.mid = 6, .path = "status", .no_response = 2);
    assert_int_equal(w.len, 2);
    CAST(.mid = 7, .path = "status", .no_response = 24);
    assert_int_equal(w.len, 4);
}

static void errors_are_answered_when_told(void **state) {
    (void)state;
    START("--count", "2", "--answer-errors");
    CAST(.mid = 1, .path = "nowhere");
    assert_int_equal(w.len, 2);
    CAST(.mid = 2, .path = "nowhere", .no_response = 8);
    assert_int_equal(w.len, 2);
}

/* R30 */
static void successes_and_failures_mix(void **state) {
    (void)state;
    START("--count", "5", "--fail", "2:5.03");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 5);
    for (size_t i = 0; i < 5; i++) assert_int_equal(w.sent[i].msg.code, i < 3 ? CG_CODE(2, 5) : CG_CODE(5, 3));
}

static void only_nonconfirmable_group_messages_are_heard(void **state) {
    (void)state;
    START("--count", "2");
    cast(&(struct request){.type = CG_CON, .mid = 1, .path = "status"});
    cast(&(struct request){.type = CG_ACK, .mid = 2, .path = "status"});
    CAST(.mid = 3, .path = "status", .extra = 9);  /* critical, not understood */
    CAST(.mid = 4, .path = "status", .extra = 31); /* Q-Block2 (RFC 9177: to be ignored by multicast) */
    uint8_t broken[] = {0x50, 1, 0, 5, 0xff};
    cg_fleet_receive_group(w.fleet, 0, &w.client, cg_slice_of(broken, sizeof broken), w.now);
    assert_int_equal(w.len, 0);
}

/* --- unicast --- */

static void a_confirmable_request_is_answered_in_its_acknowledgement(void **state) {
    (void)state;
    START("--count", "2");
    const struct cg_msg *msg = ASK(1, .mid = 0x1234, .path = "nowhere");
    assert_non_null(msg);
    assert_int_equal(msg->type, CG_ACK);
    assert_int_equal(msg->mid, 0x1234);
    assert_int_equal(msg->code, CG_CODE(4, 4));
    assert_non_null(ASK(1, .mid = 0x1234, .path = "nowhere")); /* the same bytes again */
    assert_int_equal(w.sent[0].len, w.sent[1].len);
    assert_memory_equal(w.sent[0].bytes, w.sent[1].bytes, w.sent[0].len);
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 1);
    msg = ASK(1, .mid = 2, .path = "status", .no_response = 2);
    assert_int_equal(msg->code, CG_EMPTY);
    assert_int_equal(msg->type, CG_ACK);
}

/* RFC 7252 §4.5: for EXCHANGE_LIFETIME, however much comes between. */
static void a_retransmission_is_answered_as_before(void **state) {
    (void)state;
    START("--count", "1");
    for (uint16_t i = 0; i < 200; i++) assert_non_null(ASK(0, .mid = i, .token = (uint8_t)i, .path = "status"));
    for (uint16_t i = 1000; i < 1200; i++) CAST(.mid = i, .path = "status");
    run_to(w.now + UINT64_C(200) * SECOND);
    size_t answered = w.len;
    for (uint16_t i = 0; i < 200; i++) {
        assert_non_null(ASK(0, .mid = i, .token = (uint8_t)i, .path = "status"));
        assert_int_equal(w.sent[answered + i].len, w.sent[i].len);
        assert_memory_equal(w.sent[answered + i].bytes, w.sent[i].bytes, w.sent[i].len);
    }
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 400);
    run_to(w.now + UINT64_C(48) * SECOND); /* past EXCHANGE_LIFETIME */
    assert_non_null(ASK(0, .mid = 3, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 401);
}

/* One that takes too many gives up the oldest, and forgets none of the others. */
static void remembered_requests_are_bounded(void **state) {
    (void)state;
    START("--count", "1");
    for (uint16_t i = 0; i < 1025; i++) {
        assert_non_null(ASK(0, .mid = i, .path = "status"));
        forget_sent();
    }
    assert_non_null(ASK(0, .mid = 1, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 1025);
    assert_non_null(ASK(0, .mid = 0, .path = "status"));
    assert_int_equal(cg_fleet_counts(w.fleet).requests, 1026);
}

static void options_that_are_not_understood(void **state) {
    (void)state;
    START("--count", "1");
    assert_int_equal(ASK(0, .mid = 1, .path = "status", .extra = 9 + 256)->code, CG_CODE(4, 2));
    assert_int_equal(ASK(0, .mid = 2, .path = "status", .extra = CG_OPT_PROXY_URI)->code, CG_CODE(5, 5));
    assert_int_equal(ASK(0, .mid = 3, .path = "status", .extra = CG_OPT_ECHO)->code, CG_CODE(2, 5)); /* elective */
    assert_int_equal(ask(0, &(struct request){.type = CG_NON, .mid = 4, .extra = CG_OPT_IF_MATCH})->type, CG_RST);
    assert_int_equal(ASK(0, .mid = 5, .path = "status", .accept = -1)->code, CG_CODE(4, 6));
}

static void what_is_no_request_is_reset(void **state) {
    (void)state;
    START("--count", "1");
    say_empty(0, CG_CON, 9); /* ping */
    assert_int_equal(w.len, 1);
    assert_int_equal(w.sent[0].msg.type, CG_RST);
    assert_int_equal(w.sent[0].msg.mid, 9);
    assert_int_equal(ASK(0, .mid = 10, .code = CG_CODE(2, 5))->type, CG_RST);
    assert_null(ask(0, &(struct request){.type = CG_NON, .mid = 11, .code = CG_CODE(2, 5)}));
    uint8_t broken[] = {0x40, 1, 0, 12, 0xff};
    cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(broken, sizeof broken), w.now);
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.type, CG_RST);
}

/* A separate response, repeated until it is acknowledged (RFC 7252 §5.2.2, §4.2). */
static void what_takes_long_is_answered_separately(void **state) {
    (void)state;
    START("--count", "1");
    assert_int_equal(ASK(0, .mid = 1, .path = "slow")->code, CG_EMPTY);
    run_to(w.now + 2 * SECOND - 1);
    assert_int_equal(w.len, 1);
    run_to(w.now + 1);
    assert_int_equal(w.len, 2);
    assert_int_equal(w.sent[1].msg.type, CG_CON);
    assert_payload(&w.sent[1].msg, "member 1 took its time");
    run_to(w.now + 3 * SECOND);
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.mid, w.sent[1].msg.mid);
    say_empty(0, CG_ACK, w.sent[1].msg.mid);
    run_to(w.now + 300 * SECOND);
    assert_int_equal(w.len, 3);
}

static void a_separate_response_is_given_up_in_the_end(void **state) {
    (void)state;
    START("--count", "1");
    (void)ASK(0, .mid = 1, .path = "slow");
    run_to(w.now + 300 * SECOND);
    assert_int_equal(w.len, 1 + 1 + 4); /* ACK, response, MAX_RETRANSMIT */
    assert_true(cg_fleet_run(w.fleet, w.now) == UINT64_MAX);
}

/* --- resources --- */

/* R40: the first block by the group's answer, the rest by unicast. */
static void a_large_answer_comes_in_blocks(void **state) {
    (void)state;
    START("--count", "2");
    CAST(.mid = 1, .path = "big");
    assert_int_equal(w.len, 2);
    assert_int_equal(w.sent[0].msg.payload.len, 1024);
    assert_int_equal(option(&w.sent[0].msg, CG_OPT_BLOCK2), 0x0e);
    assert_int_equal(option(&w.sent[0].msg, CG_OPT_SIZE2), CG_BIG_LEN);
    assert_memory_not_equal(w.sent[0].msg.payload.data, w.sent[1].msg.payload.data, 1024);
    for (int i = 0; i < CG_BIG_LEN / 64; i++) {
        const struct cg_msg *msg = ASK(1, .mid = (uint16_t)(100 + i), .path = "big", .block2 = i << 4 | 2);
        assert_int_equal(msg->payload.len, 64);
        assert_int_equal(option(msg, CG_OPT_BLOCK2), (uint32_t)(i << 4 | (i < 63) << 3 | 2));
        char line[32];
        (void)snprintf(line, sizeof line, "member     2 line %2d ", i);
        assert_memory_equal(msg->payload.data, line, 20);
        assert_int_equal(msg->payload.data[63], '\n');
    }
    assert_int_equal(ASK(1, .mid = 300, .path = "big", .block2 = 64 << 4 | 2)->code, CG_CODE(4, 0));
    assert_int_equal(ASK(1, .mid = 301, .path = "big", .block2 = 7)->code, CG_CODE(4, 0));
}

static void an_etag_that_still_holds_is_confirmed(void **state) {
    (void)state;
    START("--count", "1", "--max-age", "5");
    const struct cg_msg *msg = ASK(0, .mid = 1, .path = "light");
    assert_int_equal(option(msg, CG_OPT_MAX_AGE), 5);
    struct cg_slice etag;
    assert_true(cg_msg_find(msg, CG_OPT_ETAG, &etag));
    msg = ASK(0, .mid = 2, .path = "light", .etag = etag);
    assert_int_equal(msg->code, CG_CODE(2, 3));
    assert_int_equal(msg->payload.len, 0);
    (void)ASK(0, .mid = 3, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(ASK(0, .mid = 4, .path = "light", .etag = etag)->code, CG_CODE(2, 5));
}

static void a_light_takes_text_only(void **state) {
    (void)state;
    START("--count", "2");
    assert_payload(ASK(0, .mid = 1, .path = "light"), "off");
    CAST(.mid = 2, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.code, CG_CODE(2, 4));
    assert_payload(ASK(1, .mid = 3, .path = "light"), "on");
    char long_text[CG_LIGHT_MAX + 2] = {0};
    memset(long_text, 'x', CG_LIGHT_MAX + 1);
    assert_int_equal(ASK(0, .mid = 4, .path = "light", .code = CG_PUT, .payload = long_text)->code, CG_CODE(4, 13));
    assert_int_equal(ASK(0, .mid = 5, .path = "light", .code = CG_PUT, .payload = "\xc3(")->code, CG_CODE(4, 0));
    assert_int_equal(ASK(0, .mid = 6, .path = "light", .code = CG_DELETE)->code, CG_CODE(4, 5));
    assert_payload(ASK(0, .mid = 7, .path = "light"), "on");
}

static void links_are_filtered(void **state) {
    (void)state;
    START("--count", "1", "--resource", "/room/name=kitchen", "--resource", "/slow=not any more");
    assert_payload(ASK(0, .mid = 1, .path = ".well-known/core"),
                   "</status>;ct=50;rt=\"status\",</light>;ct=0;rt=\"light\";obs,</big>;ct=0;sz=4096,"
                   "</room/name>;ct=0,</slow>;ct=0");
    static const struct {
        const char *query, *expected;
    } rows[] = {
        {"rt=light", "</light>;ct=0;rt=\"light\";obs"},
        {"rt=li*", "</light>;ct=0;rt=\"light\";obs"},
        {"rt=lig", ""},
        {"ct=50", "</status>;ct=50;rt=\"status\""},
        {"href=/room*", "</room/name>;ct=0"},
        {"href=/big", "</big>;ct=0;sz=4096"},
        {"obs", "</light>;ct=0;rt=\"light\";obs"},
        {"unknown=*", ""},
        {"=", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_payload(ASK(0, .mid = (uint16_t)(2 + i), .path = ".well-known/core", .query = rows[i].query),
                       rows[i].expected);
    assert_payload(ASK(0, .mid = 100, .path = "room/name"), "kitchen");
    assert_payload(ASK(0, .mid = 101, .path = "slow"), "not any more");
}

static void paths_are_compared_by_segments(void **state) {
    (void)state;
    START("--count", "1", "--resource", "/a/b=c");
    uint8_t bytes[64];
    struct cg_msg_writer m;
    cg_msg_begin(&m, bytes, sizeof bytes, CG_CON, CG_GET, 1, (struct cg_token){0});
    cg_msg_put_opt(&m, CG_OPT_URI_PATH, cg_slice_str("a/b")); /* one segment with a slash in it */
    cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(bytes, m.len), w.now);
    assert_int_equal(w.sent[0].msg.code, CG_CODE(4, 4));
    cg_msg_begin(&m, bytes, sizeof bytes, CG_CON, CG_GET, 2, (struct cg_token){0});
    for (int i = 0; i < 2; i++) cg_msg_put_opt(&m, CG_OPT_URI_PATH, i == 0 ? cg_slice_str("status") : CG_SLICE_NONE);
    cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(bytes, m.len), w.now);
    assert_int_equal(w.sent[1].msg.code, CG_CODE(4, 4));
}

/* --- observe (R39, the members' side) --- */

static void observers_hear_of_changes(void **state) {
    (void)state;
    START("--count", "2");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    assert_int_equal(w.len, 2);
    uint32_t first = option(&w.sent[0].msg, CG_OPT_OBSERVE);
    assert_true(first != UINT32_MAX);
    forget_sent();
    (void)ASK(1, .mid = 2, .token = 6, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 2); /* the ACK, one notification */
    const struct cg_msg *msg = &w.sent[1].msg;
    assert_int_equal(w.sent[1].member, 1);
    assert_int_equal(msg->type, CG_NON);
    assert_int_equal(msg->token.bytes[1], 5);
    assert_true(option(msg, CG_OPT_OBSERVE) > first);
    assert_payload(msg, "on");
    (void)ASK(1, .mid = 3, .path = "light", .code = CG_PUT, .payload = "on"); /* no change */
    assert_int_equal(w.len, 3);
}

static void registering_again_makes_no_second_entry(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    CAST(.mid = 2, .token = 5, .path = "light", .observe = -1);
    forget_sent();
    CAST(.mid = 3, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 2);
}

static void an_observation_ends(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    CAST(.mid = 2, .token = 6, .path = "light", .observe = -1);
    forget_sent();
    CAST(.mid = 3, .token = 5, .path = "light", .observe = 1); /* deregister, through the group */
    assert_int_equal(option(&w.sent[0].msg, CG_OPT_OBSERVE), UINT32_MAX);
    CAST(.mid = 4, .path = "light", .code = CG_PUT, .payload = "on");
    assert_int_equal(w.len, 3);
    assert_int_equal(w.sent[2].msg.token.bytes[1], 6);
    say_empty(0, CG_RST, w.sent[2].msg.mid);
    CAST(.mid = 5, .path = "light", .code = CG_PUT, .payload = "off");
    assert_int_equal(w.len, 4);
}

/* Every eighth notification asks whether somebody is there; who does not acknowledge is forgotten (RFC 7641 §4.5). */
static void a_dead_observer_is_forgotten(void **state) {
    (void)state;
    START("--count", "1");
    CAST(.mid = 1, .token = 5, .path = "light", .observe = -1);
    for (uint16_t i = 0; i < 8; i++)
        CAST(.mid = (uint16_t)(10 + i), .path = "light", .code = CG_PUT, .payload = i & 1 ? "a" : "b");
    assert_int_equal(w.sent[w.len - 1].msg.type, CG_CON);
    uint16_t mid = w.sent[w.len - 1].msg.mid;
    run_to(w.now + 3 * SECOND);
    assert_int_equal(w.sent[w.len - 1].msg.mid, mid);
    CAST(.mid = 30, .path = "light", .code = CG_PUT, .payload = "new"); /* replaces what was not acknowledged */
    assert_int_equal(w.sent[w.len - 1].msg.type, CG_CON);
    assert_payload(&w.sent[w.len - 1].msg, "new");
    mid = w.sent[w.len - 1].msg.mid;
    forget_sent();
    run_to(w.now + 300 * SECOND);
    assert_int_equal(w.len, 2); /* what was left of five transmissions */
    for (size_t i = 0; i < w.len; i++) assert_int_equal(w.sent[i].msg.mid, mid);
    forget_sent();
    CAST(.mid = 40, .path = "light", .code = CG_PUT, .payload = "x");
    assert_int_equal(w.len, 1);
}

static void observers_are_bounded(void **state) {
    (void)state;
    START("--count", "1");
    for (uint16_t i = 0; i < 70; i++) CAST(.mid = i, .token = (uint8_t)i, .path = "light", .observe = -1);
    assert_int_equal(w.len, 70);
    assert_true(option(&w.sent[63].msg, CG_OPT_OBSERVE) != UINT32_MAX);
    assert_int_equal(option(&w.sent[64].msg, CG_OPT_OBSERVE), UINT32_MAX);
}

/* --- faults --- */

static void answers_are_delayed(void **state) {
    (void)state;
    START("--count", "50", "--delay", "100:200", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    run_to(w.now + 100000 - 1);
    assert_int_equal(w.len, 0);
    run_to(w.now + 50000);
    assert_true(w.len > 5 && w.len < 45);
    run_to(w.now + 50001);
    assert_int_equal(w.len, 50);
}

static void some_datagrams_are_lost_and_some_come_twice(void **state) {
    (void)state;
    START("--count", "1000", "--loss", "0.1", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    assert_in_range(w.len, 770, 850); /* 0.9 * 0.9 */
    assert_int_equal(cg_fleet_counts(w.fleet).lost + w.len, 1000);
    assert_int_equal(stop(NULL), 0);
    START("--count", "1000", "--duplicate", "0.5", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    assert_in_range(w.len, 1440, 1560);
}

static void the_order_is_shuffled(void **state) {
    (void)state;
    START("--count", "50", "--reorder", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    run_to(w.now + 20000);
    assert_int_equal(w.len, 50);
    size_t backwards = 0;
    for (size_t i = 1; i < w.len; i++) backwards += w.sent[i].member < w.sent[i - 1].member;
    assert_true(backwards > 10);
}

static void equal_seeds_make_equal_runs(void **state) {
    (void)state;
    uint32_t hashes[3];
    static const char *const seeds[] = {"5", "5", "6"};
    for (size_t run = 0; run < 3; run++) {
        START("--count", "100", "--loss", "0.3", "--duplicate", "0.3", "--reorder", "--seed", seeds[run]);
        CAST(.mid = 1, .path = "status");
        run_to(w.now + SECOND);
        hashes[run] = 0;
        for (size_t i = 0; i < w.len; i++) hashes[run] = hashes[run] * 31 + w.sent[i].member + w.sent[i].msg.mid;
        assert_int_equal(stop(NULL), 0);
    }
    assert_int_equal(hashes[0], hashes[1]);
    assert_int_not_equal(hashes[0], hashes[2]);
}

static void misbehaviour_repeat(void **state) {
    (void)state;
    START("--count", "1", "--misbehave", "repeat:3");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 3);
    assert_int_not_equal(w.sent[0].msg.mid, w.sent[1].msg.mid);
    assert_int_not_equal(w.sent[1].msg.mid, w.sent[2].msg.mid);
    assert_true(cg_slice_equal(w.sent[0].msg.payload, w.sent[2].msg.payload));
}

static void misbehaviour_con(void **state) {
    (void)state;
    START("--count", "1", "--misbehave", "con");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 1);
    assert_int_equal(w.sent[0].msg.type, CG_CON);
    run_to(w.now + 3 * SECOND);
    assert_int_equal(w.len, 2);
    say_empty(0, CG_ACK, w.sent[0].msg.mid);
    run_to(w.now + 100 * SECOND);
    assert_int_equal(w.len, 2);
}

static void misbehaviour_with_single_answers(void **state) {
    (void)state;
    START("--count", "1", "--misbehave", "oversized");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.sent[0].msg.payload.len, 60000);
    assert_int_equal(stop(NULL), 0);
    START("--count", "1", "--misbehave", "wrong-token", "--seed", "1");
    CAST(.mid = 1, .token = 9, .path = "status");
    assert_int_equal(w.sent[0].msg.token.len, 2);
    assert_false(w.sent[0].msg.token.bytes[0] == 0xca && w.sent[0].msg.token.bytes[1] == 9);
    assert_int_equal(stop(NULL), 0);
    START("--count", "3", "--misbehave", "request-mid");
    CAST(.mid = 77, .path = "status");
    for (size_t i = 0; i < 3; i++) assert_int_equal(w.sent[i].msg.mid, 77);
    assert_int_equal(stop(NULL), 0);
    START("--count", "1", "--misbehave", "late:1500");
    CAST(.mid = 1, .path = "status");
    run_to(w.now + 1499999);
    assert_int_equal(w.len, 0);
    run_to(w.now + 1);
    assert_int_equal(w.len, 1);
}

static void misbehaviour_garbage(void **state) {
    (void)state;
    START("--count", "300", "--misbehave", "garbage", "--seed", "1");
    CAST(.mid = 1, .path = "status");
    assert_int_equal(w.len, 300);
    size_t malformed = 0;
    for (size_t i = 0; i < w.len; i++) malformed += w.sent[i].malformed;
    assert_in_range(malformed, 50, 290);
}

/* Nothing that comes in may harm the process; the sanitizers watch. */
static void hostile_bytes_do_no_harm(void **state) {
    (void)state;
    START("--count", "1", "--seed", "1");
    uint32_t random = 1;
    for (int round = 0; round < 50000; round++) {
        uint8_t bytes[64];
        size_t len = (random >> 8) % sizeof bytes;
        for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
        random++;
        if (len > 0) bytes[0] = (bytes[0] & 0x3f) | 0x40;
        if (len > 1 && round % 2) bytes[1] &= 7;
        cg_fleet_receive(w.fleet, 0, &w.client, cg_slice_of(bytes, len), w.now);
        cg_fleet_receive_group(w.fleet, 0, &w.client, cg_slice_of(bytes, len), w.now);
        w.now += 1000;
        run_now();
        for (size_t i = 0; i < w.len; i++) assert_false(w.sent[i].malformed);
        forget_sent();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_member_answers_a_group_request, stop),
        cmocka_unit_test_teardown(a_repeated_group_request_is_answered_once, stop),
        cmocka_unit_test_teardown(message_ids_of_group_and_member_are_apart, stop),
        cmocka_unit_test_teardown(errors_to_the_group_are_suppressed, stop),
        cmocka_unit_test_teardown(errors_are_answered_when_told, stop),
        cmocka_unit_test_teardown(successes_and_failures_mix, stop),
        cmocka_unit_test_teardown(only_nonconfirmable_group_messages_are_heard, stop),
        cmocka_unit_test_teardown(a_confirmable_request_is_answered_in_its_acknowledgement, stop),
        cmocka_unit_test_teardown(a_retransmission_is_answered_as_before, stop),
        cmocka_unit_test_teardown(remembered_requests_are_bounded, stop),
        cmocka_unit_test_teardown(options_that_are_not_understood, stop),
        cmocka_unit_test_teardown(what_is_no_request_is_reset, stop),
        cmocka_unit_test_teardown(what_takes_long_is_answered_separately, stop),
        cmocka_unit_test_teardown(a_separate_response_is_given_up_in_the_end, stop),
        cmocka_unit_test_teardown(a_large_answer_comes_in_blocks, stop),
        cmocka_unit_test_teardown(an_etag_that_still_holds_is_confirmed, stop),
        cmocka_unit_test_teardown(a_light_takes_text_only, stop),
        cmocka_unit_test_teardown(links_are_filtered, stop),
        cmocka_unit_test_teardown(paths_are_compared_by_segments, stop),
        cmocka_unit_test_teardown(observers_hear_of_changes, stop),
        cmocka_unit_test_teardown(registering_again_makes_no_second_entry, stop),
        cmocka_unit_test_teardown(an_observation_ends, stop),
        cmocka_unit_test_teardown(a_dead_observer_is_forgotten, stop),
        cmocka_unit_test_teardown(observers_are_bounded, stop),
        cmocka_unit_test_teardown(answers_are_delayed, stop),
        cmocka_unit_test_teardown(some_datagrams_are_lost_and_some_come_twice, stop),
        cmocka_unit_test_teardown(the_order_is_shuffled, stop),
        cmocka_unit_test_teardown(equal_seeds_make_equal_runs, stop),
        cmocka_unit_test_teardown(misbehaviour_repeat, stop),
        cmocka_unit_test_teardown(misbehaviour_con, stop),
        cmocka_unit_test_teardown(misbehaviour_with_single_answers, stop),
        cmocka_unit_test_teardown(misbehaviour_garbage, stop),
        cmocka_unit_test_teardown(hostile_bytes_do_no_harm, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
