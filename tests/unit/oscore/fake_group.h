/* Groups and members with real keys, for the tests of oscore/. Keys come from seeds, so a test is the same every time.
 */
#ifndef FAKE_GROUP_H
#define FAKE_GROUP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "oscore/key.h"
#include "oscore/oscore.h"

struct fake_member {
    uint8_t id[CG_OSCORE_ID_MAX];
    size_t id_len;
    uint8_t private_key[32];
    uint8_t x[32], y[32];
    uint8_t cred[160];
    size_t cred_len;
};

/* {8: {1: COSE_Key}} with the curve's own kty; `id` is one byte, the seed tells members apart. */
void fake_member_make(struct fake_member *member, enum cg_cose_curve curve, uint8_t id, uint8_t seed);
/* The key pair of the member that fake_member_make gives with this seed. */
void fake_keys_make(enum cg_cose_curve curve, uint8_t seed, struct cg_private_key *private_key,
                    struct cg_public_key *public_key);
/* The CCS for any curve number and coordinates; y.len 0: none. Its length. */
size_t fake_ccs(uint8_t to[160], int kty, int crv, struct cg_slice x, struct cg_slice y);

enum { FAKE_MEMBERS = 4, FAKE_ROOM = 4096 };

/* A group with members 0 to 3; member 0 is the usual client. */
struct fake_group {
    struct cg_oscore_params params;
    struct fake_member members[FAKE_MEMBERS];
    uint8_t gid[4], secret[16], salt[8], gm_cred[8];
};

/* Algorithms as given; `tag` makes groups (Gid, secret) and the keys in them different. */
void fake_group_make(struct fake_group *group, int aead, int group_enc, int signature, int agreement, enum cg_hash hkdf,
                     uint8_t tag);
/* A new Master Secret and Gid for the same members and algorithms: the next epoch. */
void fake_group_rekey(struct fake_group *group);
void fake_group_usual(struct fake_group *group, uint8_t tag); /* 10, 10, EdDSA, -27, SHA-256 */

/* Member `self`'s context with all others as peers. */
struct cg_oscore_context *fake_context(const struct fake_group *group, int self);
struct cg_oscore_context *fake_checker(const struct fake_group *group); /* with all members as peers */
struct cg_oscore_peer *fake_peer(struct cg_oscore_context *context, const struct fake_group *group, int member);

/* Messages: one path segment, a payload; a token of 2 bytes. The storage lasts until the second next call. */
struct cg_msg fake_request(const char *path, const char *payload);
struct cg_msg fake_response(const char *payload);
/* Parsed, or the test fails. */
struct cg_msg fake_parse(const uint8_t *data, int len);
void fake_assert_same(const struct cg_msg *a, const struct cg_msg *b); /* code, token, options, payload */

static inline struct cg_slice fake_id(const struct fake_member *m) { return cg_slice_of(m->id, m->id_len); }
static inline struct cg_slice fake_cred(const struct fake_member *m) { return cg_slice_of(m->cred, m->cred_len); }

#endif
