/* The encoders that are linked into the gateway, the default first (../plugins/builtin.h). */
#ifndef CG_APP_ENCODERS_H
#define CG_APP_ENCODERS_H

#include "reply/encoders.h"

extern const struct cg_encoder_list cg_builtin_encoders;

#endif
