/* What mappings rely on to send, turned round: for each security group and each interface, which mappings need it. So
 * that whoever finds one of these missing can say what that means without a walk over all mappings. */
#ifndef CG_MODEL_RELIANCE_H
#define CG_MODEL_RELIANCE_H

#include <stdbool.h>
#include <stddef.h>

#define CG_RELIANCE_INTERFACES 64 /* that are remembered, of all targets */
#define CG_RELIANCE_NAMED      3

struct cg_config;

struct cg_reliance {
    size_t count;                         /* mappings */
    const char *names[CG_RELIANCE_NAMED]; /* the first of them */
    const void *last;                     /* while it is made: the mapping that was counted last */
};

struct cg_interface_reliance {
    const char *interface; /* NULL: the only one */
    bool over_ipv4;        /* some group is an IPv4 address */
    struct cg_reliance on;
};

/* Zeroed, nothing relies on anything. */
struct cg_reliances {
    struct cg_reliance *groups; /* by the places of the snapshot's security groups */
    struct cg_interface_reliance interfaces[CG_RELIANCE_INTERFACES];
    size_t interface_count;
};

/* Part of cg_config_index. False: no memory. */
bool cg_reliances_index(struct cg_config *config);

#endif
