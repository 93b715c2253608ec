/* DTLS without sockets: the gateway's side, clients that are OpenSSL's, and a network between them that loses, turns
 * around and repeats what it is told to. OpenSSL's own clock is this one's, too. */
#ifndef FAKE_DTLS_H
#define FAKE_DTLS_H

#include <openssl/ssl.h>

#include "fronts/coap/dtls.h"
#include "fronts/coap/dtls_bio.h"

#define FAKE_DTLS_MAX 64

enum fake_direction { FAKE_TO_SERVER, FAKE_TO_CLIENT };

/* On its way. */
struct fake_datagram {
    enum fake_direction direction;
    struct cg_addr client;
    size_t len;
    uint8_t bytes[2048];
    struct fake_datagram *next;
};

struct fake_dtls_client {
    struct fake_dtls *world;
    struct cg_addr addr;
    SSL_CTX *context;
    SSL *ssl;
    struct cg_dtls_bio bio;
    char identity[130];
    uint8_t key[64];
    size_t key_len;
    char heard[256]; /* the latest message */
    unsigned heard_count;
};

/* Certificates, in files of a folder of their own. */
struct fake_pki {
    char folder[64];
    char ca[96], other_ca[96];
    char server[96], server_key[96];
};

struct fake_dtls {
    struct cg_dtls *dtls;
    struct cg_config *config;
    uint64_t now_us;
    bool busy;
    unsigned busy_told;
    struct fake_datagram *wire; /* in the order of sending */
    unsigned sent[2];           /* datagrams in each direction */
    size_t bytes[2];
    bool (*lose)(struct fake_dtls *world, const struct fake_datagram *datagram); /* NULL: nothing is lost */
    void *lose_ctx;
    struct fake_dtls_client *clients[FAKE_DTLS_MAX];
    struct cg_dtls_session *session; /* the latest that was opened; NULL: it has closed */
    unsigned opened, closed, received;
    bool is_used;
    int emit_err; /* CG_OK: datagrams go */
    char message[1500];
    size_t message_len;
};

/* Time from which OpenSSL counts: the world's. */
void fake_dtls_open(struct fake_dtls *world, const struct cg_dtls_limits *limits);
void fake_dtls_load(struct fake_dtls *world, const struct cg_tls_settings *settings);
void fake_dtls_close(struct fake_dtls *world);

/* A new snapshot with one client for each name (NULL ends them), whose PSK identity is its name and whose key is
 * `seed` 16 times. */
void fake_dtls_configure(struct fake_dtls *world, uint8_t seed, const char *const *names);
/* A snapshot with one client of that certificate. */
void fake_dtls_configure_certificate(struct fake_dtls *world, const uint8_t sha256[32]);

/* `addr` as text with port; `suites` as OpenSSL writes them; NULL: those with PSK. */
void fake_dtls_client_open(struct fake_dtls_client *client, struct fake_dtls *world, const char *addr,
                           const char *suites);
void fake_dtls_client_key(struct fake_dtls_client *client, const char *identity, uint8_t seed);
/* Forgets all that it has agreed on, as after a power cut; context and keys stay. */
void fake_dtls_client_restart(struct fake_dtls_client *client);
void fake_dtls_client_close(struct fake_dtls_client *client);
void fake_dtls_client_connect(struct fake_dtls_client *client); /* its first flight is on the wire */
bool fake_dtls_client_is_open(const struct fake_dtls_client *client);
void fake_dtls_client_send(struct fake_dtls_client *client, const char *message);
/* Bytes from that address, whoever wrote them. */
void fake_dtls_inject(struct fake_dtls *world, const struct cg_addr *from, const void *bytes, size_t len);

/* What is on the wire, and what the gateway would answer at once. */
void fake_dtls_lose_all(struct fake_dtls *world);
/* Delivers what is on the wire to the server, or to clients; nothing has a turn. False: there was nothing. */
bool fake_dtls_deliver(struct fake_dtls *world);
/* Until nothing is on its way and nobody has work. */
void fake_dtls_run(struct fake_dtls *world);
/* Time goes by, in steps of what is due; clients repeat their flights. */
void fake_dtls_wait(struct fake_dtls *world, uint64_t us);

void fake_pki_make(struct fake_pki *pki);
void fake_pki_remove(struct fake_pki *pki);
enum fake_certificate { FAKE_GOOD, FAKE_OF_OTHER_CA, FAKE_EXPIRED, FAKE_OF_A_SERVER };
/* Gives the client one of those certificates, and its SHA-256. */
void fake_pki_give(const struct fake_pki *pki, struct fake_dtls_client *client, enum fake_certificate which,
                   uint8_t sha256[32]);

#endif
