/* DTLS sessions, with OpenSSL's own client at the other end of a network that does what the test says. */
#include "fake_dtls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"

static const char *const lamps[] = {"lamp", "fan", NULL};

static const struct cg_tls_settings no_files;

static void open_world_limited(struct fake_dtls *world, const struct cg_dtls_limits *limits) {
    fake_dtls_open(world, limits);
    fake_dtls_configure(world, 7, lamps);
    fake_dtls_load(world, &no_files);
}

static int setup(void **state) {
    struct fake_dtls *world = malloc(sizeof *world);
    if (world == NULL) return -1;
    open_world_limited(world, &cg_dtls_usual_limits);
    *state = world;
    return 0;
}

static int teardown(void **state) {
    fake_dtls_close(*state);
    free(*state);
    return 0;
}

#define dtls_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void open_lamp_at(struct fake_dtls_client *lamp, struct fake_dtls *world, const char *addr) {
    fake_dtls_client_open(lamp, world, addr, "PSK-AES128-CCM8");
    fake_dtls_client_key(lamp, "lamp", 7);
}

/* A client with a session, which the gateway knows. */
static void connect_lamp(struct fake_dtls_client *lamp, struct fake_dtls *world) {
    open_lamp_at(lamp, world, "192.0.2.7:1000");
    fake_dtls_client_connect(lamp);
    fake_dtls_run(world);
    assert_true(fake_dtls_client_is_open(lamp));
    assert_non_null(world->session);
}

static const struct cg_dtls_figures *figures_of(const struct fake_dtls *world) { return cg_dtls_figures(world->dtls); }

static const char *client_of(const struct fake_dtls *world, enum cg_proof proof) {
    struct cg_request request = {0};
    struct cg_problem problem = {0};
    assert_non_null(world->session);
    assert_int_equal(cg_dtls_session_identify(world->session, world->config, &request, &problem), CG_OK);
    if (request.client == NULL) return NULL;
    assert_int_equal(request.proof, proof);
    return request.client->name;
}

/* ---- What is agreed on ---- */

static void a_client_with_a_key_is_known_by_it(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    assert_string_equal(SSL_get_cipher_name(lamp.ssl), "PSK-AES128-CCM8");
    assert_string_equal(client_of(world, CG_PROOF_PSK), "lamp");
    fake_dtls_client_send(&lamp, "a request");
    fake_dtls_run(world);
    assert_string_equal(world->message, "a request");
    assert_int_equal(cg_dtls_send(world->session, cg_slice_str("an answer")), CG_OK);
    fake_dtls_run(world);
    assert_string_equal(lamp.heard, "an answer");
    fake_dtls_client_close(&lamp);
}

static void expect_suite(struct fake_dtls *world, const char *offered, const char *taken) {
    struct fake_dtls_client client;
    fake_dtls_client_open(&client, world, "192.0.2.7:1000", offered);
    fake_dtls_client_key(&client, "lamp", 7);
    fake_dtls_client_connect(&client);
    fake_dtls_run(world);
    if (taken == NULL) {
        assert_false(fake_dtls_client_is_open(&client));
    } else {
        assert_true(fake_dtls_client_is_open(&client));
        assert_string_equal(SSL_get_cipher_name(client.ssl), taken);
        SSL_shutdown(client.ssl);
        fake_dtls_run(world);
    }
    fake_dtls_client_close(&client);
}

static void forward_secrecy_comes_first(void **state) {
    expect_suite(*state, "PSK-AES128-CCM8:ECDHE-PSK-CHACHA20-POLY1305", "ECDHE-PSK-CHACHA20-POLY1305");
    expect_suite(*state, "PSK-AES128-CCM8:PSK-AES128-CCM", "PSK-AES128-CCM");
}

static void nothing_but_authenticated_encryption_is_taken(void **state) {
    expect_suite(*state, "PSK-AES128-CBC-SHA256", NULL);
    expect_suite(*state, "ECDHE-PSK-AES128-CBC-SHA256", NULL);
    expect_suite(*state, "PSK-NULL-SHA256", NULL);
}

