/* Why: a group of ten thousand has ten thousand Recipient Keys, none of which may end in a swap file or a core dump.
 * Hard: nothing, as long as a slot's link is wiped when the slot is taken. */
#include "oscore/vault.h"

#include <sodium.h>
#include <stdlib.h>

enum { SLOTS = 127 }; /* a block and sodium's canary fit one page */

struct cg_vault_block {
    struct cg_vault_block *next;
    uint8_t *slots;
};

static void push(struct cg_vault *vault, uint8_t *slot) {
    memcpy(slot, &vault->free, sizeof(vault->free));
    vault->free = slot;
}

static bool add_block(struct cg_vault *vault) {
    struct cg_vault_block *block = malloc(sizeof(*block));
    if (block == NULL) return false;
    block->slots = sodium_allocarray(SLOTS, CG_COSE_KEY_MAX);
    if (block->slots == NULL) {
        free(block);
        return false;
    }
    sodium_memzero(block->slots, (size_t)SLOTS * CG_COSE_KEY_MAX);
    block->next = vault->blocks;
    vault->blocks = block;
    for (size_t i = 0; i < SLOTS; i++) push(vault, block->slots + i * CG_COSE_KEY_MAX);
    return true;
}

uint8_t *cg_vault_take(struct cg_vault *vault) {
    if (vault->free == NULL && !add_block(vault)) return NULL;
    uint8_t *slot = vault->free;
    memcpy(&vault->free, slot, sizeof(vault->free));
    memset(slot, 0, CG_COSE_KEY_MAX);
    return slot;
}

void cg_vault_give(struct cg_vault *vault, uint8_t *slot) {
    if (slot == NULL) return;
    sodium_memzero(slot, CG_COSE_KEY_MAX);
    push(vault, slot);
}

void cg_vault_fini(struct cg_vault *vault) {
    while (vault->blocks != NULL) {
        struct cg_vault_block *block = vault->blocks;
        vault->blocks = block->next;
        sodium_free(block->slots); /* wipes */
        free(block);
    }
    vault->free = NULL;
}
