/* A next hop by DTLS, with a pre-shared key from its file: an OpenSSL server that says what the test wants. */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "hops/credentials.h"
#include "hops/fake_next_hop.h"

#define KEY "0123456789abcdef"

enum { HANDSHAKE = 22 /* a record of that type (RFC 6347 §4.1) */ };

/* The next hop's side. */
struct far {
    struct stage *stage;
    SSL_CTX *context;
    int fd;
    SSL *ssl; /* NULL: nobody has come */
    struct cg_msg heard[8];
    uint8_t bytes[8][1500];
    size_t count;
    char file[64];
    struct cg_credentials credentials;
};

static unsigned on_key(SSL *ssl, const char *identity, unsigned char *key, unsigned cap) {
    (void)ssl;
    assert_string_equal(identity, "near");
    assert_true(cap >= strlen(KEY));
    memcpy(key, KEY, strlen(KEY));
    return strlen(KEY);
}

static int open_socket(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;
    assert_true(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static uint16_t port_of(int fd) {
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    return ntohs(at.sin_port);
}

/* Whoever comes first with a handshake is served; records of a session that is forgotten are nothing. */
static bool accept_first(struct far *far) {
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    char byte;
    if (recvfrom(far->fd, &byte, 1, MSG_PEEK, (struct sockaddr *)&from, &len) < 0) return false;
    if (byte != HANDSHAKE) {
        assert_true(recv(far->fd, &byte, 1, 0) >= 0);
        return false;
    }
    assert_int_equal(connect(far->fd, (struct sockaddr *)&from, len), 0);
    BIO *bio = BIO_new_dgram(far->fd, BIO_NOCLOSE);
    BIO_ADDR *peer = BIO_ADDR_new();
    far->ssl = SSL_new(far->context);
    assert_true(bio != NULL && peer != NULL && far->ssl != NULL);
    assert_int_equal(BIO_ADDR_rawmake(peer, AF_INET, &from.sin_addr, sizeof from.sin_addr, from.sin_port), 1);
    BIO_ctrl_set_connected(bio, peer);
    BIO_ADDR_free(peer);
    SSL_set_bio(far->ssl, bio, bio);
    SSL_set_accept_state(far->ssl);
    return true;
}

static void serve(struct far *far) {
    if (far->ssl == NULL && !accept_first(far)) return;
    while (far->count < 8) {
        int len = SSL_read(far->ssl, far->bytes[far->count], sizeof far->bytes[0]);
        if (len <= 0) return;
        assert_int_equal(cg_msg_parse(&far->heard[far->count], cg_slice_of(far->bytes[far->count], (size_t)len)),
                         CG_OK);
        far->count++;
    }
}

static void say(struct far *far, size_t request, enum cg_type type, uint8_t code, const char *payload) {
    static const uint8_t reply_from[] = {0x82, 0x20, 0x81, 0x44, 10, 0, 0, 5}; /* [-1, [h'0a000005']] */
    uint8_t bytes[256];
    struct cg_msg_writer writer;
    const struct cg_token token = code == CG_EMPTY ? (struct cg_token){0} : far->heard[request].token;
    cg_msg_begin(&writer, bytes, sizeof bytes, type, code, far->heard[request].mid, token);
    if (code != CG_EMPTY) {
        cg_msg_put_opt(&writer, 248, cg_slice_of(reply_from, sizeof reply_from));
        cg_msg_put_payload(&writer, cg_slice_str(payload));
    }
    int len = cg_msg_end(&writer);
    assert_int_equal(SSL_write(far->ssl, bytes, len), len);
}

static void run_until_heard(struct far *far, size_t count) {
    for (int i = 0; i < 2000 && far->count < count; i++) {
        stage_runs(far->stage, 5);
        serve(far);
    }
    assert_int_equal(far->count, count);
}

static void write_key(struct far *far) {
    snprintf(far->file, sizeof far->file, "/tmp/castgate-test-%ld.key", (long)getpid());
    int fd = open(far->file, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    assert_true(fd >= 0 && write(fd, KEY, strlen(KEY)) == (ssize_t)strlen(KEY));
    close(fd);
}

static void load_credentials(struct far *far) {
    struct cg_config *config = far->stage->world.config;
    struct cg_problem problem = {0};
    far->credentials = (struct cg_credentials){.name = "far", .psk = {.identity = "near", .key_file = far->file}};
    config->credentials = &far->credentials;
    config->credentials_count = 1;
    assert_int_equal(cg_hop_credentials_load(config, &problem), CG_OK);
    far->stage->next_hop->credentials = &far->credentials;
    far->stage->next_hop->credentials_name = "far";
}

static int setup(void **state) {
    struct far *far = calloc(1, sizeof *far);
    if (far == NULL || stage_setup_hasty(state) != 0) return -1;
    far->stage = *state;
    far->context = SSL_CTX_new(DTLS_server_method());
    assert_non_null(far->context);
    SSL_CTX_set_psk_server_callback(far->context, on_key);
    assert_int_equal(SSL_CTX_set_cipher_list(far->context, "PSK-AES128-CCM8:@SECLEVEL=0"), 1);
    far->fd = open_socket(0);
    far->stage->next_hop->scheme = CG_SCHEME_COAPS;
    far->stage->next_hop->addr.port = port_of(far->fd);
    write_key(far);
    load_credentials(far);
    *state = far;
    return 0;
}

static int teardown(void **state) {
    struct far *far = *state;
    void *stage = far->stage;
    int result = stage_teardown(&stage);
    SSL_free(far->ssl);
    SSL_CTX_free(far->context);
    close(far->fd);
    unlink(far->file);
    free(far);
    return result;
}

/* The next hop starts again: what it knew is gone. */
static void forget(struct far *far) {
    const uint16_t port = port_of(far->fd);
    SSL_free(far->ssl);
    close(far->fd);
    far->ssl = NULL;
    far->fd = open_socket(port);
    far->count = 0;
}

static void run_until_told(struct far *far, const struct call *call) {
    for (int i = 0; i < 2000 && call->replies + call->problems == 0; i++) {
        stage_runs(far->stage, 5);
        serve(far);
    }
    assert_int_equal(call->replies + call->problems, 1);
}

static void it_is_as_over_udp(void **state) {
    struct far *far = *state;
    struct call calls[2];
    for (size_t i = 0; i < 2; i++) stage_asks(far->stage, &calls[i], 10);
    run_until_heard(far, 1); /* NSTART */
    assert_int_equal(far->heard[0].type, CG_CON);
    say(far, 0, CG_ACK, CG_EMPTY, NULL);
    run_until_heard(far, 2);
    for (size_t i = 0; i < 2; i++) {
        say(far, i, CG_NON, CG_CODE(2, 5), "on");
        run_until_told(far, &calls[i]);
        assert_non_null(strstr(calls[i].text, "10.0.0.5"));
    }
    assert_int_equal(far->stage->world.sent_count, 0);
}

static void one_that_has_forgotten_the_session_is_met_anew(void **state) {
    struct far *far = *state;
    struct call first, second;
    stage_asks(far->stage, &first, 10);
    run_until_heard(far, 1);
    forget(far);
    run_until_told(far, &first);
    assert_int_equal(first.problem.err, CG_E_HOP_LOST);
    assert_non_null(strstr(first.problem.detail, "says nothing any more"));
    stage_asks(far->stage, &second, 10);
    run_until_heard(far, 1);
    say(far, 0, CG_ACK, CG_CODE(2, 5), "on");
    run_until_told(far, &second);
    assert_non_null(strstr(second.text, "10.0.0.5"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_as_over_udp, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_has_forgotten_the_session_is_met_anew, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
