/* The HTTP server with TLS, where clients misbehave before any request: they wait, they drip, they stay when it closes.
 * What TLS is for is tested with the whole program. */
#include "fake_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cmocka.h>

#include "fronts/http/server.h"

struct fixture {
    uv_loop_t uv;
    char folder[64], certificate[80], key[80];
    struct cg_listen listen;
    struct cg_http_settings settings;
    struct cg_http_options options;
    struct cg_http_server *server;
    bool closed;
};

static void on_request(void *ctx, struct cg_http_call *call) {
    (void)ctx, (void)call;
    fail_msg("no request was sent");
}

static void on_done(void *ctx, struct cg_http_call *call) { (void)ctx, (void)call; }

static size_t body_max(void *ctx, struct cg_http_call *call) {
    (void)ctx, (void)call;
    return 1000;
}

static const struct cg_http_handler handler = {.request = on_request, .done = on_done, .body_max = body_max};

static void make_certificate(const struct fixture *f) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    assert_true(key != NULL && certificate != NULL);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    FILE *to = fopen(f->certificate, "w");
    assert_non_null(to);
    assert_int_equal(PEM_write_X509(to, certificate), 1);
    assert_int_equal(fclose(to), 0);
    to = fopen(f->key, "w");
    assert_non_null(to);
    assert_int_equal(PEM_write_PrivateKey(to, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(chmod(f->key, 0600), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

static void set_up_patient(struct fixture *f, uint64_t patience_us, uint64_t head_patience_us) {
    *f = (struct fixture){.folder = "/tmp/castgate-tls-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->certificate, sizeof f->certificate, "%s/crt", f->folder);
    snprintf(f->key, sizeof f->key, "%s/key", f->folder);
    make_certificate(f);
    assert_int_equal(uv_loop_init(&f->uv), 0);
    assert_int_equal(cg_addr_parse(&f->listen.addr, cg_slice_str("127.0.0.1:0"), 0), CG_OK);
    f->settings = (struct cg_http_settings){
        .listen = &f->listen, .listen_count = 1, .tls = {.certificate = f->certificate, .key = f->key}};
    f->options = (struct cg_http_options){.settings = &f->settings,
                                          .handler = &handler,
                                          .ctx = f,
                                          .connections = 10,
                                          .patience_us = patience_us,
                                          .head_patience_us = head_patience_us};
    struct cg_problem problem = {0};
    f->server = cg_http_server_open(&f->uv, &f->options, &problem);
    if (f->server == NULL) fail_msg("%s", problem.detail);
}

static void set_up(struct fixture *f) { set_up_patient(f, 200000, 0); }

static void on_closed(void *ctx) { ((struct fixture *)ctx)->closed = true; }

static void tear_down(struct fixture *f) {
    cg_http_server_close(f->server, on_closed, f);
    uv_run(&f->uv, UV_RUN_DEFAULT);
    assert_true(f->closed);
    assert_int_equal(uv_loop_close(&f->uv), 0);
    unlink(f->certificate);
    unlink(f->key);
    rmdir(f->folder);
}

static int setup(void **state) {
    struct fixture *f = malloc(sizeof *f);
    if (f == NULL) return -1;
    set_up(f);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    tear_down(*state);
    free(*state);
    return 0;
}

#define tls_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void connect_to(struct fixture *f, struct fake_client *client) {
    fake_client_open(client, &f->uv, &cg_http_server_listen(f->server, 0)->addr);
}

/* The head of a handshake record that is never finished. */
static const char hello[] = "\x16\x03\x01\x02\x00\x01";

static void a_client_that_never_shakes_hands_is_closed(void **state) {
    struct fixture *f = *state;
    struct fake_client silent, slow;
    connect_to(f, &silent);
    connect_to(f, &slow);
    fake_client_send(&slow, hello, sizeof hello - 1);
    fake_client_wait_closed(&silent);
    fake_client_wait_closed(&slow);
    assert_int_equal(cg_http_server_connections(f->server), 0);
    fake_client_close(&silent);
    fake_client_close(&slow);
}

/* Silence is borne for longer. */
static void a_handshake_has_no_more_time_than_a_head(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client silent, slow;
    set_up_patient(&f, 60000000, 200000);
    connect_to(&f, &silent);
    connect_to(&f, &slow);
    for (size_t i = 0; !slow.closed; i++) {
        if (i < sizeof hello - 1) fake_client_send(&slow, hello + i, 1);
        fake_client_settle(&f.uv);
        fake_client_read(&slow);
    }
    fake_client_read(&silent);
    assert_false(silent.closed);
    fake_client_close(&silent);
    fake_client_close(&slow);
    tear_down(&f);
}

static void the_server_closes_in_the_middle_of_handshakes(void **state) {
    (void)state;
    struct fixture f;
    struct fake_client clients[3];
    set_up_patient(&f, 60000000, 0);
    for (size_t i = 0; i < 3; i++) {
        connect_to(&f, &clients[i]);
        fake_client_send(&clients[i], hello, i * 3);
    }
    fake_client_settle(&f.uv);
    assert_int_equal(cg_http_server_connections(f.server), 3);
    struct cg_problem problem = {0};
    assert_int_equal(cg_http_server_reload_tls(f.server, &f.settings.tls, false, &problem), CG_OK);
    tear_down(&f);
    for (size_t i = 0; i < 3; i++) fake_client_close(&clients[i]);
}

static void reading_again_is_all_or_nothing(void **state) {
    struct fixture *f = *state;
    struct cg_problem problem = {0};
    struct cg_tls_settings missing = f->settings.tls, none = {0};
    missing.client_ca = "/nonexistent/ca.crt";
    assert_int_equal(cg_http_server_reload_tls(f->server, &missing, false, &problem), CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "/nonexistent/ca.crt"));
    assert_int_equal(cg_http_server_reload_tls(f->server, &none, false, &problem), CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, "restart"));
    assert_int_equal(chmod(f->key, 0640), 0);
    assert_int_equal(cg_http_server_reload_tls(f->server, &f->settings.tls, false, &problem), CG_E_INTERNAL);
    assert_non_null(strstr(problem.detail, f->key));
    assert_int_equal(cg_http_server_reload_tls(f->server, &f->settings.tls, true, &problem), CG_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        tls_test(a_client_that_never_shakes_hands_is_closed),
        cmocka_unit_test(a_handshake_has_no_more_time_than_a_head),
        cmocka_unit_test(the_server_closes_in_the_middle_of_handshakes),
        tls_test(reading_again_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
