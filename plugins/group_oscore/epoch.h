/* One epoch of a group: its context, its sender, its members by credential. Immutable; shared by reference count, so
 * that casts sent under it can still open their answers after a rekey. */
#ifndef CG_GROUP_OSCORE_EPOCH_H
#define CG_GROUP_OSCORE_EPOCH_H

#include "group_oscore/group_oscore.h"
#include "legs/server.h"

/* What is known of a member and an epoch's keys. */
enum cg_keys_held {
    CG_KEYS_UNKNOWN,
    CG_KEYS_SUPPOSED, /* it, or anybody, has said that it has none of those that are in use */
    CG_KEYS_PROVEN,   /* an answer of it has verified under them */
};

/* Whether a member takes what is sent with a key at once, or has yet to see that it is fresh (Echo, RFC 9175). */
enum cg_warmth {
    CG_COLD, /* nobody knows, or it has challenged the last time */
    CG_WARM, /* it has answered to a request that was sent with the key */
};

/* A member, found by what it is known by outside: the hash of its credential. */
struct cg_epoch_peer {
    struct cg_oscore_peer *peer;
    uint8_t fingerprint[32];
    struct cg_addr configured;        /* where it is said to be; family NONE: nowhere */
    struct cg_addr verified;          /* where it answered from last; family NONE: it has not */
    struct cg_addr reported;          /* where a request of its own came from last; family NONE: none has */
    enum cg_keys_held held;           /* whether it has this epoch's keys */
    enum cg_warmth warmth;            /* of it towards this epoch's sender */
    uint64_t denied_us;               /* when it last seemed not to have them after all; 0: never */
    struct cg_server_account account; /* of its requests */
    UT_hash_handle hh;
};

struct cg_epoch {
    unsigned references;
    struct cg_epoch **all; /* utlist head of the group's that are alive, this one among them; NULL: not listed */
    struct cg_epoch *prev, *next;
    uint8_t digest[CG_GROUP_DIGEST_LEN];
    uint8_t keys[32]; /* names the key material, which epochs with other members or another Sender ID may share */
    struct cg_oscore_context *context;
    struct cg_sender *sender;
    struct cg_epoch_peer *peers; /* uthash head over one block */
    struct cg_epoch_peer *block;
    uint32_t cold_count; /* of its members */
    uint64_t retired_us; /* when its key material was replaced; 0: it is in use */
};

/* On any thread; without a sender. */
int cg_epoch_new(struct cg_epoch **epoch, const struct cg_group_keys *keys, const char **why) CG_MUST_CHECK;
/* CG_E_NO_MEMORY. */
int cg_epoch_set_sender(struct cg_epoch *epoch, struct cg_senders *senders,
                        const struct cg_sender_id *id) CG_MUST_CHECK;
struct cg_epoch *cg_epoch_ref(struct cg_epoch *epoch);
void cg_epoch_unref(struct cg_epoch *epoch); /* NULL has no effect */
/* Whether both send with the same key: they may differ in their members. */
static inline bool cg_epoch_same_sender(const struct cg_epoch *a, const struct cg_epoch *b) {
    return a->sender == b->sender;
}
/* Whether the members' keys are the same under both: the gateway's own Sender ID may differ, too. */
static inline bool cg_epoch_same_keys(const struct cg_epoch *a, const struct cg_epoch *b) {
    return memcmp(a->keys, b->keys, sizeof a->keys) == 0;
}
struct cg_oscore_peer *cg_epoch_find(const struct cg_epoch *epoch, struct cg_slice fingerprint); /* NULL: no member */

/* Whether that member is to be asked under this epoch rather than under an older one. */
bool cg_epoch_is_held_by(const struct cg_epoch *epoch, struct cg_slice fingerprint);
/* An answer of it has verified under this one. */
bool cg_epoch_is_proven_held(const struct cg_epoch *epoch, struct cg_slice fingerprint);
void cg_epoch_prove_held(struct cg_oscore_peer *peer);
/* Somebody says that the member can open nothing under an older epoch; and nothing under this one. What is proven stays
 * so; what was denied is not supposed again for half a minute, so that hearsay costs a request now and then. */
void cg_epoch_suppose_held(const struct cg_epoch *epoch, struct cg_slice fingerprint, uint64_t now_us);
void cg_epoch_deny_held(const struct cg_epoch *epoch, struct cg_slice fingerprint, uint64_t now_us);

/* Nothing for whoever is no member. */
void cg_epoch_set_warmth(struct cg_epoch *epoch, struct cg_slice fingerprint, enum cg_warmth warmth);
bool cg_epoch_is_cold(const struct cg_epoch *epoch, struct cg_slice fingerprint); /* of no member: false */

/* Where members are, which outlives their epoch. Ports do not count. */
bool cg_epoch_is_home(const struct cg_oscore_peer *peer, const struct cg_addr *from);
void cg_epoch_note_address(struct cg_oscore_peer *peer, const struct cg_addr *from); /* verified; NULL: none */
/* Where it verified last; false: it has not, or is no member. */
bool cg_epoch_find_address(const struct cg_epoch *epoch, struct cg_slice fingerprint, struct cg_addr *at);
/* There, or where it is configured; false: nobody knows. */
bool cg_epoch_expect_address(const struct cg_epoch *epoch, struct cg_slice fingerprint, struct cg_addr *at);
/* Where members are, and who is warm where the sender stays. NULL has no effect. */
void cg_epoch_inherit(struct cg_epoch *epoch, const struct cg_epoch *older);

/* A request of its own has verified under these keys, and was no replay. It may have come from any port. */
void cg_epoch_note_report(struct cg_oscore_peer *peer, const struct cg_addr *from);
struct cg_server_account *cg_epoch_account(const struct cg_oscore_peer *peer);
/* Where both have the same key material, what was received under the older one is received under the other: at the
 * moment that requests come under that one. NULL has no effect. */
void cg_epoch_keep_windows(const struct cg_epoch *epoch, const struct cg_epoch *older);

#endif
