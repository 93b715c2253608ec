#include "fake_dtls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <utlist.h>

#include <cmocka.h>

/* ---- Time ---- */

static uint64_t wall_us = UINT64_C(1700000000000000);

/* OpenSSL's timers ask for it; here it is the world's. */
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    *now = (struct timeval){.tv_sec = (time_t)(wall_us / 1000000), .tv_usec = (suseconds_t)(wall_us % 1000000)};
    return 0;
}

/* ---- The wire ---- */

static void put(struct fake_dtls *world, enum fake_direction direction, const struct cg_addr *client,
                struct cg_slice bytes) {
    struct fake_datagram *datagram = calloc(1, sizeof *datagram);
    assert_non_null(datagram);
    assert_true(bytes.len <= sizeof datagram->bytes);
    *datagram = (struct fake_datagram){.direction = direction, .client = *client, .len = bytes.len};
    memcpy(datagram->bytes, bytes.data, bytes.len);
    world->sent[direction]++;
    world->bytes[direction] += bytes.len;
    if (world->lose != NULL && world->lose(world, datagram)) {
        free(datagram);
        return;
    }
    LL_APPEND(world->wire, datagram);
}

static struct fake_dtls_client *client_at(const struct fake_dtls *world, const struct cg_addr *addr) {
    for (size_t i = 0; i < FAKE_DTLS_MAX; i++) {
        if (world->clients[i] != NULL && cg_addr_equal(&world->clients[i]->addr, addr)) return world->clients[i];
    }
    return NULL;
}

static void read_client(struct fake_dtls_client *client) {
    char heard[2048];
    int len;
    if (!SSL_is_init_finished(client->ssl)) (void)SSL_do_handshake(client->ssl);
    while ((len = SSL_read(client->ssl, heard, sizeof heard - 1)) > 0) {
        heard[len] = 0;
        snprintf(client->heard, sizeof client->heard, "%.200s", heard);
        client->heard_count++;
    }
}

static void arrive(struct fake_dtls *world, const struct fake_datagram *datagram) {
    struct cg_slice bytes = cg_slice_of(datagram->bytes, datagram->len);
    if (datagram->direction == FAKE_TO_SERVER) {
        struct cg_dtls_path path;
        memset(&path, 0, sizeof path);
        path.remote = datagram->client;
        assert_int_equal(cg_addr_parse(&path.local, cg_slice_str("192.0.2.1:5684"), 0), CG_OK);
        /* A copy with nothing behind it, so that no byte too many is read unseen. */
        uint8_t *copy = malloc(bytes.len + 1);
        assert_non_null(copy);
        memcpy(copy, bytes.data, bytes.len);
        uint8_t *exact = realloc(copy, bytes.len == 0 ? 1 : bytes.len);
        cg_dtls_take(world->dtls, &path, cg_slice_of(exact, bytes.len), world->now_us);
        free(exact);
        return;
    }
    struct fake_dtls_client *client = client_at(world, &datagram->client);
    if (client == NULL) return;
    client->bio.datagram = bytes;
    read_client(client);
    client->bio.datagram = CG_SLICE_NONE;
}

bool fake_dtls_deliver(struct fake_dtls *world) {
    struct fake_datagram *batch = world->wire, *at, *next;
    world->wire = NULL;
    LL_FOREACH_SAFE(batch, at, next) {
        arrive(world, at);
        free(at);
    }
    return batch != NULL;
}

void fake_dtls_lose_all(struct fake_dtls *world) {
    struct fake_datagram *at, *next;
    while (world->busy) world->busy = cg_dtls_turn(world->dtls, world->now_us);
    LL_FOREACH_SAFE(world->wire, at, next) free(at);
    world->wire = NULL;
}

void fake_dtls_run(struct fake_dtls *world) {
    for (unsigned rounds = 0; fake_dtls_deliver(world) || world->busy; rounds++) {
        assert_true(rounds < 100000);
        if (world->busy) world->busy = cg_dtls_turn(world->dtls, world->now_us);
    }
}

void fake_dtls_inject(struct fake_dtls *world, const struct cg_addr *from, const void *bytes, size_t len) {
    put(world, FAKE_TO_SERVER, from, cg_slice_of(bytes, len));
}

