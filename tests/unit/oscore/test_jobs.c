/* The split for a thread pool: prepare, a pure job, finish (R24, R56). What may happen to the context in between. */
#include "fake_group.h"

#include <pthread.h>
#include <string.h>

enum { MESSAGES = 16 };

struct scene {
    struct fake_group group;
    struct cg_oscore_context *client, *server;
    uint8_t sealed[MESSAGES][512];
    size_t len[MESSAGES];
    struct cg_oscore_binding binding;
    struct cg_oscore_opened opened;
    struct cg_msg got;
    uint8_t room[1024];
};

static void set_up(struct scene *s, int signature) {
    memset(s, 0, sizeof(*s));
    fake_group_make(&s->group, 10, 10, signature, -27, CG_SHA256, 1);
    s->client = fake_context(&s->group, 0);
    s->server = fake_context(&s->group, 1);
}

static void seal(struct scene *s, size_t i, uint64_t number) {
    struct cg_msg request = fake_request("light", "on");
    int len =
        cg_oscore_seal_request(s->client, NULL, number, &request, s->sealed[i], sizeof(s->sealed[i]), &s->binding);
    assert_true(len > 0);
    s->len[i] = (size_t)len;
}

static int prepare(struct scene *s, size_t i, struct cg_oscore_opening *op) {
    struct cg_msg msg = fake_parse(s->sealed[i], (int)s->len[i]);
    return cg_oscore_open_request_prepare(op, s->server, &msg);
}

static int finish(struct scene *s, struct cg_oscore_opening *op) {
    return cg_oscore_open_finish(op, NULL, s->room, sizeof(s->room), &s->got, &s->opened);
}

static void tear_down(struct scene *s) {
    cg_oscore_context_unref(s->client);
    cg_oscore_context_unref(s->server);
}

static void *verify_all(void *arg) {
    struct cg_oscore_opening *ops = arg;
    for (int i = 0; i < MESSAGES / 2; i++) cg_oscore_verify_run(&ops[2 * i].job);
    return NULL;
}

static void *sign_all(void *arg) {
    struct cg_oscore_sealing *ops = arg;
    for (int i = 0; i < MESSAGES / 2; i++) cg_oscore_sign_run(&ops[2 * i].job);
    return NULL;
}

/* Two threads sign and verify with the same keys at once. The datagrams' bytes are gone while the jobs run. */
static void test_jobs_on_threads(void **state) {
    (void)state;
    static const int signatures[] = {CG_COSE_EDDSA, CG_COSE_ES256};
    for (int k = 0; k < 2; k++) {
        struct scene s;
        static struct cg_oscore_sealing seals[MESSAGES];
        static struct cg_oscore_opening opens[MESSAGES];
        pthread_t threads[2];
        set_up(&s, signatures[k]);
        for (uint64_t i = 0; i < MESSAGES; i++) {
            struct cg_msg request = fake_request("light", "on");
            assert_int_equal(cg_oscore_seal_request_prepare(&seals[i], s.client, NULL, i, &request, s.sealed[i],
                                                            sizeof(s.sealed[i]), &s.binding),
                             CG_PENDING);
        }
        for (int t = 0; t < 2; t++) assert_int_equal(pthread_create(&threads[t], NULL, sign_all, seals + t), 0);
        for (int t = 0; t < 2; t++) pthread_join(threads[t], NULL);
        for (int i = 0; i < MESSAGES; i++) {
            int len = cg_oscore_seal_finish(&seals[i]);
            assert_true(len > 0);
            s.len[i] = (size_t)len;
            assert_int_equal(prepare(&s, (size_t)i, &opens[i]), CG_PENDING);
            memset(s.sealed[i], 0xee, sizeof(s.sealed[i]));
        }
        for (int t = 0; t < 2; t++) assert_int_equal(pthread_create(&threads[t], NULL, verify_all, opens + t), 0);
        for (int t = 0; t < 2; t++) pthread_join(threads[t], NULL);
        for (int i = 0; i < MESSAGES; i++) {
            assert_int_equal(finish(&s, &opens[i]), CG_OK);
            assert_true(cg_slice_is(s.got.payload, "on"));
            struct cg_slice path;
            assert_true(cg_msg_find(&s.got, CG_OPT_URI_PATH, &path) && cg_slice_is(path, "light"));
        }
        tear_down(&s);
    }
}

/* The same message twice in the pool: the first to finish wins. */
static void test_r24_duplicates_in_flight(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opening a, b;
    set_up(&s, CG_COSE_EDDSA);
    seal(&s, 0, 1);
    assert_int_equal(prepare(&s, 0, &a), CG_PENDING);
    assert_int_equal(prepare(&s, 0, &b), CG_PENDING);
    cg_oscore_verify_run(&a.job);
    cg_oscore_verify_run(&b.job);
    assert_int_equal(finish(&s, &b), CG_OK);
    assert_int_equal(finish(&s, &a), CG_E_REPLAY);
    tear_down(&s);
}

