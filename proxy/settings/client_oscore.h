/* The OSCORE context that a client and the gateway share (RFC 8613 §3.2), from its file. What was accepted makes a
 * Security Context. */
#ifndef CG_SETTINGS_CLIENT_OSCORE_H
#define CG_SETTINGS_CLIENT_OSCORE_H

#include "model/config.h"
#include "model/store.h"
#include "oscore/context.h"
#include "settings/secret.h"

#define CG_CLIENT_SECRET_MAX CG_PSK_MAX /* bytes of Master Secret and of Master Salt, each */

/* Everything in it is owned by it. */
struct cg_client_oscore_file {
    struct cg_client_oscore keys;
    uint8_t sender_id[CG_OSCORE_ID_MAX], recipient_id[CG_OSCORE_ID_MAX], id_context[CG_OSCORE_ID_CONTEXT_MAX];
    struct cg_secret_text locked;
};

/* As cg_security_group_load. After CG_OK: cg_client_oscore_file_fini. */
int cg_client_oscore_load(const char *name, bool may_be_shared, struct cg_client_oscore_file *file,
                          struct cg_mistakes *mistakes) CG_MUST_CHECK;
void cg_client_oscore_file_fini(struct cg_client_oscore_file *file);

/* What cg_oscore_context_new wants; all borrowed from `keys`. */
void cg_client_oscore_params(const struct cg_client_oscore *keys, struct cg_oscore_params *params,
                             struct cg_oscore_sender_params *own);
/* Whether they make a Security Context, as those of a file that was read do. CG_E_KEY with *why; CG_E_NO_MEMORY. */
int cg_client_oscore_check(const struct cg_client_oscore *keys, const char **why) CG_MUST_CHECK;
/* Whose sequence numbers the gateway uses with it. CG_E_NO_MEMORY, CG_E_INTERNAL. */
int cg_client_oscore_sender_id(const struct cg_client_oscore *keys, struct cg_sender_id *id) CG_MUST_CHECK;

#endif
