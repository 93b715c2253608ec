/* Security Contexts: OSCORE's (RFC 8613 §3) and Group OSCORE's (RFC 10021 §2), and the reduced one of an external
 * signature checker (RFC 10021 §7.5, §12.3).
 *
 * A context is immutable after cg_oscore_context_new, apart from its table of peers, replay windows and cached keys. It
 * belongs to one thread; it may be built on another and handed over. One epoch of a group is one context: after a rekey
 * there are two of them for a while. Create one context per key material, not several: replay windows live in it.
 *
 * Sequence numbers are not in it. Whoever seals passes a number that was never used with this Sender Key. */
#ifndef CG_OSCORE_CONTEXT_H
#define CG_OSCORE_CONTEXT_H

#include "base/err.h"
#include "base/slice.h"
#include "oscore/cose.h"
#include "oscore/option.h"
#include "oscore/replay.h"

#define CG_OSCORE_CLASS_U_MAX 8
#define CG_OSCORE_ECHO_LEN    8
#define CG_OSCORE_SECRET_MAX  256 /* bytes of Master Secret and of Master Salt, each */

/* What an endpoint needs to send (the Sender Context). All borrowed for the call. */
struct cg_oscore_sender_params {
    struct cg_slice id;          /* may be empty */
    struct cg_slice private_key; /* groups: raw Ed25519 seed, P-256 scalar or X25519 scalar */
    struct cg_slice cred;        /* groups: the CCS with the public key */
};

struct cg_oscore_params {
    bool group; /* Group OSCORE; false: OSCORE, which uses alg_aead only */
    /* COSE numbers, CG_COSE_NONE where not set. Group mode needs the second and third, pairwise mode the first and
     * last. */
    int alg_aead, alg_group_enc, alg_signature, alg_agreement;
    enum cg_hash hkdf;
    struct cg_slice master_secret;
    struct cg_slice master_salt; /* may be empty */
    bool has_id_context;         /* groups always have one, the Gid */
    struct cg_slice id_context;
    bool send_id_context; /* OSCORE: put 'kid context' into requests; groups always do */
    /* OSCORE between a client and the proxy before it (draft-ietf-core-oscore-capable-proxies): what is inside may be
     * protected itself, for somebody behind the proxy, and options that are for the proxy travel inside, too. */
    bool hop;
    struct cg_slice gm_cred;                      /* groups: the Group Manager's credential, any format */
    const struct cg_oscore_sender_params *sender; /* NULL: a silent server, or a checker */
    bool countersign_four;                        /* RFC 9338 §3.3 taken literally (aad.h) */
    /* Draft options that proxies must read, up to a 0. None given: GCP's 2, 24, 248. */
    uint16_t class_u[CG_OSCORE_CLASS_U_MAX];
};

struct cg_oscore_context;
struct cg_oscore_peer;

/* A context with one reference in *context. CG_E_KEY with a static sentence in *why (may be NULL): parameters that the
 * RFCs refuse or keys that do not fit. CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_oscore_context_new(struct cg_oscore_context **context, const struct cg_oscore_params *params,
                          const char **why) CG_MUST_CHECK;
/* A signature checker's: the Signature Encryption Key instead of Master Secret and Salt, which must be empty, as must
 * be `sender`. It checks countersignatures and replays and can open and seal nothing. */
int cg_oscore_checker_new(struct cg_oscore_context **context, const struct cg_oscore_params *params,
                          struct cg_slice signature_encryption_key, const char **why) CG_MUST_CHECK;

/* References keep a context alive while messages are being opened or sealed; not for several threads. The last one
 * wipes it. */
void cg_oscore_context_ref(struct cg_oscore_context *context);
void cg_oscore_context_unref(struct cg_oscore_context *context);

/* After a rekey: the old epoch seals nothing more, opens no requests, and its pairwise keys are gone (RFC 10021
 * §2.5.1). It still opens what is protected in group mode in answer to requests that were sent under it. */
void cg_oscore_context_retire(struct cg_oscore_context *context);

/* Names what a nonce depends on without revealing it: a digest of the derived Sender Key and the Common IV. Equal
 * wherever these are, whatever contexts, mappings and processes use them and whatever they were derived from: HMAC
 * takes the Master Salts "" and "0000", or a long one and its hash, for the same. Sequence numbers are counted per
 * fingerprint. CG_E_PROTECT: there is no Sender Context. CG_E_INTERNAL. */
