/* The protected side of the simulated members (Group OSCORE, RFC 10021): every member has a Security Context of its
 * own, and the gateway is the one that it takes requests from. */
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
    bool challenge; /* the replay window is lost: answer with nothing but a challenge */
};

struct cg_shield_options {
    const char *keys;    /* a group file (castgate-keys' group.json) */
    const char *numbers; /* where their sequence numbers are kept (numbers.h); outlives the shield */
    uint32_t count;      /* the first members of the file */
    enum cg_shield_mode mode;
    enum cg_shield_lie lie;
    bool lost; /* their replay windows are lost, as after a restart (RFC 10021 §9) */
};

/* NULL: `error` says why. */
struct cg_shield *cg_shield_load(const struct cg_shield_options *options, char *error, size_t error_cap);
void cg_shield_free(struct cg_shield *shield);

/* Opens a request for a member. CG_OK: *plain, valid until the next call, and *request. An error as oscore/open.h's,
 * for a server: with CG_E_REPLAY and request->challenge a challenge is due. */
int cg_shield_open(struct cg_shield *shield, uint32_t member, const struct cg_msg *sealed, struct cg_msg *plain,
                   struct cg_shield_request *request) CG_MUST_CHECK;
/* Seals a datagram for the gateway into `to`; the length. It always has a Partial IV of its own: a member that was
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