static void older_versions_are_not_spoken(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client old;
    fake_dtls_client_open(&old, world, "192.0.2.7:1000", "PSK");
    SSL_set_max_proto_version(old.ssl, DTLS1_VERSION);
    fake_dtls_client_key(&old, "lamp", 7);
    fake_dtls_client_connect(&old);
    fake_dtls_run(world);
    fake_dtls_wait(world, 20000000);
    assert_int_equal(world->opened, 0);
    fake_dtls_client_close(&old);
}

/* What the gateway sent, until it gave the handshake up. */
static unsigned answers_to(struct fake_dtls *world, const char *addr, const char *identity, uint8_t seed) {
    struct fake_dtls_client client;
    fake_dtls_client_open(&client, world, addr, "PSK-AES128-CCM8");
    fake_dtls_client_key(&client, identity, seed);
    unsigned before = world->sent[FAKE_TO_CLIENT];
    size_t bytes_before = world->bytes[FAKE_TO_CLIENT];
    fake_dtls_client_connect(&client);
    fake_dtls_run(world);
    fake_dtls_wait(world, 20000000);
    assert_false(fake_dtls_client_is_open(&client));
    fake_dtls_client_close(&client);
    return (world->sent[FAKE_TO_CLIENT] - before) * 10000 + (unsigned)(world->bytes[FAKE_TO_CLIENT] - bytes_before);
}

/* RFC 4279 §2: which identities there are is nobody's business. */
static void an_unknown_identity_fails_as_a_wrong_key_does(void **state) {
    struct fake_dtls *world = *state;
    unsigned wrong = answers_to(world, "192.0.2.8:1", "lamp", 8);
    assert_int_equal(answers_to(world, "192.0.2.9:1", "nobody", 7), wrong);
    assert_int_equal(world->opened, 0);
    assert_int_equal(figures_of(world)->failed, 2);
    assert_int_equal(figures_of(world)->handshakes, 0);
}

static void a_message_fits_into_a_datagram_of_any_path(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    uint8_t bytes[CG_DTLS_DATAGRAM_ROOM] = {0};
    connect_lamp(&lamp, world);
    size_t room = cg_dtls_room(world->session);
    assert_true(room >= 1152 && room < CG_DTLS_DATAGRAM_ROOM);
    size_t before = world->bytes[FAKE_TO_CLIENT];
    assert_int_equal(cg_dtls_send(world->session, cg_slice_of(bytes, room)), CG_OK);
    assert_int_equal(world->bytes[FAKE_TO_CLIENT] - before, CG_DTLS_DATAGRAM_ROOM);
    assert_int_equal(cg_dtls_send(world->session, cg_slice_of(bytes, room + 1)), CG_E_TOO_BIG);
    fake_dtls_client_close(&lamp);
}

static void what_the_socket_does_not_take_is_said(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    world->emit_err = CG_E_OVERLOAD;
    assert_int_equal(cg_dtls_send(world->session, cg_slice_str("lost")), CG_E_OVERLOAD);
    world->emit_err = CG_OK;
    assert_int_equal(cg_dtls_send(world->session, cg_slice_str("again")), CG_OK);
    fake_dtls_run(world);
    assert_string_equal(lamp.heard, "again");
    fake_dtls_client_close(&lamp);
}

/* ---- Nobody proven ---- */

static void a_hello_without_cookie_costs_nothing(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    fake_dtls_client_connect(&lamp);
    struct fake_datagram hello = *world->wire;
    fake_dtls_client_close(&lamp);
    for (unsigned i = 0; i < 5000; i++) {
        hello.client.ip[3] = (uint8_t)i;
        hello.client.port = (uint16_t)(1 + i);
        fake_dtls_inject(world, &hello.client, hello.bytes, hello.len);
    }
    while (fake_dtls_deliver(world)) {
    }
    assert_false(world->busy);
    assert_int_equal(figures_of(world)->handshakes, 0);
    assert_int_equal(figures_of(world)->challenged, 5001);
}

static void an_answer_to_nobody_is_no_larger_than_what_came(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    fake_dtls_client_connect(&lamp);
    assert_true(fake_dtls_deliver(world));
    assert_int_equal(world->sent[FAKE_TO_CLIENT], 1);
    assert_true(world->bytes[FAKE_TO_CLIENT] <= world->bytes[FAKE_TO_SERVER]);
    fake_dtls_run(world);
    fake_dtls_client_close(&lamp);
}

