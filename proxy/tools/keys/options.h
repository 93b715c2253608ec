/* The command line of castgate-keys. */
#ifndef CG_TOOLS_KEYS_OPTIONS_H
#define CG_TOOLS_KEYS_OPTIONS_H

#include "base/err.h"
#include "oscore/cose.h"
#include "wire/addr.h"

#define CG_KEYS_MEMBERS_MAX 10000
#define CG_KEYS_EVICT_MAX   256
#define CG_KEYS_ERROR_MAX   1024

enum cg_keys_command {
    CG_KEYS_HELP,
    CG_KEYS_NEW,
    CG_KEYS_ADD,
    CG_KEYS_REKEY,
    CG_KEYS_NEW_SENDER_ID,
    CG_KEYS_FINISH,
    CG_KEYS_CLAIM,
};

/* Whose credentials the members' files hold. */
enum cg_keys_peers { CG_KEYS_PEERS_BY_SIZE, CG_KEYS_PEERS_ALL, CG_KEYS_PEERS_GATEWAY };

/* Strings point into argv. */
struct cg_keys_options {
    enum cg_keys_command command;
    const char *path;     /* DIR, or CLAIM's FILE */
    uint32_t members;     /* to make: NEW, ADD */
    const char *name;     /* NULL: not said */
    struct cg_addr first; /* address of the first of them; family NONE: not said */
    int alg_aead;         /* NEW: COSE numbers, CG_COSE_NONE where not used */
    int alg_group_enc;
    int alg_signature;
    int alg_agreement;
    enum cg_hash hkdf;
    unsigned countersign_elements;
    enum cg_keys_peers peers;
    bool no_rekey;                        /* ADD */
    bool replace;                         /* what prepares keys: instead of those that are prepared */
    const char *evict[CG_KEYS_EVICT_MAX]; /* REKEY: Sender IDs in hexadecimal */
    size_t evict_count;
    const char *state;  /* CLAIM: the state folder */
    bool may_be_shared; /* CLAIM: the file may be readable by others */
};

/* CG_OK, or CG_E_BAD_REQUEST with a sentence in `error`. */
int cg_keys_options_parse(struct cg_keys_options *options, int argc, const char *const argv[],
                          char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

extern const char cg_keys_usage[];

#endif
