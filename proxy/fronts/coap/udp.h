/* CoAP over UDP: a transport without sessions (transport.h) on one socket. */
#ifndef CG_FRONTS_COAP_UDP_H
#define CG_FRONTS_COAP_UDP_H

#include "fronts/coap/message.h"
#include "fronts/coap/socket.h"

struct cg_coap_udp;

/* `listen` (borrowed; its port may be replaced, see cg_coap_socket_open) and `messages` outlive it. NULL: *problem says
 * why. */
struct cg_coap_udp *cg_coap_udp_open(uv_loop_t *uv, struct cg_coap_inbox *inbox, struct cg_listen *listen,
                                     struct cg_coap_messages *messages, struct cg_problem *problem);
/* Whoever joins groups by its socket hears what comes there, until he says NULL. */
struct cg_coap_socket *cg_coap_udp_share(struct cg_coap_udp *udp, cg_coap_arrival_fn *on_group, void *ctx);
/* No peer of it may be left; as cg_coap_socket_close. */
void cg_coap_udp_close(struct cg_coap_udp *udp, void (*on_closed)(void *ctx), void *ctx);

#endif
