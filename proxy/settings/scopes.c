/* Scopes of groups. The hard thing is to be silent where a wider scope may have its reason: only what no member that is
 * known could need is told. A realm may be forwarded within itself whatever the hop limit (RFC 7731), so realm-local
 * groups are never spoken of. */
#include "settings/scopes.h"

#include <stdio.h>

enum { LISTED = 5, LINK_LOCAL = 2, SITE_LOCAL = 5, ORGANIZATION_LOCAL = 8 };

static unsigned scope_of(const struct cg_addr *group) { return group->ip[1] & 0x0f; } /* RFC 4291 §2.7 */

static bool is_within(const struct cg_group_settings *settings, const struct cg_addr *addr) {
    for (size_t i = 0; i < settings->prefix_count; i++) {
        if (cg_prefix_has(&settings->prefixes[i], addr)) return true;
    }
    return false;
}

/* RFC 4193; RFC 1918. */
static bool is_private(const struct cg_addr *addr) {
    const uint8_t *ip = addr->ip;
    if (addr->family == CG_FAMILY_IPV6) return cg_addr_is_link_local(addr) || (ip[0] & 0xfe) == 0xfc;
    return ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168) ||
           (ip[0] == 169 && ip[1] == 254);
}

/* All members are known, and none is beyond the site. */
static bool stays_in_site(const struct cg_config *config, const struct cg_mapping *mapping) {
    if (!mapping->complete || mapping->member_count == 0) return false;
    for (size_t i = 0; i < mapping->member_count; i++) {
        const struct cg_addr *addr = &mapping->members[i].addr;
        bool is_near = addr->family != CG_FAMILY_NONE && (is_private(addr) || is_within(&config->group, addr));
        if (!is_near) return false;
    }
    return true;
}

static const char *narrower_ipv6(struct cg_addr group, unsigned scope, char text[CG_ADDR_TEXT_MAX]) {
    group.ip[1] = (uint8_t)((group.ip[1] & 0xf0) | scope);
    cg_addr_emit_ip(&group, text);
    return text;
}

/* RFC 2365 §6.1: local scope; what is below is up to the site. */
static const char *narrower_ipv4(struct cg_addr group, char text[CG_ADDR_TEXT_MAX]) {
    group.ip[0] = 239;
    group.ip[1] = 255;
    cg_addr_emit_ip(&group, text);
    return text;
}

/* The internetwork block and what is beyond it, but for scopes that an administrator has drawn (RFC 5771, RFC 2365). */
static bool is_global_ipv4(const struct cg_addr *group) {
    bool is_link_local = group->ip[0] == 224 && group->ip[1] == 0 && group->ip[2] == 0;
    return !is_link_local && group->ip[0] != 239;
}

/* NULL: the scope is none too wide, as far as anybody knows. */
static const char *find_narrower(const struct cg_config *config, const struct cg_mapping *mapping,
                                 const struct cg_target *target, const char **why, char text[CG_ADDR_TEXT_MAX]) {
    const struct cg_addr *group = &target->group;
    bool is_literal = target->host.len == 0 && !cg_target_is_hop(target); /* beyond it others know */
    if (!is_literal) return NULL;
    if (group->family == CG_FAMILY_IPV6 && target->hops == 1 && scope_of(group) >= SITE_LOCAL) {
        *why = "with hop limit 1 its requests never leave the link";
        return narrower_ipv6(*group, LINK_LOCAL, text);
    }
    *why = "all of its members are within the site";
    if (!stays_in_site(config, mapping)) return NULL;
    if (group->family == CG_FAMILY_IPV6) {
        return scope_of(group) >= ORGANIZATION_LOCAL ? narrower_ipv6(*group, SITE_LOCAL, text) : NULL;
    }
    return target->hops > 1 && is_global_ipv4(group) ? narrower_ipv4(*group, text) : NULL;
}

bool cg_warn_of_scope(const struct cg_config *config, const struct cg_mapping *mapping, struct cg_mistakes *warnings) {
    char text[CG_ADDR_TEXT_MAX], pointer[CG_WARN_POINTER_MAX];
    const char *narrower = NULL, *why = "";
    size_t i = 0;
    for (; i < mapping->target_count && narrower == NULL; i++) {
        narrower = find_narrower(config, mapping, &mapping->targets[i], &why, text);
    }
    if (narrower == NULL || warnings == NULL) return narrower != NULL;
    cg_warn_pointer(pointer, warnings, mapping, "group");
    cg_warnings_add(warnings, "wide-scope", pointer,
                    "the scope of %s is wider than %s needs: %s, so a group such as %s would do, once its members have "
                    "joined that (RFC 10020 section 3.6)",
                    mapping->targets[i - 1].uri, mapping->name, why, narrower);
    return true;
}

/* The first few, for they are often all alike. */
void cg_warn_of_scopes(const struct cg_config *config, struct cg_mistakes *warnings) {
    const struct cg_mapping *mapping;
    size_t count = 0;
    for (uint32_t next = 0; (mapping = cg_config_next_mapping(config, &next)) != NULL;)
        count += cg_warn_of_scope(config, mapping, count < LISTED ? warnings : NULL);
    if (count > LISTED)
        cg_warnings_add(warnings, "wide-scope", "/mappings", "%zu more have a group of wider scope than they need",
                        count - LISTED);
}
