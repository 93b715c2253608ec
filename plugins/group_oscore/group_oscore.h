/* The protector of a security group whose member the gateway is (Group OSCORE, RFC 10021): requests are sealed in group
 * mode, by unicast in pairwise mode where the group has one, and every answer is verified. There is no switch that
 * turns verification off (R56). */
#ifndef CG_GROUP_OSCORE_H
#define CG_GROUP_OSCORE_H

#include "legs/crypto.h"
#include "legs/protector.h"
#include "legs/sender.h"
#include "legs/server.h"
#include "group_oscore/later.h"
#include "oscore/context.h"

/* What all groups use; outlives them. */
struct cg_group_services {
    struct cg_engine *engine; /* set before the first request */
    struct cg_senders *senders;
    struct cg_crypto *crypto;
    struct cg_later later;          /* all zero at first; all groups' */
    struct cg_crypto_lane incoming; /* all zero at first: of members' requests, all groups' */
};

struct cg_group_peer {
    struct cg_slice kid;
    struct cg_slice cred;
    struct cg_addr address; /* where it is configured to be; family NONE: anywhere */
};

#define CG_GROUP_DIGEST_LEN 32

struct cg_epoch;

/* One epoch's key material; borrowed for the call. */
struct cg_group_keys {
    uint8_t digest[CG_GROUP_DIGEST_LEN];   /* equal for equal keys and members: what is in use already goes on with its
                                              replay windows */
    const struct cg_oscore_params *params; /* with a Sender Context */
    struct cg_sender_id sender;            /* whose sequence numbers these are */
    const struct cg_group_peer *peers;
    size_t peer_count;
    struct cg_epoch *made; /* by cg_group_oscore_prepare, which the params and peers are then only needed for; owned */
};

struct cg_group_oscore;

/* Without keys at first: nothing is sent then (R53). NULL: out of memory. */
struct cg_group_oscore *cg_group_oscore_new(struct cg_group_services *services);
void cg_group_oscore_free(struct cg_group_oscore *group); /* when every cast of it has ended */
struct cg_protector *cg_group_oscore_protector(struct cg_group_oscore *group);
struct cg_server *cg_group_oscore_server(struct cg_group_oscore *group);

/* The work of making keys, for `stage` to find it done: on any thread, as long as nobody commits for this group. NULL
 * as for `stage`. CG_E_KEY with *why, CG_E_NO_MEMORY. What is made goes with cg_group_keys_fini, on the loop's thread
 * if it was staged. */
int cg_group_oscore_prepare(const struct cg_group_oscore *group, struct cg_group_keys *current,
                            struct cg_group_keys *next, const char **why) CG_MUST_CHECK;
void cg_group_keys_fini(struct cg_group_keys *keys);

/* What the group is to have: `current` is sent under, answers under `next` are accepted as well (a rekey that is
 * prepared; NULL: none). Both NULL: no keys any more. Nothing changes before `commit`; `discard` forgets it. CG_E_KEY
 * with *why, CG_E_NO_MEMORY: nothing is staged.
 *
 * After a commit nothing more goes out under the keys of before, whatever was being sealed. Answers to requests that
 * were sent under them are still opened with them, for 500 s, never from a member that the new epochs do not have, and
 * only in group mode: old pairwise keys are deleted (R54, R55; RFC 10021 §2.5.1, §13.4.1). */
int cg_group_oscore_stage(struct cg_group_oscore *group, const struct cg_group_keys *current,
                          const struct cg_group_keys *next, const char **why) CG_MUST_CHECK;
void cg_group_oscore_commit(struct cg_group_oscore *group);
void cg_group_oscore_discard(struct cg_group_oscore *group);

/* What is in use, for the log; NULL: none. */
const uint8_t *cg_group_oscore_current(const struct cg_group_oscore *group);
const uint8_t *cg_group_oscore_next(const struct cg_group_oscore *group);

/* Whether the member with that identity has shown that it has those keys: an answer of it has verified under them. */
enum cg_group_which { CG_GROUP_CURRENT, CG_GROUP_NEXT };
bool cg_group_oscore_is_proven(const struct cg_group_oscore *group, enum cg_group_which which,
                               struct cg_slice identity);

/* How many members have yet to take a request that is sent with the key in use (legs/protector.h, is_cold). */
size_t cg_group_oscore_cold(const struct cg_group_oscore *group);

#endif
