/* Where members of any mapping are, and by which links groups are reached: asked about hosts that nothing else is known
 * of (legs/reach.h), so no answer may take a walk over all mappings. */
#ifndef CG_MODEL_HOSTS_H
#define CG_MODEL_HOSTS_H

#include "base/table.h"
#include "wire/addr.h"

#define CG_HOSTS_INTERFACES 16 /* that are remembered, of all targets */

struct cg_config;

/* Zeroed, it knows none. */
struct cg_hosts {
    struct cg_addr *list; /* each once, port 0 */
    uint32_t count;
    struct cg_table table;                       /* their numbers */
    const char *interfaces[CG_HOSTS_INTERFACES]; /* of targets, each once: NULL is one, too */
    size_t interface_count;
};

/* Part of cg_config_index, when the members have been indexed. False: no memory. */
bool cg_hosts_index(struct cg_config *config) CG_MUST_CHECK;

/* Whether a member is configured at this address, whatever the port; one without zone is on any link. */
bool cg_hosts_have(const struct cg_hosts *hosts, const struct cg_addr *addr);

#endif
