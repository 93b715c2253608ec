/* What works but should be known before it surprises. The hard thing is restraint: a warning that is always there is
 * never read, so each one names something that this file decided. */
#include "model/mapping.h"
#include "model/reaction.h"
#include "settings/request_size.h"
#include "settings/scopes.h"
#include "settings/stored.h"

#include <stdio.h>
#include <string.h>

/* How its listeners are, that others reach and that are meant so. */
static void warn_front(const char *name, const struct cg_http_settings *settings, const char *how,
                       struct cg_mistakes *warnings) {
    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct cg_listen *listen = &settings->listen[i];
        char pointer[64];
        if (listen->loopback || !listen->insecure) continue;
        snprintf(pointer, sizeof pointer, "/%s/listen/%zu", name, i);
        cg_warnings_add(warnings, "open-listener", pointer, "%s can be reached by others, %s", listen->text, how);
    }
}

static void warn_http(const struct cg_http_settings *settings, struct cg_mistakes *warnings) {
    bool has_tls = settings->tls.certificate != NULL;
    warn_front("http", settings,
               has_tls ? "and anonymous clients are taken" : "without TLS, and anonymous clients are taken", warnings);
}

/* Nobody is anonymous there. */
static void warn_admin(const struct cg_http_settings *settings, struct cg_mistakes *warnings) {
    if (settings->tls.certificate == NULL)
        warn_front("admin", settings, "without TLS: tokens can be read on the way", warnings);
}

static void warn_coap(const struct cg_coap_settings *settings, struct cg_mistakes *warnings) {
    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct cg_listen *listen = &settings->listen[i].listen;
        char pointer[64];
        snprintf(pointer, sizeof pointer, "/coap/listen/%zu", i);
        if (!listen->loopback && listen->insecure) {
            const char *how = cg_coap_is_secured(&settings->listen[i])        ? "and"
                              : cg_coap_is_by_datagrams(&settings->listen[i]) ? "without DTLS, and"
                                                                              : "without TLS, and";
            cg_warnings_add(warnings, "open-listener", pointer,
                            "%s can be reached by others, %s anonymous clients are taken", listen->text, how);
        }
    }
}

static bool listens_by_tls(const struct cg_coap_settings *settings) {
    size_t i = 0;
    while (i < settings->listen_count && !cg_coap_is_secured(&settings->listen[i])) i++;
    return i < settings->listen_count;
}

