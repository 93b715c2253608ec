/* The resources, each in a file of its own: its rows are `const struct cg_admin_routes cg_routes_NAME`, and its line is
 * in resources.def. */
#ifndef CG_FRONTS_ADMIN_RESOURCES_H
#define CG_FRONTS_ADMIN_RESOURCES_H

#include "fronts/admin/route.h"

#define RESOURCE(name) extern const struct cg_admin_routes cg_routes_##name;
#include "fronts/admin/resources.def"
#undef RESOURCE

#endif
