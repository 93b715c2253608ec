/* The sockets towards the groups: one UDP socket an address family, for group requests out, unicast answers in, and
 * unicast requests to members. They never join a group (a sender need not be a member) and hear none that somebody else
 * on this host joined. */
#ifndef CG_IO_GROUP_SOCKET_H
#define CG_IO_GROUP_SOCKET_H

#include "io/inlet.h"
#include "io/unreachable.h"

struct cg_group_socket;

/* Opens and binds both sockets and listens on `uv`. Nothing of `settings` is kept by reference. A family that this host
 * does not have is left out: sending to it then fails. NULL when a socket cannot be had or bound; *problem says why
 * (CG_E_EMIT). */
struct cg_group_socket *cg_group_socket_open(uv_loop_t *uv, const struct cg_group_settings *settings,
                                             cg_datagram_fn on_datagram, void *ctx, struct cg_problem *problem);
/* No datagram comes after this. The memory goes when `uv` has run the closing callbacks. NULL is fine. */
void cg_group_socket_close(struct cg_group_socket *group);

/* What the network says of unicast datagrams that did not arrive (io/unreachable.h) is told from now on, of the address
 * that they were sent to. Anybody can forge that. Never from inside of cg_group_socket_emit. */
typedef void (*cg_unreachable_fn)(void *ctx, const struct cg_addr *addr, enum cg_sign sign);
void cg_group_socket_on_unreachable(struct cg_group_socket *group, cg_unreachable_fn on_unreachable);

/* Somebody waits for the very next answers: until then each is handed on as it comes, and not gathered with others. */
void cg_group_socket_hurry(struct cg_group_socket *group, uint64_t until_us);
/* Hands on what is being gathered: before anything is decided by the time that it is now. */
void cg_group_socket_catch_up(struct cg_group_socket *group);

/* Where a group request has its source address from: IPv6 always finds one, IPv4 takes the interface's unless one is
 * set. */
enum cg_source_need { CG_SOURCE_IS_THERE, CG_SOURCE_IS_ITS_IPV4 };
/* Whether a group request could leave by that interface (as a route has it) at this moment. CG_E_EMIT with *problem. */
int cg_group_socket_look(struct cg_group_socket *group, const char *interface, enum cg_source_need need,
                         struct cg_problem *problem) CG_MUST_CHECK;

/* The port that a family's socket is bound to, host byte order; 0: that family is left out. */
uint16_t cg_group_socket_port(const struct cg_group_socket *group, enum cg_family family);
/* Where what comes from that peer by unicast arrives, and what goes to it leaves, as far as routes tell; for those who
 * show it. `ctx` is the struct cg_group_socket. */
struct cg_addr cg_group_socket_local(void *ctx, const struct cg_addr *peer);
/* The receive buffer that the kernel granted, in bytes; 0: that family is left out. */
uint32_t cg_group_socket_buffer(const struct cg_group_socket *group, enum cg_family family);

/* For struct cg_port, ctx is the struct cg_group_socket. */
int cg_group_socket_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem);
uint64_t cg_group_socket_kernel_drops(void *ctx);
uint32_t cg_group_socket_zone(void *ctx, const char *interface);
bool cg_group_socket_is_own(void *ctx, const struct cg_addr *addr);
bool cg_group_socket_on_link(void *ctx, const char *interface, const struct cg_addr *addr);

#endif
