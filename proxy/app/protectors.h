/* The protectors of this gateway: one a security group, kept by name across reloads so that a rekey is a change of
 * epoch and not of group; one a relay; and what they share: sequence numbers, their store, the pool of signatures. */
#ifndef CG_APP_PROTECTORS_H
#define CG_APP_PROTECTORS_H

#include "legs/sender.h"
#include "group_oscore/group_oscore.h"
#include "io/crypto_pool.h"
#include "io/store_thread.h"
#include "relay/relay.h"
#include "store/relayed.h"
#include "settings/settings.h"

struct cg_gateway;

struct cg_protectors {
    struct cg_group_services group_services;
    struct cg_relay_services relay_services;
    struct cg_crypto_pool pool;
    struct cg_senders senders;
    struct cg_windows windows;      /* of what was relayed */
    struct cg_relayed_file relayed; /* where that is kept */
    struct cg_state_lock lock;      /* of the state folder: whoever keeps something there has it */
    struct cg_store_thread *store;  /* NULL: no security group needs it, or it is closed */
    struct cg_named_group *groups;  /* uthash heads */
    struct cg_relay_entry *relays;
};

/* Must not move afterwards. Attach comes before open, because the gateway takes a snapshot whose protectors are there.
 */
void cg_protectors_init(struct cg_protectors *protectors);

/* Gives every mapping of the snapshot its protector and takes the keys out of it. A security group whose keys have
 * changed goes on with the new ones (RFC 10021 §12.2), one with a `next` accepts both. Errors leave what was in use;
 * *problem says what is wrong. */
int cg_protectors_attach(struct cg_protectors *protectors, struct cg_config *config,
                         struct cg_problem *problem) CG_MUST_CHECK;

/* The same in three moves: the first on any thread, as long as nobody stages anything meanwhile; it has all the work in
 * it. The others on the loop's; they cost by the security groups that there are. What is staged is committed, which
 * cannot fail, or discarded. The plan is freed on the loop's thread, whatever became of it, and after a failure, too.
 */
struct cg_protectors_plan;
int cg_protectors_plan(struct cg_protectors *protectors, struct cg_config *config, struct cg_protectors_plan **plan,
                       struct cg_problem *problem) CG_MUST_CHECK;
int cg_protectors_stage(struct cg_protectors *protectors, struct cg_protectors_plan *plan,
                        struct cg_problem *problem) CG_MUST_CHECK; /* CG_E_NO_MEMORY …: nothing is staged */
void cg_protectors_commit(struct cg_protectors *protectors,
                          const struct cg_protectors_plan *plan); /* which is staged */
void cg_protectors_discard(struct cg_protectors *protectors);
/* The keys that nothing was sent under before this plan, as questions to the store; `ctx` is the security group's name
 * (const char *, as long as the plan). *looks is the caller's to free. On the loop's thread. CG_E_NO_MEMORY. */
int cg_protectors_new_keys(const struct cg_protectors_plan *plan, struct cg_store_look **looks,
                           size_t *count) CG_MUST_CHECK;
void cg_protectors_plan_free(struct cg_protectors_plan *plan); /* NULL is fine */

/* "numbers-running-out", "cold-members": of each security group. */
void cg_protectors_warn(const struct cg_protectors *protectors, struct cg_mistakes *warnings);

/* Starts what needs the loop: the pool, and the store when there is a security group. The store is opened on its own
 * thread; one that cannot be is an error in the log: secured sending fails until it can (503). Call it again after a
 * reload. */
int cg_protectors_open(struct cg_protectors *protectors, uv_loop_t *uv, struct cg_gateway *gateway,
                       const struct cg_config *config, struct cg_problem *problem) CG_MUST_CHECK;
/* The store, opened now where no security group has needed it so far. NULL: no memory, or no thread. Not once it is
 * closed. */
struct cg_store *cg_protectors_store(struct cg_protectors *protectors, uv_loop_t *uv, const struct cg_config *config);
/* The lock of the state folder, for whoever keeps something there, too. NULL: no memory. */
struct cg_state_lock *cg_protectors_lock(struct cg_protectors *protectors, const char *state);
/* Whether security groups can send, as far as their store decides. CG_E_STORE with *problem. */
int cg_protectors_status(const struct cg_protectors *protectors, struct cg_problem *problem) CG_MUST_CHECK;
/* How many members have yet to take a request that is sent with their group's key in use. */
size_t cg_protectors_cold(const struct cg_protectors *protectors);
/* How far the groups' sequence numbers are used up, and whose members are cold, in Prometheus' text format. */
void cg_protectors_metrics(const struct cg_protectors *protectors, struct cg_buf *to);
/* From the loop, while it still runs: the store's thread ends, when the disk lets it; then `closed` is called. A
 * process that cannot wait for that may exit. */
void cg_protectors_close(struct cg_protectors *protectors, cg_store_closed_fn closed, void *ctx);
/* After the loop has ended and the gateway is freed. */
void cg_protectors_fini(struct cg_protectors *protectors);

#endif
