/* What a silent member was found to be, and what follows from that. */
#ifndef CG_APP_CHECK_VERDICT_H
#define CG_APP_CHECK_VERDICT_H

#include "app/check/findings.h"

/* In the order in which they are told: what explains others away stands before them. */
enum cg_verdict_kind {
    CG_VERDICT_NONE,
    CG_VERDICT_LINK_GROUP,    /* behind a router, and the group is one of the link */
    CG_VERDICT_HOPS,          /* behind a router, and the hop limit is 1 */
    CG_VERDICT_KEYS,          /* it cannot open what is protected here */
    CG_VERDICT_REFUSES,       /* it answers with an error by unicast */
    CG_VERDICT_PORT,          /* it listens at another port than the group's */
    CG_VERDICT_HEARS_UNICAST, /* it answers the same by unicast */
    CG_VERDICT_MUTE,          /* it answers pings, and nothing else */
    CG_VERDICT_OTHER_PORT,    /* nothing listens at its port, but at another */
    CG_VERDICT_NOT_LISTENING, /* nothing listens at its port */
    CG_VERDICT_PROHIBITED,    /* a firewall says so */
    CG_VERDICT_DROPPED,       /* its host is there, and takes nothing */
    CG_VERDICT_ABSENT,        /* no such host on the link */
    CG_VERDICT_UNREACHABLE,   /* something else that ICMP or this host says */
    CG_VERDICT_SILENT,        /* behind a router, and not a word */
    CG_VERDICT_COUNT
};

/* One sentence about all who are it. False: nobody is. */
bool cg_verdict_tell(const struct cg_findings *findings, enum cg_verdict_kind kind, char *text, size_t size);

/* It is reached by no interface that the request left by. */
bool cg_verdict_is_elsewhere(const struct cg_findings *findings, const struct cg_silent *silent);
/* Link-local: routers would not pass it on, whatever the hop limit (RFC 5771 §4, RFC 4291 §2.7). */
bool cg_verdict_stays_on_link(const struct cg_addr *group);
/* What an error of a member's is likely to mean. */
const char *cg_verdict_of_code(uint8_t code);

#endif
