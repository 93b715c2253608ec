/* What is linked into the gateway: encoders, which use the same struct as loaded ones (the first is the default), and
 * protectors. */
#ifndef CG_PLUGINS_BUILTIN_H
#define CG_PLUGINS_BUILTIN_H

#include <castgate/plugin.h>

extern const struct castgate_plugin cg_plugin_mixed;
extern const struct castgate_plugin cg_plugin_json;
extern const struct castgate_plugin cg_plugin_sse;

struct cg_protector;

/* "security": "none": passes messages as they are. */
struct cg_protector *cg_protector_none(void);

#endif