/* The flight with the cookie, as it goes from the client's own address. */
static struct fake_datagram hello_with_cookie(struct fake_dtls *world, struct fake_dtls_client *lamp) {
    fake_dtls_client_connect(lamp);
    assert_true(fake_dtls_deliver(world)); /* the first hello */
    assert_true(fake_dtls_deliver(world)); /* the cookie */
    assert_non_null(world->wire);
    return *world->wire;
}

static void a_cookie_is_good_for_its_address_alone(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    struct fake_datagram hello = hello_with_cookie(world, &lamp);
    hello.client.port++;
    fake_dtls_inject(world, &hello.client, hello.bytes, hello.len);
    assert_true(fake_dtls_deliver(world));
    assert_int_equal(figures_of(world)->handshakes, 1);
    fake_dtls_run(world);
    assert_int_equal(world->opened, 1);
    fake_dtls_client_close(&lamp);
}

static void a_cookie_is_good_for_a_while_only(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    struct fake_datagram hello = hello_with_cookie(world, &lamp);
    fake_dtls_client_close(&lamp);
    fake_dtls_run(world);
    fake_dtls_wait(world, 70 * 1000000); /* one secret later */
    hello.bytes[13 + 12 + 2] ^= 1;       /* of another handshake */
    fake_dtls_inject(world, &hello.client, hello.bytes, hello.len);
    assert_true(fake_dtls_deliver(world));
    assert_int_equal(figures_of(world)->handshakes, 1);
    fake_dtls_wait(world, 20 * 1000000);
    hello.bytes[13 + 12 + 2] ^= 2;
    fake_dtls_wait(world, 60 * 1000000);
    fake_dtls_inject(world, &hello.client, hello.bytes, hello.len);
    assert_true(fake_dtls_deliver(world));
    assert_int_equal(figures_of(world)->handshakes, 0);
}

static void garbage_from_nobody_is_dropped(void **state) {
    struct fake_dtls *world = *state;
    struct cg_addr from;
    uint8_t bytes[200];
    uint32_t random = 1;
    assert_int_equal(cg_addr_parse(&from, cg_slice_str("192.0.2.66:6"), 0), CG_OK);
    for (unsigned i = 0; i < 3000; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) bytes[j] = (uint8_t)((random = random * 1103515245 + 12345) >> 16);
        if (i % 2 == 0) memcpy(bytes, "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\xbb\x01\0\0\xaf\0\0\0\0\0\0\0\xaf", 25);
        fake_dtls_inject(world, &from, bytes, i % sizeof bytes);
    }
    fake_dtls_run(world);
    assert_int_equal(world->sent[FAKE_TO_CLIENT], figures_of(world)->challenged);
    assert_int_equal(figures_of(world)->handshakes, 0);
}

/* ---- A network as networks are ---- */

static bool lose_nth(struct fake_dtls *world, const struct fake_datagram *datagram) {
    (void)datagram;
    return world->sent[FAKE_TO_SERVER] + world->sent[FAKE_TO_CLIENT] == (uintptr_t)world->lose_ctx;
}

static void any_datagram_of_a_handshake_may_be_lost(void **state) {
    (void)state;
    for (uintptr_t nth = 1; nth <= 8; nth++) {
        struct fake_dtls world;
        struct fake_dtls_client lamp;
        open_world_limited(&world, &cg_dtls_usual_limits);
        world.lose = lose_nth;
        world.lose_ctx = (void *)nth;
        open_lamp_at(&lamp, &world, "192.0.2.7:1000");
        fake_dtls_client_connect(&lamp);
        fake_dtls_run(&world);
        fake_dtls_wait(&world, 5000000);
        assert_true(fake_dtls_client_is_open(&lamp));
        fake_dtls_client_send(&lamp, "hello");
        fake_dtls_run(&world);
        if (nth != world.sent[FAKE_TO_SERVER] + world.sent[FAKE_TO_CLIENT]) assert_string_equal(world.message, "hello");
        fake_dtls_client_close(&lamp);
        fake_dtls_close(&world);
    }
}

