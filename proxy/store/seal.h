/* Secrets that are stored: sealed with a key that lies outside the state folder, so that a copy of the folder gives
 * nothing away. */
#ifndef CG_STORE_SEAL_H
#define CG_STORE_SEAL_H

#include "base/buf.h"
#include "model/request.h"

struct cg_seal; /* the key, in locked memory; immutable: any thread */

/* From the file that the settings name ("seal_key"), else the systemd credential castgate.seal
 * ($CREDENTIALS_DIRECTORY), else STATE/../castgate.seal… as README.md says. CG_E_NOT_FOUND, CG_E_STORE with *problem:
 * what is sealed stays so. */
int cg_seal_open(const char *file, struct cg_seal **seal, struct cg_problem *problem) CG_MUST_CHECK;
/* Makes such a file (0600), durable. It must not exist. */
int cg_seal_make(const char *file, struct cg_problem *problem) CG_MUST_CHECK;
void cg_seal_free(struct cg_seal *seal); /* wipes it; NULL is fine */

/* `about` (kind and name) is bound to it: what is sealed for one item opens for no other. */
int cg_seal_close(const struct cg_seal *seal, struct cg_slice about, struct cg_slice secret,
                  struct cg_buf *sealed) CG_MUST_CHECK;
/* `secret` is the caller's to wipe. CG_E_KEY_REFUSED: another key's, or damaged. */
int cg_seal_open_sealed(const struct cg_seal *seal, struct cg_slice about, struct cg_slice sealed,
                        struct cg_buf *secret) CG_MUST_CHECK;

#endif
