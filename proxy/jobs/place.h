/* Where a link leads, and whether anything is asked there. A list of links may be anybody's, so what it names is text
 * until all of this has been asked about it. */
#ifndef CG_JOBS_PLACE_H
#define CG_JOBS_PLACE_H

#include "exchange/gateway.h"
#include "wire/link_format.h"

/* Appends the link's target as a whole URI: one that is whole is left as it is; any other belongs to the link's anchor
 * where that is a whole URI, else to whoever is `at`. */
void cg_place_put(struct cg_buf *to, const struct cg_link *link, const struct cg_addr *at);

/* Who hears of a link, and from whom. */
struct cg_place_view {
    struct cg_gateway *gateway;
    const struct cg_config *excerpt; /* the request that the link came by: its group's link and prefixes count */
    const struct cg_addr *told_by;
};

/* Whether the URI names somebody who may be asked: by coap, without credentials, by an address of one host, on the link
 * of the group or inside the prefixes, and neither one of our own doors nor on loopback, unless the group is. *uri is
 * it then, with a zone where it needs one. */
bool cg_place_may_be_asked(const struct cg_place_view *view, struct cg_slice text, struct cg_uri *uri);
/* Whether it is the URI of a group, by its address, that a mapping could have. */
bool cg_place_is_group(struct cg_slice text);

#endif
