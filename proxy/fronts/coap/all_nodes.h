/* What was asked of All CoAP Nodes (RFC 7252 §12.8; R36): a question that came by multicast, understood and answered.
 * Bytes in, bytes out; multicast.h has the sockets and the time. */
#ifndef CG_FRONTS_COAP_ALL_NODES_H
#define CG_FRONTS_COAP_ALL_NODES_H

#include "fronts/coap/from_coap.h"
#include "model/links.h"

#define CG_ALL_NODES_QUESTION_MAX 512  /* bytes; what is longer is not looked at */
#define CG_ALL_NODES_ANSWER_MAX   1152 /* bytes */

/* Where a question came from, and where it came to. */
struct cg_all_nodes_way {
    struct cg_addr from;
    struct cg_addr own; /* ours, that is answered from; IPv6: a group's, as the kernel chooses then */
    bool is_local;      /* it came from loopback, by loopback */
};

/* Understood; slices point into the datagram or the arena. */
struct cg_all_nodes_question {
    struct cg_token token;
    struct cg_request request;
    uint8_t szx;                     /* of the block that the answer may at most be */
    char base[CG_ADDR_TEXT_MAX + 9]; /* for cg_links_set_base */
};

/* False: it is answered with silence. That is all but a Non-confirmable GET of /.well-known/core that an address is
 * listened at for, and in which there is nothing wrong (RFC 7252 §8.1, §8.2). */
bool cg_all_nodes_understand(const struct cg_config *config, const struct cg_all_nodes_way *way,
                             struct cg_slice datagram, struct cg_arena *arena, struct cg_all_nodes_question *question);

/* The datagram that answers it. 0: there is nothing to tell, and it is answered with silence. */
size_t cg_all_nodes_answer(const struct cg_all_nodes_question *question, struct cg_slice links, uint16_t mid,
                           uint8_t to[CG_ALL_NODES_ANSWER_MAX]);

#endif
