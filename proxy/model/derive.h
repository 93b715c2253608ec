/* A snapshot out of a snapshot: the same but for a few of its mappings and clients, at the cost of these, however many
 * there are. What stays is shared: the new snapshot keeps the one that it is derived from, and all before that up to
 * the one that was read whole, so what goes is given back when everything is read whole once more:
 * cg_derive_is_worthwhile says when not to put that off any longer.
 *
 * Nobody else has the new snapshot until it is whole; a failure leaves it good for cg_config_unref alone, and what it
 * is derived from as it was. */
#ifndef CG_MODEL_DERIVE_H
#define CG_MODEL_DERIVE_H

#include "model/config.h"

/* Whether it still pays to derive from this one. */
bool cg_derive_is_worthwhile(const struct cg_config *from);

/* On the thread that has the references: takes one. At most so many mappings come, change or go. NULL: no memory. */
struct cg_config *cg_derive_new(struct cg_config *from, size_t changes);

/* On any thread. In place of the mapping of that name, or beside all others. The mapping and what it points to are
 * in config->arena or outlive it; names, paths and group URIs are unique. The number and the roster are set here.
 * False: no memory. */
bool cg_derive_put_mapping(struct cg_config *config, struct cg_mapping *mapping) CG_MUST_CHECK;
bool cg_derive_remove_mapping(struct cg_config *config, const struct cg_mapping *mapping) CG_MUST_CHECK;
/* The same of clients. Grants go on with whoever has the name and the number; of a client that goes none may be left.
 */
bool cg_derive_put_client(struct cg_config *config, struct cg_client *client) CG_MUST_CHECK;
bool cg_derive_remove_client(struct cg_config *config, const struct cg_client *client) CG_MUST_CHECK;

#endif