static void turn_around(struct fake_dtls *world) {
    struct fake_datagram *turned = NULL, *at = world->wire;
    while (at != NULL) {
        struct fake_datagram *next = at->next;
        at->next = turned;
        turned = at;
        at = next;
    }
    world->wire = turned;
}

static void flights_may_arrive_in_any_order(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    SSL_set_mtu(lamp.ssl, 256);
    fake_dtls_client_connect(&lamp);
    for (unsigned i = 0; i < 100; i++) {
        turn_around(world);
        fake_dtls_deliver(world);
        if (world->busy) world->busy = cg_dtls_turn(world->dtls, world->now_us);
    }
    fake_dtls_wait(world, 5000000);
    assert_true(fake_dtls_client_is_open(&lamp));
    assert_int_equal(world->opened, 1);
    fake_dtls_client_close(&lamp);
}

static void a_handshake_that_is_not_done_in_time_is_given_up(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    hello_with_cookie(world, &lamp);
    fake_dtls_client_close(&lamp); /* it answers nothing any more */
    fake_dtls_run(world);
    assert_int_equal(figures_of(world)->handshakes, 1);
    unsigned sent = world->sent[FAKE_TO_CLIENT];
    fake_dtls_wait(world, 14000000);
    assert_int_equal(figures_of(world)->handshakes, 1);
    assert_in_range(world->sent[FAKE_TO_CLIENT] - sent, 6, 8); /* two records, after 1, 3 and 7 seconds */
    fake_dtls_wait(world, 2000000);
    assert_int_equal(figures_of(world)->handshakes, 0);
    assert_int_equal(figures_of(world)->failed, 1);
    assert_true(cg_dtls_due_us(world->dtls) == UINT64_MAX);
}

/* ---- Bad records ---- */

/* The client's next message, as it would go. */
static struct fake_datagram next_record(struct fake_dtls *world, struct fake_dtls_client *client, const char *message) {
    fake_dtls_client_send(client, message);
    struct fake_datagram *record = world->wire, copy = *record;
    world->wire = record->next;
    free(record);
    return copy;
}

static void inject(struct fake_dtls *world, const struct fake_datagram *record, size_t len) {
    fake_dtls_inject(world, &record->client, record->bytes, len);
    fake_dtls_run(world);
}

static void bad_records_are_dropped_in_silence_and_counted(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    struct fake_datagram record = next_record(world, &lamp, "whole"), bad;
    unsigned sent = world->sent[FAKE_TO_CLIENT];
    uint64_t ignored = figures_of(world)->ignored, tries = 0;
    for (size_t i = 0; i < record.len; i++, tries++) { /* its type, version, epoch, number, length, text, tag */
        bad = record;
        bad.bytes[i] ^= 0x40;
        inject(world, &bad, bad.len);
    }
    for (size_t len = 0; len < record.len; len++, tries++) inject(world, &record, len);
    tries--; /* nothing at all is nobody's */
    bad = record;
    bad.bytes[record.len] = 0x17; /* another one begins */
    assert_int_equal(world->received, 0);
    assert_int_equal(figures_of(world)->ignored - ignored, tries);
    inject(world, &bad, record.len + 1);
    assert_int_equal(world->received, 1);
    assert_string_equal(world->message, "whole");
    inject(world, &record, record.len); /* replayed */
    assert_int_equal(world->received, 1);
    assert_int_equal(world->sent[FAKE_TO_CLIENT], sent);
    assert_int_equal(world->closed, 0);
    fake_dtls_client_close(&lamp);
}

static void plain_alerts_and_handshakes_do_not_end_a_session(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    static const char alert[] = "\x15\xfe\xfd\0\0\0\0\0\0\0\x55\0\x02\x02\x28";
    static const char cipher_change[] = "\x14\xfe\xfd\0\0\0\0\0\0\0\x56\0\x01\x01";
    static const char plain[] = "\x17\xfe\xfd\0\0\0\0\0\0\0\x57\0\x03"
                                "get";
    fake_dtls_inject(world, &lamp.addr, alert, sizeof alert - 1);
    fake_dtls_inject(world, &lamp.addr, cipher_change, sizeof cipher_change - 1);
    fake_dtls_inject(world, &lamp.addr, plain, sizeof plain - 1);
    fake_dtls_run(world);
    assert_int_equal(world->received, 0);
    fake_dtls_client_send(&lamp, "still here");
    fake_dtls_run(world);
    assert_string_equal(world->message, "still here");
    fake_dtls_client_close(&lamp);
}

