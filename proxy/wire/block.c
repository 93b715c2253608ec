/* Block options: number, more flag and size exponent in at most three bytes. */
#include "wire/block.h"

#include "wire/msg.h"

static bool parse(struct cg_slice value, uint8_t szx_max, struct cg_block *block) {
    if (value.len > CG_BLOCK_MAX) return false;
    uint32_t number = 0;
    for (size_t i = 0; i < value.len; i++) number = number << 8 | value.data[i];
    *block = (struct cg_block){.number = number >> 4, .more = number & 8, .szx = number & 7};
    return block->szx <= szx_max;
}

static enum cg_block_found find(struct cg_slice options, uint16_t number, uint8_t szx_max, struct cg_block *block) {
    struct cg_msg msg = {.options = options};
    struct cg_opt_iter iter;
    struct cg_opt opt;
    enum cg_block_found found = CG_BLOCK_NONE;
    cg_opt_iter_init(&iter, &msg);
    while (cg_opt_next(&iter, &opt)) {
        if (opt.number != number) continue;
        if (found != CG_BLOCK_NONE || !parse(opt.value, szx_max, block)) return CG_BLOCK_MALFORMED;
        found = CG_BLOCK_ONE;
    }
    return found;
}

enum cg_block_found cg_block_find(struct cg_slice options, uint16_t number, struct cg_block *block) {
    return find(options, number, CG_BLOCK_SZX_MAX, block);
}

enum cg_block_found cg_block_find_bert(struct cg_slice options, uint16_t number, struct cg_block *block) {
    return find(options, number, CG_BLOCK_SZX_BERT, block);
}

size_t cg_block_emit(const struct cg_block *block, uint8_t to[CG_BLOCK_MAX]) {
    uint32_t value = block->number << 4 | (block->more ? 8u : 0u) | block->szx;
    size_t len = value > 0xffff ? 3 : value > 0xff ? 2 : value > 0 ? 1 : 0;
    for (size_t i = 0; i < len; i++) to[i] = (uint8_t)(value >> 8 * (len - 1 - i));
    return len;
}

uint8_t cg_block_szx(size_t size) {
    uint8_t szx = 0;
    while (szx < CG_BLOCK_SZX_MAX && (size_t)32 << szx <= size) szx++;
    return szx;
}
