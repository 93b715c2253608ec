/* DTLS without memory: whatever allocation of the gateway's side fails, in our code or in OpenSSL's, nobody but that
 * client notices, and nothing is lost for good. */
#include "fronts_coap/fake_dtls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_shortage.h"

static const char *const lamps[] = {"lamp", NULL};

struct fixture {
    struct fake_dtls world;
    struct fake_dtls_client lamp;
};

/* The client's side always finds memory. */
static void deliver(struct fake_dtls *world) {
    if (world->wire != NULL && world->wire->direction == FAKE_TO_CLIENT) shortage_pause();
    fake_dtls_deliver(world);
    shortage_resume();
    if (world->busy) world->busy = cg_dtls_turn(world->dtls, world->now_us);
}

static void come(struct fixture *f, const char *addr) {
    fake_dtls_client_open(&f->lamp, &f->world, addr, "ECDHE-PSK-CHACHA20-POLY1305");
    fake_dtls_client_key(&f->lamp, "lamp", 7);
    fake_dtls_client_connect(&f->lamp);
}

/* OpenSSL 3.5 reads what is not there in SSL_free, where a handshake had run out of memory: with it, allocations of
 * ours alone fail. */
enum { FAILS_IN_OPENSSL = OPENSSL_VERSION_NUMBER < 0x30200000L, LEAST = FAILS_IN_OPENSSL ? 50 : 3 };

static void before(void *ctx) {
    static const struct cg_tls_settings no_files;
    struct fixture *f = ctx;
    fake_dtls_open(&f->world, &cg_dtls_usual_limits);
    fake_dtls_configure(&f->world, 7, lamps);
    fake_dtls_load(&f->world, &no_files);
    come(f, "192.0.2.7:1000");
}

static void act(void *ctx) {
    struct fixture *f = ctx;
    for (unsigned i = 0; i < 20; i++) deliver(&f->world);
    if (!SSL_is_init_finished(f->lamp.ssl) || f->world.session == NULL) return;
    shortage_pause();
    fake_dtls_client_send(&f->lamp, "a request");
    shortage_resume();
    deliver(&f->world);
    if (f->world.session == NULL) return;
    int err = cg_dtls_send(f->world.session, cg_slice_str("an answer"));
    assert_true(err == CG_OK || err == CG_E_NO_MEMORY || err == CG_E_EMIT);
}

static void after(void *ctx) {
    struct fixture *f = ctx;
    fake_dtls_lose_all(&f->world);
    cg_dtls_run(f->world.dtls, f->world.now_us);
    fake_dtls_client_close(&f->lamp);
    come(f, "192.0.2.8:1000");
    fake_dtls_run(&f->world);
    assert_true(fake_dtls_client_is_open(&f->lamp));
    fake_dtls_client_send(&f->lamp, "another");
    fake_dtls_run(&f->world);
    assert_string_equal(f->world.message, "another");
    assert_int_equal(cg_dtls_send(f->world.session, cg_slice_str("good")), CG_OK);
    fake_dtls_run(&f->world);
    assert_string_equal(f->lamp.heard, "good");
    fake_dtls_client_close(&f->lamp);
    fake_dtls_close(&f->world);
}

static void a_shortage_costs_one_client_its_session_at_most(void **state) {
    static const struct shortage_scenario scenario = {before, act, after};
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&scenario, &f, 0), LEAST, 5000);
}

static void a_shortage_that_lasts_for_a_while_is_over_with_it(void **state) {
    static const struct shortage_scenario scenario = {before, act, after};
    struct fixture f;
    (void)state;
    assert_in_range(shortage_every(&scenario, &f, 20), LEAST, 5000);
}

int main(void) {
    if (FAILS_IN_OPENSSL) shortage_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shortage_costs_one_client_its_session_at_most),
        cmocka_unit_test(a_shortage_that_lasts_for_a_while_is_over_with_it),
    };
    return cmocka_run_group_tests_name("shortage/dtls", tests, NULL, NULL);
}
