/* A start's checks without the start. The hard thing: to use the very functions that a start uses, or the two would
 * come to disagree. */
#include "app/rehearsal.h"

#include <stdio.h>

#include "app/encoders.h"
#include "app/plugins.h"
#include "app/protectors.h"
#include "fronts/coap/tls_context.h"
#include "fronts/http/tls.h"
#include "hops/credentials.h"

/* The problem at its place; CG_E_NO_MEMORY alone is not the settings' fault. */
static int note(struct cg_mistakes *mistakes, int err, const char *pointer, const struct cg_problem *problem) {
    if (err < 0 && err != CG_E_NO_MEMORY) cg_mistakes_add(mistakes, pointer, "%s", problem->detail);
    return err == CG_E_NO_MEMORY ? err : CG_OK;
}

static void note_plugin(void *ctx, size_t index, const char *file, const char *why) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/plugins/load/%zu", index);
    cg_mistakes_add(ctx, pointer, "%s is left out: %s", file, why);
}

static int try_plugins(const struct cg_config *config, struct cg_mistakes *mistakes) {
    struct cg_plugins plugins;
    struct cg_problem problem = {0};
    const struct cg_plugins_news news = {.refused = note_plugin, .ctx = mistakes};
    int err = cg_plugins_load(&plugins, &cg_builtin_encoders, config, &news, &problem);
    cg_plugins_fini(&plugins);
    return err;
}

static int try_keys(struct cg_config *config, struct cg_mistakes *mistakes) {
    struct cg_protectors protectors;
    struct cg_protectors_plan *plan = NULL;
    struct cg_problem problem = {0};
    cg_protectors_init(&protectors);
    int err = cg_protectors_plan(&protectors, config, &plan, &problem);
    cg_protectors_plan_free(plan);
    cg_protectors_fini(&protectors);
    return note(mistakes, err, "/security_groups", &problem);
}

static int try_tls(const struct cg_tls_settings *settings, bool key_may_be_shared, const char *pointer,
                   struct cg_mistakes *mistakes) {
    struct cg_http_tls *tls = NULL;
    struct cg_problem problem = {0};
    if (settings->certificate == NULL) return CG_OK;
    int err = cg_http_tls_load(&tls, settings, key_may_be_shared, &problem);
    cg_http_tls_unref(tls);
    return note(mistakes, err, pointer, &problem);
}

static int try_coap_tls(const struct cg_config *config, struct cg_mistakes *mistakes) {
    struct cg_problem problem = {0};
    if (config->coap.tls.certificate == NULL) return CG_OK;
    SSL_CTX *context =
        cg_tls_context_new(CG_TLS_OF_DATAGRAMS, &config->coap.tls, config->key_files_may_be_shared, &problem);
    SSL_CTX_free(context);
    return context != NULL ? CG_OK : note(mistakes, problem.err, "/coap/tls", &problem);
}

static int try_credentials(struct cg_config *config, struct cg_mistakes *mistakes) {
    struct cg_problem problem = {0};
    return note(mistakes, cg_hop_credentials_load(config, &problem), "/credentials", &problem);
}

int cg_rehearse(struct cg_config *config, struct cg_mistakes *mistakes) {
    size_t before = mistakes->count;
    bool shared = config->key_files_may_be_shared;
    int err = try_plugins(config, mistakes);
    if (err == CG_OK) err = try_tls(&config->http.tls, shared, "/http/tls", mistakes);
    if (err == CG_OK) err = try_tls(&config->admin.tls, shared, "/admin/tls", mistakes);
    if (err == CG_OK) err = try_coap_tls(config, mistakes);
    if (err == CG_OK) err = try_credentials(config, mistakes);
    if (err == CG_OK) err = try_keys(config, mistakes);
    if (err == CG_OK && mistakes->count > before) err = CG_E_FORMAT;
    return err;
}
