/* The one place that knows which protectors there are; settings have refused every other "security" already. */
#include "io/protectors.h"

#include "base/check.h"
#include "builtin.h"

void cg_protectors_attach(struct cg_config *config) {
    for (size_t i = 0; i < config->mapping_count; i++) {
        struct cg_mapping *mapping = &config->mappings[i];
        CG_CHECK(mapping->security == CG_SECURITY_NONE);
        mapping->protector = cg_protector_none();
    }
}
