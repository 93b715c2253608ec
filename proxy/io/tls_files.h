/* The certificate, key and CA of one end, as they are when their files are read. */
#ifndef CG_IO_TLS_FILES_H
#define CG_IO_TLS_FILES_H

#include <openssl/ssl.h>

#include "model/request.h"

struct cg_tls_files {
    const char *where;       /* they stand in the settings: what is wrong with them begins with it */
    const char *certificate; /* and those between it and the CA; NULL: none, and no key */
    const char *key;
    const char *ca;         /* who may vouch for the other end; NULL: nobody */
    bool key_may_be_shared; /* else its file is for its owner alone */
};

/* *problem names the file and the reason. Sessions that began with a context keep what it had. */
int cg_tls_files_read(SSL_CTX *context, const struct cg_tls_files *files, struct cg_problem *problem) CG_MUST_CHECK;

#endif