static void several_records_in_a_datagram_are_several_messages(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    struct fake_datagram first = next_record(world, &lamp, "one"), second = next_record(world, &lamp, "two");
    memcpy(first.bytes + first.len, second.bytes, second.len);
    inject(world, &first, first.len + second.len);
    assert_int_equal(world->received, 2);
    assert_string_equal(world->message, "two");
    fake_dtls_client_close(&lamp);
}

static void nothing_is_negotiated_again(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    SSL_renegotiate(lamp.ssl);
    (void)SSL_do_handshake(lamp.ssl);
    fake_dtls_run(world);
    assert_int_equal(world->opened, 1);
    assert_int_equal(figures_of(world)->handshakes, 0);
    fake_dtls_client_close(&lamp);
}

/* ---- Clients that come again ---- */

static void a_client_that_says_goodbye_is_gone(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    SSL_shutdown(lamp.ssl);
    fake_dtls_run(world);
    assert_int_equal(world->closed, 1);
    assert_int_equal(figures_of(world)->sessions, 0);
    assert_int_equal(SSL_get_shutdown(lamp.ssl), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    fake_dtls_client_close(&lamp);
}

/* RFC 6347 §4.2.8. */
static void a_session_stays_until_another_handshake_is_done(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    struct fake_datagram record = next_record(world, &lamp, "old");
    fake_dtls_client_restart(&lamp);
    fake_dtls_client_connect(&lamp);
    assert_true(fake_dtls_deliver(world) && fake_dtls_deliver(world)); /* to the cookie and back */
    assert_true(fake_dtls_deliver(world));
    world->busy = cg_dtls_turn(world->dtls, world->now_us);
    assert_int_equal(figures_of(world)->handshakes, 1);
    fake_dtls_inject(world, &record.client, record.bytes, record.len);
    fake_dtls_run(world);
    assert_string_equal(world->message, "old");
    assert_true(fake_dtls_client_is_open(&lamp));
    assert_int_equal(world->opened, 2);
    assert_int_equal(world->closed, 1);
    assert_int_equal(figures_of(world)->sessions, 1);
    fake_dtls_client_send(&lamp, "new");
    fake_dtls_run(world);
    assert_string_equal(world->message, "new");
    inject(world, &record, record.len); /* of the session before */
    assert_int_equal(world->received, 2);
    fake_dtls_client_close(&lamp);
}

static void a_forged_hello_changes_nothing_for_a_session(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp, forger;
    connect_lamp(&lamp, world);
    open_lamp_at(&forger, world, "192.0.2.99:9");
    struct fake_datagram hello = hello_with_cookie(world, &forger);
    fake_dtls_inject(world, &lamp.addr, hello.bytes, hello.len);
    fake_dtls_run(world);
    fake_dtls_client_close(&forger);
    fake_dtls_client_send(&lamp, "still here");
    fake_dtls_run(world);
    assert_string_equal(world->message, "still here");
    assert_int_equal(world->closed, 0);
    fake_dtls_client_close(&lamp);
}

static void a_client_may_begin_anew_in_the_midst_of_a_handshake(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    hello_with_cookie(world, &lamp);
    assert_true(fake_dtls_deliver(world));
    assert_int_equal(figures_of(world)->handshakes, 1);
    fake_dtls_lose_all(world); /* what it would take for an answer to its new hello */
    fake_dtls_client_restart(&lamp);
    fake_dtls_client_connect(&lamp);
    fake_dtls_run(world);
    assert_true(fake_dtls_client_is_open(&lamp));
    assert_int_equal(world->opened, 1);
    assert_int_equal(figures_of(world)->handshakes, 0);
    fake_dtls_client_close(&lamp);
}

static void a_hello_that_comes_twice_begins_one_handshake(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    open_lamp_at(&lamp, world, "192.0.2.7:1000");
    struct fake_datagram hello = hello_with_cookie(world, &lamp);
    fake_dtls_inject(world, &hello.client, hello.bytes, hello.len);
    assert_true(fake_dtls_deliver(world));
    assert_int_equal(figures_of(world)->handshakes, 1);
    fake_dtls_run(world);
    assert_int_equal(world->opened, 1);
    inject(world, &hello, hello.len); /* late */
    assert_int_equal(figures_of(world)->handshakes, 0);
    assert_int_equal(world->closed, 0);
    fake_dtls_client_close(&lamp);
}

/* ---- Crowds ---- */

static const struct cg_dtls_limits narrow = {.sessions = 3,
                                             .handshakes = 6,
                                             .handshakes_per_host = 4,
                                             .handshake_us = 15000000,
                                             .idle_us = 3600000000,
                                             .stranger_idle_us = 120000000};

/* A handshake that stays half done. */
static void begin_from(struct fake_dtls *world, const char *addr) {
    struct fake_dtls_client client;
    open_lamp_at(&client, world, addr);
    hello_with_cookie(world, &client);
    fake_dtls_client_close(&client);
    fake_dtls_run(world);
}

static void handshakes_are_bounded_for_each_host_and_in_all(void **state) {
    struct fake_dtls world;
    struct fake_dtls_client lamp;
    char addr[40];
    (void)state;
    open_world_limited(&world, &narrow);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(addr, sizeof addr, "[2001:db8::%x]:%u", i + 1, 1000 + i);
        begin_from(&world, addr);
    }
    assert_int_equal(figures_of(&world)->handshakes, 4);
    assert_int_equal(figures_of(&world)->refused, 6);
    connect_lamp(&lamp, &world); /* somebody else gets in */
    begin_from(&world, "192.0.2.8:1");
    begin_from(&world, "192.0.2.9:1");
    begin_from(&world, "192.0.2.10:1");
    assert_int_equal(figures_of(&world)->handshakes, 6);
    fake_dtls_wait(&world, 16000000);
    assert_int_equal(figures_of(&world)->handshakes, 0);
    fake_dtls_client_close(&lamp);
    fake_dtls_close(&world);
}

