/* What a discovery has found: nodes with their links, Resource Directories and what is registered there, security
 * groups that links tell of. Bounded; what did not fit, or was not asked for, is kept by name where there is room for
 * that, and else counted. All text is as its sender wrote it: whoever prints it escapes it. */
#ifndef CG_MODEL_FOUND_H
#define CG_MODEL_FOUND_H

#include "model/request.h"

#define CG_FOUND_MAX ((size_t)16 << 20) /* bytes of one result */

/* Whether somebody's list of links is whole. */
enum cg_found_state {
    CG_FOUND_WHOLE,
    CG_FOUND_CUT,        /* its beginning only: the rest was not asked for, did not come, or there is no room for it */
    CG_FOUND_UNREADABLE, /* something else than link-format; `links` is what came before that */
    CG_FOUND_REFUSED,    /* an error instead of a list: `code` */
    CG_FOUND_SILENT,     /* a configured member, or a directory, that has not answered */
    CG_FOUND_UNASKED,    /* a directory that is only listed: see may_be_fetched */
};

struct cg_found_node {
    struct cg_found_node *next;
    const char *group;                /* the URI of the group that it is in, without a path; the result's */
    const struct cg_mapping *mapping; /* by which it was asked, of settings that the result keeps; NULL: the group is no
                                         mapping's */
    const char *member;               /* configured; NULL: it is not */
    struct cg_addr at;                /* family NONE: a silent member that has no address */
    struct cg_slice kid;
    bool has_kid;
    bool is_verified;
    enum cg_found_state state;
    uint8_t code;          /* of what it has answered; 0: nothing */
    struct cg_slice links; /* link-format (wire/link_format.h), nothing but whole links */
};

/* Of a Resource Directory (RFC 9176): what it takes registrations at (§5), and its look-up resources (§6). */
enum cg_found_directory_kind { CG_FOUND_RD, CG_FOUND_RD_LOOKUP_EP, CG_FOUND_RD_LOOKUP_RES };

struct cg_found_directory {
    struct cg_found_directory *next;
    enum cg_found_directory_kind kind;
    struct cg_slice uri;
    struct cg_addr told_by;
    bool may_be_fetched; /* see below */
    enum cg_found_state state;
    uint8_t code;      /* of REFUSED */
    uint32_t imported; /* links */
};

/* What is registered in a directory (RFC 9176): an endpoint, or a group (Appendix A). */
struct cg_found_entry {
    struct cg_found_entry *next;
    struct cg_slice name, base, type; /* ep, base, et (the first); empty: not said */
    struct cg_slice sector;           /* d; empty: not said */
    const struct cg_found_directory *directory;
    bool is_group; /* et=core.rd-group, or its base is a multicast address */
    /* By address, on a link of ours that the group is on or inside the prefixes, and neither one of our own doors nor
     * loopback, unless the group's interface is: else it is only listed, and nobody should ask there unseen. */
    bool may_be_fetched;
};

/* A security group that a link tells of (rt="core.osc.gm"): pending, until somebody joins it at its Group Manager. */
struct cg_found_security_group {
    struct cg_found_security_group *next;
    struct cg_slice name;        /* sec-gp */
    struct cg_slice application; /* app-gp, the first; empty: not said */
    struct cg_slice join;        /* the URI to join at, whole */
    struct cg_addr told_by;      /* the node, or the directory */
    struct cg_slice attributes;  /* the link's, for hkdf, gp_enc_alg, cred_fmt, … */
};

/* What is not there, and why: of the same kind, of which one was called `what`. */
struct cg_found_gap {
    struct cg_found_gap *next;
    struct cg_slice what; /* a group's URI, a directory's; empty: see why */
    const char *why;      /* static, a sentence's end: "was not asked before the time was over" */
    uint32_t count;       /* 1, or how many further ones for the same reason */
};

struct cg_found {
    struct cg_found_node *nodes;
    struct cg_found_directory *directories;
    struct cg_found_entry *entries;
    struct cg_found_security_group *security_groups;
    struct cg_found_gap *gaps;
    uint32_t node_count, directory_count, entry_count, security_group_count; /* in these lists */
    uint32_t answered;                                                       /* nodes, whatever they said */
    uint32_t cut;                                                            /* nodes whose list is not whole */
    uint32_t silent;           /* configured members that have not answered */
    uint32_t left_out;         /* nodes and links that did not fit, groups and directories that were not asked */
    struct cg_problem problem; /* the first that kept a group from being asked; err 0: none */
    /* "all": there was nothing more to hear; "deadline": some of what was asked had not come; "limit": the result is
     * full, or the gateway stops. NULL: it runs. */
    const char *ended_by;
};

#endif
