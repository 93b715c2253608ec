/* A way out, looked at before anything goes by it. The hard thing: what the kernel would choose is asked of the kernel,
 * not worked out from the settings. */
#include "app/check/outlet.h"

#include <unistd.h>

#include "io/endpoint.h"

static bool has_address(const struct cg_outlet *outlet, const struct cg_group_settings *settings) {
    return outlet->group.family != CG_FAMILY_IPV4 || outlet->by.has_ipv4 || settings->address.family == CG_FAMILY_IPV4;
}

/* By unicast the routing table's. */
static const char *wanted_interface(const struct cg_outlet *outlet, bool unicast, char name[IF_NAMESIZE]) {
    return unicast ? if_indextoname(cg_evidence_route(&outlet->group).interface, name) : outlet->target->interface;
}

static void find_interface(struct cg_outlet *outlet, bool unicast, const struct cg_group_settings *settings,
                           struct cg_interfaces *interfaces) {
    char name[IF_NAMESIZE];
    const char *wanted = wanted_interface(outlet, unicast, name);
    if (unicast && wanted == NULL) {
        cg_problem_set(&outlet->problem, CG_E_EMIT, "there is no route to it");
        return;
    }
    outlet->has_interface = cg_interfaces_find(interfaces, wanted, &outlet->by, &outlet->problem) == CG_OK;
    const char *known = outlet->has_interface ? outlet->by.name : wanted;
    if (known != NULL && !cg_evidence_link(known, &outlet->link)) return;
    if (!outlet->has_interface || has_address(outlet, settings)) return;
    outlet->has_interface = false;
    cg_problem_set(&outlet->problem, CG_E_EMIT, "interface \"%s\" has no IPv4 address", outlet->by.name);
}

/* To a group, IPv4 leaves with the interface's primary address; all else is the kernel's choice. */
static struct cg_addr own_source(const struct cg_outlet *outlet, bool unicast) {
    struct cg_addr source = {.family = CG_FAMILY_IPV4};
    if (unicast || outlet->group.family != CG_FAMILY_IPV4) return cg_evidence_source(&outlet->group, &outlet->by);
    memcpy(source.ip, &outlet->by.ipv4, sizeof outlet->by.ipv4);
    return source;
}

void cg_outlet_look(struct cg_outlet *outlet, bool unicast, const struct cg_group_settings *settings,
                    struct cg_interfaces *interfaces, uint16_t port) {
    find_interface(outlet, unicast, settings, interfaces);
    if (!outlet->has_interface) return;
    outlet->source = settings->address;
    if (outlet->source.family != outlet->group.family) outlet->source = own_source(outlet, unicast);
    outlet->source.port = port;
    if (cg_addr_is_link_local(&outlet->source)) outlet->source.scope = outlet->by.index;
    outlet->route = cg_evidence_route(&outlet->group).interface;
    outlet->is_joined = cg_evidence_is_joined(&outlet->group, outlet->by.index);
}

/* From another port: unasked UDP, as answers to multicast are for a firewall. */
bool cg_outlet_send_self_test(const struct cg_outlet *outlet) {
    union cg_endpoint from, to;
    struct cg_addr own = outlet->source;
    socklen_t len = cg_endpoint_from_addr(&to, &own);
    own.port = 0;
    cg_endpoint_from_addr(&from, &own);
    int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool sent = fd >= 0 && bind(fd, &from.any, len) == 0 && sendto(fd, "", 1, MSG_NOSIGNAL, &to.any, len) == 1;
    if (fd >= 0) close(fd);
    return sent;
}
