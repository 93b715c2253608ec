/* The list of the linked encoders, where whoever loads more can begin with it. The hard thing: none; the names are in
 * one place and this only makes an array of them. */
#include "app/encoders.h"

#include "builtin.h"

#define ROW(name) &cg_plugin_##name,
static const struct castgate_plugin *const plugins[] = {CG_BUILTIN_ENCODERS(ROW)};
#undef ROW

const struct cg_encoder_list cg_builtin_encoders = {.plugins = plugins, .count = sizeof plugins / sizeof *plugins};
