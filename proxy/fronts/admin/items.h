/* What is done to an item of a collection: by its own routes, and by a batch. The routes' `about` is the kind. */
#ifndef CG_FRONTS_ADMIN_ITEMS_H
#define CG_FRONTS_ADMIN_ITEMS_H

#include "fronts/admin/call.h"
#include "fronts/admin/condition.h"

enum cg_wish_what { CG_WISH_CREATE, CG_WISH_PUT, CG_WISH_PATCH, CG_WISH_DELETE };

struct cg_items_wish {
    enum cg_wish_what what;
    enum cg_item_kind kind;
    const char *name;
    json_t *document; /* as it is to be, or the patch; borrowed */
    struct cg_condition if_match, if_none_match;
};

/* It is the settings file's: CG_E_CONFLICT with *problem. */
int cg_items_refuse_of_file(struct cg_problem *problem, enum cg_item_kind kind, const char *name);

/* For a change's plan, where it runs: looks at what is there, and adds the edit. An error with the change's problem. */
int cg_items_plan(struct cg_change *change, const struct cg_config *config,
                  const struct cg_items_wish *wish) CG_MUST_CHECK;
/* Whether the body's "name" is that one, or absent. */
bool cg_items_has_name(const json_t *body, const char *name);

/* For routes of collections that have more to do than these. */
void cg_items_serve_list(struct cg_admin_call *call);
void cg_items_serve_get(struct cg_admin_call *call);
void cg_items_serve_put(struct cg_admin_call *call);
void cg_items_serve_patch(struct cg_admin_call *call);
void cg_items_serve_delete(struct cg_admin_call *call);

#endif
