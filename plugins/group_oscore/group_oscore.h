/* The protector of a security group whose member the gateway is (Group OSCORE, RFC 10021): requests are sealed in group mode, by unicast
 * in pairwise mode where the group has one, and every answer is verified. There is no switch that turns verification off (R56). */
#ifndef CG_GROUP_OSCORE_H
#define CG_GROUP_OSCORE_H

#include "core/crypto.h"
#include "core/gateway.h"
#include "core/sender.h"
#include "oscore/context.h"

/* What all groups use; outlives them. */
struct cg_group_services {
    struct cg_gateway *gateway; /* set before the first request */
    struct cg_senders *senders;
    struct cg_crypto *crypto;
};

struct cg_group_peer {
    struct cg_slice kid;
    struct cg_slice cred;
};

/* One epoch's key material; borrowed for the call. */
struct cg_group_keys {
    const struct cg_oscore_params *params; /* with a Sender Context */
    struct cg_sender_id sender;            /* whose sequence numbers these are */
    const struct cg_group_peer *peers;
    size_t peer_count;
};

struct cg_group_oscore;

/* Without keys at first: nothing is sent then (R53). NULL: out of memory. */
struct cg_group_oscore *cg_group_oscore_new(const struct cg_group_services *services);
void cg_group_oscore_free(struct cg_group_oscore *group); /* when every cast of it has ended */
struct cg_protector *cg_group_oscore_protector(struct cg_group_oscore *group);

/* Rekeying in two moves: `prepare` accepts answers under the next epoch as well, `activate` sends under it from now on. Answers to
 * requests that were sent before are still opened under theirs, for 500 s, and never from a member that the new epoch does not have
 * (R54, R55). Activating without having prepared is fine. CG_E_KEY with *why, CG_E_NO_MEMORY: all stays as it was. */
int cg_group_oscore_prepare(struct cg_group_oscore *group, const struct cg_group_keys *keys, const char **why) CG_MUST_CHECK;
int cg_group_oscore_activate(struct cg_group_oscore *group, const struct cg_group_keys *keys, const char **why) CG_MUST_CHECK;

#endif
