/* Locked, guarded and undumped memory for many keys. sodium_malloc protects each block by mappings of its own, too dear
 * for one key each; here a block holds many. Nothing but keys lies in it. Where locking memory is not allowed it works
 * all the same. */
#ifndef CG_OSCORE_VAULT_H
#define CG_OSCORE_VAULT_H

#include "oscore/cose.h"

struct cg_vault_block;

/* All zero: empty. */
struct cg_vault {
    struct cg_vault_block *blocks;
    uint8_t *free; /* the first free slot; each begins with the address of the next */
};

/* CG_COSE_KEY_MAX bytes of zeros, or NULL. */
uint8_t *cg_vault_take(struct cg_vault *vault);
void cg_vault_give(struct cg_vault *vault, uint8_t *slot); /* wipes it; NULL is fine */
void cg_vault_fini(struct cg_vault *vault);                /* wipes and frees all, taken or not */

#endif
