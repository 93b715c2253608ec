/* What was stored, at the start. */
#ifndef CG_APP_STOCK_H
#define CG_APP_STOCK_H

#include "app/protectors.h"
#include "store/items.h"

/* Zeroed, it is empty. */
struct cg_stock {
    struct cg_items_file *file; /* NULL: no memory for it */
    struct cg_item **items;     /* each with a reference; owned */
    size_t count, room;
    int err; /* CG_OK; CG_E_STORE: what is stored is not known */
    struct cg_problem problem;
};

/* Reads all of it, from the folder's file. It blocks. */
void cg_stock_read(struct cg_stock *stock, struct cg_protectors *protectors, const char *folder);
/* The same of a file that is known. */
void cg_stock_load(struct cg_stock *stock, struct cg_items_file *file);
/* Of the items; the file is somebody else's by then, or goes, too. */
void cg_stock_fini(struct cg_stock *stock);

#endif
