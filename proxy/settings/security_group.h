/* Security group files: the keys of one OSCORE group, as one party may know them. A file is checked as a whole, like
 * the settings (settings.h), and what was accepted makes a Security Context: the algorithms go together (RFC 10021
 * §2.1), IDs are short enough and differ (§2.2), every credential's key fits (§2.4), the private key is the own
 * credential's.
 *
 * Who has which file: a member (the gateway as well) the common secrets, its own private key and the others'
 * credentials; a signature checker (§12.3) no secrets but the Signature Encryption Key; whoever manages the group
 * everything. */
#ifndef CG_SETTINGS_SECURITY_GROUP_H
#define CG_SETTINGS_SECURITY_GROUP_H

#include "model/store.h"
#include "oscore/context.h"
#include "settings/secret.h"
#include "wire/addr.h"

#define CG_SECURITY_PEERS_MAX 100000
#define CG_MASTER_SECRET_MIN  16 /* bytes */
#define CG_GID_MAX            CG_OSCORE_ID_CONTEXT_MAX

enum cg_group_file {
    CG_GROUP_FILE_MEMBER,     /* {"common", "self", "peers"} */
    CG_GROUP_FILE_CHECKER,    /* {"common", "peers"}, where common has signature_encryption_key */
    CG_GROUP_FILE_MANAGER,    /* {"common", "group_manager", "gateway", "members", "name", "member_peers"} */
    CG_GROUP_FILE_OF_MEMBERS, /* only to ask for one: a member's or a manager's, as what was read then says */
};

/* A member of the group. */
struct cg_security_party {
    struct cg_slice id;          /* its Sender ID; may be empty */
    struct cg_slice private_key; /* 32 bytes in locked memory; empty where the file does not have it */
    struct cg_slice cred;        /* the CCS */
    const char *name;            /* NULL: none */
    struct cg_addr address;      /* family NONE: none */
    bool is_unicast_only;        /* group requests do not get there; it has an address */
};

/* Everything in it is owned by it. */
struct cg_security_group {
    enum cg_group_file file;
    int alg_aead; /* COSE numbers; CG_COSE_NONE where not used */
    int alg_group_enc;
    int alg_signature;
    int alg_agreement;
    enum cg_hash hkdf;
    bool countersign_four; /* "countersign_elements": 4 */
    struct cg_slice gid;
    struct cg_slice master_secret;            /* locked memory; empty in a checker's file */
    struct cg_slice master_salt;              /* locked memory; may be empty */
    struct cg_slice signature_encryption_key; /* locked memory; a checker's file only */
    struct cg_slice gm_cred;
    struct cg_slice gm_private_key; /* locked memory; a manager's file only */
    struct cg_security_party self;  /* not in a checker's file; in a manager's it is the gateway */
    struct cg_security_party *peers;
    size_t peer_count;
    struct cg_arena arena;        /* what is no secret */
    struct cg_secret_text locked; /* the secrets, one after the other */
};

/* Reads and checks a file of that kind; another kind is a mistake. CG_OK: *group is new. CG_E_FORMAT: `mistakes` says
 * why (an unreadable file included) with pointers into this file, *group is NULL. CG_E_NO_MEMORY. No message quotes a
 * secret. Unless `may_be_shared` ("key_files_may_be_shared"), nobody but the file's owner may have a right to it. */
int cg_security_group_load(const char *file, enum cg_group_file kind, bool may_be_shared,
                           struct cg_security_group **group, struct cg_mistakes *mistakes) CG_MUST_CHECK;
/* The same for a text, which the caller wipes. */
int cg_security_group_parse(struct cg_slice text, enum cg_group_file kind, struct cg_security_group **group,
                            struct cg_mistakes *mistakes) CG_MUST_CHECK;
/* And for a JSON value. */
int cg_security_group_read(const json_t *json, enum cg_group_file kind, struct cg_security_group **group,
                           struct cg_mistakes *mistakes) CG_MUST_CHECK;
void cg_security_group_free(struct cg_security_group *group); /* wipes it; NULL has no effect */

/* What cg_oscore_context_new or, for a checker's file, cg_oscore_checker_new wants. `sender`, whose private key must be
 * known, is &group->self, one of a manager's members, or NULL: a checker. *own is filled for it. All borrowed from the
 * group. */
void cg_security_group_params(const struct cg_security_group *group, const struct cg_security_party *sender,
                              struct cg_oscore_params *params, struct cg_oscore_sender_params *own);

/* Whose sequence numbers these are: two files with the same id would use the same nonces (model/store.h). The former
 * name is version 1's, a hash over Master Secret, Master Salt, Gid and Sender ID. Not for a checker's file.
 * CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_security_group_sender_id(const struct cg_security_group *group, const struct cg_security_party *sender,
                                struct cg_sender_id *id) CG_MUST_CHECK;

#endif
