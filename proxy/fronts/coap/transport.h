/* The seam between how bytes travel and what they mean as CoAP messages. A transport of datagrams (UDP, DTLS) brings
 * them and takes them; message.c parses and numbers them, acknowledges, repeats, and knows duplicates, the
 * same for both. Where messages are a stream's (TCP, TLS), nothing of that is to be done: connections.c makes peers
 * itself. The front sees none of it: peer.h is for it, and layer.h what is common to all peers.
 *
 * A transport without sessions says by which path each datagram came (cg_coap_messages_take). One with sessions begins
 * a peer when a session has been established, hands its datagrams on, and ends it with the session. */
#ifndef CG_FRONTS_COAP_TRANSPORT_H
#define CG_FRONTS_COAP_TRANSPORT_H

#include "fronts/coap/peer.h"
#include "wire/cri.h"

struct cg_coap_path;
struct cg_coap_messages;

/* Where CoAP's messages are datagrams, so much goes along any path without being fragmented: IPv6's least MTU less its
 * header and UDP's. What a transport adds is to be taken off. */
#define CG_COAP_DATAGRAM_ROOM (1280 - 40 - 8)

struct cg_coap_transport_ops {
    enum cg_cri_scheme scheme;
    /* Of transports of datagrams, as is `room`. The bytes are borrowed. CG_E_OVERLOAD: not at the moment, they are
     * gone; CG_E_EMIT: there is no way. It never ends a session before it returns. */
    int (*send)(const struct cg_coap_path *path, struct cg_slice datagram);
    size_t (*room)(const struct cg_coap_path *path); /* bytes that go as one datagram; NULL: CG_COAP_DATAGRAM_ROOM */
    /* As cg_coap_peer_identify; NULL: nobody is ever known. */
    int (*identify)(const struct cg_coap_path *path, const struct cg_config *config, struct cg_request *request,
                    struct cg_problem *problem);
};

/* One of a listener's; embedded in the transport's own. */
struct cg_coap_transport {
    const struct cg_coap_transport_ops *ops;
    const struct cg_listen *listen;
};

/* Between a client's address and one of ours: plain data. */
struct cg_coap_path {
    struct cg_coap_transport *transport;
    void *session;       /* the transport's; NULL: it has none */
    struct cg_addr from; /* the client's */
    struct cg_addr to;   /* ours, a unicast address even where the client's datagram went to a group */
    enum cg_coap_proof proof;
};

/* A datagram of a transport without sessions. Borrowed until it returns. */
void cg_coap_messages_take(struct cg_coap_messages *messages, const struct cg_coap_path *path,
                           enum cg_coap_reached reached, struct cg_slice datagram);

/* A session's peer, of which the front hears from its first request on. NULL: no memory. */
struct cg_coap_peer *cg_coap_messages_begin(struct cg_coap_messages *messages, const struct cg_coap_path *path);
void cg_coap_messages_take_from(struct cg_coap_peer *peer, struct cg_slice datagram);
/* An exchange runs for it: of sessions that have to go it is to be the last. */
bool cg_coap_peer_is_held(const struct cg_coap_peer *peer);
/* The session has ended: `gone`, then it is freed. Not from inside cg_coap_messages_take_from. */
void cg_coap_messages_end(struct cg_coap_peer *peer);

#endif
