/* The shield without sockets: a transport's peer below, of which is kept what it is to say; a front behind, of which is
 * kept what it hears; a store; and two clients' sides of their contexts. */
#ifndef FAKE_SHIELD_H
#define FAKE_SHIELD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fronts/coap/layer.h"
#include "fronts/coap/shield.h"
#include "oscore/oscore.h"

enum { ROOM = 2048, SAID_MAX = 8, HEARD_MAX = 8, CLIENTS = 2 };

enum how { ANSWERED, SENT, IGNORED };

struct said {
    enum how how;
    struct cg_msg msg;
    struct cg_slice token;
    uint8_t bytes[ROOM];
};

/* A client's side of a context. */
struct owner {
    struct cg_oscore_context *context;
    struct cg_oscore_peer *gateway;
    uint64_t number;
};

struct heard {
    const struct cg_coap_peer *peer;
    uint8_t code;
    const char *client; /* NULL: nobody */
};

struct side {
    struct cg_coap_peer outer;
    struct cg_coap_transport transport;
    struct cg_listen listen;
    struct cg_coap_shield *shield;
    struct cg_config config;
    struct cg_client clients[CLIENTS];
    struct cg_senders senders;
    struct cg_store store;
    struct cg_store_job *job; /* that the store has to do; NULL: none */
    bool is_slow;             /* the store answers when the test says so */
    uint64_t next;
    struct owner owners[CLIENTS];
    struct cg_oscore_binding binding; /* of the first one's latest request */
    struct said said[SAID_MAX];
    size_t said_count;
    struct heard heard[HEARD_MAX];
    size_t heard_count;
    bool answers; /* the front does, at once; else it holds the peer and sends later */
    struct cg_coap_peer *held;
    unsigned expected, lost;
};

struct datagram {
    struct cg_msg msg;
    uint8_t bytes[ROOM];
};

int shield_setup(void **state);
int shield_teardown(void **state);
/* What the store is asked for it does, or refuses. */
void shield_do_job(struct side *side);
void shield_refuse_job(struct side *side);
/* A request, protected by that client. */
void shield_wrap(struct owner *owner, const struct cg_msg *plain, struct datagram *sealed,
                 struct cg_oscore_binding *binding);
/* A response, opened. */
void shield_unwrap(const struct owner *owner, const struct cg_msg *sealed, const struct cg_oscore_binding *binding,
                   struct datagram *plain);
/* The first client's GET /a, with Echo where it is not empty. */
void shield_compose(struct side *side, struct cg_slice echo, struct datagram *sealed);
/* It comes from the transport, on that token. */
void shield_bring(struct side *side, const struct datagram *sealed, const char *token);
/* What was said last. */
const struct said *shield_last(const struct side *side);
/* The same, opened by the first client. */
void shield_open(struct side *side, const struct said *said, struct datagram *plain);
/* The first request is met by an Echo, the second one brings it. */
void shield_meet(struct side *side);
/* The same of the second client. */
void shield_meet_hop(struct side *side);
#define shield_test(test) cmocka_unit_test_setup_teardown(test, shield_setup, shield_teardown)

#endif