static void warn_client(const struct cg_config *config, const struct cg_client *client, struct cg_mistakes *warnings) {
    bool has_tls = listens_by_tls(&config->coap);
    bool asks = config->http.tls.client_ca != NULL || (has_tls && config->coap.tls.client_ca != NULL);
    char pointer[CG_NAME_MAX + 64];
    if (client->certificate_count > 0 && !asks) {
        snprintf(pointer, sizeof pointer, "/clients/%s/certificate_sha256", client->name);
        cg_warnings_add(warnings, "certificate-not-asked-for", pointer,
                        "client certificates are not asked for without \"client_ca\" in http.tls or coap.tls");
    }
    if (client->psk.identity == NULL || has_tls) return;
    snprintf(pointer, sizeof pointer, "/clients/%s/psk", client->name);
    cg_warnings_add(warnings, "psk-not-asked-for", pointer,
                    "pre-shared keys are for coaps and coaps+tcp, and no listener in coap.listen is one");
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

void cg_warn_pointer(char pointer[CG_WARN_POINTER_MAX], const struct cg_mistakes *warnings,
                     const struct cg_mapping *mapping, const char *key) {
    if (mapping->is_stored || warnings->by_name) {
        snprintf(pointer, CG_WARN_POINTER_MAX, "/mappings/%s/%s", mapping->name, key);
    } else {
        snprintf(pointer, CG_WARN_POINTER_MAX, "/mappings/%u/%s", (unsigned)mapping->place, key);
    }
}

/* As far as it is this gateway's network. */
static bool is_protected_on_the_way(const struct cg_mapping *mapping) {
    for (size_t i = 0; i < mapping->target_count; i++) {
        if (mapping->targets[i].next_hop.credentials_name == NULL) return false;
    }
    return cg_mapping_is_by_hops(mapping);
}

static void warn_of_plain(const struct cg_mapping *mapping, struct cg_mistakes *warnings) {
    char pointer[CG_WARN_POINTER_MAX];
    if (mapping->security != CG_SECURITY_NONE || is_protected_on_the_way(mapping)) return;
    cg_warn_pointer(pointer, warnings, mapping, "security");
    cg_warnings_add(
        warnings, "plain-group", pointer,
        "%s has no protection: anybody on its network can read and forge %s; protection below is needed, such as on "
        "the link layer",
        mapping->name, mapping->unsafe_methods ? "its commands and answers" : "its requests and answers");
}

static void warn_of_nobody(const struct cg_config *config, const struct cg_mapping *mapping,
                           struct cg_mistakes *warnings) {
    char pointer[CG_WARN_POINTER_MAX];
    if (mapping->grant_count > 0 || is_commanded(config, mapping)) return;
    cg_warn_pointer(pointer, warnings, mapping, "clients");
    cg_warnings_add(warnings, "no-clients", pointer, "nobody may use %s: it names no clients", mapping->name);
}

/* R44. What is relayed is as large as its clients make it. */
static void warn_of_frames(const struct cg_config *config, const struct cg_mapping *mapping,
                           struct cg_mistakes *warnings) {
    char pointer[CG_WARN_POINTER_MAX];
    size_t largest = 0, max = config->group.frame_size;
    if (max == 0 || mapping->security == CG_SECURITY_RELAY) return;
    for (size_t i = 0; i < mapping->target_count; i++) {
        size_t size = cg_least_request(mapping, &mapping->targets[i]);
        if (size > largest) largest = size;
    }
    if (largest <= max) return;
    cg_warn_pointer(pointer, warnings, mapping, mapping->security == CG_SECURITY_GROUP ? "security" : "group");
    cg_warnings_add(
        warnings, "request-too-large", pointer,
        "requests of %s have %zu bytes at the least, and group.frame_size is %zu: they go in several frames, "
        "and are lost with any of them",
        mapping->name, largest, max);
}

enum { ANSWER_MOST = 1152 /* RFC 7252 §4.6: what fits without IP fragments */ };

/* They may all come at once. The kernel doubles what is asked for, for what it keeps beside the bytes. */
static void warn_of_buffer(const struct cg_config *config, const struct cg_mapping *mapping,
                           struct cg_mistakes *warnings) {
    char pointer[CG_WARN_POINTER_MAX];
    uint64_t need = (uint64_t)mapping->member_count * ANSWER_MOST;
    if (need <= config->group.receive_buffer) return;
    cg_warn_pointer(pointer, warnings, mapping, mapping->security == CG_SECURITY_GROUP ? "security" : "members");
    cg_warnings_add(warnings, "small-buffer", pointer,
                    "%s has %zu members, whose answers may fill %llu bytes at once, and group.receive_buffer is %u: "
                    "set that to more, or some may be lost",
                    mapping->name, mapping->member_count, (unsigned long long)need,
                    (unsigned)config->group.receive_buffer);
}

/* It is asked for whole seconds, and not without one (GCP §8). */
static void warn_of_round_trips(const struct cg_mapping *mapping, struct cg_mistakes *warnings) {
    char pointer[CG_WARN_POINTER_MAX];
    for (size_t i = 0; i < mapping->target_count && mapping->has_timeout; i++) {
        const struct cg_next_hop *next_hop = &mapping->targets[i].next_hop;
        if (!cg_target_is_hop(&mapping->targets[i]) || mapping->timeout_us / 1000000 > next_hop->round_trip_s) continue;
        cg_warn_pointer(pointer, warnings, mapping, "timeout");
        cg_warnings_add(warnings, "no-time-for-hop", pointer,
                        "%s collects for %g s, of which %u are the \"round_trip\" of %s: nothing is left for it, and "
                        "requests without Multicast-Timeout are refused; set \"timeout\" to %u at the least",
                        mapping->name, (double)mapping->timeout_us / 1e6, (unsigned)next_hop->round_trip_s,
                        next_hop->uri, (unsigned)next_hop->round_trip_s + 1);
        return;
    }
}

/* But for what is told of the first few only. */
static void warn_mapping(const struct cg_config *config, const struct cg_mapping *mapping,
                         struct cg_mistakes *warnings) {
    warn_of_plain(mapping, warnings);
    warn_of_frames(config, mapping, warnings);
    warn_of_buffer(config, mapping, warnings);
    warn_of_nobody(config, mapping, warnings);
    warn_of_round_trips(mapping, warnings);
}

enum { HASTY_LISTED = 5 };

/* Whether members may still be on their way with an answer when the time is up (RFC 7252 §8.2). The only member that
 * there is answers at once: it is asked by unicast. */
static bool is_hasty(const struct cg_mapping *mapping) {
    bool is_only = mapping->complete && mapping->member_count == 1 && mapping->target_count == 1;
    if (!mapping->has_timeout || is_only || cg_mapping_is_by_hops(mapping)) return false;
    return (double)mapping->timeout_us < mapping->leisure * 1e6;
}

static void warn_hasty(const struct cg_mapping *mapping, struct cg_mistakes *warnings) {
    char pointer[CG_WARN_POINTER_MAX];
    cg_warn_pointer(pointer, warnings, mapping, "timeout");
    cg_warnings_add(warnings, "short-timeout", pointer,
                    "%s collects for %g s, but its members may take %g s with their answers (\"leisure\"), and most "
                    "then come late: set \"timeout\" to more than that, or \"leisure\" to what they really take",
                    mapping->name, (double)mapping->timeout_us / 1e6, mapping->leisure);
}

/* The first few, for they are often all alike. */
static void warn_hasty_mappings(const struct cg_config *config, struct cg_mistakes *warnings) {
    const struct cg_mapping *mapping;
    size_t count = 0;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;) {
        if (is_hasty(mapping) && count++ < HASTY_LISTED) warn_hasty(mapping, warnings);
    }
    if (count > HASTY_LISTED)
        cg_warnings_add(warnings, "short-timeout", "/mappings", "%zu more have a \"timeout\" below their \"leisure\"",
                        count - HASTY_LISTED);
}

