/* What connections to next hops begin with: of each entry of "credentials", the keys and certificates that its files
 * have, as TLS and DTLS take them. */
#ifndef CG_HOPS_CREDENTIALS_H
#define CG_HOPS_CREDENTIALS_H

#include <openssl/ssl.h>

#include "model/config.h"
#include "model/request.h"

/* Reads the files of a snapshot that was read whole; on any thread, while nobody else has it. The snapshot frees what
 * is made of them. *problem names the file and the reason. */
int cg_hop_credentials_load(struct cg_config *config, struct cg_problem *problem) CG_MUST_CHECK;

enum cg_hop_kind { CG_HOP_BY_TLS, CG_HOP_BY_DTLS };

/* NULL: they have not been loaded. A reference of the caller's, who may keep it beyond the snapshot. */
SSL_CTX *cg_hop_credentials_context(const struct cg_credentials *credentials, enum cg_hop_kind kind);

#endif