static void a_turn_is_one_step_of_one_handshake(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamps_[4];
    char addr[40];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(addr, sizeof addr, "192.0.2.7:%u", 1000 + i);
        open_lamp_at(&lamps_[i], world, addr);
        fake_dtls_client_connect(&lamps_[i]);
    }
    assert_true(fake_dtls_deliver(world) && fake_dtls_deliver(world) && fake_dtls_deliver(world));
    assert_int_equal(world->busy_told, 1);
    unsigned before = world->sent[FAKE_TO_CLIENT];
    for (unsigned i = 1; i <= 4; i++) {
        assert_int_equal(cg_dtls_turn(world->dtls, world->now_us), i < 4);
        assert_int_equal(world->sent[FAKE_TO_CLIENT] - before, i);
    }
    world->busy = false;
    fake_dtls_run(world);
    assert_int_equal(world->opened, 4);
    for (unsigned i = 0; i < 4; i++) fake_dtls_client_close(&lamps_[i]);
}

static void fill(struct fake_dtls *world, struct fake_dtls_client *clients, unsigned count) {
    char addr[40];
    for (unsigned i = 0; i < count; i++) {
        snprintf(addr, sizeof addr, "192.0.2.%u:1000", 20 + i);
        open_lamp_at(&clients[i], world, addr);
        fake_dtls_client_connect(&clients[i]);
        fake_dtls_run(world);
        fake_dtls_wait(world, 1000000);
    }
}

static void a_full_house_lets_the_longest_idle_go(void **state) {
    struct fake_dtls world;
    struct fake_dtls_client clients[4];
    (void)state;
    open_world_limited(&world, &narrow);
    fill(&world, clients, 3);
    fake_dtls_client_send(&clients[0], "not idle");
    fake_dtls_run(&world);
    fill(&world, clients + 3, 1); /* it has the first one's address, as a client that has begun anew */
    assert_int_equal(figures_of(&world)->sessions, 3);
    fake_dtls_client_close(&clients[3]);
    open_lamp_at(&clients[3], &world, "192.0.2.30:1");
    fake_dtls_client_connect(&clients[3]);
    fake_dtls_run(&world);
    assert_true(fake_dtls_client_is_open(&clients[3]));
    assert_false(fake_dtls_client_is_open(&clients[1]));
    assert_true(fake_dtls_client_is_open(&clients[2]));
    assert_int_equal(figures_of(&world)->sessions, 3);
    for (unsigned i = 0; i < 4; i++) fake_dtls_client_close(&clients[i]);
    fake_dtls_close(&world);
}