/* R56: the result of the job decides, and nothing is read before it. */
static void test_r56_failed_verification(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opening op;
    set_up(&s, CG_COSE_EDDSA);
    seal(&s, 0, 1);
    assert_int_equal(prepare(&s, 0, &op), CG_PENDING);
    op.job.signature[0] ^= 1;
    cg_oscore_verify_run(&op.job);
    assert_int_equal(op.job.result, CG_E_VERIFY);
    assert_int_equal(finish(&s, &op), CG_E_VERIFY);
    assert_false(cg_oscore_peer_window(fake_peer(s.server, &s.group, 0))->used);
    assert_int_equal(prepare(&s, 0, &op), CG_PENDING); /* the true one still gets in */
    cg_oscore_verify_run(&op.job);
    assert_int_equal(finish(&s, &op), CG_OK);
    tear_down(&s);
}

static void test_peer_goes_while_its_message_is_verified(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opening removed, suspended;
    set_up(&s, CG_COSE_ES256);
    seal(&s, 0, 1);
    seal(&s, 1, 2);
    assert_int_equal(prepare(&s, 0, &suspended), CG_PENDING);
    assert_int_equal(prepare(&s, 1, &removed), CG_PENDING);
    struct cg_oscore_peer *peer = fake_peer(s.server, &s.group, 0);
    cg_oscore_peer_suspend(peer, true);
    cg_oscore_verify_run(&suspended.job);
    assert_int_equal(finish(&s, &suspended), CG_E_UNAUTHORIZED);
    cg_oscore_peer_suspend(peer, false);
    cg_oscore_peer_remove(peer);
    cg_oscore_verify_run(&removed.job);
    assert_int_equal(finish(&s, &removed), CG_E_UNAUTHORIZED);
    tear_down(&s);
}

/* The last reference to a context may be a message's. */
static void test_context_goes_while_messages_are_under_way(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opening opening, cancelled;
    struct cg_oscore_sealing sealing;
    set_up(&s, CG_COSE_EDDSA);
    seal(&s, 0, 1);
    seal(&s, 1, 2);
    assert_int_equal(prepare(&s, 0, &opening), CG_PENDING);
    assert_int_equal(prepare(&s, 1, &cancelled), CG_PENDING);
    struct cg_msg request = fake_request("a", "");
    assert_int_equal(cg_oscore_seal_request_prepare(&sealing, s.client, NULL, 3, &request, s.sealed[2],
                                                    sizeof(s.sealed[2]), &s.binding),
                     CG_PENDING);
    tear_down(&s);
    cg_oscore_sign_run(&sealing.job);
    assert_true(cg_oscore_seal_finish(&sealing) > 0);
    cg_oscore_verify_run(&opening.job);
    assert_int_equal(finish(&s, &opening), CG_OK);
    cg_oscore_open_cancel(&cancelled);
}

static void test_repeats_are_known_before_verification(void **state) {
    (void)state;
    struct scene s;
    struct cg_oscore_opening op;
    struct cg_oscore_answers answers = {.bare = false};
    set_up(&s, CG_COSE_EDDSA);
    seal(&s, 0, 1);
    struct cg_msg msg = fake_parse(s.sealed[0], (int)s.len[0]), response = fake_response("x");
    assert_int_equal(cg_oscore_open_request(s.server, &msg, s.room, sizeof(s.room), &s.got, &s.opened), CG_OK);
    struct cg_oscore_reply reply = {.has_number = true, .number = 4};
    int len = cg_oscore_seal_response(s.server, &reply, &response, s.sealed[1], sizeof(s.sealed[1]), &s.opened.binding);
    msg = fake_parse(s.sealed[1], len);
    assert_int_equal(cg_oscore_open_response_prepare(&op, s.client, &msg, &s.binding), CG_PENDING);
    assert_false(cg_oscore_open_is_repeat(&op, &answers));
    cg_oscore_verify_run(&op.job);
    assert_int_equal(cg_oscore_open_finish(&op, &answers, s.room, sizeof(s.room), &s.got, &s.opened), CG_OK);
    assert_int_equal(cg_oscore_open_response_prepare(&op, s.client, &msg, &s.binding), CG_PENDING);
    assert_true(cg_oscore_open_is_repeat(&op, &answers));
    cg_oscore_open_cancel(&op);
    tear_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jobs_on_threads),
        cmocka_unit_test(test_r24_duplicates_in_flight),
        cmocka_unit_test(test_r56_failed_verification),
        cmocka_unit_test(test_peer_goes_while_its_message_is_verified),
        cmocka_unit_test(test_context_goes_while_messages_are_under_way),
        cmocka_unit_test(test_repeats_are_known_before_verification),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
