/* A port around a port. The hard thing: a check must send exactly what the gateway in service would, so nothing is
 * changed on the way; what is sent again or asked for beside the first datagram is not copied. */
#include "app/check/emissions.h"

#include <stdlib.h>
#include <string.h>

static void keep_emission(struct cg_emission *emission, const struct cg_route *route, struct cg_slice datagram) {
    emission->happened = true;
    emission->to = route->to;
    emission->bytes = malloc(datagram.len + 1);
    if (emission->bytes == NULL) return;
    memcpy(emission->bytes, datagram.data, datagram.len);
    emission->len = datagram.len;
}

static void note_emission(struct cg_emissions *emissions, const struct cg_route *route, struct cg_slice datagram) {
    for (size_t i = 0; i < emissions->findings->outlet_count; i++) {
        const struct cg_outlet *outlet = &emissions->findings->outlets[i];
        if (emissions->list[i].happened || !cg_addr_equal(&outlet->group, &route->to)) continue;
        if (!emissions->findings->unicast && outlet->target->interface != route->interface) continue;
        keep_emission(&emissions->list[i], route, datagram);
        return;
    }
}

static int on_emit(void *ctx, const struct cg_route *route, struct cg_slice datagram, struct cg_problem *problem) {
    struct cg_emissions *emissions = ctx;
    int err = emissions->inner.emit(emissions->inner.ctx, route, datagram, problem);
    if (err == CG_OK) note_emission(emissions, route, datagram);
    return err;
}

static void on_random(void *ctx, void *to, size_t len) {
    struct cg_emissions *emissions = ctx;
    emissions->inner.random(emissions->inner.ctx, to, len);
}

static uint64_t on_kernel_drops(void *ctx) {
    struct cg_emissions *emissions = ctx;
    return emissions->inner.kernel_drops(emissions->inner.ctx);
}

static uint32_t on_zone(void *ctx, const char *interface) {
    struct cg_emissions *emissions = ctx;
    return emissions->inner.zone(emissions->inner.ctx, interface);
}

static bool on_link(void *ctx, const char *interface, const struct cg_addr *addr) {
    struct cg_emissions *emissions = ctx;
    return emissions->inner.on_link(emissions->inner.ctx, interface, addr);
}

static void on_hurry(void *ctx, uint64_t until_us) {
    struct cg_emissions *emissions = ctx;
    emissions->inner.hurry(emissions->inner.ctx, until_us);
}

static void on_wake(void *ctx) {
    struct cg_emissions *emissions = ctx;
    emissions->inner.wake(emissions->inner.ctx);
}

int cg_emissions_init(struct cg_emissions *emissions, const struct cg_findings *findings) {
    *emissions = (struct cg_emissions){.findings = findings};
    emissions->list = calloc(findings->outlet_count, sizeof *emissions->list);
    return emissions->list == NULL ? CG_E_NO_MEMORY : CG_OK;
}

void cg_emissions_attach(struct cg_emissions *emissions, struct cg_port *port) {
    emissions->inner = *port;
    *port = (struct cg_port){.ctx = emissions,
                             .emit = on_emit,
                             .random = on_random,
                             .kernel_drops = on_kernel_drops,
                             .zone = on_zone,
                             .on_link = on_link,
                             .hurry = on_hurry,
                             .wake = on_wake};
}

void cg_emissions_fini(struct cg_emissions *emissions) {
    for (size_t i = 0; emissions->list != NULL && i < emissions->findings->outlet_count; i++)
        free(emissions->list[i].bytes);
    free(emissions->list);
}
