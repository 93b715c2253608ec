/* The message layer between a transport that only notes what goes and a front that does what a test says, with a clock
 * that stands still until it is moved. */
#ifndef CG_FAKE_COAP_LINK_H
#define CG_FAKE_COAP_LINK_H

#include "fronts/coap/message.h"
#include "fronts/coap/token.h"
#include "wire/envelope.h"

#define FAKE_LINK_SENT_MAX 4096

struct fake_datagram {
    size_t len;
    struct cg_addr to;
    uint8_t bytes[CG_COAP_DATAGRAM_ROOM];
};

/* What the front does with a request. */
enum fake_front_does {
    FAKE_FRONT_ANSWERS,       /* 2.05 with the payload "hi" */
    FAKE_FRONT_SAYS_NOTHING,  /* and holds nothing */
    FAKE_FRONT_HOLDS,         /* for an exchange that runs on */
    FAKE_FRONT_PROVES,        /* and holds */
    FAKE_FRONT_EXPECTS,       /* a response soon, and holds */
    FAKE_FRONT_IGNORES,       /* and holds nothing */
    FAKE_FRONT_ANSWERS_TWICE, /* in the acknowledgement, then by a separate response */
};

struct fake_link {
    uint64_t now_us, armed_us;
    struct cg_coap_messages *messages;
    struct cg_coap_transport transport;
    struct cg_listen listen;
    size_t room;     /* 0: the usual */
    int send_result; /* of the transport */
    struct fake_datagram *sent;
    size_t sent_count;
    enum fake_front_does does;
    unsigned requests, lost, acknowledged, gone;
    struct cg_coap_peer *peer; /* of the latest request */
    struct cg_coap_request request;
    struct cg_coap_token token; /* of what was heard of last */
    enum cg_coap_proof proof;   /* of paths */
    const char *from, *to;
    uint8_t *copy; /* exactly as long as what came last */
};

struct fake_link *fake_link_new(const struct cg_coap_messages_options *options); /* ops and host are set here */
void fake_link_free(struct fake_link *link);

struct cg_coap_path fake_link_path(struct fake_link *link);
void fake_link_bring(struct fake_link *link, struct cg_slice datagram); /* from `from` */
void fake_link_bring_to_group(struct fake_link *link, struct cg_slice datagram);
void fake_link_message(struct fake_link *link, enum cg_type type, unsigned code, uint16_t mid, struct cg_slice token);
void fake_link_pass(struct fake_link *link, uint64_t us); /* doing what becomes due */

/* The datagram that went last; fails where there is none or it is no message. */
struct cg_envelope fake_link_last(const struct fake_link *link);

#endif