static void repeat_flights(struct fake_dtls *world) {
    for (size_t i = 0; i < FAKE_DTLS_MAX; i++) {
        struct fake_dtls_client *client = world->clients[i];
        if (client != NULL && !SSL_is_init_finished(client->ssl)) (void)DTLSv1_handle_timeout(client->ssl);
    }
}

void fake_dtls_wait(struct fake_dtls *world, uint64_t us) {
    const uint64_t until_us = world->now_us + us;
    while (world->now_us < until_us) {
        uint64_t next_us = world->now_us + 100000, due_us = cg_dtls_due_us(world->dtls);
        if (due_us < next_us) next_us = due_us;
        if (next_us > until_us) next_us = until_us;
        if (next_us > world->now_us) {
            wall_us += next_us - world->now_us;
            world->now_us = next_us;
        }
        cg_dtls_run(world->dtls, world->now_us);
        assert_true(cg_dtls_due_us(world->dtls) > world->now_us);
        repeat_flights(world);
        fake_dtls_run(world);
    }
}

/* ---- The gateway's side ---- */

static const struct cg_config *on_config(void *ctx) { return ((struct fake_dtls *)ctx)->config; }

static int on_emit(void *ctx, const struct cg_dtls_path *path, struct cg_slice datagram) {
    struct fake_dtls *world = ctx;
    if (world->emit_err == CG_OK) put(world, FAKE_TO_CLIENT, &path->remote, datagram);
    return world->emit_err;
}

static void on_busy(void *ctx) {
    struct fake_dtls *world = ctx;
    world->busy = true;
    world->busy_told++;
}

static bool on_opened(void *ctx, struct cg_dtls_session *session) {
    struct fake_dtls *world = ctx;
    world->session = session;
    world->opened++;
    return true;
}

static void on_received(void *ctx, struct cg_dtls_session *session, struct cg_slice message) {
    struct fake_dtls *world = ctx;
    world->session = session;
    world->received++;
    assert_true(message.len < sizeof world->message);
    memcpy(world->message, message.data, message.len);
    world->message[message.len] = 0;
    world->message_len = message.len;
}

static bool is_used(void *ctx, struct cg_dtls_session *session) {
    (void)session;
    return ((struct fake_dtls *)ctx)->is_used;
}

static void on_closed(void *ctx, struct cg_dtls_session *session) {
    struct fake_dtls *world = ctx;
    if (world->session == session) world->session = NULL;
    world->closed++;
}

static const struct cg_dtls_ops ops = {on_config, on_emit, on_busy, on_opened, on_received, is_used, on_closed};

void fake_dtls_open(struct fake_dtls *world, const struct cg_dtls_limits *limits) {
    struct cg_problem problem = {0};
    *world = (struct fake_dtls){.now_us = 1000000};
    world->dtls = cg_dtls_new(&ops, world, limits, world->now_us, &problem);
    if (world->dtls == NULL) fail_msg("%s", problem.detail);
}

void fake_dtls_load(struct fake_dtls *world, const struct cg_tls_settings *settings) {
    struct cg_problem problem = {0};
    if (cg_dtls_load(world->dtls, settings, false, &problem) < 0) fail_msg("%s", problem.detail);
}

void fake_dtls_close(struct fake_dtls *world) {
    struct fake_datagram *at, *next;
    cg_dtls_free(world->dtls);
    assert_int_equal(world->opened, world->closed);
    LL_FOREACH_SAFE(world->wire, at, next) free(at);
    cg_config_unref(world->config);
}

static struct cg_config *config_of(size_t clients) {
    struct cg_config *config = cg_config_new();
    assert_non_null(config);
    config->client_count = clients;
    config->clients = cg_arena_zalloc(&config->arena, (clients + 1) * sizeof *config->clients);
    assert_non_null(config->clients);
    return config;
}

static void adopt(struct fake_dtls *world, struct cg_config *config) {
    assert_int_equal(cg_config_index(config), CG_OK);
    cg_config_unref(world->config);
    world->config = config;
}

