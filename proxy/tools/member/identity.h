/* One Sender ID of one epoch of a group's keys: a Security Context, and who its owner takes requests from. */
#ifndef CG_TOOLS_MEMBER_IDENTITY_H
#define CG_TOOLS_MEMBER_IDENTITY_H

#include "oscore/context.h"
#include "settings/security_group.h"

/* All zero: none. */
struct cg_identity {
    struct cg_oscore_context *context;
    struct cg_oscore_peer **requesters; /* owned; the peers themselves are the context's */
    size_t requester_count;
};

/* The one at `index` of those whom the keys are for: of a member's file the only one, of a group's its members, who
 * take requests from the gateway alone. */
size_t cg_identity_owner_count(const struct cg_security_group *keys);
const struct cg_security_party *cg_identity_owner(const struct cg_security_group *keys, size_t index);

/* Of an owner, under the Sender ID `id`, which is its own unless it lies. CG_E_KEY with *why, CG_E_NO_MEMORY,
 * CG_E_INTERNAL; then it is none. The keys may go afterwards. */
int cg_identity_init(struct cg_identity *identity, const struct cg_security_group *keys,
                     const struct cg_security_party *owner, struct cg_slice id, enum cg_oscore_window_state window,
                     const char **why) CG_MUST_CHECK;
void cg_identity_fini(struct cg_identity *identity); /* none afterwards */

/* By its credential, whose fingerprint that is (32 bytes): a Sender ID may be another one now. NULL: nobody there. */
struct cg_oscore_peer *cg_identity_requester(const struct cg_identity *identity, struct cg_slice fingerprint);

/* Takes no requests any more of those whom the other one does not know (RFC 10021 §12.2: a stale Sender ID's Recipient
 * Context goes). */
void cg_identity_forget_strangers(struct cg_identity *identity, const struct cg_identity *to);

#endif
