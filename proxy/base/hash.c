/* A bucket more, and its items from the one bucket that had them. Only the array of buckets is ever copied as a whole:
 * 16 bytes for every two or three items. */
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum { ITEMS_A_BUCKET = 2 }; /* no fewer: more buckets would not part items whose hashes are equal */

/* At powers of two. */
static bool make_room(struct UT_hash_table *table) {
    size_t count = table->num_buckets, size = count * sizeof *table->buckets;
    if ((count & (count - 1)) != 0) return true;
    if (count > UINT32_MAX / 4) return false;
    struct UT_hash_bucket *buckets = realloc(table->buckets, 2 * size);
    if (buckets == NULL) return false;
    memset(buckets + count, 0, size);
    table->buckets = buckets;
    return true;
}

static void put(struct UT_hash_bucket *bucket, struct UT_hash_handle *item) {
    item->hh_prev = NULL;
    item->hh_next = bucket->hh_head;
    if (bucket->hh_head != NULL) bucket->hh_head->hh_prev = item;
    bucket->hh_head = item;
    bucket->count++;
}

static void deal_out(struct UT_hash_table *table, struct UT_hash_handle *item) {
    for (struct UT_hash_handle *next; item != NULL; item = next) {
        next = item->hh_next;
        put(&table->buckets[cg_hash_bucket(item->hashv, table->num_buckets)], item);
    }
}

void cg_hash_grow(struct UT_hash_table *table) {
    if (table->num_items < (size_t)ITEMS_A_BUCKET * table->num_buckets || !make_room(table)) return;
    struct UT_hash_bucket *parted = &table->buckets[table->num_buckets - cg_hash_power(table->num_buckets)];
    struct UT_hash_handle *items = parted->hh_head;
    *parted = (struct UT_hash_bucket){0};
    table->num_buckets++;
    deal_out(table, items);
}
