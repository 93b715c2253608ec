/* Block options (RFC 7959 §2.2): which part of a body a message carries. */
#ifndef CG_WIRE_BLOCK_H
#define CG_WIRE_BLOCK_H

#include "base/slice.h"

#define CG_BLOCK_MAX     3 /* bytes of a value */
#define CG_BLOCK_SZX_MAX 6
/* Reserved, but for streams: there it stands for any number of blocks of 1024 bytes in one message (BERT, RFC 8323 §6).
 */
#define CG_BLOCK_SZX_BERT 7
#define CG_BLOCK_NUMBERS  (1u << 20)

struct cg_block {
    uint32_t number;
    bool more;   /* others follow */
    uint8_t szx; /* size exponent */
};

enum cg_block_found { CG_BLOCK_NONE, CG_BLOCK_ONE, CG_BLOCK_MALFORMED };

/* The option of that number among encoded, well-formed options, into *block. MALFORMED: too long, of the reserved size,
 * or repeated. */
enum cg_block_found cg_block_find(struct cg_slice options, uint16_t number, struct cg_block *block);
/* The same of a message that came by a stream. */
enum cg_block_found cg_block_find_bert(struct cg_slice options, uint16_t number, struct cg_block *block);
/* The value, as short as it can be. Returns its length. */
size_t cg_block_emit(const struct cg_block *block, uint8_t to[CG_BLOCK_MAX]);

/* The size exponent of blocks of 16 to 1024 bytes: of the largest that are no larger than `size`. */
uint8_t cg_block_szx(size_t size);

/* What numbers count by. */
static inline size_t cg_block_size(const struct cg_block *block) {
    return (size_t)16 << (block->szx > CG_BLOCK_SZX_MAX ? CG_BLOCK_SZX_MAX : block->szx);
}
/* A block that others follow is full; the last one is at most that long. */
static inline bool cg_block_has_its_size(const struct cg_block *block, size_t len) {
    if (block->szx == CG_BLOCK_SZX_BERT) return !block->more || (len > 0 && len % cg_block_size(block) == 0);
    return block->more ? len == cg_block_size(block) : len <= cg_block_size(block);
}

#endif
