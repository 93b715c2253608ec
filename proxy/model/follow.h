/* Members' own addresses as targets of the forward proxy (GCP §3.5): Reply-From tells a client where an answer came
 * from, and the client asks there again, alone, through the same proxy. Never an open one: what a URI names must be a
 * member of a mapping that the client may use. */
#ifndef CG_MODEL_FOLLOW_H
#define CG_MODEL_FOLLOW_H

#include "model/request.h"

#define CG_FOLLOW_MAPPINGS 256 /* looked at for one address */

/* Part of cg_config_index, when members have been indexed. False: no memory. */
bool cg_follow_index(struct cg_config *config) CG_MUST_CHECK;
/* In a derived snapshot, `now` (NULL: nothing) stands where `before` (NULL: nothing) stood. False: no memory. */
bool cg_follow_change(struct cg_config *config, const struct cg_mapping *before,
                      const struct cg_mapping *now) CG_MUST_CHECK;

/* Whether members of the mapping can be asked so: it is open to target URIs (model/forward.h), and does not hide them.
 */
bool cg_follow_is_open(const struct cg_mapping *mapping);

/* Whether the URI (normal, without query) names one host, by its address: neither a group nor a name. */
bool cg_follow_is_meant(struct cg_slice uri);

/* The mapping of which the request's target URI names a member: the first, in the settings' order, that takes this
 * request of this client, of those where it is configured, or else where it was heard (model/heard.h); else the first
 * that the client may know of, which then says what is wrong. NULL: none, or
 * none of the first CG_FOLLOW_MAPPINGS. *rest: the URI's path. */
const struct cg_mapping *cg_follow_find(const struct cg_config *config, const struct cg_request *request,
                                        struct cg_slice *rest);

struct cg_followed {
    const struct cg_member *member; /* configured there, or verified to be there; NULL: somebody who has answered */
    struct cg_addr at; /* where it is asked; a zone that nobody has said is the link of the mapping's target */
};

/* Whom of the mapping's members the URI names. False: nobody that is configured there, or has answered lately. */
bool cg_follow_member(const struct cg_config *config, const struct cg_mapping *mapping, struct cg_slice uri,
                      struct cg_followed *followed);

#endif
