/* Clients without sockets: what the front says to each is kept in a list. The desk stands before a whole gateway with a
 * fake clock and a fake port (exchange/fake_world.h). */
#ifndef FAKE_PEER_H
#define FAKE_PEER_H

#include "exchange/fake_world.h"
#include "fronts/coap/desk.h"

enum { PEERS_MAX = 8, SAID_MAX = 64, SAID_BYTES = 2048 };

enum how { ANSWERED, SENT };

/* One message to a client. */
struct said {
    enum how how;
    enum cg_type type; /* of what was sent */
    uint8_t code;
    uint8_t bytes[SAID_BYTES]; /* all that the slices point into */
    struct cg_slice token, options, payload;
};

struct cg_coap_peer {
    struct cg_addr addr, local;
    struct cg_listen listen;
    enum cg_coap_proof proof;
    const char *client; /* a name; NULL: nobody */
    enum cg_cri_scheme scheme;
    void *place;
    unsigned holds;
    unsigned expects; /* a response soon */
    int send_error;   /* 0: what is sent goes */
    bool is_asking, was_answered;
    struct said said[SAID_MAX];
    size_t said_count;
};

struct desk_fixture {
    struct world *world;
    struct cg_coap_desk *desk;
    struct cg_coap_peer peers[PEERS_MAX]; /* on loopback, proven, ports from 40000 */
};

int desk_setup(void **state);
int desk_teardown(void **state);
#define desk_test(test) cmocka_unit_test_setup_teardown(test, desk_setup, desk_teardown)
/* The world starts with this; its settings are changed before. */
void desk_start(struct desk_fixture *f);

struct option {
    uint16_t number;
    const char *value;
    size_t len; /* 0: it ends with its NUL */
};
struct ask {
    enum cg_type type; /* CON where it is not said */
    uint8_t code;      /* 0: GET */
    struct cg_slice token;
    const char *path;         /* without the first slash, segments parted by '/'; NULL: none */
    int timeout;              /* Multicast-Timeout in seconds; NO_TIMEOUT: none */
    struct option options[6]; /* others, in any order, up to number 0 */
    struct cg_slice payload;
    size_t size; /* of the datagram; 0: as the message is */
    enum cg_coap_reached reached;
};
#define NO_TIMEOUT (-1)

/* Hands it over, and lets the world run. Returns how many messages the peer got by it. */
size_t peer_ask(struct desk_fixture *f, struct cg_coap_peer *peer, const struct ask *ask);
/* GET /lamps with Multicast-Timeout 2. */
void peer_get(struct desk_fixture *f, struct cg_coap_peer *peer, const char *token);
void peer_lose(struct desk_fixture *f, struct cg_coap_peer *peer, const char *token);
void peer_go(struct desk_fixture *f, struct cg_coap_peer *peer);

const struct said *peer_last(const struct cg_coap_peer *peer);
bool said_has(const struct said *said, uint16_t option, struct cg_slice *value);
/* The last message is that one, with an answer's diagnostic where `text` is not NULL. */
void assert_answered(const struct cg_coap_peer *peer, const char *token, uint8_t code, const char *text);

#endif
