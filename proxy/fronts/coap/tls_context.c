/* What clients are met with. Who offers a pre-shared key has one to show: where certificates of clients are not asked
 * for, a suite with ours would leave it nobody, so keys come first there. */
#include "fronts/coap/tls_context.h"

#include "io/tls_files.h"

static int read_files(SSL_CTX *context, const struct cg_tls_settings *settings, bool key_may_be_shared,
                      struct cg_problem *problem) {
    const struct cg_tls_files files = {.where = "coap.tls",
                                       .certificate = settings->certificate,
                                       .key = settings->key,
                                       .ca = settings->client_ca,
                                       .key_may_be_shared = key_may_be_shared};
    return settings->certificate == NULL ? CG_OK : cg_tls_files_read(context, &files, problem);
}

SSL_CTX *cg_tls_context_new(enum cg_tls_kind kind, const struct cg_tls_settings *settings, bool key_may_be_shared,
                            struct cg_problem *problem) {
    const enum cg_tls_suites suites = settings->client_ca == NULL ? CG_TLS_KEYS_FIRST : CG_TLS_SECRECY_FIRST;
    SSL_CTX *context = cg_tls_terms_new(kind, CG_TLS_ACCEPTS, suites);
    int err =
        context == NULL ? cg_problem_no_memory(problem) : read_files(context, settings, key_may_be_shared, problem);
    if (err == CG_OK) return context;
    SSL_CTX_free(context);
    return NULL;
}
