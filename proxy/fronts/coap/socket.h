/* A datagram socket of a CoAP listener: what comes is told with the address of ours that it came to, and what goes
 * leaves from the address that is given, so that a listener on all addresses answers from the one that was asked.
 * What messages there are in the datagrams (CoAP's, or DTLS records) is its owner's business. */
#ifndef CG_FRONTS_COAP_SOCKET_H
#define CG_FRONTS_COAP_SOCKET_H

#include <uv.h>

#include "fronts/coap/peer.h"
#include "model/request.h"

struct cg_coap_arrival {
    struct cg_addr from;
    struct cg_addr to; /* ours, with its port; for what was sent to a group, the unicast address to answer from */
    enum cg_coap_reached reached;
    bool is_local; /* it came from loopback, by loopback: nobody else can have sent it */
    struct cg_slice bytes;
};

/* Everything is borrowed until it returns. It must not close the socket. */
typedef void cg_coap_arrival_fn(void *ctx, const struct cg_coap_arrival *arrival);

struct cg_coap_socket;
struct cg_coap_inbox; /* room for what one system call brings: shared by the sockets of one thread */

struct cg_coap_inbox *cg_coap_inbox_new(void); /* NULL: no memory */
void cg_coap_inbox_free(struct cg_coap_inbox *inbox);

/* Port 0 of *addr is replaced by the one that the kernel chose. NULL: *problem says why. */
struct cg_coap_socket *cg_coap_socket_open(uv_loop_t *uv, struct cg_coap_inbox *inbox, struct cg_addr *addr,
                                           cg_coap_arrival_fn *on_arrival, void *ctx, struct cg_problem *problem);
/* Of a socket bound to the group's address, or to all: hears it on that interface. CG_E_EMIT: it cannot. */
int cg_coap_socket_join(struct cg_coap_socket *socket, const struct cg_addr *group, unsigned interface) CG_MUST_CHECK;
/* Never blocks: CG_E_OVERLOAD where the socket takes no more at the moment, CG_E_EMIT where there is no way. `from`
 * is an arrival's `to`. */
int cg_coap_socket_send(struct cg_coap_socket *socket, const struct cg_addr *from, const struct cg_addr *to,
                        struct cg_slice datagram) CG_MUST_CHECK;
/* Nothing comes any more; memory goes when the loop has closed its handles, then on_closed (may be NULL). */
void cg_coap_socket_close(struct cg_coap_socket *socket, void (*on_closed)(void *ctx), void *ctx);

#endif