void fake_dtls_configure(struct fake_dtls *world, uint8_t seed, const char *const *names) {
    size_t count = 0;
    while (names[count] != NULL) count++;
    struct cg_config *config = config_of(count);
    for (size_t i = 0; i < count; i++) {
        uint8_t key[16];
        memset(key, seed, sizeof key);
        config->clients[i] = (struct cg_client){
            .name = names[i],
            .psk = {.identity = names[i], .key = cg_arena_copy(&config->arena, cg_slice_of(key, sizeof key))}};
    }
    adopt(world, config);
}

void fake_dtls_configure_certificate(struct fake_dtls *world, const uint8_t sha256[32]) {
    struct cg_config *config = config_of(1);
    struct cg_pass *pass = cg_arena_zalloc(&config->arena, sizeof *pass);
    assert_non_null(pass);
    pass->expires_s = CG_PASS_FOR_EVER;
    memcpy(pass->sha256, sha256, 32);
    config->clients[0] = (struct cg_client){.name = "certified", .certificates = pass, .certificate_count = 1};
    adopt(world, config);
}

/* ---- Clients ---- */

static unsigned on_psk(SSL *ssl, const char *hint, char *identity, unsigned identity_cap, unsigned char *key,
                       unsigned cap) {
    const struct fake_dtls_client *client = SSL_get_app_data(ssl);
    (void)hint;
    assert_true(client->key_len <= cap);
    snprintf(identity, identity_cap, "%s", client->identity);
    memcpy(key, client->key, client->key_len);
    return (unsigned)client->key_len;
}

static void on_client_emit(void *ctx, struct cg_slice datagram) {
    struct fake_dtls_client *client = ctx;
    put(client->world, FAKE_TO_SERVER, &client->addr, datagram);
}

void fake_dtls_client_restart(struct fake_dtls_client *client) {
    SSL_free(client->ssl);
    client->ssl = SSL_new(client->context);
    client->bio = (struct cg_dtls_bio){.emit = on_client_emit, .ctx = client};
    BIO *bio = cg_dtls_bio_new(&client->bio);
    assert_true(client->ssl != NULL && bio != NULL);
    SSL_set_bio(client->ssl, bio, bio);
    SSL_set_app_data(client->ssl, client);
    SSL_set_mtu(client->ssl, 1232);
    SSL_set_connect_state(client->ssl);
}

static struct fake_dtls_client **free_place(struct fake_dtls *world) {
    for (size_t i = 0; i < FAKE_DTLS_MAX; i++) {
        if (world->clients[i] == NULL) return &world->clients[i];
    }
    fail_msg("too many clients");
    return NULL;
}

void fake_dtls_client_open(struct fake_dtls_client *client, struct fake_dtls *world, const char *addr,
                           const char *suites) {
    *client = (struct fake_dtls_client){.world = world};
    assert_int_equal(cg_addr_parse(&client->addr, cg_slice_str(addr), 0), CG_OK);
    client->context = SSL_CTX_new(DTLS_client_method());
    assert_non_null(client->context);
    SSL_CTX_set_security_level(client->context, 0);
    SSL_CTX_set_options(client->context, SSL_OP_NO_QUERY_MTU);
    assert_int_equal(SSL_CTX_set_cipher_list(client->context, suites == NULL ? "PSK:!RSAPSK:!DHEPSK" : suites), 1);
    SSL_CTX_set_psk_client_callback(client->context, on_psk);
    fake_dtls_client_restart(client);
    *free_place(world) = client;
}

void fake_dtls_client_key(struct fake_dtls_client *client, const char *identity, uint8_t seed) {
    snprintf(client->identity, sizeof client->identity, "%s", identity);
    client->key_len = 16;
    memset(client->key, seed, client->key_len);
}

void fake_dtls_client_close(struct fake_dtls_client *client) {
    for (size_t i = 0; i < FAKE_DTLS_MAX; i++) {
        if (client->world->clients[i] == client) client->world->clients[i] = NULL;
    }
    SSL_free(client->ssl);
    SSL_CTX_free(client->context);
}

void fake_dtls_client_connect(struct fake_dtls_client *client) { (void)SSL_do_handshake(client->ssl); }

bool fake_dtls_client_is_open(const struct fake_dtls_client *client) {
    return SSL_is_init_finished(client->ssl) && (SSL_get_shutdown(client->ssl) & SSL_RECEIVED_SHUTDOWN) == 0;
}