static void sessions_in_use_stay(void **state) {
    struct fake_dtls world;
    struct fake_dtls_client clients[4];
    (void)state;
    open_world_limited(&world, &narrow);
    fill(&world, clients, 3);
    world.is_used = true;
    open_lamp_at(&clients[3], &world, "192.0.2.30:1");
    fake_dtls_client_connect(&clients[3]);
    fake_dtls_run(&world);
    assert_int_equal(world.opened, 3);
    assert_int_equal(world.closed, 0);
    fake_dtls_wait(&world, 3700000000); /* longer than they may be idle */
    assert_int_equal(world.closed, 0);
    world.is_used = false;
    fake_dtls_wait(&world, 3700000000);
    assert_int_equal(world.closed, 3);
    for (unsigned i = 0; i < 4; i++) fake_dtls_client_close(&clients[i]);
    fake_dtls_close(&world);
}

/* ---- What is told of failures ---- */

struct lines {
    struct cg_log_out out;
    char text[16384];
    unsigned count;
};

static void keep_line(struct cg_log_out *out, const char *line, size_t len) {
    struct lines *lines = CG_CONTAINER(out, struct lines, out);
    size_t used = strlen(lines->text);
    assert_true(used + len < sizeof lines->text);
    memcpy(lines->text + used, line, len);
    lines->count++;
}

static void a_handshake_that_fails_is_told_with_its_peer(void **state) {
    struct fake_dtls *world = *state;
    struct lines lines = {.out = {.put = keep_line}};
    struct fake_dtls_client lamp;
    fake_dtls_client_open(&lamp, world, "192.0.2.7:4000", NULL);
    fake_dtls_client_key(&lamp, "lamp", 99);
    cg_log_to(&lines.out);
    fake_dtls_client_connect(&lamp);
    fake_dtls_run(world);
    fake_dtls_wait(world, 20000000);
    cg_log_to(NULL);
    assert_int_equal(cg_dtls_figures(world->dtls)->failed, 1);
    assert_int_equal(lines.count, 1);
    assert_non_null(strstr(lines.text, "level=info event=dtls-failed peer=192.0.2.7:4000 reason="));
    assert_null(strstr(lines.text, "lamp"));
    fake_dtls_client_close(&lamp);
}

static void of_many_failures_some_are_told_and_the_rest_counted(void **state) {
    struct fake_dtls *world = *state;
    struct lines lines = {.out = {.put = keep_line}};
    struct fake_dtls_client clients[14];
    for (unsigned i = 0; i < 14; i++) {
        char addr[32];
        snprintf(addr, sizeof addr, "192.0.2.7:%u", 4000 + i);
        fake_dtls_client_open(&clients[i], world, addr, NULL);
        fake_dtls_client_key(&clients[i], "lamp", 99);
        fake_dtls_client_connect(&clients[i]);
    }
    fake_dtls_run(world);
    cg_log_to(&lines.out);
    fake_dtls_wait(world, 20000000);
    assert_int_equal(cg_dtls_figures(world->dtls)->failed, 14);
    assert_in_range(lines.count, 10, 13);
    assert_null(strstr(lines.text, "others="));
    unsigned told = lines.count;
    fake_dtls_client_restart(&clients[0]);
    fake_dtls_client_connect(&clients[0]);
    fake_dtls_run(world);
    fake_dtls_wait(world, 20000000);
    cg_log_to(NULL);
    assert_int_equal(lines.count, told + 1);
    char others[24];
    snprintf(others, sizeof others, "others=%u", 14 - told);
    assert_non_null(strstr(lines.text, others));
    for (unsigned i = 0; i < 14; i++) fake_dtls_client_close(&clients[i]);
}

/* ---- Settings that change ---- */

