/* Items as the admin side shows them: the document as it was set, flat, between the item's name and what is known of
 * it. */
#ifndef CG_FRONTS_ADMIN_SHOWN_H
#define CG_FRONTS_ADMIN_SHOWN_H

#include <jansson.h>

#include "model/item.h"

enum cg_shown_form {
    CG_SHOWN_IN_LIST,
    CG_SHOWN_ALONE, /* with "effective": every key written out */
};

void cg_shown_put_stored(struct cg_buf *to, const struct cg_config *config, const struct cg_item *item,
                         enum cg_shown_form form);
/* One of the settings file's own. */
void cg_shown_put_of_file(struct cg_buf *to, const struct cg_config *config, enum cg_item_kind kind, const char *name,
                          enum cg_shown_form form);

/* What was shown, taken back: without the members that nobody sets. A copy; NULL: no memory. */
json_t *cg_shown_as_set(const json_t *shown);

/* The names of the settings file's items of that kind behind `after`, in order: the first `max` of them. Borrowed from
 * the snapshot. Returns how many. */
size_t cg_shown_names_of_file(const struct cg_config *config, enum cg_item_kind kind, const char *after,
                              const char **names, size_t max);

#endif
