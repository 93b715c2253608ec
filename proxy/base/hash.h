/* Hash tables, by uthash. The hard thing: by itself uthash ends the process when memory runs out. Here an item that
 * finds no memory stays out of the table, and whoever adds one asks CG_HASH_HAS. What is in the table stays there. */
#ifndef CG_BASE_HASH_H
#define CG_BASE_HASH_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Whether the item is in its table: after HASH_ADD, false means that there was no memory. Also false for an item that
 * was zero-initialised and never added; not for one that was deleted. */
#define CG_HASH_HAS(hh, item) ((item)->hh.tbl != NULL)

#endif
