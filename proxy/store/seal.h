/* Secrets that are stored: sealed with a key that lies outside the state folder, so that a copy of the folder gives
 * nothing away. AES-256-GCM with a random nonce each time. */
#ifndef CG_STORE_SEAL_H
#define CG_STORE_SEAL_H

#include "base/buf.h"
#include "model/request.h"

#define CG_SEAL_CREDENTIAL "castgate.seal" /* of systemd, in $CREDENTIALS_DIRECTORY */
#define CG_SEAL_KEY_LEN    32

struct cg_seal; /* the key, in locked memory; immutable: any thread */

/* From the file that the settings name ("seal_key"), 32 bytes, as they are or in hex; where that is NULL, from the
 * systemd credential. `may_be_shared`: as the settings say of all key files (a credential always may: systemd made it).
 * CG_E_NOT_FOUND: neither is there; CG_E_STORE: it cannot be used; CG_E_NO_MEMORY. With *problem: what is sealed stays
 * so. */
int cg_seal_open(const char *file, bool may_be_shared, struct cg_seal **seal, struct cg_problem *problem) CG_MUST_CHECK;
/* Makes such a file (0600), durable. CG_E_STORE with *problem, also where there is one. */
int cg_seal_make(const char *file, struct cg_problem *problem) CG_MUST_CHECK;
void cg_seal_free(struct cg_seal *seal); /* wipes it; NULL is fine */

/* `about` (kind and name) is bound to it: what is sealed for one item opens for no other. Appends. CG_E_NO_MEMORY. */
int cg_seal_close(const struct cg_seal *seal, struct cg_slice about, struct cg_slice secret,
                  struct cg_buf *sealed) CG_MUST_CHECK;
/* Appends; `secret` is the caller's to wipe, and is never copied about if it has room for sealed.len beforehand.
 * CG_E_KEY_REFUSED: another key's, for another item, or damaged. CG_E_NO_MEMORY. */
int cg_seal_open_sealed(const struct cg_seal *seal, struct cg_slice about, struct cg_slice sealed,
                        struct cg_buf *secret) CG_MUST_CHECK;

#endif
