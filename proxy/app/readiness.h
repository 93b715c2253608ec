/* What keeps mappings from sending, before somebody asks for one of them: the store, keys, interfaces. */
#ifndef CG_APP_READINESS_H
#define CG_APP_READINESS_H

#include "base/buf.h"
#include "settings/settings.h"

struct cg_problem;
struct cg_program;

/* Whether mappings, security groups and interfaces may be named to whoever reads it. */
enum cg_readiness_names { CG_READINESS_COUNTS, CG_READINESS_NAMES };

/* Appends a line for each reason, of which there are at most 20 and one that counts the rest. Returns how many there
 * are; 0: every mapping can send, as far as is known. */
size_t cg_readiness_put(struct cg_program *program, enum cg_readiness_names names, struct cg_buf *to);

/* The same as warnings: "store-unavailable", "key-cannot-send", "interface-missing". */
void cg_readiness_warn(struct cg_program *program, struct cg_mistakes *warnings);

/* Whether requests of those who rely on it can leave. False: *problem says why not. */
bool cg_readiness_has_interface(const struct cg_program *program, const struct cg_config *config,
                                const struct cg_interface_reliance *by, struct cg_problem *problem);

/* Interfaces that are missing or of no use at the moment, each a warning in the log. */
void cg_readiness_log_interfaces(struct cg_program *program);

#endif
