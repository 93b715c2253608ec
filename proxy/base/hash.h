/* Hash tables, by uthash. Two things are hard. By itself uthash ends the process when memory runs out: here an item
 * that finds no memory stays out of the table, and whoever adds one asks CG_HASH_HAS; what is in the table stays there.
 * And it doubles a table at once, which holds the loop for 10 ms where there are 80 000 items: here a table grows by
 * one bucket at a time (linear hashing, Litwin 1980), and where there is no memory it only gets slower. */
#ifndef CG_BASE_HASH_H
#define CG_BASE_HASH_H

#include <stdbool.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* The largest power of two that is no more than `buckets`, which is not 0. */
static inline unsigned cg_hash_power(unsigned buckets) { return 1u << (31 - __builtin_clz(buckets)); }

/* Which of `buckets` a hash belongs to: as many of its bits as name them all, or one less for those not there yet. */
static inline unsigned cg_hash_bucket(unsigned hash, unsigned buckets) {
    const unsigned power = cg_hash_power(buckets), bucket = hash & (2 * power - 1);
    return bucket < buckets ? bucket : bucket & (power - 1);
}

/* uthash's, when a bucket that got an item has many. */
void cg_hash_grow(struct UT_hash_table *table);

#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 4U
#undef HASH_TO_BKT
#define HASH_TO_BKT(hash, buckets, bucket) ((bucket) = cg_hash_bucket((hash), (buckets)))
#undef HASH_EXPAND_BUCKETS
#define HASH_EXPAND_BUCKETS(hh, table, oomed) cg_hash_grow(table)

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