void cg_settings_warnings(const struct cg_config *config, struct cg_mistakes *warnings) {
    const struct cg_mapping *mapping;
    const struct cg_client *client;
    warn_http(&config->http, warnings);
    warn_admin(&config->admin, warnings);
    warn_coap(&config->coap, warnings);
    for (uint32_t next = 0; (client = cg_config_next_client(config, &next)) != NULL;)
        warn_client(config, client, warnings);
    warn_hasty_mappings(config, warnings);
    cg_warn_of_scopes(config, warnings);
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;)
        warn_mapping(config, mapping, warnings);
}

void cg_stored_warnings(const struct cg_config *config, enum cg_item_kind kind, const char *name,
                        struct cg_mistakes *warnings) {
    const struct cg_mapping *mapping = kind == CG_ITEM_MAPPING ? cg_mapping_by_name(config, name) : NULL;
    const struct cg_client *client = kind == CG_ITEM_CLIENT ? cg_config_client_by_name(config, name) : NULL;
    warnings->by_name = true;
    if (client != NULL) warn_client(config, client, warnings);
    if (mapping == NULL) return;
    if (is_hasty(mapping)) warn_hasty(mapping, warnings);
    (void)cg_warn_of_scope(config, mapping, warnings);
    warn_mapping(config, mapping, warnings);
}
