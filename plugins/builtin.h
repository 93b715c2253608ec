/* What is linked into the gateway: encoders, which use the same struct as loaded ones, and protectors. */
#ifndef CG_PLUGINS_BUILTIN_H
#define CG_PLUGINS_BUILTIN_H

#include <castgate/plugin.h>

/* Encoders by name, the default first: a new one is a folder here that defines cg_plugin_NAME, and its name in this
 * list. */
#define CG_BUILTIN_ENCODERS(ROW) ROW(mixed) ROW(json) ROW(sse) ROW(html) ROW(multipart_core)

#define ROW(name) extern const struct castgate_plugin cg_plugin_##name;
CG_BUILTIN_ENCODERS(ROW)
#undef ROW

struct cg_protector;

/* "security": "none": passes messages as they are. */
struct cg_protector *cg_protector_none(void);

#endif
