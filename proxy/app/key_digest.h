/* A digest of a key file's contents, by which a reload sees whether the keys are those that are in use. */
#ifndef CG_APP_KEY_DIGEST_H
#define CG_APP_KEY_DIGEST_H

#include "group_oscore/group_oscore.h"
#include "settings/security_group.h"

/* False: no memory. */
bool cg_key_digest(uint8_t digest[CG_GROUP_DIGEST_LEN], const struct cg_security_group *keys) CG_MUST_CHECK;

#endif
