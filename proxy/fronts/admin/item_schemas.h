/* The collections' schemas, which follow from the settings' table. */
#ifndef CG_FRONTS_ADMIN_ITEM_SCHEMAS_H
#define CG_FRONTS_ADMIN_ITEM_SCHEMAS_H

#include <stdbool.h>

#include <jansson.h>

/* The value of a text in which ' stands for ", a new reference. NULL: no memory. */
json_t *cg_schema_quoted(const char *text);

/* Adds, for each kind of item: "Mapping" as it is shown, "MappingList", "MappingSet" as it is sent, "MappingNew" with
 * its name, "MappingPatch"; and "Settings", what the admin side may set. False: no memory. */
bool cg_item_schemas_add(json_t *schemas);

#endif