static void a_client_that_was_removed_loses_its_session(void **state) {
    struct fake_dtls *world = *state;
    static const char *const others[] = {"fan", NULL};
    struct fake_dtls_client lamp;
    struct cg_request request = {0};
    struct cg_problem problem = {0};
    connect_lamp(&lamp, world);
    fake_dtls_configure(world, 7, others);
    assert_int_equal(cg_dtls_session_identify(world->session, world->config, &request, &problem), CG_E_UNAUTHORIZED);
    assert_null(request.client);
    fake_dtls_load(world, &no_files);
    fake_dtls_run(world);
    assert_int_equal(world->closed, 1);
    assert_false(fake_dtls_client_is_open(&lamp));
    fake_dtls_client_close(&lamp);
}

static void a_key_that_was_replaced_ends_its_session(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    fake_dtls_configure(world, 8, lamps);
    fake_dtls_client_send(&lamp, "too late");
    fake_dtls_load(world, &no_files);
    fake_dtls_deliver(world); /* before its turn has come */
    assert_int_equal(world->received, 0);
    assert_int_equal(world->closed, 1);
    fake_dtls_run(world);
    fake_dtls_client_key(&lamp, "lamp", 8);
    fake_dtls_client_restart(&lamp);
    fake_dtls_client_connect(&lamp);
    fake_dtls_run(world);
    assert_true(fake_dtls_client_is_open(&lamp));
    fake_dtls_client_close(&lamp);
}

static void a_reload_leaves_the_others_sessions_alone(void **state) {
    struct fake_dtls *world = *state;
    struct fake_dtls_client lamp;
    connect_lamp(&lamp, world);
    for (unsigned i = 0; i < 3; i++) {
        fake_dtls_configure(world, 7, lamps);
        fake_dtls_load(world, &no_files);
        fake_dtls_run(world);
    }
    fake_dtls_client_send(&lamp, "still here");
    fake_dtls_run(world);
    assert_string_equal(world->message, "still here");
    assert_string_equal(client_of(world, CG_PROOF_PSK), "lamp");
    fake_dtls_client_close(&lamp);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        dtls_test(a_client_with_a_key_is_known_by_it),
        dtls_test(forward_secrecy_comes_first),
        dtls_test(nothing_but_authenticated_encryption_is_taken),
        dtls_test(older_versions_are_not_spoken),
        dtls_test(an_unknown_identity_fails_as_a_wrong_key_does),
        dtls_test(a_message_fits_into_a_datagram_of_any_path),
        dtls_test(what_the_socket_does_not_take_is_said),
        dtls_test(a_hello_without_cookie_costs_nothing),
        dtls_test(an_answer_to_nobody_is_no_larger_than_what_came),
        dtls_test(a_cookie_is_good_for_its_address_alone),
        dtls_test(a_cookie_is_good_for_a_while_only),
        dtls_test(garbage_from_nobody_is_dropped),
        cmocka_unit_test(any_datagram_of_a_handshake_may_be_lost),
        dtls_test(flights_may_arrive_in_any_order),
        dtls_test(a_handshake_that_is_not_done_in_time_is_given_up),
        dtls_test(bad_records_are_dropped_in_silence_and_counted),
        dtls_test(plain_alerts_and_handshakes_do_not_end_a_session),
        dtls_test(several_records_in_a_datagram_are_several_messages),
        dtls_test(nothing_is_negotiated_again),
        dtls_test(a_client_that_says_goodbye_is_gone),
        dtls_test(a_session_stays_until_another_handshake_is_done),
        dtls_test(a_forged_hello_changes_nothing_for_a_session),
        dtls_test(a_client_may_begin_anew_in_the_midst_of_a_handshake),
        dtls_test(a_hello_that_comes_twice_begins_one_handshake),
        cmocka_unit_test(handshakes_are_bounded_for_each_host_and_in_all),
        dtls_test(a_turn_is_one_step_of_one_handshake),
        cmocka_unit_test(a_full_house_lets_the_longest_idle_go),
        cmocka_unit_test(sessions_in_use_stay),
        dtls_test(a_handshake_that_fails_is_told_with_its_peer),
        dtls_test(of_many_failures_some_are_told_and_the_rest_counted),
        dtls_test(a_client_that_was_removed_loses_its_session),
        dtls_test(a_key_that_was_replaced_ends_its_session),
        dtls_test(a_reload_leaves_the_others_sessions_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
