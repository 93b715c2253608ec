/* Hash tables, by uthash. The hard thing: by itself uthash ends the process when memory runs out. Here an item that
 * finds no memory stays out of the table, and whoever adds one asks CG_HASH_HAS. What is in the table stays there. */
#ifndef CG_BASE_HASH_H
#define CG_BASE_HASH_H

#include <stdbool.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* Whether the item is in its table: after HASH_ADD, false means that there was no memory. Also false for an item that
 * was zero-initialised and never added; not for one that was deleted. */
#define CG_HASH_HAS(hh, item) ((item)->hh.tbl != NULL)

/* Goes on through a table, from `place` (NULL: from its start) and for `rows` items at the most, which are counted
 * down; `place` is then where to go on, NULL at the end. The body may delete the item; between two calls nobody may
 * delete any. Items that come meanwhile are looked at, too. */
#define CG_HASH_SWEEP(head, place, item, rows)                                                                         \
    for ((item) = (place) != NULL ? (place) : (head);                                                                  \
         (item) != NULL && (rows) > 0 && ((rows)--, (place) = (item)->hh.next, true); (item) = (place))

#endif
