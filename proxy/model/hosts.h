/* Where members of any mapping are, and by which links groups are reached: asked about hosts that nothing else is known
 * of (legs/reach.h), so no answer may take a walk over all mappings. */
#ifndef CG_MODEL_HOSTS_H
#define CG_MODEL_HOSTS_H

#include "base/index.h"
#include "wire/addr.h"

#define CG_HOSTS_INTERFACES 16 /* that are remembered, of all targets */

struct cg_config;
struct cg_mapping;

struct cg_host {
    struct cg_addr addr; /* port 0 */
    uint32_t uses;       /* members there, each list of them once; 0: none any more */
};

struct cg_hosts_interface {
    const char *name; /* NULL is one, too */
    uint32_t uses;    /* targets */
};

/* Zeroed, it knows none. */
struct cg_hosts {
    struct cg_host *list; /* each once */
    uint32_t count;
    struct cg_trie since;  /* by number, instead of the list's */
    struct cg_index index; /* their numbers */
    struct cg_hosts_interface interfaces[CG_HOSTS_INTERFACES];
    size_t interface_count;
};

/* Part of cg_config_index, when the members have been indexed. False: no memory. */
bool cg_hosts_index(struct cg_config *config) CG_MUST_CHECK;
/* In a derived snapshot, `now` (NULL: nothing) stands where `before` (NULL: nothing) stood. False: no memory. */
bool cg_hosts_change(struct cg_config *config, const struct cg_mapping *before,
                     const struct cg_mapping *now) CG_MUST_CHECK;

/* Whether a member is configured at this address, whatever the port; one without zone is on any link. */
bool cg_hosts_have(const struct cg_hosts *hosts, const struct cg_addr *addr);

#endif
