/* The protected side of the simulated members (Group OSCORE, RFC 10021): every member has a Security Context of its
 * own. Members of a group's file take requests from the gateway; the one of a member's file from whoever is in it. */
#ifndef CG_TOOLS_MEMBER_SHIELD_H
#define CG_TOOLS_MEMBER_SHIELD_H

#include "oscore/binding.h"
#include "settings/security_group.h"

enum cg_shield_mode {
    CG_SHIELD_GROUP,    /* answers in group mode: signed */
    CG_SHIELD_PAIRWISE, /* answers in pairwise mode */
};

/* Who a member pretends to be when it lies (--misbehave). */
enum cg_shield_lie {
    CG_SHIELD_HONEST,
    CG_SHIELD_STRANGER, /* somebody with the group's secret whose kid nobody knows */
    CG_SHIELD_IMPOSTOR, /* the member after it, without having its private key */
    CG_SHIELD_TWIN,     /* itself, having forgotten its last sequence number */
};

struct cg_shield;

/* What an opened request leaves for its answers. Plain data. */
struct cg_shield_request {
    struct cg_oscore_binding binding;
    uint8_t requester[32]; /* the fingerprint of its credential */
    bool under_latest;     /* else under the keys of before */
    bool challenge;        /* the replay window is lost: answer with nothing but a challenge */
};

struct cg_shield_options {
    const char *keys;    /* a group's file (castgate-keys' group.json) or a member's (member-ID.json); outlives it */
    bool may_be_shared;  /* others may read it */
    const char *numbers; /* where their sequence numbers are kept (numbers.h); outlives the shield */
    uint32_t count;      /* the first members of a group's file; 1 */
    enum cg_shield_mode mode;
    enum cg_shield_lie lie;
    bool lost; /* their replay windows are lost, as after a restart (RFC 10021 §9). A member's file says always so: who
                  has it cannot know what was received with it before */
};

/* NULL: `error` says why. */
struct cg_shield *cg_shield_load(const struct cg_shield_options *options, char *error, size_t error_cap);
void cg_shield_free(struct cg_shield *shield);

/* Where the member of a member's file is to be, if that says so; else family NONE. */
struct cg_addr cg_shield_address(const struct cg_shield *shield);

/* Reads the file of keys again, for every member or for none (CG_E_KEY, CG_E_NO_MEMORY, with a sentence in `error`).
 * From then on answers are under the new keys. Requests under those of before are still opened until a group request
 * comes under the new ones: the group may be rekeyed while nobody misses anything (RFC 10021 §13.5.1). Of a group's
 * file the members are found by Sender ID; whoever is not in it any more keeps the keys that it has. */
int cg_shield_reload(struct cg_shield *shield, char *error, size_t error_cap) CG_MUST_CHECK;
/* A group request was opened: when it was under the latest keys, nobody needs those of before. */
void cg_shield_settle(struct cg_shield *shield, uint32_t member, const struct cg_shield_request *request);

/* Opens a request for a member. CG_OK: *plain, valid until the next call, and *request. An error as oscore/open.h's,
 * for a server: with CG_E_REPLAY and request->challenge a challenge is due. */
int cg_shield_open(struct cg_shield *shield, uint32_t member, const struct cg_msg *sealed, struct cg_msg *plain,
                   struct cg_shield_request *request) CG_MUST_CHECK;
/* Seals a datagram for the requester into `to`; the length. It always has a Partial IV of its own: a member that was
 * started again may open a request that it has answered before, and with the request's nonce it would answer it twice
 * (RFC 10021 §2.6.1). CG_E_STORE: no number is to be had, as stderr says. */
int cg_shield_seal(struct cg_shield *shield, uint32_t member, struct cg_shield_request *request, struct cg_slice plain,
                   uint8_t *to, size_t cap) CG_MUST_CHECK;
/* The same, as a lie of the kind that was loaded. */
int cg_shield_lie(struct cg_shield *shield, uint32_t member, const struct cg_shield_request *request,
                  struct cg_slice plain, uint8_t *to, size_t cap) CG_MUST_CHECK;
/* The challenge itself, for the request with this type, MID and token. */
int cg_shield_challenge(struct cg_shield *shield, uint32_t member, struct cg_shield_request *request, enum cg_type type,
                        uint16_t mid, struct cg_token token, uint8_t *to, size_t cap) CG_MUST_CHECK;

#endif
