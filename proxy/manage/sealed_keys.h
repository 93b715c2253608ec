/* One epoch of a stored security group's keys: an item of kind CG_ITEM_KEYS. Its document says in public what they are
 * (nothing of it is secret); the keys themselves are sealed in it, as a security group file: the whole group's where
 * they were made here, the gateway's own where they came from elsewhere.
 *
 * {"group", "managed": true (the whole group's), "gid", "alg_aead", "alg_group_enc", "alg_signature",
 *  "alg_pairwise_key_agreement", "hkdf", "sender_id",
 *  "members": [{"id", "name", "address", "multicast": false, "credential": SHA-256 of it}]}
 *
 * Calls are for any thread; they take as long as there are members. */
#ifndef CG_MANAGE_SEALED_KEYS_H
#define CG_MANAGE_SEALED_KEYS_H

#include <jansson.h>

#include "model/item.h"
#include "model/store.h"
#include "settings/settings.h"
#include "store/seal.h"

#define CG_SEALED_KEYS_NAME 33 /* of such an item, with NUL: random, in hexadecimal */

struct cg_sealed_keys {
    char name[CG_SEALED_KEYS_NAME];
    json_t *document;
    struct cg_buf sealed;
    struct cg_sender_id sender; /* whose numbers they use */
};

/* Checks the group's keys and seals them for an item of that name; NULL: a new one. CG_E_INVALID with `mistakes`
 * (pointers into `keys`) or *problem, CG_E_STORE with *problem, CG_E_NO_MEMORY, CG_E_INTERNAL. `seal` NULL:
 * CG_E_CONFLICT, since waiting does not help. */
int cg_sealed_keys_make(struct cg_sealed_keys *made, const char *group, const char *name, const json_t *keys,
                        const struct cg_seal *seal, struct cg_mistakes *mistakes,
                        struct cg_problem *problem) CG_MUST_CHECK;
void cg_sealed_keys_fini(struct cg_sealed_keys *made); /* zeroed is fine */

/* What is sealed in an item, whatever its kind: text, for the caller to wipe (cg_sealed_wipe). CG_E_NOT_FOUND: nothing
 * is. CG_E_STORE: there is no `seal`; CG_E_KEY_REFUSED: it was sealed with another one; CG_E_NO_MEMORY. */
int cg_sealed_open(const struct cg_seal *seal, const struct cg_item *item, struct cg_buf *secret) CG_MUST_CHECK;
void cg_sealed_wipe(struct cg_buf *secret);
/* The same as JSON, new. Errors as above with *problem. */
int cg_sealed_keys_open(const struct cg_seal *seal, const struct cg_item *item, json_t **keys,
                        struct cg_problem *problem) CG_MUST_CHECK;

#endif
