/* Blocks by next hops. The hard thing: the request is the group's with another host and port, and without what is said
 * of answers by many. */
#include "rounds/hop_blocks.h"

#include <stdlib.h>

#include "rounds/hops.h"

enum { MORE_OPTIONS = 2 /* Uri-Host, Uri-Port */ };

/* What the group's request has and the member's has not, or otherwise. */
static bool is_of_group(const struct cg_part *part, uint16_t number) {
    return number == CG_OPT_URI_HOST || number == CG_OPT_URI_PORT || number == CG_OPT_NO_RESPONSE ||
           number == part->round->config->options.multicast_timeout;
}

static void name_member(struct cg_hop_blocks *blocks, const struct cg_addr *member) {
    struct cg_opts *to = &blocks->request.options;
    size_t len = cg_hop_host(member, blocks->host);
    cg_opts_insert(to, CG_OPT_URI_HOST, cg_slice_of(blocks->host, len));
    if (member->port != CG_COAP_PORT) cg_opts_insert(to, CG_OPT_URI_PORT, cg_uint_emit(member->port, blocks->port));
}

struct cg_hop_blocks *cg_hop_blocks_new(const struct cg_part *part, struct cg_slice options) {
    const struct cg_opts *own = &part->request->options;
    const struct cg_msg msg = {.options = options};
    struct cg_slice reply_from;
    struct cg_addr member;
    bool is_proxy = part->target->group_uri != NULL;
    if (!is_proxy || !cg_msg_find(&msg, part->round->config->options.reply_from, &reply_from)) return NULL;
    if (!cg_hops_find_address(reply_from, &member)) return NULL;
    struct cg_hop_blocks *blocks = calloc(1, sizeof *blocks + (own->count + MORE_OPTIONS) * sizeof *blocks->list);
    if (blocks == NULL) return NULL;
    blocks->request = *part->request;
    blocks->request.is_for_one = true;
    blocks->request.options = (struct cg_opts){.list = blocks->list};
    for (size_t i = 0; i < own->count; i++) {
        if (!is_of_group(part, own->list[i].number))
            cg_opts_insert(&blocks->request.options, own->list[i].number, own->list[i].value);
    }
    name_member(blocks, &member);
    return blocks;
}