int cg_oscore_sender_fingerprint(const struct cg_oscore_context *context, uint8_t to[32]) CG_MUST_CHECK;

/* The same for the key material as a whole, whatever the own Sender ID: equal for equal Master Secret, Master Salt and
 * ID Context. */
int cg_oscore_keys_fingerprint(const struct cg_oscore_context *context, uint8_t to[32]) CG_MUST_CHECK;

/* What was accepted in an exchange is remembered by the generation of the key material (struct cg_oscore_answers). A
 * new context is a generation of its own, higher than all before; one that has the same key material as another, with
 * other members or another Sender ID, is to be given that one's before it is used, or it would accept the same once
 * more. */
uint64_t cg_oscore_generation(const struct cg_oscore_context *context);
void cg_oscore_set_generation(struct cg_oscore_context *context, uint64_t generation);

/* What a Group Manager gives to signature checkers: secret all the same. Empty without group mode. */
struct cg_slice cg_oscore_signature_encryption_key(const struct cg_oscore_context *context);

/* Whether a message's 'kid context' (present or not) may mean this context. */
bool cg_oscore_context_matches(const struct cg_oscore_context *context, const struct cg_oscore_option *option);

bool cg_oscore_has_group_mode(const struct cg_oscore_context *context);
bool cg_oscore_has_pairwise_mode(const struct cg_oscore_context *context);     /* OSCORE: true */
struct cg_slice cg_oscore_context_id(const struct cg_oscore_context *context); /* the ID Context or Gid */
struct cg_slice cg_oscore_sender_id(const struct cg_oscore_context *context);  /* empty for a silent server as well */
/* RFC 10021 §2.2; 0 also when no algorithm is set. */
size_t cg_oscore_sender_id_max(const struct cg_oscore_params *params);

enum cg_oscore_window_state {
    /* No request of this peer was ever received under this key material; so it is with a pure client after a restart.
     */
    CG_OSCORE_WINDOW_NEW,
    /* Some may have been: Echo first (RFC 10021 §9). */
    CG_OSCORE_WINDOW_LOST,
    /* Some may have been, before a restart: Echo first for its requests (RFC 8613 Appendix B.1.2). Its responses are
       bound to requests of ours that came after that, and go on. */
    CG_OSCORE_WINDOW_UNKNOWN,
};

/* Adds a Recipient Context. `cred` is empty in OSCORE. CG_E_KEY with *why: the ID is too long, taken, or our own; the
 * credential does not parse or its key does not fit the group's algorithms. A window is LOST whatever is asked for once
 * a peer was removed (RFC 10021 §2.6.1.2). */
int cg_oscore_peer_add(struct cg_oscore_context *context, struct cg_slice id, struct cg_slice cred,
                       enum cg_oscore_window_state state, struct cg_oscore_peer **peer, const char **why) CG_MUST_CHECK;
/* NULL: unknown, or suspended. */
struct cg_oscore_peer *cg_oscore_peer_find(const struct cg_oscore_context *context, struct cg_slice id);

/* Deletes the Recipient Context; messages of it that are being opened end with an error. Peers that are added later
 * start with a lost window, unless nothing of this one was ever verified. To lock a member out without that, suspend
 * it. */
void cg_oscore_peer_remove(struct cg_oscore_peer *peer);
/* Suspended it is unknown to peer_find and to all messages, and keeps its ID and its window. */
void cg_oscore_peer_suspend(struct cg_oscore_peer *peer, bool suspended);

struct cg_slice cg_oscore_peer_id(const struct cg_oscore_peer *peer);
struct cg_slice cg_oscore_peer_cred(const struct cg_oscore_peer *peer);
/* SHA-256 over the credential: who the member is, whatever its kid. 32 bytes. */
struct cg_slice cg_oscore_peer_fingerprint(const struct cg_oscore_peer *peer);
/* To store it, or to set what was stored. */
struct cg_oscore_window *cg_oscore_peer_window(struct cg_oscore_peer *peer);
void *cg_oscore_peer_user(const struct cg_oscore_peer *peer);
void cg_oscore_peer_set_user(struct cg_oscore_peer *peer, void *user);

/* Derives the pairwise keys now (one Diffie-Hellman, 70 to 220 µs) instead of with the first message. CG_E_KEY: the
 * keys do not agree; CG_E_PROTECT: no pairwise mode. */
int cg_oscore_peer_warm(struct cg_oscore_peer *peer) CG_MUST_CHECK;

#endif
