/* What a client is told first is the hard thing: where its request goes to, because access depends on that; then
 * whether it may ask at all; and only then what is wrong with it (GCP §5.2.1: step 2 before step 3). */
#include "fronts/coap/intake.h"

#include "fronts/coap/oscore_known.h"
#include "model/access.h"
#include "model/forward.h"
#include "model/route.h"

/* Only CoAP's own ways to say how long: a mapping's timeout is for HTTP, and its finish rule for single replies. */
static void take_sender(const struct cg_coap_peer *peer, struct cg_request *request) {
    const struct cg_listen *listen = cg_coap_peer_listen(peer);
    request->peer = *cg_coap_peer_addr(peer);
    request->from = cg_addr_host(&request->peer);
    request->reached = *cg_coap_peer_local(peer);
    request->scheme = cg_coap_peer_scheme(peer);
    request->needs_timeout = true;
    request->finishing = CG_FINISH_BY_TIME;
    request->crowding = CG_CROWDING_SERVES_ONCE;
    request->is_remote = !listen->loopback;
    request->may_be_anonymous = !request->is_remote || listen->insecure;
}

/* Where the forward proxy is for no group at all it does not matter who asks: 5.01 for groups (RFC 10020 §3.5.1), 5.05
 * for single hosts (RFC 7252 §5.10.2). */
static int check_forwarding(const struct cg_from_coap *from) {
    struct cg_uri target;
    if (!from->request->forward || cg_forward_is_on(from->config)) return CG_OK;
    bool is_single = cg_uri_parse(&target, from->request->path, NULL) == CG_OK && cg_uri_names_host(&target);
    return cg_problem_set(from->problem, is_single ? CG_E_PROXYING : CG_E_NOT_ENABLED,
                          "this is no forward proxy: no mapping has \"forward\": true");
}

static bool is_protected(const struct cg_from_coap *from) {
    const struct cg_msg msg = {.options = from->message->options};
    struct cg_slice value;
    return cg_msg_find(&msg, CG_OPT_OSCORE, &value);
}

/* Where no mapping relays it, nobody here has its keys (RFC 8613 §8.2), whatever is wrong with it besides: what a
 * client had protected for the gateway was opened before (shield.h). */
static int check_protected(const struct cg_from_coap *from) {
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    struct cg_problem ignored = {0};
    if (from->request->discovery || !is_protected(from)) return CG_OK;
    int err = cg_route(from->config, from->request, &mapping, &rest, &ignored);
    if (err != CG_E_NOT_FOUND) return CG_OK;
    return cg_problem_set(
        from->problem, CG_E_UNAUTHORIZED,
        "Security context not found: no client here has it, and no mapping that relays has this path");
}

static int check_access(const struct cg_from_coap *from) {
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    int err = cg_route(from->config, from->request, &mapping, &rest, from->problem);
    return err < 0 ? err : cg_access_check(mapping, from->request, from->problem);
}

/* Whoever may not send it at all hears that, and not what else is wrong with it (GCP §5.2.1). */
static int refuse_wrong(const struct cg_from_coap *from, const struct cg_problem *wrong) {
    int err = from->request->discovery ? CG_OK : check_access(from);
    if (err < 0) return err;
    *from->problem = *wrong;
    return wrong->err;
}

static bool is_for_protected_group(const struct cg_from_coap *from) {
    const struct cg_mapping *mapping;
    struct cg_slice rest;
    struct cg_problem ignored = {0};
    if (from->request->discovery) return false;
    int err = cg_route(from->config, from->request, &mapping, &rest, &ignored);
    return err == CG_OK && mapping->security == CG_SECURITY_GROUP;
}

/* What is safe to forward is not yet known well enough to be protected
 * (draft-ietf-core-oscore-capable-proxies, "Protection of CoAP Options"). */
static int check_options(const struct cg_from_coap *from) {
    const struct cg_opts *options = &from->request->options;
    for (size_t i = 0; i < options->count; i++) {
        uint16_t number = options->list[i].number;
        if (cg_oscore_knows(&from->config->options, number) || !is_for_protected_group(from)) continue;
        return cg_problem_set(from->problem, CG_E_BAD_OPTION,
                              "option %u is not known here: OSCORE, which protects this group, has no class for it",
                              number);
    }
    return CG_OK;
}

static int convert_rest(const struct cg_from_coap *from, struct cg_coap_extras *extras) {
    struct cg_problem wrong = {0};
    struct cg_from_coap rest = *from;
    rest.problem = &wrong;
    int err = cg_from_coap_rest(&rest, extras);
    if (err == CG_OK) err = check_options(&rest);
    return err < 0 ? refuse_wrong(from, &wrong) : CG_OK;
}

int cg_coap_intake(const struct cg_from_coap *from, const struct cg_coap_peer *peer, struct cg_coap_extras *extras) {
    take_sender(peer, from->request);
    int err = cg_from_coap_head(from, extras);
    if (err == CG_OK) err = check_forwarding(from);
    if (err == CG_OK) err = cg_coap_peer_identify(peer, from->config, from->request, from->problem);
    if (err == CG_OK) err = check_protected(from);
    if (err < 0) return err;
    return convert_rest(from, extras);
}
