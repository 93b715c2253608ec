/* Which items a document refers to, by name: the one table of that. */
#ifndef CG_MANAGE_REFERENCES_H
#define CG_MANAGE_REFERENCES_H

#include <jansson.h>

#include "model/item.h"

/* Whether documents of the one kind may refer to the other. */
bool cg_references_may(enum cg_item_kind from, enum cg_item_kind to);
enum cg_reference { CG_REFERENCE_NONE, CG_REFERENCE_MADE, CG_REFERENCE_UNKNOWN /* no memory to look */ };
/* Whether this document of kind `from` does to that item. What is no JSON refers to nothing. */
enum cg_reference cg_references_look(enum cg_item_kind from, struct cg_slice document, enum cg_item_kind to,
                                     const char *name);

#endif
