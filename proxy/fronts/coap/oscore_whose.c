/* The steps of draft-ietf-core-oscore-capable-proxies, "Processing of an Incoming Request". The hard thing: a message
 * that is protected may be for the gateway or for somebody behind it, and what tells is outside, where anybody can
 * write; so what is outside can only make the gateway not open it. */
#include "fronts/coap/oscore_whose.h"

#include "fronts/coap/from_coap.h"
#include "model/route.h"
#include "oscore/oscore.h"

enum { ROUTE_MEMORY = 64 << 10 /* for finding out whose request it is */ };

static bool names_path(const struct cg_option_numbers *numbers, uint16_t number) {
    return number == CG_OPT_URI_PATH || number == numbers->uri_path_abbrev || number == CG_OPT_PROXY_URI ||
           number == CG_OPT_PROXY_SCHEME || number == numbers->proxy_cri || number == numbers->proxy_scheme_number;
}

/* A mapping that relays is a reverse proxy for whoever names its host. */
static bool is_relayed_by_host(const struct cg_config *config, const struct cg_coap_peer *peer,
                               const struct cg_coap_message *message) {
    struct cg_problem problem = {0};
    struct cg_request request = {.reached = *cg_coap_peer_local(peer)};
    struct cg_coap_extras extras;
    struct cg_arena arena;
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    const struct cg_from_coap from = {
        .config = config, .message = message, .arena = &arena, .request = &request, .problem = &problem};
    cg_arena_init(&arena, ROUTE_MEMORY, NULL);
    int err = cg_from_coap_head(&from, &extras);
    if (err == CG_OK) err = cg_route(config, &request, &mapping, &rest, &problem);
    bool is_relayed = err == CG_OK && mapping->security == CG_SECURITY_RELAY;
    cg_arena_fini(&arena);
    return is_relayed;
}

/* What the draft calls proxy-related options: it goes on, as it is ("Processing of an Incoming Request", steps 1 to 4).
 */
static bool is_for_others(const struct cg_config *config, const struct cg_coap_peer *peer,
                          const struct cg_coap_message *message) {
    const struct cg_msg msg = {.options = message->options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    bool names_host = false;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (names_path(&config->options, opt.number)) return true;
        names_host = names_host || opt.number == CG_OPT_URI_HOST;
    }
    return names_host && is_relayed_by_host(config, peer, message);
}

static const struct cg_client *client_of(const struct cg_config *config, const struct cg_coap_message *message) {
    const struct cg_msg msg = {.options = message->options};
    struct cg_oscore_option option;
    struct cg_slice value;
    bool is_protected = cg_msg_find(&msg, CG_OPT_OSCORE, &value) && cg_oscore_option_parse(&option, value) == CG_OK;
    if (!is_protected || option.group || !option.has_kid) return NULL;
    const struct cg_client *client = cg_config_client_by_oscore(config, option.kid);
    if (client == NULL || !option.has_kid_context) return client;
    bool is_it = client->oscore.has_id_context && cg_slice_equal(client->oscore.id_context, option.kid_context);
    return is_it ? client : NULL;
}

const struct cg_client *cg_oscore_whose(const struct cg_config *config, const struct cg_coap_peer *peer,
                                        const struct cg_coap_message *message) {
    const struct cg_client *client = client_of(config, message);
    return client == NULL || is_for_others(config, peer, message) ? NULL : client;
}
