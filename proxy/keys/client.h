/* The OSCORE context of one client and the gateway (RFC 8613 §3.2), made anew: the gateway's file, which a client's
 * `oscore` names, and the client's, which is the same seen from there. */
#ifndef CG_KEYS_CLIENT_H
#define CG_KEYS_CLIENT_H

#include "keys/keyring.h"

struct cg_keys_client_options {
    int alg_aead;
    enum cg_hash hkdf;
    const char *id; /* the client's Sender ID in hexadecimal; NULL: a random one */
};

struct cg_keys_client {
    json_t *gateway, *client;
};

/* The errors of cg_keyring_new. After CG_OK: cg_keys_client_fini. */
int cg_keys_client_new(struct cg_keys_client *keys, const struct cg_keys_client_options *options,
                       char error[CG_KEYS_ERROR_MAX]) CG_MUST_CHECK;
void cg_keys_client_fini(struct cg_keys_client *keys);

#endif
