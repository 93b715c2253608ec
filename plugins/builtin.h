/* The encoders that are linked into the gateway; the first is the default. Loaded ones use the same struct. */
#ifndef CG_PLUGINS_BUILTIN_H
#define CG_PLUGINS_BUILTIN_H

#include <castgate/plugin.h>

extern const struct castgate_plugin cg_plugin_mixed;
extern const struct castgate_plugin cg_plugin_json;

#endif
