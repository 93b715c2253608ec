/* The stored items read at once, before anybody is served. Without them the gateway serves by its settings file alone:
 * what somebody has stored is missed less than everything. */
#include "app/stock.h"

#include <stdlib.h>

enum { ROOM_FIRST = 64 };

static bool hear(void *ctx, struct cg_item *item) {
    struct cg_stock *stock = ctx;
    if (stock->count == stock->room) {
        size_t room = stock->room == 0 ? ROOM_FIRST : 2 * stock->room;
        struct cg_item **items = realloc(stock->items, room * sizeof *items);
        if (items == NULL) {
            cg_item_unref(item);
            return false;
        }
        stock->items = items;
        stock->room = room;
    }
    stock->items[stock->count++] = item;
    return true;
}

static void forget_items(struct cg_stock *stock) {
    for (size_t i = 0; i < stock->count; i++) cg_item_unref(stock->items[i]);
    free(stock->items);
    stock->items = NULL;
    stock->count = stock->room = 0;
}

void cg_stock_load(struct cg_stock *stock, struct cg_items_file *file) {
    stock->err = cg_items_load(file, hear, stock, &stock->problem);
    if (stock->err < 0) forget_items(stock);
}

void cg_stock_read(struct cg_stock *stock, struct cg_protectors *protectors, const char *folder) {
    struct cg_state_lock *lock = cg_protectors_lock(protectors, folder);
    stock->file = lock == NULL ? NULL : cg_items_file_new(folder, lock);
    if (stock->file == NULL) {
        stock->err = cg_problem_no_memory(&stock->problem);
        return;
    }
    cg_stock_load(stock, stock->file);
}

void cg_stock_fini(struct cg_stock *stock) {
    forget_items(stock);
    cg_items_file_free(stock->file);
    stock->file = NULL;
}
