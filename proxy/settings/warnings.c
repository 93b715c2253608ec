/* What works but should be known before it surprises. The hard thing is restraint: a warning that is always there is
 * never read, so each one names something that this file decided. */
#include "settings/scopes.h"

#include <stdio.h>
#include <string.h>

#include "model/reaction.h"

static void warn_front(const char *name, const struct cg_http_settings *settings, struct cg_mistakes *warnings) {
    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct cg_listen *listen = &settings->listen[i];
        char pointer[64];
        if (listen->loopback || !listen->insecure) continue;
        snprintf(pointer, sizeof pointer, "/%s/listen/%zu", name, i);
        const char *how = settings->tls.certificate == NULL ? "without TLS, and anonymous clients are taken"
                                                            : "and anonymous clients are taken";
        cg_mistakes_add(warnings, pointer, "%s can be reached by others, %s", listen->text, how);
    }
}

static void warn_coap(const struct cg_coap_settings *settings, struct cg_mistakes *warnings) {
    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct cg_listen *listen = &settings->listen[i].listen;
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/coap/listen/%zu", i);
        if (!cg_coap_is_served(&settings->listen[i])) {
            cg_mistakes_add(warnings, pointer, "this version has no CoAP over TCP: nothing listens at %s",
                            listen->text);
        } else if (!listen->loopback && listen->insecure) {
            const char *how = settings->listen[i].scheme == CG_SCHEME_COAP ? "without DTLS, and" : "and";
            cg_mistakes_add(warnings, pointer, "%s can be reached by others, %s anonymous clients are taken",
                            listen->text, how);
        }
    }
}

static bool listens_by_dtls(const struct cg_coap_settings *settings) {
    size_t i = 0;
    while (i < settings->listen_count && settings->listen[i].scheme != CG_SCHEME_COAPS) i++;
    return i < settings->listen_count;
}

static void warn_clients(const struct cg_config *config, struct cg_mistakes *warnings) {
    bool has_dtls = listens_by_dtls(&config->coap);
    bool asks = config->http.tls.client_ca != NULL || (has_dtls && config->coap.tls.client_ca != NULL);
    for (size_t i = 0; i < config->client_count; i++) {
        const struct cg_client *client = &config->clients[i];
        char pointer[CG_NAME_MAX + 64];
        if (client->certificate_count > 0 && !asks) {
            snprintf(pointer, sizeof pointer, "/clients/%s/certificate_sha256", client->name);
            cg_mistakes_add(warnings, pointer,
                            "client certificates are not asked for without \"client_ca\" in http.tls or coap.tls");
        }
        if (client->psk.identity == NULL || has_dtls) continue;
        snprintf(pointer, sizeof pointer, "/clients/%s/psk", client->name);
        cg_mistakes_add(warnings, pointer, "pre-shared keys are for coaps, and no listener in coap.listen is one");
    }
}

static bool commands(const struct cg_reaction *reaction, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < reaction->command_count; i++)
        if (strcmp(reaction->commands[i].mapping, mapping->name) == 0) return true;
    return false;
}

/* By reactions: these need no grant. */
static bool is_commanded(const struct cg_config *config, const struct cg_mapping *mapping) {
    for (size_t i = 0; i < config->reaction_count; i++)
        if (commands(&config->reactions[i], mapping)) return true;
    return false;
}

static void warn_mapping(const struct cg_config *config, const struct cg_mapping *mapping,
                         struct cg_mistakes *warnings) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/mappings/%u/security", (unsigned)mapping->number);
    if (mapping->security == CG_SECURITY_NONE) {
        cg_mistakes_add(
            warnings, pointer,
            "%s has no protection: anybody on its network can read and forge %s; protection below is needed, such as "
            "on the link layer",
            mapping->name, mapping->unsafe_methods ? "its commands and answers" : "its requests and answers");
    }
    if (mapping->grant_count > 0 || is_commanded(config, mapping)) return;
    snprintf(pointer, sizeof pointer, "/mappings/%u/clients", (unsigned)mapping->number);
    cg_mistakes_add(warnings, pointer, "nobody may use %s: it names no clients", mapping->name);
}

enum { HASTY_LISTED = 5 };

/* Whether members may still be on their way with an answer when the time is up (RFC 7252 §8.2). The only member that
 * there is answers at once: it is asked by unicast. */
static bool is_hasty(const struct cg_mapping *mapping) {
    bool is_only = mapping->complete && mapping->member_count == 1 && mapping->target_count == 1;
    return mapping->has_timeout && !is_only && (double)mapping->timeout_us < mapping->leisure * 1e6;
}

static void warn_hasty(const struct cg_mapping *mapping, struct cg_mistakes *warnings) {
    char pointer[64];
    snprintf(pointer, sizeof pointer, "/mappings/%u/timeout", (unsigned)mapping->number);
    cg_mistakes_add(warnings, pointer,
                    "%s collects for %g s, but its members may take %g s with their answers (\"leisure\"), and most "
                    "then come late: set \"timeout\" to more than that, or \"leisure\" to what they really take",
                    mapping->name, (double)mapping->timeout_us / 1e6, mapping->leisure);
}

/* The first few, for they are often all alike. */
static void warn_hasty_mappings(const struct cg_config *config, struct cg_mistakes *warnings) {
    size_t count = 0;
    for (size_t i = 0; i < config->mapping_count; i++) {
        if (is_hasty(&config->mappings[i]) && count++ < HASTY_LISTED) warn_hasty(&config->mappings[i], warnings);
    }
    if (count > HASTY_LISTED)
        cg_mistakes_add(warnings, "/mappings", "%zu more have a \"timeout\" below their \"leisure\"",
                        count - HASTY_LISTED);
}

void cg_settings_warnings(const struct cg_config *config, struct cg_mistakes *warnings) {
    warn_front("http", &config->http, warnings);
    warn_front("admin", &config->admin, warnings);
    warn_coap(&config->coap, warnings);
    warn_clients(config, warnings);
    warn_hasty_mappings(config, warnings);
    cg_warn_of_scopes(config, warnings);
    for (size_t i = 0; i < config->mapping_count; i++) warn_mapping(config, &config->mappings[i], warnings);
}
