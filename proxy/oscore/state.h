/* The inside of a Security Context, for the library's own files and its vector runner. Users include oscore.h. */
#ifndef CG_OSCORE_STATE_H
#define CG_OSCORE_STATE_H

#include "oscore/aad.h"
#include "oscore/aead.h"
#include "oscore/ccs.h"
#include "oscore/context.h"
#include "oscore/key.h"
#include "oscore/vault.h"

/* All that must not leak, in guarded, locked and undumped memory of its own (sodium_malloc). */
struct cg_oscore_secrets {
    uint8_t prk[64]; /* HKDF-Extract(Master Salt, Master Secret) */
    uint8_t sender_key[CG_COSE_KEY_MAX];
    uint8_t signature_encryption_key[CG_COSE_KEY_MAX];
    uint8_t common_iv[CG_COSE_NONCE_MAX];
};

/* A Recipient Context. */
struct cg_oscore_peer {
    struct cg_oscore_peer *next; /* in its bucket */
    struct cg_oscore_context *context;
    void *user;
    uint32_t refs; /* the table's, and those of messages being opened */
    bool listed, suspended, verified, has_echo;
    uint8_t id_len;
    uint8_t id[CG_OSCORE_ID_MAX];
    uint8_t echo[CG_OSCORE_ECHO_LEN];
    uint8_t fingerprint[32];
    uint8_t *cred; /* owned */
    size_t cred_len;
    struct cg_public_key public_key;
    uint8_t *recipient_key;         /* in the context's vault */
    struct cg_aead_key group_key;   /* opens group mode; expanded with the first message */
    struct cg_aead_key receive_key; /* opens pairwise mode or OSCORE */
    struct cg_aead_key send_key;    /* seals pairwise mode or OSCORE */
    struct cg_oscore_window window;
};

struct cg_oscore_context {
    uint32_t refs;
    uint64_t serial;     /* unique and growing: a later context has a higher one */
    uint64_t generation; /* of the key material: the first of its contexts gave it its serial */
    bool group, checker, has_sender, has_id_context, send_id_context, hop, countersign_four, peers_lost, retired;
    enum cg_hash hash;
    int alg_signature, alg_agreement;
    const struct cg_cose_cipher *aead, *group_enc; /* NULL where not set */
    EVP_CIPHER *aead_fetched, *group_enc_fetched;  /* owned */
    size_t common_iv_len, id_max;
    uint8_t sender_id[CG_OSCORE_ID_MAX];
    size_t sender_id_len;
    uint8_t *owned; /* one block behind the next three */
    struct cg_slice id_context, gm_cred, cred;
    uint16_t class_u[CG_OSCORE_CLASS_U_MAX];
    struct cg_oscore_secrets *secrets;
    struct cg_private_key private_key;
    struct cg_vault vault;             /* Recipient Keys */
    struct cg_aead_key group_send_key; /* seals group mode */
    struct cg_oscore_window sent;      /* numbers used for sealing: a net below the caller's counter */
    struct cg_oscore_peer **buckets;   /* power of two */
    size_t bucket_count, peer_count;
    uint8_t *scratch; /* two regions for AADs, scratch_len each */
    size_t scratch_len;
};

void cg_oscore_peer_ref(struct cg_oscore_peer *peer);
void cg_oscore_peer_unref(struct cg_oscore_peer *peer);
void cg_oscore_peers_fini(struct cg_oscore_context *context);
void cg_oscore_peers_forget_pairwise(struct cg_oscore_context *context); /* a group's; OSCORE keeps its keys */

/* The cipher and the key that a mode uses; the key is expanded or derived first where it has to be. CG_E_KEY,
 * CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_oscore_group_open_key(struct cg_oscore_peer *peer, struct cg_aead_key **key) CG_MUST_CHECK;
int cg_oscore_direct_keys(struct cg_oscore_peer *peer) CG_MUST_CHECK; /* receive_key and send_key */

/* Pairwise Sender or Recipient Key (RFC 10021 §2.5.1): `salt` is the sender's Sender Key, the credentials are in the
 * order sender, recipient. */
int cg_oscore_pairwise_key(const struct cg_oscore_context *context, struct cg_slice sender_id, const uint8_t *salt,
                           struct cg_slice sender_cred, struct cg_slice recipient_cred, const uint8_t secret[32],
                           uint8_t key[CG_COSE_KEY_MAX]) CG_MUST_CHECK;
/* Sender or Recipient Key by ID; `to` has CG_COSE_KEY_MAX bytes. */
int cg_oscore_derive_key(const struct cg_oscore_context *context, struct cg_slice id, uint8_t *to) CG_MUST_CHECK;
/* The algorithm that stands in info arrays: Group Encryption Algorithm where set (RFC 10021 §2.3). */
const struct cg_cose_cipher *cg_oscore_info_cipher(const struct cg_oscore_context *context);
/* CG_E_KEY with *why unless the key in a credential fits the group's algorithms; initialises *key. */
int cg_oscore_credential_key(const struct cg_oscore_context *context, struct cg_slice cred, struct cg_public_key *key,
                             const char **why) CG_MUST_CHECK;
/* Makes the scratch regions hold AADs with a sender credential of that length. */
int cg_oscore_scratch_fit(struct cg_oscore_context *context, size_t cred_len) CG_MUST_CHECK;
/* The keystream for a countersignature (RFC 10021 §4.2). */
int cg_oscore_keystream(const struct cg_oscore_context *context, struct cg_slice piv_id, struct cg_slice piv,
                        bool is_request, uint8_t keystream[CG_COSE_SIGNATURE_LEN]) CG_MUST_CHECK;
/* The aad with everything that the context knows filled in. */
struct cg_aad cg_oscore_aad(const struct cg_oscore_context *context);

#endif