void fake_dtls_client_send(struct fake_dtls_client *client, const char *message) {
    assert_int_equal(SSL_write(client->ssl, message, (int)strlen(message)), strlen(message));
}

/* ---- Certificates ---- */

static void name_in(char to[96], const struct fake_pki *pki, const char *name) {
    snprintf(to, 96, "%s/%s", pki->folder, name);
}

static void extend(X509 *certificate, int nid, const char *value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct make {
    const char *subject, *purpose; /* NULL: it is a CA */
    EVP_PKEY *issuer_key;          /* NULL: its own */
    X509 *issuer;
    int until_s;
};

static X509 *make_certificate(const struct make *make, EVP_PKEY *key) {
    X509 *certificate = X509_new();
    static int serial;
    assert_non_null(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)make->subject, -1, -1, 0);
    X509_set_issuer_name(certificate, make->issuer == NULL ? name : X509_get_subject_name(make->issuer));
    X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
    X509_gmtime_adj(X509_getm_notAfter(certificate), make->until_s);
    X509_set_pubkey(certificate, key);
    if (make->purpose == NULL) {
        extend(certificate, NID_basic_constraints, "critical,CA:TRUE");
        extend(certificate, NID_key_usage, "critical,keyCertSign");
    } else {
        extend(certificate, NID_ext_key_usage, make->purpose);
    }
    assert_true(X509_sign(certificate, make->issuer_key == NULL ? key : make->issuer_key, EVP_sha256()) > 0);
    return certificate;
}

static void write_certificate(const char *path, X509 *certificate) {
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(PEM_write_X509(to, certificate), 1);
    assert_int_equal(fclose(to), 0);
}

static void write_key(const char *path, EVP_PKEY *key) {
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    assert_int_equal(PEM_write_PrivateKey(to, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(to), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static struct {
    EVP_PKEY *key;
    X509 *certificate;
} authorities[2];

static void make_authority(size_t which, const char *path, const char *subject) {
    const struct make make = {.subject = subject, .until_s = 86400};
    authorities[which].key = EVP_EC_gen("P-256");
    assert_non_null(authorities[which].key);
    authorities[which].certificate = make_certificate(&make, authorities[which].key);
    write_certificate(path, authorities[which].certificate);
}

void fake_pki_make(struct fake_pki *pki) {
    *pki = (struct fake_pki){.folder = "/tmp/castgate-dtls-XXXXXX"};
    assert_non_null(mkdtemp(pki->folder));
    name_in(pki->ca, pki, "ca.pem");
    name_in(pki->other_ca, pki, "other.pem");
    name_in(pki->server, pki, "server.pem");
    name_in(pki->server_key, pki, "server.key");
    make_authority(0, pki->ca, "CA");
    make_authority(1, pki->other_ca, "another CA");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    const struct make make = {.subject = "gateway",
                              .purpose = "serverAuth",
                              .issuer_key = authorities[0].key,
                              .issuer = authorities[0].certificate,
                              .until_s = 3600};
    X509 *certificate = make_certificate(&make, key);
    write_certificate(pki->server, certificate);
    write_key(pki->server_key, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void fake_pki_remove(struct fake_pki *pki) {
    unlink(pki->ca);
    unlink(pki->other_ca);
    unlink(pki->server);
    unlink(pki->server_key);
    rmdir(pki->folder);
    for (size_t i = 0; i < 2; i++) {
        EVP_PKEY_free(authorities[i].key);
        X509_free(authorities[i].certificate);
    }
}

void fake_pki_give(const struct fake_pki *pki, struct fake_dtls_client *client, enum fake_certificate which,
                   uint8_t sha256[32]) {
    const size_t by = which == FAKE_OF_OTHER_CA ? 1 : 0;
    const struct make make = {.subject = "client",
                              .purpose = which == FAKE_OF_A_SERVER ? "serverAuth" : "clientAuth",
                              .issuer_key = authorities[by].key,
                              .issuer = authorities[by].certificate,
                              .until_s = which == FAKE_EXPIRED ? -3600 : 3600};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = make_certificate(&make, key);
    (void)pki;
    assert_int_equal(SSL_CTX_use_certificate(client->context, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(client->context, key), 1);
    assert_int_equal(X509_digest(certificate, EVP_sha256(), sha256, NULL), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    fake_dtls_client_restart(client);
}
