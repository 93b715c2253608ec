/* A group's keys as the Group Manager holds them, in memory: the document that group.json is, how it changes, and every
 * other party's file, which follows from it. No files, no command line.
 *
 * {"name", "member_peers": "all" | "gateway",
 *  "common": as in every security group file,
 *  "group_manager": {"private_key"},   of common's gm_cred
 *  "gateway": {"sender_id", "private_key", "cred"},
 *  "members": [{"sender_id", "private_key", "cred", "name", "address", "multicast"}],
 *  "given_ids": [Sender IDs that were given since the group has its Gid]}
 *
 * A Gid is a random prefix of 4 bytes and the Key Generation Number, 2 bytes, which starts at 0 (RFC 10021, Example of
 * Group Identifier Format); no Gid is used twice. */
#ifndef CG_KEYS_KEYRING_H
#define CG_KEYS_KEYRING_H

#include "base/err.h"
#include "oscore/cose.h"
#include "wire/addr.h"

#include <jansson.h>

#define CG_KEYS_MEMBERS_MAX 10000
#define CG_KEYS_EVICT_MAX   256
#define CG_KEYS_ERROR_MAX   1024

/* Whose credentials the members' files hold. */
enum cg_keys_peers { CG_KEYS_PEERS_BY_SIZE, CG_KEYS_PEERS_ALL, CG_KEYS_PEERS_GATEWAY };

/* One that is to be made. */
struct cg_keyring_member {
    const char *name;    /* NULL: from the group's name and its Sender ID */
    const char *address; /* NULL: none */
    bool is_unicast_only;
};

/* What is wanted of a group's keys; texts are borrowed. */
struct cg_keyring_options {
    uint32_t members;                     /* how many to make */
    const struct cg_keyring_member *each; /* as many; NULL: they have the same name but for their Sender IDs */
    const char *name;                     /* then: that name; a new group's. NULL: not said */
    struct cg_addr first;                 /* then: address of the first of them; family NONE: not said */
    int alg_aead;                         /* a new group's: COSE numbers, CG_COSE_NONE where not used */
    int alg_group_enc;
    int alg_signature;
    int alg_agreement;
    enum cg_hash hkdf;
    unsigned countersign_elements;
    enum cg_keys_peers peers;
    const char *evict[CG_KEYS_EVICT_MAX]; /* at a rekey: Sender IDs in hexadecimal */
    size_t evict_count;
};
#define CG_KEYRING_DEFAULTS                                                                                            \
    {                                                                                                                  \
        .alg_aead = CG_COSE_AES_CCM_16_64_128, .alg_group_enc = CG_COSE_AES_CCM_16_64_128,                             \
        .alg_signature = CG_COSE_EDDSA, .alg_agreement = CG_COSE_ECDH_SS_HKDF_256, .hkdf = CG_SHA256,                  \
        .countersign_elements = 5                                                                                      \
    }

#define CG_KEYRING_NAME_MAX 40 /* of a file, with NUL */

/* CG_OK: *document is new; the caller releases it. CG_E_BAD_REQUEST with a sentence in `error`, CG_E_NO_MEMORY,
 * CG_E_INTERNAL. What was asked for may still be invalid: cg_security_group_read tells. */
int cg_keyring_new(json_t **document, const struct cg_keyring_options *options,
                   char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

/* options->members more, behind the others, with Sender IDs that nobody has or had under this Gid (RFC 10021 §12.2.2).
 * The errors of cg_keyring_new; after one the document is of no use. The document must be valid for these two. */
int cg_keyring_add(json_t *document, const struct cg_keyring_options *options,
                   char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

/* New Master Secret, Master Salt and Gid (RFC 10021, Management of Group Keying Material), without the members that
 * options->evict names. The Gid is behind the one of `before`: the document itself, or one that was prepared before and
 * is given up. */
int cg_keyring_rekey(json_t *document, const struct cg_keyring_options *options, const json_t *before,
                     char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

/* A Sender ID for the gateway that nobody has or had under this Gid, nor in `before`, as above: the way to fresh
 * sequence numbers under the same keys (RFC 10021 §2.6.3.1). The credential stays. */
int cg_keyring_new_sender_id(json_t *document, const json_t *before, char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

/* Whose keys a file has: those in use, or those that a rekey has prepared. The names tell: gateway.json and
 * gateway.next.json. */
enum cg_keyring_epoch { CG_KEYRING_CURRENT, CG_KEYRING_NEXT };

/* File `index` of those that belong to the document; 0 is group.json. False behind the last. The first gives its name
 * as a file of that epoch, the second what is in it: a new reference, or NULL without memory. */
bool cg_keyring_file_name(const json_t *document, size_t index, enum cg_keyring_epoch epoch,
                          char name[CG_KEYRING_NAME_MAX]);
json_t *cg_keyring_file(json_t *document, size_t index);

/* The name of a member's file; `id` is its Sender ID in hexadecimal. */
void cg_keyring_member_file(const char *id, enum cg_keyring_epoch epoch, char name[CG_KEYRING_NAME_MAX]);

#endif
