/* The command line of castgate-keys. */
#ifndef CG_TOOLS_KEYS_OPTIONS_H
#define CG_TOOLS_KEYS_OPTIONS_H

#include "keys/keyring.h"

enum cg_keys_command {
    CG_KEYS_HELP,
    CG_KEYS_NEW,
    CG_KEYS_CLIENT,
    CG_KEYS_ADD,
    CG_KEYS_REKEY,
    CG_KEYS_NEW_SENDER_ID,
    CG_KEYS_FINISH,
    CG_KEYS_CLAIM,
};

/* Strings point into argv. */
struct cg_keys_options {
    enum cg_keys_command command;
    const char *path; /* DIR, or CLAIM's FILE */
    struct cg_keyring_options ring;
    const char *id;     /* CLIENT: its Sender ID; NULL: not said */
    bool no_rekey;      /* ADD */
    bool replace;       /* what prepares keys: instead of those that are prepared */
    const char *state;  /* CLAIM: the state folder */
    bool may_be_shared; /* CLAIM: the file may be readable by others */
};

/* CG_OK, or CG_E_BAD_REQUEST with a sentence in `error`. */
int cg_keys_options_parse(struct cg_keys_options *options, int argc, const char *const argv[],
                          char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;

extern const char cg_keys_usage[];

#endif
