/* Cutting. The hard thing: sizes may change between two requests, so a block is a place in the body first and a number
 * second; and a number has 20 bits. */
#include "fronts/coap/cut.h"

enum { NUMBER_MAX = (1 << 20) - 1 };

uint8_t cg_coap_cut_szx(size_t room) {
    uint8_t szx = CG_BLOCK_SZX_MAX;
    while (szx > 0 && (size_t)16 << szx > room) szx--;
    return szx;
}

/* The part from there on, as much of it as that. */
static struct cg_coap_cut part_of(struct cg_slice body, size_t at, size_t size, struct cg_block block) {
    size_t left = body.len - at;
    block.more = left > size;
    return (struct cg_coap_cut){.is_block = true,
                                .block = block,
                                .part =
                                    left == 0 ? CG_SLICE_NONE : cg_slice_of(body.data + at, block.more ? size : left)};
}

int cg_coap_cut(struct cg_slice body, const struct cg_block *asked, uint8_t szx_max, struct cg_coap_cut *cut) {
    struct cg_block block = asked != NULL ? *asked : (struct cg_block){.szx = szx_max};
    size_t at = block.number * cg_block_size(&block);
    if (block.szx > szx_max) block.szx = szx_max;
    size_t size = cg_block_size(&block), number = at / size;
    if ((at > 0 && at >= body.len) || number > NUMBER_MAX) return CG_E_BAD_REQUEST;
    block.number = (uint32_t)number;
    *cut = part_of(body, at, size, block);
    cut->is_block = asked != NULL || cut->block.more;
    return CG_OK;
}

int cg_coap_cut_bert(struct cg_slice body, const struct cg_block *asked, size_t room, struct cg_coap_cut *cut) {
    size_t unit = cg_block_size(asked), at = asked->number * unit;
    if (at > 0 && at >= body.len) return CG_E_BAD_REQUEST;
    if (room < unit) return CG_E_TOO_BIG;
    *cut = part_of(body, at, room / unit * unit, *asked);
    return CG_OK;
}
