/* Which part of a body a response carries (RFC 7959 §2.2 to §2.4): all of it, or one block. */
#ifndef CG_FRONTS_COAP_CUT_H
#define CG_FRONTS_COAP_CUT_H

#include "base/err.h"
#include "wire/block.h"

struct cg_coap_cut {
    bool is_block;         /* else it is the whole body */
    struct cg_block block; /* then: what Block2 says */
    struct cg_slice part;  /* borrowed of the body */
};

/* `asked` is the request's Block2, NULL: it has none. The client's size is kept to, or a smaller one that is no more
 * than `szx_max`: the number is then that of the same place in smaller blocks. A body that fits is only a block where
 * that was asked for. CG_E_BAD_REQUEST: there is no such block. */
int cg_coap_cut(struct cg_slice body, const struct cg_block *asked, uint8_t szx_max,
                struct cg_coap_cut *cut) CG_MUST_CHECK;

/* In as many blocks of 1024 bytes at once as that many bytes have room for (BERT, RFC 8323 §6). CG_E_BAD_REQUEST: there
 * is no such block; CG_E_TOO_BIG: not even one. */
int cg_coap_cut_bert(struct cg_slice body, const struct cg_block *asked, size_t room,
                     struct cg_coap_cut *cut) CG_MUST_CHECK;

/* The largest size that fits where that many bytes are left for a payload; at least the smallest. */
uint8_t cg_coap_cut_szx(size_t room);

#endif
