/* Editions of mappings: a number for all that settings say of one (model/same.h), which no other mapping has, nor this
 * one when it said something else. Under new settings that say the same of it, it keeps its number, and so finds what
 * was kept before. */
#ifndef CG_ROUNDS_CACHE_EDITIONS_H
#define CG_ROUNDS_CACHE_EDITIONS_H

#include "rounds/cache.h"

/* One that says that nothing is kept has a number, too, so that there is nothing of before when it says otherwise. 0:
 * it is in no settings, or there is no memory. */
uint64_t cg_cache_edition(struct cg_cache *cache, const struct cg_mapping *mapping);
void cg_cache_forget_editions(struct cg_cache *cache);

#endif
