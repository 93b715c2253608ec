/* Listeners as addresses. The hard thing: one at all addresses is at any of this host's, and the one at all of IPv6 is
 * at those of IPv4, too. */
#include "model/listeners.h"

static bool is_at_all_of(const struct cg_addr *listen, enum cg_family family) {
    return cg_addr_is_unspecified(listen) && (listen->family == family || listen->family == CG_FAMILY_IPV6);
}

static bool is_at(const struct cg_addr *listen, const struct cg_addr *addr, bool is_own) {
    if (listen->family == CG_FAMILY_NONE || listen->port != addr->port) return false;
    return cg_addr_same_host(listen, addr) || (is_own && is_at_all_of(listen, addr->family));
}

static bool is_any_at(const struct cg_http_settings *settings, const struct cg_addr *addr, bool is_own) {
    size_t i = 0;
    while (i < settings->listen_count && !is_at(&settings->listen[i].addr, addr, is_own)) i++;
    return i < settings->listen_count;
}

static bool is_any_coap_at(const struct cg_coap_listen *list, size_t count, const struct cg_addr *addr, bool is_own) {
    for (size_t i = 0; i < count; i++) {
        const struct cg_coap_listen *listen = &list[i];
        if (cg_coap_is_by_datagrams(listen) && is_at(&listen->listen.addr, addr, is_own)) return true;
    }
    return false;
}

bool cg_listeners_have(const struct cg_config *config, const struct cg_addr *addr, bool is_own) {
    return is_any_at(&config->http, addr, is_own) || is_any_at(&config->admin, addr, is_own) ||
           is_any_coap_at(config->coap.listen, config->coap.listen_count, addr, is_own) ||
           is_any_coap_at(config->alerts.listen, config->alerts.listen_count, addr, is_own);
}
